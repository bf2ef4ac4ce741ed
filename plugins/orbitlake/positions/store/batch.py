"""The one rule: the rows of a minute are a pure function of the set of its fixes, whenever and however they come.

A batch reads the minutes that its fixes lie in, two more before them (motion looks 120 s back) and two behind (whose
fixes look back at those of the batch), across midnight and into closed days too. It takes the union with what is
published, derives it anew, and writes aside the minutes that come out otherwise. What it looks at follows from its
fixes and not from what is new among them: done again after a crash, it completes what was cut off.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import united
from orbitlake.positions.derive.order import (
    BASE_COLUMNS,
    LONGEST_GAP_US,
    MINUTE_US,
    NONE,
    Indices,
    Mask,
    micros,
    object_numbers,
    starts_of_runs,
)
from orbitlake.positions.derive.published import matched, published_rows
from orbitlake.positions.store.day_files import closed_rows
from orbitlake.positions.store.minute_files import (
    Buckets,
    Minute,
    Written,
    day_of,
    hashes_of,
    minute_starts,
    read_minutes,
    write_minute,
)
from orbitlake.tables import POSITIONS, WINDOW_STATS, Table

DAY_US: Final = 1440 * MINUTE_US
REACH: Final = LONGEST_GAP_US // MINUTE_US
"""Minutes before and behind a fix that have to do with it."""


@dataclass(slots=True)
class Outcome:
    """The files that a batch, or a part of one, wrote aside, and what it found among its fixes (see Progress)."""

    files: list[Written] = field(default_factory=list)
    rows: int = 0
    late: int = 0
    corrected: int = 0


def write_aside(lake: Lake, fixes: pa.Table, buckets: Buckets, part: int, staging: Path) -> Outcome:
    """Derive what the fixes of part `part` of a batch (base columns, any order, repeats allowed) change."""
    outcome = Outcome()
    if not fixes.num_rows:
        return outcome
    starts_us = np.unique(minute_starts(fixes, POSITIONS))
    reach_us = MINUTE_US * np.arange(-REACH, REACH + 1)
    around_us = np.unique(np.add.outer(starts_us, reach_us))
    changing_us = np.unique(np.add.outer(starts_us, reach_us[REACH:]))
    stored = Stored(lake, buckets, part, pc.unique(fixes.column("object_id")))

    # Of the minutes that cannot change, only what others look back at.
    context = latest_of_minutes(stored.rows(POSITIONS, np.setdiff1d(around_us, changing_us)))
    before = stored.rows(POSITIONS, changing_us)
    known = pa.concat_tables([context, before]).select(list(BASE_COLUMNS))
    positions, found = united(known, fixes.select(list(BASE_COLUMNS)))
    is_changing = np.isin(minute_starts(positions, POSITIONS), changing_us)
    positions, found = positions.filter(pa.array(is_changing)), found[is_changing]
    found = np.where(found == NONE, NONE, found - context.num_rows)
    published = published_rows(before, positions, found, POSITIONS)
    outcome.rows, outcome.corrected = int(published.is_new.sum()), int(published.differs.sum())
    outcome.late = int(late(positions, published.is_new).sum())
    outcome.files += stored.replaced(POSITIONS, positions, published.is_changed, staging)

    minutes = minutes_of(positions)
    before = stored.rows(WINDOW_STATS, changing_us)
    published = published_rows(before, minutes, matched(before, minutes, WINDOW_STATS), WINDOW_STATS)
    outcome.files += stored.replaced(WINDOW_STATS, minutes, published.is_changed, staging)
    return outcome


class Stored:
    """What is published of the objects of a batch: in the live files of minutes, and in closed days."""

    def __init__(self, lake: Lake, buckets: Buckets, part: int, objects: pa.Array) -> None:
        self.lake, self.buckets, self.part, self.objects = lake, buckets, part, objects
        self.live: dict[str, dict[Minute, pa.Table]] = {}

    def rows(self, table: Table, starts_us: Iterable[int]) -> pa.Table:
        """Return the objects' rows of some minutes, those of closed days before the same in live files.

        Live files are read first: one that is retired meanwhile has its rows in the closed day.
        """
        by_day = defaultdict(list)
        for start_us in starts_us:
            by_day[day_of(start_us)].append(int(start_us))
        minutes = [
            Minute(start_us, bucket)
            for day, of_day in by_day.items()
            for bucket in range(self.part, self.buckets.of_day(day), self.buckets.partitions)
            for start_us in of_day
        ]
        read = self.live[table.name] = read_minutes(self.lake, table, minutes)
        live = [self.of_objects(rows) for rows in read.values()]
        closed = [closed_rows(self.lake, table, day, of_day, self.objects) for day, of_day in by_day.items()]
        return pa.concat_tables([table.schema.empty_table(), *closed, *live])

    def of_objects(self, rows: pa.Table, *, others: bool = False) -> pa.Table:
        """Keep the rows of the batch's objects, or of all others."""
        is_ours = pc.is_in(rows.column("object_id"), self.objects)
        return rows.filter(pc.invert(is_ours) if others else is_ours)

    def replaced(self, table: Table, rows: pa.Table, is_changed: Mask, staging: Path) -> list[Written]:
        """Write aside the live files of the minutes with a changed row. `rows`: all of the batch's objects in them."""
        start_us = minute_starts(rows, table)
        changed = np.isin(start_us, start_us[is_changed])
        rows, start_us, is_changed = rows.filter(pa.array(changed)), start_us[changed], is_changed[changed]
        bucket = self.buckets_of(rows, start_us)
        order = np.lexsort((bucket, start_us))
        starts = starts_of_runs(start_us[order], bucket[order])
        files = []
        for run in np.split(order, starts[1:]) if order.size else ():
            if is_changed[run].any():
                minute = Minute(int(start_us[run[0]]), int(bucket[run[0]]))
                held = self.live[table.name].get(minute, table.schema.empty_table())
                content = pa.concat_tables([self.of_objects(held, others=True), rows.take(pa.array(np.sort(run)))])
                count = self.buckets.of_day(minute.day)
                files.append(write_minute(self.lake, table, minute, content, count, staging))
        return files

    def buckets_of(self, rows: pa.Table, start_us: Indices) -> Indices:
        """Return the bucket of each row, by the number of buckets of its day."""
        days, of_rows = np.unique(start_us // (DAY_US), return_inverse=True)
        counts = np.array([self.buckets.of_day(day_of(day * DAY_US)) for day in days], np.int64)
        hashes = hashes_of(rows.column("object_id"))
        return np.zeros(0, np.int64) if not rows.num_rows else hashes % counts[of_rows]


def latest_of_minutes(positions: pa.Table) -> pa.Table:
    """Keep, of each object, source and minute, the rows of the latest time."""
    number, event_us = object_numbers(positions), micros(positions.column("event_time"))
    order = np.lexsort((event_us, number))
    if not order.size:
        return positions
    event_us = event_us[order]
    starts = starts_of_runs(number[order], event_us // MINUTE_US)
    latest_us = np.repeat(np.maximum.reduceat(event_us, starts), np.diff(starts, append=order.size))
    return positions.take(pa.array(order[event_us == latest_us]))


def late(positions: pa.Table, is_new: Mask) -> Mask:
    """Whether a row is new, and a published one of its object and source lies behind it or it came after its day."""
    if not positions.num_rows:
        return is_new
    rows = np.arange(is_new.size)
    starts = starts_of_runs(object_numbers(positions))
    last = np.maximum.reduceat(np.where(is_new, NONE, rows), starts)
    is_followed = rows < np.repeat(last, np.diff(starts, append=rows.size))
    event_us, fetch_us = (micros(positions.column(name)) for name in ("event_time", "fetch_time"))
    return is_new & (is_followed | (fetch_us // DAY_US > event_us // DAY_US))
