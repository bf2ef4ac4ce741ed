"""Many files -> one raw file, in steps of which any may be the last before a crash.

The members are moved, one rename each, into a hidden folder beside the file to come, `.merging-<its name>/`. From then
on the folder says what has to be done: write the file of what is in it, unless it is there, and remove the folder. So a
line is in one place at any moment, and doing a step again changes nothing.
"""

import gzip
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.files import publish_file, removed_on_error, sync_folder
from orbitlake.lake.listing import days_in
from orbitlake.lake.quarantine import quarantine
from orbitlake.positions.raw.reading import undamaged
from orbitlake.positions.raw.segments import MOST_NAME_BYTES, SEALED

MERGING: Final = ".merging-"
AT_ONCE_BYTES: Final = 2**20
MEMBER_BYTES: Final = 4 * 2**20
"""A sealed file is gzip members of so many bytes each: it can be read from any of them on."""
GZIP_MAGIC: Final = b"\x1f\x8b"
TORN: Final = "torn: the last line of a collector that ended within it"


class MergeError(Exception):
    """A merged file is there already, or does not hold what was put in; what it was to be made of is left alone."""


def merge(lake: Lake, target: Path, members: Iterable[tuple[Path, int]]) -> None:
    """Make one file of the first bytes of others, so many of each, and remove those others. Raises MergeError.

    A sealed file takes them as they are; what follows in a member is a torn line and goes to quarantine. A segment
    takes members unpacked where they are gzip, each with a newline at its end.
    """
    if target.exists():
        raise MergeError(f"{target} is there already")
    folder = target.with_name(f"{MERGING}{target.name}")
    folder.mkdir(parents=True)
    sync_folder(folder.parent)
    for number, (path, size) in enumerate(members):
        name = os.fsdecode(os.fsencode(path.name)[-MOST_NAME_BYTES:])
        # Taken back by its owner, in the last moment.
        with suppress(FileNotFoundError):
            path.rename(folder / f"{number:06d}-{size}-{name}")
    sync_folder(folder)
    finish(lake, folder)


def finish_all(lake: Lake) -> None:
    """Finish what a crash interrupted."""
    for day in days_in(lake.raw_open_notify).values():
        for folder in day.glob(f"{MERGING}*"):
            finish(lake, folder)


def finish(lake: Lake, folder: Path) -> None:
    """Make the file that a hidden folder stands for, unless it is there, and remove the folder."""
    target = folder.with_name(folder.name.removeprefix(MERGING))
    temporary = lake.stream_staging / uuid.uuid4().hex
    temporary.parent.mkdir(parents=True, exist_ok=True)
    members = sorted(folder.iterdir())
    if members and not target.exists():
        with removed_on_error(temporary):
            is_sealed = target.name.endswith(SEALED)
            pieces = lines_whole(lake, members) if is_sealed else lines_gathered(lake, members)
            write(temporary, pieces, is_sealed)
            # As old as the newest poll in it, for whoever asks when the feed was heard of.
            newest_ns = max((member.stat().st_mtime_ns for member in members if member.exists()), default=0)
            os.utime(temporary, ns=(newest_ns, newest_ns))
            publish_file(temporary, target)
    shutil.rmtree(folder)


def lines_whole(lake: Lake, members: Iterable[Path]) -> Iterator[bytes]:
    """Yield what counts of segments, and put the rest of each, half a line, into quarantine."""
    for member in members:
        _, size, name = member.name.split("-", 2)
        left = int(size)
        with member.open("rb") as file:
            while left and (piece := file.read(min(left, AT_ONCE_BYTES))):
                left -= len(piece)
                yield piece
            if tail := file.read():
                quarantine(lake, name, tail, TORN)


def lines_gathered(lake: Lake, members: Iterable[Path]) -> Iterator[bytes]:
    """Yield the bytes of files that people brought, each ending with a newline; damaged ones go to quarantine."""
    for member in members:
        with member.open("rb") as file:
            is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        if is_packed and not undamaged(lake, member):
            continue
        last = b"\n"
        with gzip.open(member) if is_packed else member.open("rb") as file:
            while piece := file.read(AT_ONCE_BYTES):
                last = piece[-1:]
                yield piece
        if last != b"\n":
            yield b"\n"


def write(target: Path, pieces: Iterable[bytes], is_sealed: bool) -> None:
    """Write a merged file, durably. Raises MergeError where it reads back otherwise."""
    put, got = hashlib.sha256(), hashlib.sha256()
    held = bytearray()
    with target.open("wb") as sink:
        for piece in pieces:
            put.update(piece)
            held += piece
            if len(held) >= MEMBER_BYTES:
                sink.write(gzip.compress(held, mtime=0) if is_sealed else held)
                held.clear()
        sink.write(gzip.compress(held, mtime=0) if is_sealed else held)
        sink.flush()
        os.fsync(sink.fileno())
    # What it was made of is removed next, and exists nowhere else.
    with gzip.open(target) if is_sealed else target.open("rb") as source:
        while piece := source.read(AT_ONCE_BYTES):
            got.update(piece)
    if put.digest() != got.digest():
        raise MergeError(f"{target} does not read back as it was written: the disk may be failing")
