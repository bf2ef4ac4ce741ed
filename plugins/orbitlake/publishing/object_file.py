"""The Parquet file that is sent in place of another one, so that whoever reads the other one goes on reading it.

A store replaces an object at once: nobody gets half of one. Yet a reader asks for an object several times, first for
its length, then for the footer at its end, then for the pages that the footer names, and an object that was replaced in
between answers with other bytes: pages that cannot be read, or those of two versions. So what replaces an object begins
with it, byte for byte, and goes on behind it:

    first     PAR1 | pages 1 | footer 1
    second    PAR1 | pages 1 | footer 1 | pages 2 | footer 2

Whoever knows the first length finds the first footer at its end and the first pages where that says; whoever comes
anew finds the second. Versions have different lengths, so that Spark's tasks, which share out a file by the length that
was listed, all take the same one.

Versions replaced more than KEPT_S ago may be written over, that which stood last never: where the new pages fit into
such room they go there, and the object grows by a footer alone:

    third     PAR1 | pages 3 | ........ | pages 2 | footer 2 | footer 3

What is published for the first time, as most partitions are for ever, is a plain file without any room. The footer's
key-value metadata say what the rows follow from and which earlier versions stand; no reader takes them for columns.
"""

import json
import mmap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import astuple, dataclass, replace
from hashlib import blake2b, sha256
from pathlib import Path
from typing import BinaryIO, Final, Self

import pyarrow.parquet as pq

from orbitlake.lake.errors import DamagedFileError
from orbitlake.lake.pages import CHUNK_BYTES, DIGEST_BYTES, START, Pages, Revision
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.roomy import SMALL_ROWS
from orbitlake.tables import Table

KEPT_S: Final = 3_600.0
"""So long after its replacement a version can still be read by who began before."""
SPARE: Final = 1.25
"""So much more room than the pages before took is looked for: late fixes make a day longer, by little."""
SOURCE: Final = "orbitlake.source"
STANDING: Final = "orbitlake.standing"
PLACE: Final = "orbitlake.place"
BETWEEN: Final = "between"
BEHIND: Final = "behind"


@dataclass(frozen=True, slots=True)
class Standing:
    """A version that stands in an object: where its pages begin and end, its length with the footer, when it went."""

    begin: int
    end: int
    length: int
    footer_bytes: int
    replaced_at_s: float

    @classmethod
    def last_of(cls, revision: Revision, now_s: float) -> Self:
        """Return the version that a file shows. Between its pages and a footer right behind them lies their index."""
        is_between = revision.notes.get(PLACE) == BETWEEN
        end = revision.end if is_between else revision.length - revision.footer_bytes
        return cls(revision.begin, end, revision.length, revision.footer_bytes, now_s)

    def extents(self) -> list[tuple[int, int]]:
        """Return which bytes must stay."""
        return [(self.begin, self.end), (self.length - self.footer_bytes, self.length)]


@dataclass(frozen=True, slots=True)
class Written:
    """A file to be sent: how many rows its newest version has, its length and the SHA-256 of all of it."""

    rows: int
    bytes: int
    sha256: str


def source_of(file: Path) -> str | None:
    """Return what the rows of an object's file follow from, None where it does not say. Raises DamagedFileError."""
    return Revision.of(file).notes.get(SOURCE)


def is_whole(file: Path) -> bool:
    """Say whether an object's file was written here and its newest pages are what they were then."""
    with suppress(DamagedFileError), file.open("rb") as opened:
        revision = Revision.of(file)
        hashed, left = blake2b(digest_size=DIGEST_BYTES), revision.end - revision.begin
        opened.seek(revision.begin)
        while chunk := opened.read(min(CHUNK_BYTES, left)):
            hashed.update(chunk)
            left -= len(chunk)
        return revision.digest == hashed.hexdigest()
    return False


def written_in(file: Path) -> Written:
    """Return what an object's file is."""
    with file.open("rb") as opened:
        return signed(opened, pq.read_metadata(file).num_rows)


def write_object(
    table: Table,
    parts: Sequence[Path],
    target: Path,
    before: Path | None,
    source: str,
    now_s: float,
    named_bytes: int | None = None,
) -> Written:
    """Write to `target` what is to replace the object `before`: the rows of `parts`, in their order.

    `source` says what the rows follow from, `named_bytes` how long the version is by which the manifest goes so far.
    Raises LakeError where a part is of another version than the table, and DamagedFileError where `before` is no
    Parquet file. One row group at a time is in memory.
    """
    standing = standing_in(before, now_s, named_bytes) if before else []
    note = {SOURCE: source, STANDING: json.dumps([astuple(each) for each in standing])}
    with bytes_of(before) as old, target.open("w+b") as file:
        if gap := gap_between(standing):
            pages, footer, rows = add_pages(table, parts, file, old[: gap[0]], {**note, PLACE: BETWEEN})
            if pages.end <= gap[1]:
                file.truncate(pages.end)
                file.seek(pages.end)
                copy(old[pages.end :], file)
                file.write(footer)
                return signed(file, rows)
            file.seek(0)
            file.truncate()
        _, _, rows = add_pages(table, parts, file, old, {**note, PLACE: BEHIND})
        return signed(file, rows)


def standing_in(file: Path, now_s: float, named_bytes: int | None) -> list[Standing]:
    """Return the versions of an object that must stay readable: the last one, and those replaced a short while ago.

    That which the manifest names counts as replaced now: runs that were cut off have put others behind it.
    """
    revision = Revision.of(file)
    earlier = [Standing(*each) for each in json.loads(revision.notes.get(STANDING, "[]"))]
    earlier = [replace(each, replaced_at_s=now_s) if each.length == named_bytes else each for each in earlier]
    return [
        *(each for each in earlier if now_s - each.replaced_at_s < KEPT_S),
        Standing.last_of(revision, now_s),
    ]


def gap_between(standing: Sequence[Standing]) -> tuple[int, int] | None:
    """Return the first room between what must stay that new pages are likely to fit into, None where there is none."""
    if not standing:
        return None
    wanted = SPARE * (standing[-1].end - standing[-1].begin)
    at = START
    for begin, end in sorted(extent for each in standing for extent in each.extents()):
        if begin - at >= wanted:
            return at, begin
        at = max(at, end)
    return None


def add_pages(
    table: Table, parts: Sequence[Path], file: BinaryIO, old: memoryview, note: dict[str, str]
) -> tuple[Pages, bytes, int]:
    """Write pages behind `old`, and a footer; return them, the footer and the number of rows."""
    rows = 0
    with ExitStack() as stack:
        opened = [stack.enter_context(open_checked(part, table)) for part in parts]
        is_large = sum(part.metadata.num_rows for part in opened) > SMALL_ROWS
        pages = Pages(table, file, old[START:], is_large=is_large and note[PLACE] == BEHIND)
        for part in opened:
            for group in range(part.num_row_groups):
                read = part.read_row_group(group, use_threads=False).cast(table.schema)
                rows += read.num_rows
                pages.add(read)
        return pages, pages.finish(note), rows


@contextmanager
def bytes_of(file: Path | None) -> Iterator[memoryview]:
    """Give the bytes of a file without reading them, none for no file."""
    if file is None:
        yield memoryview(b"")
        return
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        try:
            yield view
        finally:
            view.release()


def copy(old: memoryview, file: BinaryIO) -> None:
    """Write bytes, some at a time."""
    for start in range(0, len(old), CHUNK_BYTES):
        file.write(old[start : start + CHUNK_BYTES])


def signed(file: BinaryIO, rows: int) -> Written:
    """Return what a finished file is."""
    file.seek(0)
    digest, length = sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        length += len(chunk)
    return Written(rows, length, digest.hexdigest())
