"""The live files seen as rows with owners: publish new rows, correct published ones, read a stretch of them back."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.digits import same_rows
from orbitlake.lake import (
    LIVE_NAME,
    Lake,
    check_file,
    day_folder,
    days_in,
    files_of_day,
    in_order,
    parts_of,
)
from orbitlake.positions.revisions import publish_revisable, publish_revision
from orbitlake.positions.track import (
    MINUTE_US,
    NEVER_US,
    NONE,
    OF_OBJECT,
    Indices,
    Mask,
    micros,
    object_numbers,
    starts_of_runs,
)  # fmt: skip
from orbitlake.tables import POSITIONS, TEXT, UTC_MICROSECONDS, WINDOW_STATS, Column, Table

OWNER: Final = "owner"
LONGEST_REACH_S: Final = 300
"""How far behind an object's newest fix the stream remembers; what comes later than that is read back from the files.
Any value gives the same tables; a larger one trades work in each batch for fewer read-backs."""
REACH_OF_ALL_S: Final = 300_000
"""What the reaches of all objects may sum up to, so that thousands of objects do not make every batch slow."""
TIME_OF: Final = {POSITIONS.name: "event_time", WINDOW_STATS.name: "window_start"}
"""The column whose UTC day is the partition."""
STRETCHES: Final = pa.schema(
    [("object_id", TEXT), ("source", TEXT), ("since", UTC_MICROSECONDS), ("until", UTC_MICROSECONDS)]
)
"""Stretches of objects' time, `since` included, `until` not; those of one object do not touch each other."""
FARTHEST_AHEAD_S: Final = 86_400
"""A fix further ahead of the clock is a mistake: it is kept, but what is new is not measured by it."""


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
            if not same_rows(corrected, published, table):
                publish_revision(corrected, table, file, staging)
                files += 1
    return files


def lack_file(lake: Lake, table: Table, rows: pa.Table) -> Mask:
    """Whether a row is in no live file that could be corrected: its day was closed and the file retired."""
    days = rows.column(TIME_OF[table.name]).cast(pa.timestamp("us")).cast(pa.date32()).to_pylist()
    owners = rows.column(OWNER).to_pylist()
    return np.array(
        [not owner or not live_file(lake, table, day, owner).exists() for day, owner in zip(days, owners, strict=True)],
        np.bool_,
    )


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
    return lake.live(table) / day_folder(day) / owner


def read_back(lake: Lake, table: Table, stretches: pa.Table, leave_out: str) -> pa.Table:
    """Return the published rows of some stretches with their owners, live ones before the same of a closed day.

    `leave_out` is the live file of the batch in hand: what a first attempt of it wrote is not published yet, even where
    its day has been closed since.
    """
    found = []
    held = {*days_in(lake.live(table)), *days_in(lake.closed(table))}
    for day in (day for day in days_of(stretches) if day in held):
        try:
            found.append(rows_of_day(lake, table, day, stretches, leave_out))
        except FileNotFoundError:
            # Retired since it was listed: its rows lie in the closed day's files, which a second look finds.
            found.append(rows_of_day(lake, table, day, stretches, leave_out))
    return pa.concat_tables([owned(table).schema.empty_table(), *found])


def days_of(stretches: pa.Table) -> list[date]:
    """The UTC days that stretches touch."""
    columns = (stretches.column(n).cast(pa.timestamp("us")).cast(pa.date32()).to_pylist() for n in ("since", "until"))
    days = set()
    for first, last in set(zip(*columns, strict=True)):
        days.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    return sorted(days)


def rows_of_day(lake: Lake, table: Table, day: date, stretches: pa.Table, leave_out: str) -> pa.Table:
    """Return a day's published rows of some stretches, live ones before the same of the closed day."""
    live = [of_file(table, file, file.name, stretches) for file in live_files(lake, table, day)]
    rows = pa.concat_tables([owned(table).schema.empty_table(), *live])
    closed = [of_file(table, part, None, stretches) for part in parts_of(lake, table, day)]
    published = rows.filter(pc.not_equal(rows.column(OWNER), leave_out))
    return pa.concat_tables([published, *(absent(part, rows, table) for part in closed)])


def absent(rows: pa.Table, others: pa.Table, table: Table) -> pa.Table:
    """Keep the rows whose key is not among the others."""
    key = list(table.key)
    return rows.join(others.select(key), keys=key, join_type="left anti").cast(rows.schema)


def live_files(lake: Lake, table: Table, day: date) -> list[Path]:
    """The live files of a day, in order of their names."""
    found, _ = files_of_day(lake.live(table) / day_folder(day), LIVE_NAME)
    return sorted(Path(entry.path) for entry in found)


def of_file(table: Table, file: Path, owner: str | None, stretches: pa.Table) -> pa.Table:
    """Return the rows of one file that lie in a stretch of their object. Raises LakeError on a foreign schema."""
    at = TIME_OF[table.name]
    anywhere = (
        pc.field("object_id").isin(pc.unique(stretches.column("object_id")).to_pylist())
        & (pc.field(at) >= pc.min(stretches.column("since")))
        & (pc.field(at) < pc.max(stretches.column("until")))
    )
    rows = read_checked(table, file, filters=anywhere)
    rows = rows.filter(pa.array(within(rows.select([*OF_OBJECT, at]), stretches)))
    return rows.append_column(OWNER, pa.array([owner] * rows.num_rows, TEXT)).cast(owned(table).schema)


def within(rows: pa.Table, stretches: pa.Table) -> Mask:
    """Whether a row, object_id, source and a time, lies in a stretch of its object. Shapes: (n,) rows -> (n,)."""
    begins = stretches.select([*OF_OBJECT, "since"])
    number = object_numbers(pa.concat_tables([begins, rows.rename_columns(begins.column_names).cast(begins.schema)]))
    since_us, until_us = micros(stretches.column("since")), micros(stretches.column("until"))
    time_us = np.concatenate([since_us, micros(rows.column(2))])
    is_row = np.arange(number.size) >= since_us.size
    order = np.lexsort((is_row, time_us, number))
    # The stretch that began last before each row.
    begun = np.maximum.accumulate(np.where(is_row[order], NONE, np.arange(number.size)))
    stretch = order[np.maximum(begun, 0)]
    found = np.zeros(number.size, np.bool_)
    ends_us = until_us[np.minimum(stretch, until_us.size - 1)]
    found[order] = (begun != NONE) & (number[stretch] == number[order]) & (time_us[order] < ends_us)
    return found[is_row]


def joined_stretches(objects: pa.Table, since_us: Indices, until_us: Indices) -> pa.Table:
    """Return STRETCHES of object_id and source a row, those of one object joined where they touch. Shapes: (n,).

    Of two of one object the one that begins later must not end earlier.
    """
    if not objects.num_rows:
        return STRETCHES.empty_table()
    number = object_numbers(objects)
    order = np.lexsort((until_us, since_us, number))
    number, since_us, until_us = number[order], since_us[order], until_us[order]
    is_first = np.ones(order.size, np.bool_)
    is_first[1:] = (number[1:] != number[:-1]) | (since_us[1:] > until_us[:-1])
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], order.size) - 1
    columns = [objects.column(name).take(pa.array(order[firsts])) for name in OF_OBJECT]
    times = (pa.array(us).cast(UTC_MICROSECONDS) for us in (since_us[firsts], until_us[lasts]))
    return pa.table([*columns, *times], schema=STRETCHES)


def read_checked(
    table: Table, file: Path, columns: Sequence[str] | None = None, filters: pc.Expression | None = None
) -> pa.Table:
    """Read a published file. Raises LakeError by name where its schema is not the table's."""
    check_file(file, table)
    return pq.read_table(file, columns=columns and list(columns), filters=filters, partitioning=None)


def newest_times(lake: Lake) -> pa.Table:
    """Return the newest published fix of each object and source (newest), live and closed days together."""
    newest = newest_of(POSITIONS.schema.empty_table())
    live = [file for day in days_in(lake.live(POSITIONS)) for file in live_files(lake, POSITIONS, day)]
    closed = [part for day in days_in(lake.closed(POSITIONS)) for part in parts_of(lake, POSITIONS, day)]
    for file in (*live, *closed):
        of_one = newest_of(read_checked(POSITIONS, file, (*OF_OBJECT, "event_time")))
        newest = newest_of(pa.concat_tables([newest, of_one]).rename_columns({"newest": "event_time"}))
    return newest


def newest_of(positions: pa.Table) -> pa.Table:
    """Return the newest event_time of each object and source of a table (newest), as `newest_us` judges."""
    number, event_us = object_numbers(positions), micros(positions.column("event_time"))
    order = np.lexsort((event_us, number))
    starts = starts_of_runs(number[order])
    newest = pa.array(newest_us(event_us[order], starts)).cast(UTC_MICROSECONDS)
    objects = positions.select(list(OF_OBJECT)).take(pa.array(order[starts]))
    return objects.append_column("newest", newest)


def newest_us(event_us: Indices, starts: Indices) -> Indices:
    """The newest time of each run of times in order: not further ahead than FARTHEST_AHEAD_S where there is one."""
    if not starts.size:
        return event_us
    latest_us = round((time.time() + FARTHEST_AHEAD_S) * 1_000_000)
    credible = np.maximum.reduceat(np.where(event_us <= latest_us, event_us, NEVER_US), starts)
    return np.where(credible == NEVER_US, event_us[np.append(starts[1:], event_us.size) - 1], credible)


def floors_of(newest: pa.Table) -> pa.Table:
    """Add to each object's newest time the floor from which on the stream remembers it."""
    return newest.append_column("floor", pa.array(floors_us(micros(newest.column("newest")))).cast(UTC_MICROSECONDS))


def floors_us(newest_us: Indices) -> Indices:
    """The start of the first whole minute within reach of each object's newest fix. Shapes: (n,) -> (n,), n objects."""
    reach_s = min(LONGEST_REACH_S, REACH_OF_ALL_S // max(1, newest_us.size))
    return (newest_us - reach_s * 1_000_000) // MINUTE_US * MINUTE_US
