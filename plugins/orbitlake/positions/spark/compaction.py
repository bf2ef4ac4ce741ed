"""Live files of a finished UTC day -> one file a table, derived anew from all of the day's fixes by executors."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyspark.sql import SparkSession

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.lake.files import sweep_staging
from orbitlake.lake.listing import parts_of
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import part_number
from orbitlake.positions.store.closing import publish_parts, write_part
from orbitlake.positions.store.day_files import closed_from, compaction_lock, live_digest
from orbitlake.positions.store.minute_files import live_files
from orbitlake.tables import POSITION_TABLES, POSITIONS, Table

ROWS_A_PART: Final = 5_000_000
"""A larger day is split by object into several files, written at once."""


class DayNotOverError(ValueError):
    """The day can still receive fixes, so it cannot be closed."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a closed day holds: rows and files a table, and whether the rows of any file are others than before."""

    date: date
    positions: int = 0
    window_stats: int = 0
    parts: int = 0
    replaced: bool = False

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"date": self.date.isoformat()}


def refuse_open_day(day: date, now: datetime | None = None) -> None:
    """Raise DayNotOverError before the day's end in UTC."""
    if day >= (now or datetime.now(UTC)).astimezone(UTC).date():
        raise DayNotOverError(f"{day} is not over in UTC: its fixes are still arriving")


def compact_day(spark: SparkSession, lake: Lake, day: date) -> Compacted:
    """Publish the closed day from its live files and what is closed already; a day without a fix stays without a file.

    Doing it again without news leaves the files untouched. Raises DayNotOverError before the day's end in UTC.
    """
    refuse_open_day(day)
    with compaction_lock(lake):
        sweep_staging(lake)
        # Asked before the files are read: what is replaced meanwhile makes the day pending again.
        digest = live_digest(lake, day)
        live, closed = live_files(lake, POSITIONS, day), parts_of(lake, POSITIONS, day)
        if not live and not closed:
            return Compacted(day)
        digest = digest or closed_from(closed[0])
        # A day that is closed keeps its split, so that an object's rows stay in one file while others are replaced.
        parts = part_number(closed[-1]) + 1 if closed else math.ceil(rows_in(live, POSITIONS) / ROWS_A_PART)
        numbers = spark.range(0, parts, 1, parts)
        schema = "part long, name string, path string"
        written = numbers.mapInArrow(part_writer(lake, day, parts, digest), schema).collect()
        replaced = False
        for table in POSITION_TABLES:
            temporary = {row.part: Path(row.path) for row in written if row.name == table.name}
            replaced |= publish_parts(temporary, lake.day(table, day).parent)
        counts = {table.name: rows_in(parts_of(lake, table, day), table) for table in POSITION_TABLES}
        return Compacted(day, **counts, parts=parts, replaced=replaced)


def part_writer(
    lake: Lake, day: date, parts: int, digest: str
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that writes aside, on an executor, the parts whose numbers it is given.

    It yields for each table the number of the part, the name of the table, and the path of the finished file.
    """

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with errors_in_utf8():
            for part in (number for batch in batches for number in batch.column(0).to_pylist()):
                for name, path in write_part(lake, day, part, parts, digest).items():
                    yield pa.RecordBatch.from_pylist([{"part": part, "name": name, "path": str(path)}])

    return write


def rows_in(files: Iterable[Path], table: Table) -> int:
    """Return how many rows files of a table hold, by their footers. Raises LakeError as open_checked does."""
    rows = 0
    for file in files:
        with open_checked(file, table) as opened:
            rows += opened.metadata.num_rows
    return rows
