"""Live files of a finished UTC day -> one file a table, derived anew from all of the day's fixes."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext
from pyspark.sql import SparkSession

from orbitlake.lake import Lake, days_in, errors_in_utf8, open_checked, part_number, parts_of, sweep_staging
from orbitlake.positions.blocks import by_objects, spread
from orbitlake.positions.live import live_files, read_checked
from orbitlake.positions.motion import positions_of
from orbitlake.positions.parts import PartWriter, publish_parts
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

    The first rows of the day after are derived anew with it where they are closed and late fixes bear on them. Doing it
    again without news leaves the files untouched. Raises DayNotOverError before the day's end in UTC.
    """
    refuse_open_day(day)
    with alone(lake) as looked_ns:
        sweep_staging(lake)
        # First the day after: should this end in between, the live files tell the next run that both are to be done.
        if bears_on_next(lake, day):
            close_day(spark, lake, day + timedelta(days=1), looked_ns)
        return close_day(spark, lake, day, looked_ns)


def close_day(spark: SparkSession, lake: Lake, day: date, looked_ns: int) -> Compacted:
    """Do the work of compact_day for this one day; its sources are listed after `looked_ns`."""
    files = files_of(lake, POSITIONS, day)
    if not files:
        return Compacted(day)
    was_reopened = is_reopened(lake, day)
    # A day that is closed keeps its split, so that an object's rows stay in one file while others are replaced.
    closed = parts_of(lake, POSITIONS, day)
    parts = part_number(closed[-1]) + 1 if closed else math.ceil(rows_in(files, POSITIONS) / ROWS_A_PART)
    of_eve = files_of(lake, POSITIONS, day - timedelta(days=1))
    blocks = spread(spark, [*files, *of_eve], midnight_of(day) - timedelta(seconds=LONGEST_GAP_S), parts)
    written = blocks.mapInArrow(day_writer(lake, day), "part long, name string, path string").collect()
    replaced = False
    for table in POSITION_TABLES:
        asides = {row.part: Path(row.path) for row in written if row.name == table.name}
        replaced |= publish_parts(asides, lake.day(table, day).parent, looked_ns)
    closed = [part for table in POSITION_TABLES for part in parts_of(lake, table, day)]
    if was_reopened:
        # Parts that hold all live rows already have seen them all the same.
        for part in closed:
            os.utime(part, ns=(looked_ns, looked_ns))
    counts = {table.name: rows_in(parts_of(lake, table, day), table) for table in POSITION_TABLES}
    return Compacted(day, **counts, parts=parts, replaced=replaced)


def day_writer(lake: Lake, day: date) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that derives and writes one part of a day on an executor.

    It is given the part's fixes as blocks, and yields for each table the number of the part, the name of the table, and
    the path of the file aside.
    """
    midnight = pa.scalar(midnight_of(day))

    def writer(table: Table, part: int) -> PartWriter:
        return PartWriter(table, lake.day(table, day).with_name(f"part-{part}.parquet"), lake.staging)

    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with errors_in_utf8():
            part = TaskContext.get().partitionId()
            with writer(POSITIONS, part) as positions, writer(WINDOW_STATS, part) as minutes:
                for fixes in by_objects(batches):
                    derived = positions_of(fixes)
                    of_day = derived.filter(pc.greater_equal(derived.column("event_time"), midnight))
                    positions.write(of_day)
                    minutes.write(minutes_of(of_day))
            rows = [(part, written.table.name, str(written.path)) for written in (positions, minutes)]
            yield pa.RecordBatch.from_arrays(
                [pa.array(values) for values in zip(*rows, strict=True)], names=["part", "name", "path"]
            )

    return write


def days_before(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that have live files."""
    return sorted({day for table in POSITION_TABLES for day in days_in(lake.live(table)) if day < limit})


def pending_days(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that are to be compacted: those that late fixes reopened, and those never closed."""
    return [day for day in days_before(lake, limit) if is_reopened(lake, day)]


def is_reopened(lake: Lake, day: date) -> bool:
    """Tell whether live files came to a day after its closing, or a table of it is not closed."""
    closed_ns = closed_at_ns(lake, day)
    return closed_ns is None or any(
        visible_ns(file) >= closed_ns for table in POSITION_TABLES for file in live_files(lake, table, day)
    )


def bears_on_next(lake: Lake, day: date) -> bool:
    """Tell whether the day after was closed before a fix came that its first rows are to be measured against."""
    closed_ns = closed_at_ns(lake, day + timedelta(days=1))
    if closed_ns is None:
        return False
    since = pa.scalar(midnight_of(day + timedelta(days=1)) - timedelta(seconds=LONGEST_GAP_S))
    late = [file for file in live_files(lake, POSITIONS, day) if visible_ns(file) >= closed_ns]
    times = (read_checked(POSITIONS, file, ["event_time"]).column("event_time") for file in late)
    return any(pc.any(pc.greater_equal(each, since)).as_py() for each in times)


def closed_at_ns(lake: Lake, day: date) -> int | None:
    """When the sources of a closed day were listed, of its oldest part; None where a table is not closed."""
    parts = [parts_of(lake, table, day) for table in POSITION_TABLES]
    return min(part.stat().st_mtime_ns for found in parts for part in found) if all(parts) else None


def visible_ns(file: Path) -> int:
    """When a file got its name: it was written before that, perhaps before a compaction that did not see it."""
    return file.stat().st_ctime_ns


def midnight_of(day: date) -> datetime:
    """The first instant of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def files_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """Every published file of a day, live and closed."""
    return [*live_files(lake, table, day), *parts_of(lake, table, day)]


def rows_in(files: Iterable[Path], table: Table) -> int:
    """Return how many rows files of a table hold, by their footers. Raises LakeError as open_checked does."""
    rows = 0
    for file in files:
        with open_checked(file, table) as opened:
            rows += opened.metadata.num_rows
    return rows
