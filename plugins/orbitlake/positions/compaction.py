"""Live files of a finished UTC day -> one file a table, derived anew from all of the day's fixes."""

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from orbitlake.lake import Lake, publish_frame, read_files
from orbitlake.positions.fixes import BASE_COLUMNS
from orbitlake.positions.live import live_files
from orbitlake.positions.motion import derive_motion
from orbitlake.positions.track import LONGEST_GAP_S
from orbitlake.positions.windows import aggregate_minutes
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table


class DayNotOverError(ValueError):
    """The day can still receive fixes, so it cannot be closed."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a closed day holds: rows a table, and whether either file is another than before."""

    date: date
    positions: int = 0
    window_stats: int = 0
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
    files = files_of(lake, POSITIONS, day)
    if not files:
        return Compacted(day)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    eve = read_files(spark, POSITIONS, files_of(lake, POSITIONS, day - timedelta(days=1))).where(
        F.col("event_time") >= F.lit(midnight - timedelta(seconds=LONGEST_GAP_S))
    )
    fixes = read_files(spark, POSITIONS, files).unionByName(eve).select(*BASE_COLUMNS)
    positions = derive_motion(fixes).where(F.col("event_time") >= F.lit(midnight))
    replaced = publish_frame(positions, POSITIONS, lake.day(POSITIONS, day), lake.staging)
    # From the published file: it is what the statistics speak of, and deriving it twice would cost twice.
    closed = read_files(spark, POSITIONS, [lake.day(POSITIONS, day)])
    replaced |= publish_frame(aggregate_minutes(closed), WINDOW_STATS, lake.day(WINDOW_STATS, day), lake.staging)
    counts = {table.name: rows_in(lake.day(table, day)) for table in POSITION_TABLES}
    return Compacted(day, **counts, replaced=replaced)


def days_before(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that have live files."""
    folders = (folder.name.removeprefix("date=") for folder in lake.live(POSITIONS).glob("date=*"))
    return sorted(day for day in map(date.fromisoformat, folders) if day < limit)


def reopened_days(lake: Lake, limit: date) -> list[date]:
    """The closed days before `limit` with a live file younger than the closed one: fixes came after the closing."""
    return [
        day
        for day in days_before(lake, limit)
        if (closed := lake.day(POSITIONS, day)).exists()
        and any(file.stat().st_mtime_ns > closed.stat().st_mtime_ns for file in live_files(lake, POSITIONS, day))
    ]


def files_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """Every published file of a day, live and closed."""
    closed = lake.day(table, day)
    return [*live_files(lake, table, day), *([closed] if closed.exists() else [])]


def rows_in(file: Path) -> int:
    """The rows of a Parquet file, from its footer."""
    return int(pq.read_metadata(file).num_rows)
