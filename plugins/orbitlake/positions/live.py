"""The live files seen as rows with owners: publish new rows, correct published ones, read a stretch of them back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.lake import Lake, LakeError, in_order, parts_of
from orbitlake.positions.revisions import publish_revisable, publish_revision
from orbitlake.positions.track import LONGEST_GAP_S, MINUTE_US, OF_OBJECT, Indices, micros
from orbitlake.tables import POSITIONS, TEXT, UTC_MICROSECONDS, WINDOW_STATS, Column, Table

OWNER: Final = "owner"
LONGEST_REACH_S: Final = 300
"""How far behind an object's newest fix the stream remembers; what comes later than that is read back from the files.
Any value gives the same tables; a larger one trades work in each batch for fewer read-backs."""
REACH_OF_ALL_S: Final = 300_000
"""What the reaches of all objects may sum up to, so that thousands of objects do not make every batch slow."""
GAP: Final = timedelta(seconds=LONGEST_GAP_S)
TIME_OF: Final = {POSITIONS.name: "event_time", WINDOW_STATS.name: "window_start"}
"""The column whose UTC day is the partition."""
Object = tuple[str, str]
"""object_id and source."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of one object's time, `since` included, `until` not."""

    since: datetime
    until: datetime

    def days(self) -> Iterator[date]:
        """The UTC days that it touches."""
        day = self.since.astimezone(UTC).date()
        while day <= self.until.astimezone(UTC).date():
            yield day
            day += timedelta(days=1)


def owned(table: Table) -> Table:
    """The table with one more column: the name of the live file that holds the row, null for a closed day's."""
    return replace(table, columns=(*table.columns, Column(OWNER, TEXT, "name of the live file that holds the row")))


def publish_rows(lake: Lake, table: Table, rows: pa.Table, owner: str, staging: Path) -> None:
    """Write rows as the live file `owner` of each of their days, replacing what a first attempt left there."""
    for day, of_day in by_day(table, rows):
        publish_revisable(of_day.select(table.column_names), table, live_file(lake, table, day, owner), staging)


def correct_rows(lake: Lake, table: Table, rows: pa.Table, staging: Path) -> int:
    """Replace published rows, found by their key, in the live files that own them; return how many files changed.

    A file that is gone has been closed: the next compaction of its day derives the row again.
    """
    files = 0
    for day, of_day in by_day(table, rows):
        for owner in pc.unique(of_day.column(OWNER)).to_pylist():
            file = live_file(lake, table, day, owner)
            if not file.exists():
                continue
            corrections = of_day.filter(pc.equal(of_day.column(OWNER), owner)).select(table.column_names)
            published = read_checked(table, file)
            corrected = in_order(replaced(published, corrections, table), table)
            # A batch done again finds its corrections there.
            if not corrected.equals(published):
                publish_revision(corrected, table, file, staging)
                files += 1
    return files


def replaced(rows: pa.Table, corrections: pa.Table, table: Table) -> pa.Table:
    """Return `rows` with those of equal key taken from `corrections`."""
    key = list(table.key)
    untouched = rows.join(corrections.select(key), keys=key, join_type="left anti")
    return pa.concat_tables([untouched.cast(table.schema), corrections.cast(table.schema)])


def by_day(table: Table, rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Split rows by the UTC day of their partition."""
    days = rows.column(TIME_OF[table.name]).cast(pa.timestamp("us")).cast(pa.date32())
    for day in sorted(pc.unique(days).to_pylist()):
        yield day, rows.filter(pc.equal(days, day))


def live_file(lake: Lake, table: Table, day: date, owner: str) -> Path:
    """The place of a live file."""
    return lake.live(table) / f"date={day.isoformat()}" / owner


def read_back(lake: Lake, table: Table, stretches: Mapping[Object, Stretch], leave_out: str) -> pa.Table:
    """Return the published rows of some stretches with their owners, live ones before the same of a closed day.

    `leave_out` is the live file of the batch in hand: what a first attempt of it wrote is not published yet.
    """
    days = sorted({day for stretch in stretches.values() for day in stretch.days()})
    found = []
    for day in days:
        try:
            found.append(rows_of_day(lake, table, day, stretches, leave_out))
        except FileNotFoundError:
            # Retired since it was listed: its rows lie in the closed day's files, which a second look finds.
            found.append(rows_of_day(lake, table, day, stretches, leave_out))
    return pa.concat_tables([owned(table).schema.empty_table(), *found])


def rows_of_day(lake: Lake, table: Table, day: date, stretches: Mapping[Object, Stretch], leave_out: str) -> pa.Table:
    """Return a day's published rows of some stretches, live ones before the same of the closed day."""
    files = [file for file in live_files(lake, table, day) if file.name != leave_out]
    live = [of_file(table, file, file.name, stretches) for file in files]
    rows = pa.concat_tables([owned(table).schema.empty_table(), *live])
    closed = [of_file(table, part, None, stretches) for part in parts_of(lake, table, day)]
    return pa.concat_tables([rows, *(absent(part, rows, table) for part in closed)])


def absent(rows: pa.Table, others: pa.Table, table: Table) -> pa.Table:
    """Keep the rows whose key is not among the others."""
    key = list(table.key)
    return rows.join(others.select(key), keys=key, join_type="left anti").cast(rows.schema)


def live_files(lake: Lake, table: Table, day: date) -> list[Path]:
    """The live files of a day, in order of their names."""
    return sorted((lake.live(table) / f"date={day.isoformat()}").glob("*.parquet"))


def of_file(table: Table, file: Path, owner: str | None, stretches: Mapping[Object, Stretch]) -> pa.Table:
    """Return the rows of one file that lie in a stretch of their object. Raises LakeError on a foreign schema."""
    time = TIME_OF[table.name]
    anywhere = (
        pc.field("object_id").isin(sorted({object_id for object_id, _ in stretches}))
        & (pc.field(time) >= min(stretch.since for stretch in stretches.values()))
        & (pc.field(time) < max(stretch.until for stretch in stretches.values()))
    )
    rows = read_checked(table, file, filters=anywhere)
    rows = rows.join(table_of(stretches), keys=list(OF_OBJECT), join_type="inner")
    at = rows.column(time)
    inside = pc.and_(pc.greater_equal(at, rows.column("since")), pc.less(at, rows.column("until")))
    rows = rows.filter(inside).select(table.column_names)
    return rows.append_column(OWNER, pa.array([owner] * rows.num_rows, TEXT)).cast(owned(table).schema)


def table_of(stretches: Mapping[Object, Stretch]) -> pa.Table:
    """The stretches as rows."""
    object_ids, sources = zip(*stretches, strict=True)
    columns = [object_ids, sources, *zip(*((each.since, each.until) for each in stretches.values()), strict=True)]
    types = [TEXT, TEXT, UTC_MICROSECONDS, UTC_MICROSECONDS]
    arrays = [pa.array(values, type_) for values, type_ in zip(columns, types, strict=True)]
    return pa.table(arrays, names=[*OF_OBJECT, "since", "until"])


def read_checked(
    table: Table, file: Path, columns: Sequence[str] | None = None, filters: pc.Expression | None = None
) -> pa.Table:
    """Read a published file. Raises LakeError by name where its schema is not the table's."""
    open_checked(table, file).close()
    return pq.read_table(file, columns=columns and list(columns), filters=filters, partitioning=None)


def open_checked(table: Table, file: Path) -> pq.ParquetFile:
    """Open a published file. Raises LakeError by name where its schema is not the table's."""
    opened = pq.ParquetFile(file)
    if not opened.schema_arrow.equals(table.schema):
        opened.close()
        raise LakeError(f"{file}: not the schema of {table.name} version {table.version}")
    return opened


def newest_times(lake: Lake) -> pa.Table:
    """Return the newest published fix of each object and source (newest), live and closed days together."""
    newest = newest_of(POSITIONS.schema.empty_table())
    for file in (*lake.live(POSITIONS).glob("date=*/*.parquet"), *lake.closed(POSITIONS).glob("date=*/*.parquet")):
        of_one = newest_of(read_checked(POSITIONS, file, (*OF_OBJECT, "event_time")))
        newest = newest_of(pa.concat_tables([newest, of_one]).rename_columns({"newest": "event_time"}))
    return newest


def newest_of(positions: pa.Table) -> pa.Table:
    """Return the newest event_time of each object and source of a table (newest)."""
    groups = positions.group_by(list(OF_OBJECT)).aggregate([("event_time", "max")])
    return groups.rename_columns({"event_time_max": "newest"})


def floors_of(newest: pa.Table) -> pa.Table:
    """Add to each object's newest time the floor from which on the stream remembers it."""
    return newest.append_column("floor", pa.array(floors_us(micros(newest.column("newest")))).cast(UTC_MICROSECONDS))


def floors_us(newest_us: Indices) -> Indices:
    """The start of the first whole minute within reach of each object's newest fix. Shapes: (n,) -> (n,), n objects."""
    reach_s = min(LONGEST_REACH_S, REACH_OF_ALL_S // max(1, newest_us.size))
    return (newest_us - reach_s * 1_000_000) // MINUTE_US * MINUTE_US
