"""Several issues -> what holds of what each tells: the issue created last that covers all of a pass has the word."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.passes.predicted import columns_of
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.tables import Table
from orbitlake.trajectory.arcs import micros
from orbitlake.trajectory.states import Trajectory, utc_of

BEYOND: Final = timedelta(days=1)
"""How long what peaks between two instants may last before and after them."""

OfIssue = Callable[[Trajectory, np.datetime64, np.datetime64], pa.Table]
"""One issue, and a span in UTC -> its rows, whose first time columns are begin, peak and end."""


def newest_of(
    trajectory: Trajectory, start: datetime, stop: datetime, of_issue: OfIssue, table: Table, names: Sequence[str]
) -> pa.Table:
    """Return the rows that peak from start to before stop, each as told by the newest issue that covers all of it."""
    place, begin, peak, end = names[:4]
    since, until = utc_of([start, stop])
    beyond = np.timedelta64(BEYOND)
    kept = columns_of(table, names, {})
    newer_tai_us = np.empty((0, 2), dtype=np.int64)
    for issue in trajectory.by_issue():
        rows = of_issue(issue, since - beyond, until + beyond)
        begin_us, end_us = (micros(rows, name) for name in (begin, end))
        is_told = _is_covered(begin_us, end_us, newer_tai_us) | _overlaps(rows, kept, (place, begin, end))
        kept = pa.concat_tables([kept, rows.filter(pa.array(~is_told))])
        spans = [(arc.start_tai_us, arc.stop_tai_us) for arc in issue.arcs]
        newer_tai_us = np.concatenate((newer_tai_us, np.array(spans, dtype=np.int64)))
    peak_us = micros(kept, peak)
    is_asked = (peak_us >= since.astype(np.int64)) & (peak_us < until.astype(np.int64))
    kept = kept.filter(pa.array(is_asked)).unify_dictionaries().combine_chunks()
    keys = pa.table({place: kept.column(place).cast(pa.string()), begin: kept.column(begin)})
    return kept.take(pc.sort_indices(keys, [(place, "ascending"), (begin, "ascending")]))


def _is_covered(
    begin_us: NDArray[np.int64], end_us: NDArray[np.int64], spans_tai_us: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which rows one of some spans covers: (n,), (n,), (m, 2) -> (n,)."""
    begin, end = (tai_from_utc(each.astype("datetime64[us]")).astype(np.int64) for each in (begin_us, end_us))
    covered = np.zeros(begin_us.size, dtype=np.bool_)
    for since, until in spans_tai_us.tolist():
        covered |= (begin >= since) & (end <= until)
    return covered


def _overlaps(rows: pa.Table, kept: pa.Table, names: tuple[str, str, str]) -> NDArray[np.bool_]:
    """Tell which rows overlap with one that is kept of the same place: (n,)."""
    place, begin, end = names
    overlaps = np.zeros(rows.num_rows, dtype=np.bool_)
    places, kept_places = (each.column(place).cast(pa.string()).to_numpy(zero_copy_only=False) for each in (rows, kept))
    begin_us, end_us, kept_begin_us, kept_end_us = (
        micros(each, name) for each in (rows, kept) for name in (begin, end)
    )
    for name in np.unique(places):
        mine, theirs = np.flatnonzero(places == name), np.flatnonzero(kept_places == name)
        order = theirs[np.argsort(kept_begin_us[theirs])]
        # Of one place what is kept never overlaps: the last that begins before the end of a row is the one to ask.
        last = np.searchsorted(kept_begin_us[order], end_us[mine], side="right") - 1
        has_one = last >= 0
        overlaps[mine[has_one]] = kept_end_us[order][last[has_one]] >= begin_us[mine[has_one]]
    return overlaps
