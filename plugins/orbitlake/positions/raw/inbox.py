"""What people bring -> segments, by the stream's driver, before it lists them: the inbox, and record files in raw/."""

import os
import stat
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.listing import warn_of
from orbitlake.lake.paths import day_folder
from orbitlake.positions.raw.merging import merge
from orbitlake.positions.raw.segments import HIDDEN, SEGMENT

SETTLED_S: Final = 2.0
"""How long a file in the inbox must have been seen unchanged to be taken: no clock of another machine is asked."""
MOST_AT_ONCE: Final = 20_000
NAMED_AT_ONCE: Final = 20
NOT_TAKEN: Final = "not taken: a link, no file, of another file system, or not to be read or moved by this process"


class Inbox:
    """The files that people drop for the stream, of any name, in folders or not."""

    def __init__(self, lake: Lake):
        self.lake = lake
        self.seen: dict[Path, tuple[tuple[int, int, int], float]] = {}
        """What each file looked like, and since when it does, by monotonic time."""
        self.taken = 0

    def take(self) -> None:
        """Move the settled files into one segment of today, and say which."""
        now_s = time.monotonic()
        waiting, settled = {}, []
        for path, found in islice(files_below(self.lake), MOST_AT_ONCE):
            look = found.st_size, found.st_mtime_ns, found.st_ino
            known, since_s = self.seen.get(path, (None, now_s))
            if known == look and now_s - since_s >= SETTLED_S:
                settled.append(path)
            else:
                waiting[path] = look, since_s if known == look else now_s
        self.seen = waiting
        self.taken += len(settled)
        if settled:
            target = gather(self.lake, datetime.now(UTC), sorted(settled), self.lake.inbox_open_notify)
            names = ", ".join(path.name for path in sorted(settled)[:NAMED_AT_ONCE])
            more = f" and {len(settled) - NAMED_AT_ONCE} more" if len(settled) > NAMED_AT_ONCE else ""
            print(printable(f"{names}{more} -> {target}"), file=sys.stderr, flush=True)


def files_below(lake: Lake) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files below the inbox and what they look like; hidden ones are still being copied, by our advice."""
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


def gather_into_day(lake: Lake, day: date, files: Sequence[Path]) -> Path:
    """Merge files below the folder of a day into one segment of that day; return it."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return gather(lake, start, sorted(files), lake.raw_open_notify / day_folder(day))


def gather(lake: Lake, start: datetime, files: Sequence[Path], within: Path) -> Path:
    """Merge files into a segment that no collector writes; return it. It is not there where nothing was in them.

    Folders that become empty are removed, and those around them, but not `within`.
    """
    name = f"{start:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}{SEGMENT}"
    target = lake.raw_open_notify / day_folder(start.date()) / name
    merge(lake, target, files)
    for folder in {path.parent for path in files}:
        # Not empty, or removed with another.
        with suppress(OSError):
            while folder != within:
                folder.rmdir()
                folder = folder.parent
    return target
