"""What one issue after the other tells of passes or approaches -> one row each, revised by each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.lake.paths import issue_name
from orbitlake.passes.kinds import Columns, Kind
from orbitlake.trajectory.arcs import SECOND_US

PREDICTED, REVISED, MOVED, CANCELLED, FLOWN = "PREDICTED", "REVISED", "MOVED", "CANCELLED", "FLOWN"
NEAR_US: Final = 40 * 60 * SECOND_US
"""So near two peaks may be one pass, as two issues tell it: in low orbit the next one is an hour and a half later."""
LEAST_MOVE_US: Final = SECOND_US
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Teller:
    """The issue that tells: when it was created, the stretches that it covers without a gap, (m, 2), and from when on
    its burns differ from those of the issue created at another time; in UTC, microseconds since 1970.
    """

    created_us: int
    covered_us: NDArray[np.int64]
    burns_differ_from_us: Callable[[int], int]


def revise(kind: Kind, standing: Columns, told: Columns, teller: Teller) -> Columns:
    """Return the rows of one place after one issue more, in order of their peaks: `standing` before, `told` by it.

    What is near enough counts as one, the nearest each; the rest is new. What the issue covers and does not tell of is
    cancelled.
    """
    order = np.argsort(told[kind.peak], kind="stable")
    told = {name: values[order] for name, values in told.items()}
    old, new = same_ones(kind, standing, told)
    result = {name: values.copy() for name, values in standing.items()}
    before_us, now_us = (_us(rows[kind.timed])[places] for rows, places in ((standing, old), (told, new)))
    shift_us = _us(told[kind.peak])[new] - _us(standing[kind.peak])[old]
    status = np.full(old.size, REVISED, dtype=object)
    status[_is_moved(kind, standing, told, old, new, now_us - before_us, teller)] = MOVED
    status[_us(told[kind.end])[new] <= teller.created_us] = FLOWN
    for name in kind.told:
        result[name][old] = told[name][new]
    result["revision"][old] += 1
    result["status"][old] = status
    result["shift_s"][old] = np.round(shift_us / SECOND_US, 3)

    gone = np.setdiff1d(np.flatnonzero(_would_be_told(kind, standing, teller)), old)
    result["revision"][gone] += 1
    result["status"][gone] = CANCELLED
    result["shift_s"][gone] = np.nan
    result["creation_date"][gone] = np.datetime64(teller.created_us, "us")
    fresh = np.setdiff1d(np.arange(told[kind.peak].size), new)
    return in_order(kind, _joined(result, _first_told(kind, told, fresh, teller)))


def same_ones(kind: Kind, standing: Columns, told: Columns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which standing row is which told one: those that are each other's nearest, and near enough."""
    old_us, new_us = _us(standing[kind.peak]), _us(told[kind.peak])
    if not old_us.size or not new_us.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    of_new, of_old = _nearest(old_us, new_us), _nearest(new_us, old_us)
    new = np.flatnonzero(of_old[of_new] == np.arange(new_us.size))
    old = of_new[new]
    is_one = np.abs(new_us[new] - old_us[old]) <= NEAR_US
    # What lasts for hours may shift by more.
    is_one |= (standing[kind.begin][old] <= told[kind.end][new]) & (told[kind.begin][new] <= standing[kind.end][old])
    return old[is_one], new[is_one]


def _nearest(sorted_us: NDArray[np.int64], asked_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of some instants in order is nearest to each asked for, the earlier of two: (n,), (m,) -> (m,)."""
    after = np.clip(np.searchsorted(sorted_us, asked_us), 1, max(sorted_us.size - 1, 1))
    if sorted_us.size == 1:
        return np.zeros(asked_us.size, dtype=np.int64)
    is_before = asked_us - sorted_us[after - 1] <= sorted_us[after] - asked_us
    return after - is_before


def _is_moved(
    kind: Kind,
    standing: Columns,
    told: Columns,
    old: NDArray[np.int64],
    new: NDArray[np.int64],
    shift_us: NDArray[np.int64],
    teller: Teller,
) -> NDArray[np.bool_]:
    former_us = _us(standing["creation_date"])[old]
    differ_us = {created_us: teller.burns_differ_from_us(created_us) for created_us in np.unique(former_us).tolist()}
    since_us = np.array([differ_us[created_us] for created_us in former_us.tolist()], dtype=np.int64)
    is_other_plan = since_us < _us(told[kind.timed])[new]
    # A bound that is not known is none: NaN compares as false.
    is_beyond = np.abs(shift_us) / SECOND_US > standing["time_p90_s"][old]
    return (np.abs(shift_us) >= LEAST_MOVE_US) & (is_other_plan | is_beyond)


def _would_be_told(kind: Kind, standing: Columns, teller: Teller) -> NDArray[np.bool_]:
    """Tell which rows an issue would tell of, were they still to be: those well within what it covers."""
    since_us, until_us = _us(standing[kind.begin]) - NEAR_US, _us(standing[kind.end]) + NEAR_US
    covered = np.zeros(since_us.size, dtype=np.bool_)
    for begin_us, end_us in teller.covered_us.tolist():
        covered |= (since_us >= begin_us) & (until_us <= end_us)
    return np.asarray(covered & (standing["status"] != CANCELLED))


def _first_told(kind: Kind, told: Columns, rows: NDArray[np.int64], teller: Teller) -> Columns:
    first = {name: told[name][rows] for name in kind.told}
    by = issue_name(_time(teller.created_us))
    names = [f"{issue_name(_time(peak_us))}-{by}" for peak_us in _us(first[kind.peak]).tolist()]
    is_flown = _us(first[kind.end]) <= teller.created_us
    return first | {
        kind.identity: np.array(names, dtype=object),
        "revision": np.zeros(rows.size, dtype=np.int32),
        "status": np.where(is_flown, FLOWN, PREDICTED).astype(object),
        "shift_s": np.full(rows.size, np.nan),
    }


def _joined(some: Columns, more: Columns) -> Columns:
    return {name: np.concatenate((values, more[name])) for name, values in some.items()}


def in_order(kind: Kind, rows: Columns) -> Columns:
    """Return the rows of one place in the one order that they are revised in: of their peaks."""
    order = np.lexsort((rows[kind.identity].astype(str), rows[kind.peak]))
    return {name: values[order] for name, values in rows.items()}


def _us(values: NDArray[Any]) -> NDArray[np.int64]:
    return values.astype("datetime64[us]").astype(np.int64)


def _time(utc_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=utc_us)
