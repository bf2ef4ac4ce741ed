"""Live files of a finished UTC day -> one file a table, derived anew from all of the day's fixes."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import TaskContext
from pyspark.sql import SparkSession

from orbitlake.lake import Lake, PartWriter, parts_of, publish_parts
from orbitlake.positions.blocks import by_objects, spread
from orbitlake.positions.live import live_files
from orbitlake.positions.motion import positions_of
from orbitlake.positions.track import LONGEST_GAP_S
from orbitlake.positions.windows import minutes_of
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table

ROWS_A_PART: Final = 5_000_000
"""A larger day is split by object into several files, written at once."""


class DayNotOverError(ValueError):
    """The day can still receive fixes, so it cannot be closed."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a closed day holds: rows and files a table, and whether any file is another than before."""

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


@contextmanager
def alone(lake: Lake) -> Iterator[int]:
    """Wait until no other compaction of the lake is at work: the slower of two would bring back what it read before.

    Yields the time at which the wait was over (ns), by the clock with which the file system stamps files.
    """
    lock = lake.checkpoints / "compact_positions" / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        flock(held, LOCK_EX)
        lock.touch()
        yield lock.stat().st_mtime_ns


def compact_day(spark: SparkSession, lake: Lake, day: date) -> Compacted:
    """Publish the closed day from its live files and what is closed already; a day without a fix stays without a file.

    Doing it again without news leaves the files untouched. Raises DayNotOverError before the day's end in UTC.
    """
    refuse_open_day(day)
    with alone(lake) as looked_ns:
        files = files_of(lake, POSITIONS, day)
        if not files:
            return Compacted(day)
        # A day that is closed keeps its split, so that an object's rows stay in one file while others are replaced.
        parts = len(parts_of(lake, POSITIONS, day)) or math.ceil(sum(map(rows_in, files)) / ROWS_A_PART)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        of_eve = files_of(lake, POSITIONS, day - timedelta(days=1))
        blocks = spread(spark, [*files, *of_eve], midnight - timedelta(seconds=LONGEST_GAP_S), parts)
        written = blocks.mapInArrow(day_writer(lake, midnight), "part long, name string, path string").collect()
        replaced = False
        for table in POSITION_TABLES:
            asides = {row.part: Path(row.path) for row in written if row.name == table.name}
            replaced |= publish_parts(asides, lake.closed(table) / f"date={day.isoformat()}", looked_ns)
        counts = {table.name: sum(map(rows_in, parts_of(lake, table, day))) for table in POSITION_TABLES}
        return Compacted(day, **counts, parts=parts, replaced=replaced)


def day_writer(lake: Lake, midnight: datetime) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that derives and writes one part of a day on an executor.

    It is given the part's fixes as blocks, and yields for each table the number of the part, the name of the table, and
    the path of the file aside.
    """

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        part = TaskContext.get().partitionId()
        with PartWriter(POSITIONS, lake.staging) as positions, PartWriter(WINDOW_STATS, lake.staging) as minutes:
            for fixes in by_objects(batches):
                derived = positions_of(fixes)
                of_day = derived.filter(pc.greater_equal(derived.column("event_time"), pa.scalar(midnight)))
                positions.write(of_day)
                minutes.write(minutes_of(of_day))
        rows = [(part, writer.table.name, str(writer.path)) for writer in (positions, minutes)]
        yield pa.RecordBatch.from_arrays(
            [pa.array(values) for values in zip(*rows, strict=True)], names=["part", "name", "path"]
        )

    return write


def days_before(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that have live files."""
    folders = (folder.name.removeprefix("date=") for folder in lake.live(POSITIONS).glob("date=*"))
    return sorted(day for day in map(date.fromisoformat, folders) if day < limit)


def reopened_days(lake: Lake, limit: date) -> list[date]:
    """The closed days before `limit` with a live file younger than the closed one: fixes came after the closing."""
    return [
        day
        for day in days_before(lake, limit)
        if (closed := parts_of(lake, POSITIONS, day))
        and any(
            file.stat().st_mtime_ns >= min(part.stat().st_mtime_ns for part in closed)
            for file in live_files(lake, POSITIONS, day)
        )
    ]


def files_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """Every published file of a day, live and closed."""
    return [*live_files(lake, table, day), *parts_of(lake, table, day)]


def rows_in(file: Path) -> int:
    """The rows of a Parquet file, from its footer."""
    return int(pq.read_metadata(file).num_rows)
