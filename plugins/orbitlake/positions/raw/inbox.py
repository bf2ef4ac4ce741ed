"""What people bring -> segments, by the stream's driver: files of the inbox, and in raw/ what is no segment."""

import os
import stat
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.listing import warn_of
from orbitlake.lake.paths import day_folder
from orbitlake.positions.raw.merging import merge
from orbitlake.positions.raw.segments import HIDDEN, SEGMENT

SETTLED_S: Final = 2.0
"""How long nobody must have touched a file that people brought for it to be taken: half a copy looks damaged."""
NAMED_AT_ONCE: Final = 20
NOT_TAKEN: Final = "not taken: a link, no file, of another file system, or not to be read or moved by this process"


def file_clock_ns(lake: Lake) -> int:
    """Return what time it is to the file system of the lake, which may be another machine's."""
    clock = lake.staging / "clock"
    clock.parent.mkdir(parents=True, exist_ok=True)
    clock.touch()
    return clock.stat().st_ctime_ns


def is_settled(found: os.stat_result, now_ns: int) -> bool:
    """Whether nobody has touched a file for SETTLED_S. One from the future was there before the clock was set back."""
    return not 0 <= now_ns - found.st_ctime_ns < SETTLED_S * 1e9


def files_below(lake: Lake) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files below the inbox, and how they are; hidden ones are still being copied, by our advice."""
    device = lake.root.stat().st_dev
    for folder, folders, names in os.walk(lake.inbox_open_notify):
        folders[:] = [name for name in folders if not name.startswith(HIDDEN)]
        for path in (Path(folder, name) for name in names if not name.startswith(HIDDEN)):
            # Taken back by its owner.
            with suppress(FileNotFoundError):
                found = path.lstat()
                is_plain = stat.S_ISREG(found.st_mode) and found.st_dev == device
                if is_plain and os.access(path, os.R_OK) and os.access(folder, os.W_OK):
                    yield path, found
                else:
                    warn_of([str(path)], NOT_TAKEN)


def gather(lake: Lake, start: datetime, files: Sequence[Path]) -> Path:
    """Merge files into a segment that no collector writes; return it. It is not there where nothing was in them.

    Folders that become empty are removed, and those around them.
    """
    name = f"{start:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}{SEGMENT}"
    target = lake.raw_open_notify / day_folder(start.date()) / name
    merge(lake, target, files)
    named = ", ".join(path.name for path in files[:NAMED_AT_ONCE])
    more = f" and {len(files) - NAMED_AT_ONCE} more" if len(files) > NAMED_AT_ONCE else ""
    print(printable(f"{named}{more} -> {target}"), file=sys.stderr, flush=True)
    for folder in {path.parent for path in files}:
        # Not empty, or removed with another.
        with suppress(OSError):
            while folder not in (lake.inbox_open_notify, target.parent):
                folder.rmdir()
                folder = folder.parent
    return target
