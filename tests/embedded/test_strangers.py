"""The demo on a machine that is against it in every way at once ends as on any other."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.embedded.strangers import (
    ODD_NAME,
    checkout_at,
    command,
    hostile_environment,
    plain_environment,
    ports,
    without_programs_in_tmp,
)

pytestmark = [pytest.mark.long, pytest.mark.e2e, pytest.mark.timeout(1500)]


@pytest.fixture
def outside_tmp() -> Iterator[Path]:
    """A folder that a mount over /tmp does not hide."""
    folder = Path(tempfile.mkdtemp(prefix="orbitlake-", dir="/var/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_demo_on_a_hostile_machine_ends_well_and_keeps_to_its_folders(outside_tmp: Path, capfd):
    checkout = checkout_at(outside_tmp / ODD_NAME / "checkout")
    hostile = hostile_environment(outside_tmp / "scratch")
    environment = plain_environment("~/100 %s:" + ODD_NAME, ports()) | hostile
    words = command(checkout, "demo")
    confined = without_programs_in_tmp(words)
    if confined is None:
        print("without a /tmp that permits no programs: that needs root, and a checkout that does not lie in it")

    done = subprocess.run(
        confined or words, env=environment, cwd=checkout, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )

    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 0, output[-5000:]
    assert (Path(hostile["HOME"]) / f"100 %s:{ODD_NAME}" / "lake").is_dir()
    assert sorted(place.name for place in checkout.iterdir()) == [".run", ".venv", "dags", "jobs", "plugins"]
    assert not (outside_tmp / "scratch" / "elsewhere").exists()
    assert list((outside_tmp / "scratch" / "junk").iterdir()) == []
