"""A file that cannot be published is named, and leaves nothing in `staging/`."""

import errno
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.settings import CHECKOUT

ROOM_BYTES = 64 * 2**10
FILLING = """
import resource, sys
from pathlib import Path
from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
lake = Lake(Path(sys.argv[1]))
write_file(lake.root / "raw" / "file", b"x" * (2 * {room}), lake.staging)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder of another file system."""
    try:
        folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    except OSError:
        pytest.skip("there is no /dev/shm")
    if folder.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is no file system of its own")
    yield folder
    shutil.rmtree(folder)


def test_full_disk_is_told_with_the_file_that_found_no_room(lake: Lake):
    done = subprocess.run(
        [sys.executable, "-c", FILLING.format(room=ROOM_BYTES), str(lake.root)],
        env={"PYTHONPATH": str(CHECKOUT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )

    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"OSError: [Errno {errno.EFBIG}]")
    assert f"{lake.staging}/file." in last
    assert list(lake.staging.iterdir()) == []


def test_file_that_cannot_be_renamed_across_file_systems_leaves_nothing_in_staging(lake: Lake, elsewhere: Path):
    target = lake.root / "raw" / "file"
    target.parent.parent.mkdir()
    target.parent.symlink_to(elsewhere)

    with pytest.raises(OSError, match="file") as raised:
        write_file(target, b"bytes", lake.staging)

    assert raised.value.errno == errno.EXDEV
    assert list(lake.staging.iterdir()) == []
    assert not target.exists()
