"""Files of raw position records: how a collector appends to its own, which files are there, and how one is read.

In the folder of a day lie segments, `<start>-<collector>.jsonl`, and sealed files, `*.jsonl.gz`. A segment only grows;
whoever reads it stops at its last newline. A piece of one has the lines that begin in it.
"""

import errno
import fcntl
import os
import re
import uuid
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.files import publish_file
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in
from orbitlake.lake.paths import day_folder
from orbitlake.positions.record import MAX_LINE_BYTES

SEGMENT: Final = ".jsonl"
SEALED: Final = ".jsonl.gz"
LANDED: Final = re.compile(r"[0-9TZ.]+-kafka-([0-9a-f]{8})\.jsonl")
"""A segment of what a query took from Kafka: raw evidence, which that query does not read."""
HIDDEN: Final = (".", "_")
MOST_NAME_BYTES: Final = 200
"""Of the names that people gave: file systems hold names to 255 bytes, and ours put numbers and marks beside them."""


class SegmentWriter:
    """Appends the records of one collector, to a new segment at its start and at each midnight UTC.

    `root` is the folder of the days' folders, by default that of raw records.
    The segment in hand is locked as long as the collector lives, and before anyone can see it: one that is not locked
    never grows again.
    """

    def __init__(self, lake: Lake, root: Path | None = None):
        self.lake, self.root, self.collector = lake, root or lake.raw_open_notify, uuid.uuid4().hex[:8]
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
        self.day, self.path = start.date(), self.root / day_folder(start.date()) / name
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


def landed_by(name: str) -> str | None:
    """Return the query that a segment was landed by, None of any other segment."""
    found = LANDED.fullmatch(name)
    return found[1] if found else None


def is_held(path: Path) -> bool:
    """Whether a collector is alive that appends to this segment."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def move_segments(lake: Lake, source: Path) -> int:
    """Move the segments below a folder of days that no collector writes to the raw records; return how many."""
    moved = 0
    for day, folder in days_in(source).items():
        for segment in sorted(folder.glob(f"*{SEGMENT}")):
            # Another may have moved it.
            with suppress(FileNotFoundError):
                if not is_held(segment):
                    publish_file(segment, lake.raw_open_notify / day_folder(day) / segment.name)
                    moved += 1
    return moved


def end_last_line(segment: Path) -> None:
    """Give the last line of a segment that no collector writes its newline where it lacks one; its age stays."""
    found = segment.stat()
    if end_of_lines(segment, 0, found.st_size) < found.st_size:
        with segment.open("ab") as file:
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.utime(segment, ns=(found.st_atime_ns, found.st_mtime_ns))


def raw_files(day: Path) -> list[str]:
    """Return the names of the segments and sealed files in the folder of a day, in order."""
    with suppress(FileNotFoundError), os.scandir(day) as entries:
        files = (entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        return sorted(name for name in files if name.endswith((SEGMENT, SEALED)) and not name.startswith(HIDDEN))
    return []


class RawFileError(Exception):
    """A raw file that was listed and cannot be read; the message names it."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(printable(f"{path} was listed and cannot be read ({error}): put it back as it was"))


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines that begin in [begin, end) of a segment."""

    name: str
    begin: int
    end: int


def read_piece(root: Path, piece: Piece) -> tuple[int, bytes]:
    """Return where the first line of a piece begins, and its lines; of a long last one just so much that this shows.

    Raises RawFileError where the file does not hold what it held when it was listed.
    """
    path, begin = root / piece.name, piece.begin
    try:
        with path.open("rb") as file:
            if begin:
                # The line that the piece before ends in, or only its newline.
                file.seek(begin - 1)
                while (rest := file.readline(MAX_LINE_BYTES)) and rest[-1:] != b"\n" and file.tell() < piece.end:
                    pass
                begin = min(file.tell(), piece.end)
            content = file.read(piece.end - begin)
            if begin + len(content) < piece.end:
                raise EOFError(f"it ends before byte {piece.end}")
            if content and not content.endswith(b"\n"):
                content += file.readline(MAX_LINE_BYTES + 1)
            return begin, content
    except (OSError, EOFError) as error:
        raise RawFileError(path, error) from error


def lines_in(content: bytes, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of content that begins at a place, each with its own place; blank lines are none."""
    for line in content.split(b"\n"):
        text = line.removeprefix(BOM_UTF8)
        if text and not text.isspace():
            yield begin, line
        begin += len(line) + 1
