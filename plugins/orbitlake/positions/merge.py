"""New fixes joined with those already published: which rows are new, which change, which minutes to sum again."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.digits import rounded, same
from orbitlake.positions.live import OWNER, floors_us, newest_us, owned
from orbitlake.positions.motion import motion_of
from orbitlake.positions.track import LONGEST_GAP_S, MINUTE_US, NONE, Indices, Mask, Track, reals, starts_of_runs
from orbitlake.tables import POSITIONS

PUBLISHED: Final = tuple(column for column in POSITIONS.columns if column.name not in POSITIONS.key)

OF_REPORT: Final = ("fetch_time", "altitude_km")
"""What a repeat of a fix may say otherwise."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Positions and the live file that owns each (null: of none), by object and in the order of fixes; masks of them.

    touched: the row's minute must be summed again; kept: the next batch may need the row. is_changed: it is in a live
    file in another form; is_reported: it is published with another fetch_time or altitude, in whatever file.
    """

    rows: pa.Table
    is_new: Mask
    is_changed: Mask
    is_reported: Mask
    touched: Mask
    kept: Mask

    def where(self, mask: Mask) -> pa.Table:
        return self.rows.filter(pa.array(mask))


def merge_fixes(known: pa.Table, fresh: pa.Table) -> Merged:
    """Return the positions of known and fresh fixes together.

    `known`: published positions and the file that owns each (null: a closed day's), complete around each fresh fix:
    from 120 s before its minute through the last minute that the 120 s after it reach; some may be there twice.
    `fresh`: base columns, any order, repeats allowed. A row that is the same, not touched and not kept is left out.
    Only rows up to 120 s after a fresh fix are derived again: others cannot have changed, and what they were derived
    from may not be among the known fixes any more.
    """
    both = pa.concat_tables([known, fresh], promote_options="default").combine_chunks()
    track = Track.of(both)
    order, starts = track.repeats(reals(both.column("altitude_km")))
    is_known = order < known.num_rows
    is_fresh = np.logical_or.reduceat(~is_known, starts)
    published = np.maximum.reduceat(np.where(is_known, order, NONE), starts)
    first = order[starts]
    sequence = track.take(first).in_order()
    first, published, is_fresh = first[sequence], published[sequence], is_fresh[sequence]
    track = track.take(first)

    is_open = follows_fresh(track, is_fresh)
    touched = in_one_minute_with(track, is_open)
    kept = needed_next(track)
    shown = np.flatnonzero(kept | touched)
    is_open, touched, kept, published = (each[shown] for each in (is_open, touched, kept, published))
    owners = both.column(OWNER).take(pa.array(published, mask=published == NONE))
    rows = both.take(first[shown])
    rows = rows.set_column(rows.column_names.index(OWNER), OWNER, owners)
    for name, values in motion_of(track, shown[is_open]).items():
        column = pc.replace_with_mask(rows.column(name), pa.array(is_open), values)
        rows = rows.set_column(rows.column_names.index(name), name, column)
    rows = rounded(rows.select(owned(POSITIONS).column_names).cast(owned(POSITIONS).schema), POSITIONS)
    differs, is_reported = changes(rows, known, published, is_open)
    is_changed = differs & rows.column(OWNER).is_valid().to_numpy()
    return Merged(rows, published == NONE, is_changed, is_reported, touched, kept)


def follows_fresh(track: Track, is_fresh: Mask) -> Mask:
    """Whether a fresh fix of the same object lies at the row's time or at most 120 s before it."""
    latest_fresh = np.maximum.accumulate(np.where(is_fresh, np.arange(is_fresh.size), NONE))
    starts = starts_of_runs(track.object, track.event_us)
    lengths = np.diff(starts, append=is_fresh.size)
    # A fresh fix of the very same time may stand behind the row.
    latest_fresh = np.repeat(latest_fresh[starts + lengths - 1], lengths)
    is_of_object = (latest_fresh != NONE) & (track.object[latest_fresh] == track.object)
    return is_of_object & (track.event_us - track.event_us[latest_fresh] <= LONGEST_GAP_S * 1_000_000)


def in_one_minute_with(track: Track, chosen: Mask) -> Mask:
    """Whether any of the chosen rows lies in the row's minute."""
    starts = starts_of_runs(track.object, track.event_us // MINUTE_US)
    return np.repeat(np.logical_or.reduceat(chosen, starts), np.diff(starts, append=chosen.size))


def needed_next(track: Track) -> Mask:
    """Whether the row lies within reach of its object's newest fix, or is the last one before that."""
    starts = starts_of_runs(track.object)
    lengths = np.diff(starts, append=track.object.size)
    within = track.event_us >= np.repeat(floors_us(newest_us(track.event_us, starts)), lengths)
    # An object's newest row is within its reach, so the row before a reach is of the same object.
    return within | np.append(within[1:], False)


def changes(rows: pa.Table, known: pa.Table, published: Indices, is_open: Mask) -> tuple[Mask, Mask]:
    """Whether a row derived now is published in another form; and whether that is one of another report."""
    differs, is_reported = np.zeros(rows.num_rows, np.bool_), np.zeros(rows.num_rows, np.bool_)
    candidates = np.flatnonzero(is_open & (published != NONE))
    # The rule in an orderly feed, and taking nothing from a large table of texts is not free.
    if not candidates.size:
        return differs, is_reported
    now, before = rows.take(candidates), known.take(published[candidates])
    for column in PUBLISHED:
        alike = same(now.column(column.name), before.column(column.name), column)
        differs[candidates] |= ~alike
        if column.name in OF_REPORT:
            is_reported[candidates] |= ~alike
    return differs, is_reported
