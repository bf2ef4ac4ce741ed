"""The files of a closed day: written aside by executors, then put in place of those before, under any reader's eyes.

A reader opens a file more than once: Spark by the length that its listing saw, Polars with a footer that it read
before. So a part never changes its length, and its pages take the half of it that the revision before did not, which
stays where its own footer says: old footer or new, the rows are whole. A part of several megabytes has no halves, only
its length stays. Room not used yet is a hole and takes no disk.
"""

import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.digits import same_files
from orbitlake.lake import PARTS_ASIDE, ROW_GROUP_ROWS, conform, settle, sync_folder
from orbitlake.positions.revisions import MAGIC, SPARE_FOOTER_BYTES, pages_of
from orbitlake.tables import TABLES, Table

ROOM_OVER_PAGES: Final = 1.25
"""What a half holds, over the pages of the first closing: room for late fixes."""
WHOLE_FILE_BYTES: Final = 4 * 2**20
"""A longer file has no halves: Spark reads it in several tasks, of which one might see the old half, one the new."""


class PartWriter:
    """Writes rows, sorted already, to one Parquet file in `staging`; whole and synced once the `with` block ends.

    Equal rows give equal pages, however many come at a time. It is to become the file `part`: where that exists
    already, it takes its length and what readers may still look for.
    """

    def __init__(self, table: Table, part: Path, staging: Path) -> None:
        staging.mkdir(parents=True, exist_ok=True)
        self.table = table
        self.path = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
        self._before = part if part.exists() else None
        self._middle = part.stat().st_size // 2 if self._before else 0
        self._has_halves = self._takes_second = False
        if self._before and 2 * self._middle <= WHOLE_FILE_BYTES:
            begin, end = pages_of(self._before)
            # Pages on both sides of the middle are those of a file that was too long for halves.
            self._has_halves = end <= self._middle or begin >= self._middle
            self._takes_second = end <= self._middle
        self._rows = table.schema.empty_table()
        self._sink = pa.OSFile(str(self.path), mode="wb")
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        # A dictionary of numbers that hardly repeat takes time and no less room. Times stay plain: delta encoding would
        # save a third, but ClickHouse 25.8's newer reader ends at the constant steps of a steady feed.
        repeating = [
            field.name for field in table.schema if field.name not in times and not pa.types.is_floating(field.type)
        ]
        self._writer = pq.ParquetWriter(
            self._sink,
            table.schema,
            compression="zstd",
            write_page_index=True,
            use_dictionary=repeating,
        )
        if self._takes_second:
            # The writer has begun the file; what comes before its pages counts in their offsets.
            self._sink.write(slice_of(part, len(MAGIC), self._middle))

    def __enter__(self) -> Self:
        return self

    def write(self, rows: pa.Table) -> None:
        """Add rows; they reach the file in groups of ROW_GROUP_ROWS."""
        self._rows = pa.concat_tables([self._rows, conform(rows, self.table)])
        while self._rows.num_rows >= ROW_GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        group, self._rows = self._rows.slice(0, ROW_GROUP_ROWS), self._rows.slice(ROW_GROUP_ROWS)
        self._writer.write_table(group, row_group_size=ROW_GROUP_ROWS)

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is None and self._rows.num_rows:
            self._write_group()
        self._writer.close()
        self._sink.close()
        if failed is None:
            self._make_room()
        else:
            self.path.unlink()

    def _make_room(self) -> None:
        """Move the footer to the end of a file as long as the one before, the half not taken as it was there."""
        with self.path.open("r+b") as file:
            size = file.seek(-8, os.SEEK_END) + 8
            footer_bytes = int.from_bytes(file.read(4), "little") + 8
            end = file.seek(size - footer_bytes)
            footer = file.read()
            length = math.ceil(ROOM_OVER_PAGES * end) + footer_bytes + SPARE_FOOTER_BYTES
            if 2 * length <= WHOLE_FILE_BYTES:
                length *= 2
            file.truncate(end)
            if self._before is not None:
                kept = self._before.stat().st_size
                takes_first = self._has_halves and not self._takes_second
                if end <= (self._middle if takes_first else kept - footer_bytes):
                    length = kept
                    if takes_first:
                        file.seek(self._middle)
                        file.write(slice_of(self._before, self._middle, length - footer_bytes))
            file.seek(length - footer_bytes)
            file.write(footer)
            file.flush()
            os.fsync(file.fileno())


def slice_of(file: Path, start: int, stop: int) -> bytes:
    """The bytes of a file from `start` to before `stop`."""
    with file.open("rb") as content:
        content.seek(start)
        return content.read(stop - start)


def publish_parts(asides: Mapping[int, Path], folder: Path, looked_ns: int) -> bool:
    """Make finished files the parts of a closed day by their numbers; False where they hold the very same rows.

    A day that is new appears whole, one that was closed before is replaced a part at a time. Either way the parts bear
    the time `looked_ns` at which their sources were listed, so that whatever was written since is known to be younger.
    """
    parts = {number: folder / f"part-{number}.parquet" for number in asides}
    # Beside what is none of ours, and left alone, the parts come one by one.
    if not os.path.lexists(folder):
        aside_folder = folder_aside(asides, looked_ns)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside_folder.rename(folder)
        sync_folder(folder.parent)
        return True
    replaced = False
    for number, aside in asides.items():
        part = parts[number]
        if part.exists() and holds_same(aside, part):
            aside.unlink()
        else:
            os.utime(aside, ns=(looked_ns, looked_ns))
            settle(aside, part)
            replaced = True
    return replaced


def folder_aside(asides: Mapping[int, Path], looked_ns: int) -> Path:
    """Gather files into one new folder beside them, under the names of parts."""
    folder = next(iter(asides.values())).with_suffix(PARTS_ASIDE)
    folder.mkdir()
    for number, aside in asides.items():
        os.utime(aside, ns=(looked_ns, looked_ns))
        aside.rename(folder / f"part-{number}.parquet")
    sync_folder(folder)
    return folder


def holds_same(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same rows, in schemas alike to the last word: by the bytes of their pages.

    Where those differ, another processor may have derived the very same day: then the rows tell.
    """
    with pq.ParquetFile(one) as ours, pq.ParquetFile(other) as theirs:
        if not ours.schema_arrow.equals(theirs.schema_arrow, check_metadata=True):
            return False
        if slice_of(one, *pages_of(one)) == slice_of(other, *pages_of(other)):
            return True
        return same_files(ours, theirs, TABLES[ours.schema_arrow.metadata[b"orbitlake.table"].decode()])
