"""A closed day's raw records -> one `.jsonl.gz` in the day's folder, by the stream's driver between two runs.

Only files whose batches are committed are packed, and the pack is in the journal before it can be seen: the stream
never reads it. Each step may be the last one before a crash; the next packing goes on from whatever it finds.
"""

import gzip
import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from orbitlake.lake import day_folder, day_of_folder, settle
from orbitlake.positions.journal import Journal
from orbitlake.positions.raw_files import PACKED, is_packed, pieces_of, scan
from orbitlake.positions.state import Checkpoint

GRACE: Final = timedelta(hours=1)
"""How long after midnight UTC a day is left alone: a collector may have a record of it in hand."""
DAYS_A_RUN: Final = 14
"""Most days that one end of a run packs; a backlog takes several."""


class PackError(Exception):
    """A pack does not hold what was put in; the files it was made of were left alone."""


def pack_closed_days(
    checkpoint: Checkpoint, now: datetime, is_enough: Callable[[], bool] = lambda: False
) -> list[date]:
    """Pack the committed files of days closed at `now`; return the days whose files changed.

    The query must have ended and the checkpoint be held. `is_enough` is asked after each day.
    """
    journal = Journal.load(checkpoint.journal, checkpoint.staging)
    through = checkpoint.committed()
    committed = journal.taken_through(through)
    root = checkpoint.lake.raw_open_notify
    packed: list[date] = []
    for day, files in sorted(days_to_pack(root, committed, (now.astimezone(UTC) - GRACE).date()).items()):
        pack_day(root, day, files, journal, through, checkpoint.staging)
        packed.append(day)
        if len(packed) == DAYS_A_RUN or is_enough():
            break
    if packed:
        journal.fold(through, journal.taken_through(through).intersection(scan(root)))
    return packed


def days_to_pack(root: Path, committed: set[str], before: date) -> dict[date, list[str]]:
    """Return the committed files of each day before a date, of days that are not one packed file already."""
    days: dict[date, list[str]] = {}
    for name in committed.intersection(scan(root)):
        day = day_of(name)
        if day is not None and day < before:
            days.setdefault(day, []).append(name)
    return {day: files for day, files in days.items() if len(files) > 1 or not is_packed(files[0])}


def day_of(name: str) -> date | None:
    """The day whose folder a file lies in, at any depth; None for a file elsewhere."""
    folder, _, below = name.partition("/")
    return day_of_folder(folder) if below else None


def pack_day(root: Path, day: date, files: list[str], journal: Journal, through: int, staging: Path) -> None:
    """Put the files of a day into one pack, make it visible, then remove the files."""
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{uuid.uuid4().hex}{PACKED}"
    digest = write_pack(aside, contents(root, files))
    pack = f"{day_folder(day)}/{day:%Y%m%d}-{digest[:12]}{PACKED}"
    if pack in files:
        # A crash came before the last files were removed, or nothing but repeats came late.
        aside.unlink()
    else:
        journal.fold(through, journal.taken_through(through) | {pack})
        settle(aside, root / pack)
    for name in files:
        if name != pack:
            (root / name).unlink(missing_ok=True)
    remove_empty_folders(root / day_folder(day))


def contents(root: Path, files: Iterable[str]) -> Iterator[bytes]:
    """Yield the bytes of the files, earlier packs first, each file ending with a line feed.

    A file all of whose lines stand in what came before adds nothing: it is in an earlier pack, and was left over.
    """
    loose = sorted(name for name in files if not is_packed(name))
    packs = sorted((name for name in files if is_packed(name)), key=lambda name: (-size_of(root, name), name))
    known: set[bytes] = set()
    for name in (*packs, *loose):
        if packs and known.issuperset(map(hashed, terminated(root, name))):
            continue
        for piece in terminated(root, name):
            if packs:
                known.add(hashed(piece))
            yield piece


def terminated(root: Path, name: str) -> Iterator[bytes]:
    """Yield the pieces of a file, with a line feed after a last line that has none."""
    held = b""
    for piece in pieces_of(root, name):
        if held:
            yield held
        held = piece
    if held:
        yield held if held.endswith(b"\n") else held + b"\n"


def hashed(piece: bytes) -> bytes:
    """A short stand-in for a line; a day may have a million."""
    return hashlib.sha256(piece).digest()[:16]


def size_of(root: Path, name: str) -> int:
    """How many bytes a raw file holds when unpacked."""
    return sum(map(len, pieces_of(root, name)))


def write_pack(target: Path, pieces: Iterable[bytes]) -> str:
    """Write a pack, durably; return the SHA-256 of what it holds. Raises PackError where it reads back otherwise."""
    digest = hashlib.sha256()
    with target.open("wb") as sink:
        with gzip.GzipFile(filename="", mode="wb", fileobj=sink, mtime=0) as packed:
            for piece in pieces:
                digest.update(piece)
                packed.write(piece)
        sink.flush()
        os.fsync(sink.fileno())
    # What it was made of is removed next, and exists nowhere else.
    back = hashlib.sha256()
    for piece in pieces_of(target.parent, target.name):
        back.update(piece)
    if back.digest() != digest.digest():
        raise PackError(f"{target} does not read back as it was written: the disk may be failing")
    return digest.hexdigest()


def remove_empty_folders(folder: Path) -> None:
    """Remove the folders below one that hold nothing, and leave the others."""
    for path, _, _ in os.walk(folder, topdown=False):
        # Not empty: a late file, or one that is none of ours.
        with suppress(OSError):
            if Path(path) != folder:
                Path(path).rmdir()
