"""A Parquet file whose rows can be replaced under its readers: live files and closed days alike are written here.

A file is replaced by renaming another one to its name, so that nobody sees half of one. That is not enough for readers
who come to a file more than once:

* Polars and pyarrow's datasets read the footer when a query is planned, and go back for the pages it names when it
  runs. The pages of the footer that they hold must still lie where it says.
* Spark plans its tasks by the length that its listing saw, and reads the footer at the file's end when a task runs. The
  file must not become shorter, and a row group whose middle lies behind the listed length is left out without an error.
  A file of more than SPLIT_BYTES is read by several tasks, each of which takes the row groups whose middle lies in its
  share: what moves from one share to another between them is left out, or read twice.
* DuckDB and pandas open a file once and hold it: for them the rename is enough.

So a file has room. It is as long as ROOM times its first pages, its footer stands at the very end, and a replacement
has the same length:

    first        PAR1 | pages 1 | .......................................... | footer 1
    replacement  PAR1 | pages 1 | pages 2 | ................................ | footer 2
    and so on    PAR1 | pages 9 | ...........| pages 7 | pages 8 | ......... | footer 9

New pages stand right behind those before, or at the front where they do not fit any more. They never overlap the pages
that they replace, and they overwrite older ones as late as can be: a footer read some replacements ago still finds its
rows. The middle of every row group lies in the first SPLIT_BYTES, so that Spark takes it in its first task.

Where rows have outgrown their room, the file grows fourfold, with the new pages right behind the old ones, across the
old footer: old footers find the old pages, and a stale frame of Spark's the new ones, as their middle lies before the
old end. `least_bytes` spares a file that: the stream gives a new minute the length that the minute before came to.

What does not go: pages of more than some 2.6 MiB (60,000 fixes) cannot stand beside others within SPLIT_BYTES. They go
to the front, over those before, and a plan of Polars' or of a dataset's that is older than a replacement fails with an
error; ORBITLAKE_BUCKETS keeps the files of a minute smaller than that. Rows that at once need more than about twice the
file go to the front likewise, in a file that becomes longer.

Room that was never used is a hole: on disk a file takes its footer, and as many of its revisions as it has room for.
The footer's key-value metadata, which no reader takes for part of the schema, hold the digest of the pages and what the
caller notes. Equal rows give equal pages and so an equal digest, wherever in the file they stand.
"""

import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import pyarrow as pa

from orbitlake.lake.files import BLOCK_BYTES, removed_on_error
from orbitlake.lake.pages import START, Pages, Revision
from orbitlake.lake.parquet import ROW_GROUP_ROWS, conform
from orbitlake.tables import Table

ROOM: Final = 8
"""How often the first pages of a file fit into it, up to SPLIT_BYTES."""
LEAST_ROOM: Final = 1.25
"""The same of pages that come near SPLIT_BYTES, or are longer."""
GROWTH: Final = 4
SPLIT_BYTES: Final = 4 * 2**20
"""Spark reads no longer file in several tasks (spark.sql.files.openCostInBytes)."""
SMALL_ROWS: Final = 2**17
"""More rows than these are written to the front as they come, with an index over their pages."""
SPARE_BYTES: Final = 256
"""Numbers in a footer take more bytes as offsets grow."""


class RoomyWriter:
    """Writes rows, sorted already, to a file in `staging` that is to replace `target`; whole and synced after `with`.

    `notes` are added to the footer. A new file is at least `least_bytes` long. Equal rows give equal pages, however
    many come at a time.
    """

    def __init__(
        self, table: Table, target: Path, staging: Path, notes: Mapping[str, str] | None = None, least_bytes: int = 0
    ) -> None:
        staging.mkdir(parents=True, exist_ok=True)
        self.table, self.notes, self.least_bytes = table, dict(notes or {}), least_bytes
        self.path = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
        self._target, self._before = target, None
        with suppress(FileNotFoundError):
            self._before = Revision.of(target)
        self._file = self.path.open("w+b")
        self._rows = table.schema.empty_table()
        self._large: Pages | None = None

    def __enter__(self) -> Self:
        return self

    def write(self, rows: pa.Table) -> None:
        """Add rows; those of a large file reach it in groups of ROW_GROUP_ROWS."""
        self._rows = pa.concat_tables([self._rows, conform(rows, self.table)])
        if self._large is None and self._rows.num_rows > SMALL_ROWS:
            self._large = Pages(self.table, self._file, is_large=True)
        while self._large and self._rows.num_rows >= ROW_GROUP_ROWS:
            self._large.add(self._rows.slice(0, ROW_GROUP_ROWS))
            self._rows = self._rows.slice(ROW_GROUP_ROWS)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        with removed_on_error(self.path), self._file:
            if failed is None:
                self._finish()
        if failed is not None:
            self.path.unlink(missing_ok=True)

    def _finish(self) -> None:
        """Write what is left of the rows, move all to its place, and make it durable."""
        old = b"" if self._large else self._old()
        # They mostly find their place behind those before.
        behind = self._before.end if self._before and old else START
        pages = self._large or Pages(self.table, self._file, old[START:behind])
        pages.add(self._rows)
        footer = pages.finish(self.notes)
        at, length = self._place(pages.end - pages.begin, len(footer) + SPARE_BYTES)
        if at != pages.begin:
            self._file.seek(0)
            self._file.truncate()
            pages = Pages(self.table, self._file, old[START:at])
            pages.add(self._rows)
            footer = pages.finish(self.notes)
        self._file.truncate(pages.end)
        for start in range(pages.end, len(old), BLOCK_BYTES):
            if (block := old[start : start + BLOCK_BYTES]).strip(b"\0"):
                self._file.seek(start)
                self._file.write(block)
        self._file.seek(length - len(footer))
        self._file.write(footer)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _place(self, size: int, footer: int) -> tuple[int, int]:
        """Return where pages of this size are to begin, and the length of the file."""
        before = self._before
        room = START + max(min(ROOM * size, SPLIT_BYTES), int(LEAST_ROOM * size)) + footer
        if before is None:
            return START, max(room, self.least_bytes)
        if not self._large:
            for at in (before.end, START):
                is_free = at >= before.end or at + size <= before.begin
                if is_free and at + size / 2 < SPLIT_BYTES and at + size + footer <= before.length:
                    return at, before.length
            if before.end + size / 2 < min(before.length, SPLIT_BYTES):
                return before.end, max(GROWTH * before.length, before.end + size + footer)
        fits = START + size + footer <= before.length
        return START, before.length if fits else max(GROWTH * before.length, room)

    def _old(self) -> bytes:
        """Return the file before, as far as footers may name it; of a long one the newest pages alone."""
        if self._before is None:
            return b""
        is_short = self._before.length <= SPLIT_BYTES
        with self._target.open("rb") as file:
            return file.read(self._before.length - self._before.footer_bytes if is_short else self._before.end)
