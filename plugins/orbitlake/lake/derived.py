"""Tables that follow from others: only partitions whose inputs changed are made again, and only news is written.

What was made from what is remembered beside the lake. That note is a cache: without it all is made anew, and what comes
out equal to the byte stays as it is.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from orbitlake.lake.files import publish_file, removed_on_error, write_file
from orbitlake.lake.locks import lock_file
from orbitlake.lake.parquet import write_table
from orbitlake.lake.paths import PART, Lake
from orbitlake.tables import Table

PACKAGE: Final = Path(__file__).resolve().parents[1]
MADE_A_NOTE: Final = 500
"""Partitions made between two savings of the note: a run that is cut off begins again from there."""

Sign = list[Any]


@dataclass(frozen=True, slots=True)
class Partition:
    """One file of a table, what its rows follow from (see `signature`), and how they are made; no rows, no file."""

    file: Path
    inputs: str
    make: Callable[[], pa.Table]


@dataclass(slots=True)
class Published:
    """What became of a table's files, and how many rows those written hold."""

    table: str
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    rows_written: int = 0


def signature(files: Iterable[Path], *more: str) -> str:
    """Return what changes when a file is replaced by another, or a text differs: names, sizes and times of writing.

    Raises FileNotFoundError where a file is gone.
    """
    found = [(str(file), status.st_size, status.st_mtime_ns) for file in files for status in [file.stat()]]
    return hashlib.sha256(json.dumps([found, more]).encode()).hexdigest()


@cache
def source_digest(patterns: tuple[str, ...]) -> str:
    """Return what changes with the code that makes a table: sources by patterns below the package."""
    sources = sorted(source for pattern in patterns for source in PACKAGE.glob(pattern))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def publish_partitions(
    lake: Lake, table: Table, partitions: Iterable[Partition], note: Path, *, everything: bool = False
) -> Published:
    """Bring a table's files up to date, remove those of no partition, and say what was done.

    `note` is where the last run's inputs are remembered; with `everything` it does not count. Each file is written in
    staging and renamed, if it is news. One process at a time does this to a table; others wait.
    """
    with lock_file(note.with_suffix(".lock")):
        return _publish_all(lake, table, partitions, note, {} if everything else load_note(note))


def _publish_all(
    lake: Lake, table: Table, partitions: Iterable[Partition], note: Path, known: dict[str, list[Any]]
) -> Published:
    published, made = Published(table.name), 0
    current: dict[str, list[Any]] = {}
    for partition in partitions:
        name = partition.file.relative_to(lake.root).as_posix()
        if known.get(name) == [partition.inputs, _sign(partition.file)]:
            published.unchanged += known[name][1] is not None
        else:
            _publish(lake, table, partition, published)
            made += 1
            if made % MADE_A_NOTE == 0:
                save_note(note, known | current, lake)
        current[name] = [partition.inputs, _sign(partition.file)]
    for file in sorted(lake.closed(table).glob(f"**/{PART}")):
        if file.relative_to(lake.root).as_posix() not in current:
            _remove(file, lake.closed(table))
            published.removed += 1
    if current != known:
        save_note(note, current, lake)
    return published


def _publish(lake: Lake, table: Table, partition: Partition, published: Published) -> None:
    rows = partition.make()
    if not rows.num_rows:
        published.removed += partition.file.exists()
        _remove(partition.file, lake.closed(table))
        return
    if not publish_news(lake, table, rows, partition.file):
        published.unchanged += 1
        return
    published.written += 1
    published.rows_written += rows.num_rows


def publish_news(lake: Lake, table: Table, rows: pa.Table, file: Path, notes: Mapping[str, str] | None = None) -> bool:
    """Make rows, with notes for the footer, a file of a table; return False where it has the same bytes already."""
    lake.staging.mkdir(parents=True, exist_ok=True)
    temporary = lake.staging / f"{table.name}.{uuid.uuid4().hex}"
    with removed_on_error(temporary):
        write_table(rows, table, temporary, notes)
        if _content(file) == temporary.read_bytes():
            temporary.unlink()
            return False
        publish_file(temporary, file)
    return True


def _content(file: Path) -> bytes | None:
    with suppress(FileNotFoundError):
        return file.read_bytes()
    return None


def _remove(file: Path, top: Path) -> None:
    """Remove a file, and the folders up to the table's own that become empty."""
    file.unlink(missing_ok=True)
    for folder in _up_to(file.parent, top):
        with suppress(OSError):
            folder.rmdir()


def _up_to(folder: Path, top: Path) -> Iterator[Path]:
    while folder != top:
        yield folder
        folder = folder.parent


def _sign(file: Path) -> Sign | None:
    with suppress(FileNotFoundError):
        status = file.stat()
        return [status.st_ino, status.st_size, status.st_mtime_ns]
    return None


def note_of(entries: Mapping[str, list[Any]], lake: Lake, file: Path) -> str | None:
    """Return the inputs that a file, or its absence, was noted to follow from, where nothing touched it; else None."""
    noted = entries.get(file.relative_to(lake.root).as_posix())
    return str(noted[0]) if noted and noted[1] == _sign(file) else None


def load_note(note: Path) -> dict[str, list[Any]]:
    """Return what a run noted; nothing where it cannot be read."""
    with suppress(FileNotFoundError, ValueError):
        content = json.loads(note.read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def save_note(note: Path, entries: dict[str, list[Any]], lake: Lake) -> None:
    """Put on disk what the next run is to know."""
    write_file(note, json.dumps(entries, sort_keys=True, indent=0).encode(), lake.staging)
