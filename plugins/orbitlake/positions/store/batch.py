"""The one rule: the rows of a minute are a pure function of the set of its fixes, whenever and however they come.

A batch reads the minutes that its fixes lie in, two more before them (motion looks 120 s back) and two behind (whose
fixes look back at those of the batch), across midnight and into closed days too. It takes the union with what is
published, derives it anew, and writes aside the minutes that come out otherwise, each file whole. What it looks at
follows from its fixes and not from what is new among them: done again after a crash, it completes what was cut off. A
row of window_stats follows from the positions of its minute, so these alone say what has changed, and are published
last.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.columns import DAY_US, MINUTE_US, Indices, Mask, micros, object_numbers, starts_of_runs
from orbitlake.digits import same
from orbitlake.lake import Lake
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import BASE_COLUMNS, LONGEST_GAP_US, NONE, united
from orbitlake.positions.store.day_files import closed_rows
from orbitlake.positions.store.minute_files import (
    Buckets,
    Minute,
    Written,
    minute_starts,
    read_minutes,
    write_minute,
)
from orbitlake.tables import POSITIONS, WINDOW_STATS, Table

REACH: Final = LONGEST_GAP_US // MINUTE_US
"""Minutes before and behind a fix that have to do with it."""


@dataclass(slots=True)
class Outcome:
    """The files that a batch, or a part of one, wrote aside, and what it found among its fixes (see Progress)."""

    files: list[Written] = field(default_factory=list)
    rows: int = 0
    late: int = 0
    corrected: int = 0


def write_aside(lake: Lake, fixes: pa.Table, buckets: Buckets, part: int) -> Outcome:
    """Derive what the fixes of part `part` of a batch (base columns, any order, repeats allowed) change."""
    if not fixes.num_rows:
        return Outcome()
    starts_us = np.unique(minute_starts(fixes, POSITIONS))
    reach_us = MINUTE_US * np.arange(-REACH, REACH + 1)
    around_us = np.unique(np.add.outer(starts_us, reach_us))
    changing_us = np.unique(np.add.outer(starts_us, reach_us[REACH:]))

    # Live files are read first: one that is retired meanwhile has its rows in the closed day.
    live = read_minutes(lake, POSITIONS, buckets.minutes_of_part(part, around_us))
    objects = pc.unique(pa.concat_tables(each.select(["object_id"]) for each in (fixes, live)).column("object_id"))
    stored = pa.concat_tables([closed_rows(lake, around_us, objects), live])
    can_change = np.isin(minute_starts(stored, POSITIONS), changing_us)
    # Of the minutes that cannot change, only what others look back at.
    context, before = latest_of_minutes(stored.filter(pa.array(~can_change))), stored.filter(pa.array(can_change))
    known = pa.concat_tables([context, before]).select(list(BASE_COLUMNS))
    positions, found = united(known, fixes.select(list(BASE_COLUMNS)))
    can_change = np.isin(minute_starts(positions, POSITIONS), changing_us)
    positions, found = positions.filter(pa.array(can_change)), found[can_change]

    is_new = found == NONE
    differs = np.zeros(is_new.size, np.bool_)
    published = before.take(pa.array(found[~is_new] - context.num_rows))
    differs[~is_new] = differing(positions.filter(pa.array(~is_new)), published)
    outcome = Outcome(rows=int(is_new.sum()), late=int(late(positions, is_new).sum()), corrected=int(differs.sum()))
    changed = [rows for _, rows in by_minute(positions, POSITIONS, buckets) if (is_new | differs)[rows].any()]
    if changed:
        positions = positions.take(pa.array(np.sort(np.concatenate(changed))))
        for table, rows in ((POSITIONS, positions), (WINDOW_STATS, minutes_of(positions))):
            for minute, of_minute in by_minute(rows, table, buckets):
                content = rows.take(pa.array(of_minute))
                outcome.files.append(write_minute(lake, table, minute, content, buckets.of_day(minute.day)))
    return outcome


def differing(ours: pa.Table, theirs: pa.Table) -> Mask:
    """Whether positions of the same keys say something else. Shapes: (n,), (n,) -> (n,)."""
    values = [column for column in POSITIONS.columns if column.name not in POSITIONS.key]
    alike = [same(ours.column(column.name), theirs.column(column.name), column) for column in values]
    return np.asarray(~np.logical_and.reduce(alike), dtype=np.bool_)


def by_minute(rows: pa.Table, table: Table, buckets: Buckets) -> Iterator[tuple[Minute, Indices]]:
    """Yield each live file that rows are to be in, and their numbers; there must be rows."""
    start_us = minute_starts(rows, table)
    bucket = buckets.of_rows(rows, start_us)
    order = np.lexsort((bucket, start_us))
    starts = starts_of_runs(start_us[order], bucket[order])
    for run in np.split(order, starts[1:]):
        yield Minute(int(start_us[run[0]]), int(bucket[run[0]])), np.sort(run)


def latest_of_minutes(stored: pa.Table) -> pa.Table:
    """Keep, of each object, source and minute, the rows of the latest time; each file has its rows in order."""
    event_us = micros(stored.column("event_time"))
    starts = starts_of_runs(object_numbers(stored), event_us // MINUTE_US)
    lengths = np.diff(starts, append=event_us.size)
    return stored.filter(pa.array(event_us == np.repeat(event_us[starts + lengths - 1], lengths)))


def late(positions: pa.Table, is_new: Mask) -> Mask:
    """Whether a row is new, and a published one of its object and source lies behind it or it came after its day."""
    number = object_numbers(positions)
    of_next_published = np.minimum.accumulate(np.where(is_new, np.iinfo(np.int64).max, number)[::-1])[::-1]
    event_us, fetch_us = (micros(positions.column(name)) for name in ("event_time", "fetch_time"))
    return np.asarray(is_new & ((of_next_published == number) | (fetch_us // DAY_US > event_us // DAY_US)))
