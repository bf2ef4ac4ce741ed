"""Files of raw position records: how a collector appends to its own, which files are there, and how far each is whole.

In the folder of a day lie segments, `<start>-<collector>.jsonl`, and sealed files, `*.jsonl.gz`. A segment only grows;
whoever reads it stops at its last newline.
"""

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.files import publish_file
from orbitlake.lake.listing import warn_of
from orbitlake.lake.paths import day_folder

SEGMENT: Final = ".jsonl"
SEALED: Final = ".jsonl.gz"
OLDER: Final = ".json"
"""Record files of before there were segments, one poll each, in any folder below that of their day."""
HIDDEN: Final = (".", "_")
NOT_READ: Final = f"not read: raw records are plain files that end with {SEGMENT}, {SEALED} or {OLDER}"
MOST_NAME_BYTES: Final = 200
"""Of the names that people gave: file systems hold names to 255 bytes, and ours put numbers and marks beside them."""
TAIL_BYTES: Final = 64 * 2**10
MOST_HELD_BYTES: Final = 2**20


class SegmentWriter:
    """Appends the records of one collector, to a new segment at its start and at each midnight UTC.

    The segment in hand is locked as long as the collector lives, and before anyone can see it: one that is not locked
    never grows again.
    """

    def __init__(self, lake: Lake):
        self.lake, self.collector = lake, uuid.uuid4().hex[:8]
        self.descriptor: int | None = None
        self.path = Path()
        self.day: date | None = None

    def append(self, line: bytes, fetched: datetime) -> None:
        """Append one line with its newline, durably and whole or not at all. Raises OSError that names the segment."""
        fetched = fetched.astimezone(UTC)
        if self.descriptor is None or self.day != fetched.date():
            self.open(fetched)
        assert self.descriptor is not None  # noqa: S101 - for the type checker
        size = os.fstat(self.descriptor).st_size
        written = 0
        try:
            written = os.write(self.descriptor, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self.descriptor)
        except OSError as error:
            # The next line must not go on where half a line ends.
            os.ftruncate(self.descriptor, size)
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def open(self, start: datetime) -> None:
        """Go on in a new segment."""
        self.close()
        name = f"{start:%Y%m%dT%H%M%S.%fZ}-{self.collector}{SEGMENT}"
        self.day, self.path = start.date(), self.lake.raw_open_notify / day_folder(start.date()) / name
        self.lake.staging.mkdir(parents=True, exist_ok=True)
        temporary = self.lake.staging / f"{name}.{uuid.uuid4().hex}"
        self.descriptor = os.open(temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        publish_file(temporary, self.path)

    def close(self) -> None:
        """Let go of the segment."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_held(path: Path) -> bool:
    """Whether a collector is alive that appends to this segment."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def raw_files(day: Path) -> Iterator[str]:
    """Yield the raw files below the folder of a day, by their paths from there, in no order.

    Hidden files are passed over. Anything else, links too, is left alone and named in a warning.
    """
    strays, folders = [], [""]
    while folders:
        below = folders.pop()
        # A folder whose files were merged goes meanwhile.
        with suppress(FileNotFoundError), os.scandir(day / below) as entries:
            for entry in entries:
                if entry.name.startswith(HIDDEN):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{below}{entry.name}/")
                elif entry.is_file(follow_symlinks=False) and entry.name.endswith((SEGMENT, SEALED, OLDER)):
                    yield f"{below}{entry.name}"
                else:
                    strays.append(entry.path)
    warn_of(strays, NOT_READ)


def is_older(name: str) -> bool:
    """Whether a path from the folder of a day is neither that of a segment nor of a sealed file."""
    return "/" in name or name.endswith(OLDER)


def end_of_lines(path: Path, begin: int, end: int) -> int:
    """Return where the last whole line in [begin, end) of a segment ends, in bytes; `begin` where none ends there."""
    if end <= begin:
        return begin
    with path.open("rb") as file:
        while end > begin:
            start = max(begin, end - TAIL_BYTES)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return begin


def lines_from_end(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a segment, the last first, none beyond one that is too long; none of no file."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        start = file.seek(0, os.SEEK_END)
        # What follows the last newline is not whole.
        held, is_first = b"", True
        while start:
            end, start = start, max(0, start - TAIL_BYTES)
            file.seek(start)
            held, *lines = (file.read(end - start) + held).split(b"\n")
            if len(held) > MOST_HELD_BYTES:
                return
            yield from reversed(lines[:-1] if is_first and lines else lines)
            is_first = is_first and not lines
        if not is_first:
            yield held
