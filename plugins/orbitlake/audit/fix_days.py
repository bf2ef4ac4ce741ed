"""The fixes of a UTC day -> their rows of position_audit, and what the next day must know of each feed."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.audit.conventions import convention_of
from orbitlake.audit.ephemeris import Ephemeris
from orbitlake.audit.fix_errors import Errors, Fixes, errors_of
from orbitlake.audit.fix_verdicts import FeedState, judge
from orbitlake.audit.notes import Feed
from orbitlake.audit.outcomes import FROZEN
from orbitlake.columns import NEVER_US, Indices, Mask, micros, object_numbers, reals, starts_of_runs
from orbitlake.digits import rounded
from orbitlake.tables import POSITION_AUDIT

FIX_COLUMNS: Final = ("object_id", "source", "event_time", "fetch_time", "latitude_deg", "longitude_deg")
"""The columns of positions that are needed."""
GAP_COLUMNS: Final = ("object_id", "source", "start_time", "duration_s", "cause", "polls_made", "interval_s")
"""The same of gaps."""
REPEATED_S: Final = 30.0
"""An answer that is repeated for so long is frozen; for less it may come from a cache."""

States = dict[Feed, FeedState]


def judge_day(
    fixes: pa.Table, gaps: pa.Table, ephemerides: Mapping[str, Ephemeris], states: States
) -> tuple[pa.Table, States]:
    """Return the rows of position_audit for rows of positions of one day, and the states of the feeds after it.

    `gaps` are those that begin about that day, `states` those of the feeds before it.
    """
    after = dict(states)
    parts = [POSITION_AUDIT.schema.empty_table()]
    known = fixes.filter(pc.is_in(fixes.column("object_id"), pa.array(sorted(ephemerides), pa.string())))
    for feed, rows in by_feed(known).items():
        object_id, source = feed
        event_us, fetch_us = (micros(rows.column(name)) for name in ("event_time", "fetch_time"))
        latitude_deg, longitude_deg = (reals(rows.column(name)) for name in ("latitude_deg", "longitude_deg"))
        one = Fixes(event_us, fetch_us, latitude_deg, longitude_deg)
        errors = errors_of(one, convention_of(source), ephemerides[object_id])
        state = FeedState.read(states[feed].text) if feed in states else FeedState()
        verdicts = judge(errors, is_repeated(errors.fixes, frozen_since_us(gaps, feed)), state)
        if verdicts:
            after[feed] = state
            parts.append(table_of(feed, errors, verdicts))
    return rounded(pa.concat_tables(parts), POSITION_AUDIT), after


def by_feed(fixes: pa.Table) -> dict[Feed, pa.Table]:
    """Split fixes by object and source, in the order of their names."""
    numbers = object_numbers(fixes)
    order = np.argsort(numbers, kind="stable")
    rows = fixes.take(pa.array(order))
    starts = starts_of_runs(numbers[order])
    parts = [rows.slice(start, end - start) for start, end in zip(starts, [*starts[1:], order.size], strict=False)]
    return {(part["object_id"][0].as_py(), part["source"][0].as_py()): part for part in parts}


def frozen_since_us(gaps: pa.Table, feed: Feed) -> Indices:
    """Return when each answer came that a feed then repeated for long, from its rows of gaps.

    An open gap has lasted as long as its polls took.
    """
    object_id, source = feed
    lasted_s = pc.coalesce(gaps.column("duration_s"), pc.multiply(gaps.column("polls_made"), gaps.column("interval_s")))
    chosen = pc.and_(pc.equal(gaps.column("object_id"), object_id), pc.equal(gaps.column("source"), source))
    chosen = pc.and_(chosen, pc.equal(gaps.column("cause"), FROZEN))
    return micros(gaps.filter(pc.and_(chosen, pc.greater_equal(lasted_s, REPEATED_S))).column("start_time"))


def is_repeated(fixes: Fixes, frozen_us: Indices) -> Mask:
    """Tell which fixes came at one of some moments; one of an older record counts as having come at its own time."""
    came_us = np.where(fixes.fetch_us == NEVER_US, fixes.event_us, fixes.fetch_us)
    return np.isin(came_us, frozen_us)


def table_of(feed: Feed, errors: Errors, verdicts: list[str]) -> pa.Table:
    """Return the rows of one feed."""
    count = len(verdicts)
    names: dict[str, object] = dict(zip(("object_id", "source"), ([name] * count for name in feed), strict=True))
    columns = names | {
        "event_time": errors.fixes.event_us,
        "latitude_deg": errors.fixes.latitude_deg,
        "longitude_deg": errors.fixes.longitude_deg,
        "creation_date": errors.creation_us,
        "error_km": errors.error_km,
        "along_track_km": errors.along_km,
        "cross_track_km": errors.cross_km,
        "along_track_s": errors.along_s,
        "bound_km": errors.bound_km,
        "verdict": verdicts,
    }
    return pa.table({name: pa.array(values) for name, values in columns.items()}).cast(POSITION_AUDIT.schema)
