"""Partitions of the lake: the files of each, what tells that they are others now, and their rows as CSV for COPY."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from orbitlake.lake import Lake
from orbitlake.lake.parquet import ROWS_AT_ONCE, open_checked, plain_type
from orbitlake.lake.paths import PART_NAME, day_of_folder, part_number
from orbitlake.tables import Table

CHUNK_BYTES: Final = 2**20
PLAIN: Final = pv.WriteOptions(include_header=False, quoting_style="needed")
"""Texts are quoted, so that an empty one is no null; numbers are the shortest that read back to the bit."""
Sign = list[list[int | str]]


@dataclass(frozen=True, slots=True)
class Partition:
    """A folder of a table's files, such as date=2026-11-20, replaced as a whole."""

    table: Table
    top: Path
    name: str

    @property
    def values(self) -> dict[str, str | date]:
        """The keys of its folders, as the columns of these names hold them."""
        found: dict[str, str | date] = {}
        for word in self.name.split("/"):
            key, _, value = word.partition("=")
            found[key] = date.fromisoformat(value) if key == "date" else unquote(value)
        return found

    def parts(self) -> list[Path]:
        """Return its files in order; none where it is gone."""
        try:
            found = [file for file in (self.top / self.name).iterdir() if PART_NAME.fullmatch(file.name)]
        except FileNotFoundError:
            return []
        return sorted(found, key=part_number)

    def sign(self) -> Sign:
        """Return what changes whenever one of its files is replaced; nothing where it is gone."""
        try:
            return [
                [file.name, status.st_size, status.st_mtime_ns, status.st_ino]
                for file in self.parts()
                for status in [file.stat()]
            ]
        except FileNotFoundError:
            return []

    def digest(self) -> str:
        """Return what tells one content from another, wherever its files lie and whenever they were written."""
        hashed = hashlib.blake2b(digest_size=16)
        for file in self.parts():
            with file.open("rb") as opened:
                while chunk := opened.read(CHUNK_BYTES):
                    hashed.update(chunk)
        return hashed.hexdigest()

    def days(self, column: str) -> "Days":
        """Return the first and last time of a column, and the UTC days of its values. Raises LakeError by name."""
        firsts, lasts, days = [], [], set()
        for file in self.parts():
            with open_checked(file, self.table) as opened:
                for batch in opened.iter_batches(ROWS_AT_ONCE, columns=[column]):
                    bounds = pc.min_max(batch.column(0)).as_py()
                    firsts.append(bounds["min"])
                    lasts.append(bounds["max"])
                    if bounds["min"].date() == bounds["max"].date():
                        days.add(bounds["min"].date())
                    else:
                        days.update(
                            moment.date() for moment in pc.unique(pc.floor_temporal(batch.column(0))).to_pylist()
                        )
        return Days(min(firsts, default=NEVER), max(lasts, default=NEVER), sorted(days))

    def csv(self, folder_keys: Sequence[str]) -> Iterator[pa.Buffer]:
        """Yield its rows as CSV, the columns of folders first. Raises LakeError by name."""
        values = self.values
        for file in self.parts():
            with open_checked(file, self.table) as opened:
                for batch in opened.iter_batches(ROWS_AT_ONCE):
                    keys = {key: pa.repeat(pa.scalar(values[key]), batch.num_rows) for key in folder_keys}
                    columns = dict(zip(self.table.column_names, batch.columns, strict=True))
                    yield csv_of(pa.table(keys | columns))


@dataclass(frozen=True, slots=True)
class Days:
    """The first and last time of a partition, and its UTC days."""

    first: datetime
    last: datetime
    days: list[date]


NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def partitions_of(lake: Lake, table: Table) -> dict[str, Partition]:
    """Return the partitions of a table that lie in the lake now, by name."""
    top = lake.closed(table)
    pattern = "/".join((*(f"{key}=*" for key in table.partition_by), "part-*.parquet"))
    folders = {file.parent for file in top.glob(pattern) if PART_NAME.fullmatch(file.name)}
    if "date" in table.partition_by:
        # Whatever else lies there is named in a warning by the views.
        folders = {folder for folder in folders if day_of_folder(folder.name) is not None}
    names = sorted(folder.relative_to(top).as_posix() for folder in folders)
    return {name: Partition(table, top, name) for name in names}


def is_there(folder: Path) -> bool:
    """Say whether a folder is there and can be reached: a disk that is not mounted has lost nothing."""
    with suppress(OSError):
        folder.stat()
        return True
    return False


def csv_of(rows: pa.Table) -> pa.Buffer:
    """Return rows as CSV that COPY reads to the bit: times in UTC to the microsecond, nulls empty, lists as arrays."""
    columns = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_list(column.type):
            columns[name] = pa.array([array_literal(texts) for texts in column.to_pylist()], pa.string())
        elif pa.types.is_timestamp(column.type) and column.type.tz:
            # Twenty times as fast as Arrow's own text of times with a zone; the Z, since a session may have another.
            columns[name] = pc.binary_join_element_wise(column.cast(pa.timestamp("us")).cast(pa.string()), "Z", "")
        else:
            columns[name] = column.cast(plain_type(column.type))
    sink = pa.BufferOutputStream()
    pv.write_csv(pa.table(columns), sink, PLAIN)
    return sink.getvalue()


def one_ahead(chunks: Iterator[pa.Buffer]) -> Iterator[pa.Buffer]:
    """Yield what comes; meanwhile a thread makes the next: client and server work at the same time."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, chunks, None)
        while (chunk := following.result()) is not None:
            following = pool.submit(next, chunks, None)
            yield chunk


def array_literal(texts: Sequence[str | None] | None) -> str | None:
    """Return a list of texts as PostgreSQL writes an array, each quoted."""
    if texts is None:
        return None
    escaped = ("NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return "{" + ",".join(escaped) + "}"
