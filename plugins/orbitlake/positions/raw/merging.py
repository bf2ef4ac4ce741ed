"""Many files -> one raw file, in steps of which any may be the last before a crash.

The members are moved, one rename each, into a hidden folder beside the file to come, `.merging-<its name>/`. From then
on the folder says what has to be done: write the file of what is in it, unless it is there, and remove the folder. So a
line is in one place at any moment, and doing a step again changes nothing.
"""

import gzip
import os
import shutil
import sys
import uuid
import zlib
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.files import publish_file, removed_on_error, sync_folder
from orbitlake.lake.listing import days_in
from orbitlake.lake.quarantine import quarantine_file
from orbitlake.positions.raw.segments import MOST_NAME_BYTES, SEALED

MERGING: Final = ".merging-"
AT_ONCE_BYTES: Final = 2**20
DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""What unpacking raises where the bytes are at fault."""
GZIP_MAGIC: Final = b"\x1f\x8b"
BOMB_BYTES: Final = 2**30
BOMB_RATIO: Final = 200
"""Records pack to a tenth or a thirtieth; what packs better than this, and unpacks to more than that, is none."""


class MergeError(Exception):
    """A merged file is there already, or does not hold what was put in; what it was to be made of is left alone."""


def merge(lake: Lake, target: Path, members: Iterable[Path]) -> None:
    """Make one file of others, unpacked and each with a newline at its end, and remove those. Raises MergeError."""
    if target.exists():
        raise MergeError(f"{target} is there already")
    folder = target.with_name(f"{MERGING}{target.name}")
    folder.mkdir(parents=True)
    sync_folder(folder.parent)
    for number, path in enumerate(members):
        name = os.fsdecode(os.fsencode(path.name)[-MOST_NAME_BYTES:])
        # Taken back by its owner, in the last moment.
        with suppress(FileNotFoundError):
            path.rename(folder / f"{number:06d}-{name}")
    sync_folder(folder)
    finish(lake, folder)


def finish_all(lake: Lake) -> None:
    """Finish what a crash interrupted."""
    for day in days_in(lake.raw_open_notify).values():
        for folder in day.glob(f"{MERGING}*"):
            finish(lake, folder)


def finish(lake: Lake, folder: Path) -> None:
    """Make the file that a hidden folder stands for, unless it is there or would be empty, and remove the folder."""
    target = folder.with_name(folder.name.removeprefix(MERGING))
    if not target.exists():
        quarantine_damaged(lake, folder)
        members = sorted(folder.iterdir())
        temporary = lake.stream_staging / uuid.uuid4().hex
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with removed_on_error(temporary):
            if write(temporary, members, is_sealed=target.name.endswith(SEALED)):
                # As old as the newest poll in it, for whoever asks when the feed was heard of.
                newest_ns = max(member.stat().st_mtime_ns for member in members)
                os.utime(temporary, ns=(newest_ns, newest_ns))
                publish_file(temporary, target)
    shutil.rmtree(folder)


def quarantine_damaged(lake: Lake, folder: Path) -> None:
    """Move the members that cannot be unpacked to quarantine, whole: of none of them a part is taken."""
    for member in sorted(folder.iterdir()):
        try:
            for _ in pieces_of(member):
                pass
        except DAMAGE as error:
            kept = quarantine_file(lake, member, f"damaged, none of its records was taken: {error}")
            print(printable(f"{member} is damaged ({error}): moved to {kept}"), file=sys.stderr, flush=True)


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked where it is gzip. Raises one of DAMAGE, also of what can be no records."""
    size = 0
    with path.open("rb") as file:
        is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC or path.name.endswith(SEALED)
    with gzip.open(path) if is_packed else path.open("rb") as file:
        while piece := file.read(AT_ONCE_BYTES):
            size += len(piece)
            if size > BOMB_BYTES and size > BOMB_RATIO * path.stat().st_size:
                raise zlib.error(f"{path.stat().st_size} bytes unpack to {size} and more")
            yield piece


def lines_of_all(members: Iterable[Path]) -> Iterator[bytes]:
    """Yield the bytes of files one after the other, with a newline after each that ends without."""
    for member in members:
        last = b"\n"
        for piece in pieces_of(member):
            last = piece[-1:]
            yield piece
        if last != b"\n":
            yield b"\n"


def write(target: Path, members: Iterable[Path], *, is_sealed: bool) -> int:
    """Write a merged file, durably; return its bytes, unpacked. Raises MergeError where it reads back otherwise."""
    size = put = got = 0
    with target.open("wb") as file:
        with gzip.GzipFile("", "wb", 6, file, mtime=0) if is_sealed else nullcontext(file) as sink:
            for piece in lines_of_all(members):
                size, put = size + len(piece), zlib.crc32(piece, put)
                sink.write(piece)
        file.flush()
        os.fsync(file.fileno())
    # What it was made of is removed next, and exists nowhere else.
    with gzip.open(target) if is_sealed else target.open("rb") as source:
        while piece := source.read(AT_ONCE_BYTES):
            got = zlib.crc32(piece, got)
    if put != got:
        raise MergeError(f"{target} does not read back as it was written: the disk may be failing")
    return size
