"""Burns at any cadence: velocities that gravity does not explain, and that stay changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.oem.reader.thrust import LEAST_THRUST_KM_S2, OF_FIELD_ERROR, SECOND_US, Coast, Flight, Rows
from orbitlake.physics.fields import Field, Vectors
from orbitlake.physics.orbit import orbital_axes
from orbitlake.physics.ramp import Ramp, Record, fit_ramp
from orbitlake.physics.unexplained import unexplained_steps

LEAST_BURN_KM_S: Final = 1e-4
"""0.1 m/s: what is less is not sought, however quiet a file is."""
SIDE: Final = 4
"""States on either side of a jump whose means are compared: an epoch rounded by 1 ms moves one of them by 0.1 m/s."""
SIDE_AT_END: Final = 2
LEAST_STEP_S: Final = 180.0
"""States closer to the one before are passed over where jumps are sought; where one begins and ends, they count."""
EDGE_STEP_S: Final = 30.0
LONGEST_PHASE_RAD: Final = 0.7
"""A step of more than a ninth of a low orbit says nothing: the path between its ends is not known well enough."""
OF_MEDIAN: Final = 4.5
"""A jump is more than so many times what gravity leaves in the median of a file: 34 mm/s of NASA's, 117 at most."""
OF_MEDIAN_UNCONFIRMED: Final = 8.0
"""The same where no finer field is known that could tell a burn from what the first one leaves out."""
QUIET_KM_S: Final = 5e-6
"""5 mm/s: a file that a field explains so well was flown in it, such as the simulator's, and no finer one is better."""
QUIETEST_KM_S: Final = 1e-6
QUIETEST_KM: Final = 1e-4
"""1 mm/s and 10 cm: what the finer field leaves of a step where it leaves little."""
FEWEST_STATES: Final = 6 * SIDE
"""With fewer the median says little, and what the field may err counts."""
EPOCH_ROUNDING_S: Final = 1.5e-3
"""By so much epochs printed to the millisecond are off against each other after a cut-off in NASA's files: 11 m."""
MILLISECOND_US: Final = 1_000
FINE_NODES: Final = 8
EDGE_DIGIT_S: Final = 0.1
"""Edges between states are rounded to it: the last bits of a float differ from processor to processor."""
MOST_ROUNDS: Final = 16
MOST_AT_ONCE: Final = 100
"""Burns sought at once; the largest where there seem to be more, so that no file holds its reader up for hours."""
MOST_STATES: Final = 256
"""Of which a burn is fitted: all begins and ends that are tried look at each."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A burn: when it began and ended (TAI, us), how far both may be off (s), and the velocity gained (km/s).

    `gained_km_s` (3,) is radial, in-track and cross-track. `first` is the last state before it, `last` the first after.
    """

    ignition_tai_us: int
    cutoff_tai_us: int
    ignition_sigma_s: float
    cutoff_sigma_s: float
    gained_km_s: NDArray[np.float64]
    first: int
    last: int


def find_jumps(
    flight: Flight, coast: Coast, finer: Field, known: Sequence[tuple[int, int]]
) -> tuple[list[Jump], float | None]:
    """Return the burns of a flight besides the `known` ones (first and last state), and the least it would show.

    Sought in the field of the coast; what is found there must show in the finer one as well. The least is in km/s, None
    where a flight has too few states to show any, or one at the centre, which is no place for a spacecraft.
    """
    coarse = thinned(flight.tai_us, LEAST_STEP_S)
    states = flight.rows(coarse)
    if coarse.size < SIDE + 1 or not erfa.pm(flight.position_km).all():
        return [], None
    gained_km_s, _ = unexplained_steps(states.tai_us, states.position_km, states.velocity_km_s, coast.field.pull_km_s2)
    is_told = _is_told(states, coast.field)
    gained_km_s[~is_told | _touches(coarse, known)] = 0.0
    found: list[Jump] = []
    raised_km_s = 0.0
    for _ in range(MOST_ROUNDS):
        jumps_km_s = erfa.pm(_level_changes(gained_km_s))
        field = finer if float(np.median(jumps_km_s)) > QUIET_KM_S else coast.field
        shown_km_s = _least_burn_km_s(states, coast, jumps_km_s, is_confirmed=field is not coast.field)
        least_km_s, groups = _largest(jumps_km_s, max(raised_km_s, shown_km_s))
        raised_km_s = least_km_s if least_km_s > shown_km_s else raised_km_s
        new = _new_jumps(flight, field, [_around(coarse, *group) for group in groups], spans(known, found), least_km_s)
        if not new or len(found) + len(new) > MOST_AT_ONCE:
            found += new[: MOST_AT_ONCE - len(found)]
            break
        # A lesser burn close by shows once the steps of this one count no more.
        found += new
        gained_km_s[_touches(coarse, spans(known, found))] = 0.0
    # Each again without the others, which were not known yet when it was found.
    return [
        next(_fitted(flight, field, rows, spans(known, others), least_km_s), jump)
        for jump in sorted(found, key=lambda jump: jump.ignition_tai_us)
        for others in [[other for other in found if other is not jump]]
        for rows in [_around(coarse, *np.searchsorted(coarse, (jump.first, jump.last)).tolist())]
    ], least_km_s


def spans(known: Sequence[tuple[int, int]], found: Sequence[Jump]) -> list[tuple[int, int]]:
    """Return the first and last states of burns known before and of those found since."""
    return [*known, *((jump.first, jump.last) for jump in found)]


def _around(rows: Rows, since: int, until: int) -> Rows:
    return rows[max(0, since - 2 * SIDE) : until + 2 * SIDE + 1]


def _new_jumps(
    flight: Flight, field: Field, groups: Sequence[Rows], known: list[tuple[int, int]], least_km_s: float
) -> list[Jump]:
    """Return the burns among groups of states, without what is left beside one that was no constant push."""
    new: list[Jump] = []
    for rows in groups:
        for jump in _fitted(flight, field, rows, known, least_km_s):
            if not any(jump.first < last and first < jump.last for first, last in spans(known, new)):
                new.append(jump)
    return new


def thinned(tai_us: NDArray[np.int64], least_s: float) -> Rows:
    """Return the rows of states at least so far apart, the first one among them: (n,) -> (m,)."""
    if tai_us.size < 2 or np.diff(tai_us).min() >= least_s * SECOND_US:
        return np.arange(tai_us.size)
    following = np.searchsorted(tai_us, tai_us + round(least_s * SECOND_US)).tolist()
    rows = [0]
    while (row := following[rows[-1]]) < tai_us.size:
        rows.append(row)
    return np.array(rows, dtype=np.int64)


def _is_told(states: Flight, field: Field) -> NDArray[np.bool_]:
    """Return which steps are short enough to judge, in a field known at both ends: (n - 1,)."""
    rate_rad_s = np.sqrt(field.mu_km3_s2 / erfa.pm(states.position_km[:-1]) ** 3)
    is_unknown = field.is_unknown(states.tai_us, states.position_km)
    is_short = np.diff(states.tai_us) / SECOND_US * rate_rad_s < LONGEST_PHASE_RAD
    told: NDArray[np.bool_] = is_short & ~is_unknown[1:] & ~is_unknown[:-1]
    return told


def _touches(rows: Rows, known: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return which steps between rows touch a burn known already: (n,) -> (n - 1,)."""
    touched = np.zeros(rows.size - 1, dtype=np.bool_)
    for first, last in known:
        touched |= (rows[1:] > first) & (rows[:-1] < last)
    return touched


def _level_changes(gained_km_s: Vectors) -> Vectors:
    """Return by how much velocity is changed from before each state to after it: (n - 1, 3) -> (n, 3).

    The mean over SIDE states from it on, less that over as many before it; fewer at the ends of a flight.
    """
    level = np.concatenate((np.zeros((1, 3)), np.cumsum(gained_km_s, axis=0)))
    sums = np.concatenate((np.zeros((1, 3)), np.cumsum(level, axis=0)))
    at = np.arange(1, level.shape[0])
    since, until = np.maximum(at - SIDE, 0), np.minimum(at + SIDE, level.shape[0])
    before = (sums[at] - sums[since]) / (at - since)[:, np.newaxis]
    after = (sums[until] - sums[at]) / (until - at)[:, np.newaxis]
    return np.concatenate((np.zeros((1, 3)), after - before))


def _least_burn_km_s(states: Flight, coast: Coast, jumps_km_s: NDArray[np.float64], *, is_confirmed: bool) -> float:
    """Return the least change of velocity (km/s) above what the field, its error and the printed digits leave."""
    median_km_s = float(np.median(jumps_km_s))
    step_s = float(np.median(np.diff(states.tai_us))) / SECOND_US
    distance_km = float(np.median(erfa.pm(states.position_km)))
    span_s = SIDE * step_s
    limits_km_s = [
        LEAST_BURN_KM_S,
        (OF_MEDIAN if is_confirmed else OF_MEDIAN_UNCONFIRMED) * median_km_s,
    ]
    if jumps_km_s.size < FEWEST_STATES:
        (error_km_s2,) = coast.field.error_km_s2(np.array([distance_km]))
        limits_km_s.append(OF_FIELD_ERROR * float(error_km_s2) * span_s)
    if coast.least_thrust_km_s2 > LEAST_THRUST_KM_S2:
        limits_km_s.append(coast.least_thrust_km_s2 * span_s)
    return max(limits_km_s)


def _largest(jumps_km_s: NDArray[np.float64], least_km_s: float) -> tuple[float, list[tuple[int, int]]]:
    """Return the groups of states with a jump above the least, or above the multiple of it that leaves few enough."""
    groups = list(_groups(np.flatnonzero(jumps_km_s > least_km_s)))
    while len(groups) > MOST_AT_ONCE:
        least_km_s *= 1.25
        groups = list(_groups(np.flatnonzero(jumps_km_s > least_km_s)))
    return least_km_s, groups


def _groups(rows: Rows) -> Iterator[tuple[int, int]]:
    """Yield first and last of each group of rows that stand no further apart than two sides of a jump."""
    if rows.size:
        breaks = np.flatnonzero(np.diff(rows) > 2 * SIDE)
        yield from zip(rows[np.append(0, breaks + 1)].tolist(), rows[np.append(breaks, -1)].tolist(), strict=True)


def _fitted(
    flight: Flight, field: Field, rows: Rows, known: Sequence[tuple[int, int]], least_km_s: float
) -> Iterator[Jump]:
    """Yield the burn among some states, if the field does not explain it; edges by all states some seconds apart."""
    tai_us = flight.tai_us[rows[0] : rows[-1] + 1]
    rows = rows[0] + thinned(tai_us, max(EDGE_STEP_S, (tai_us[-1] - tai_us[0]) / SECOND_US / MOST_STATES))
    states = flight.rows(rows)
    gained_km_s, moved_km = unexplained_steps(
        states.tai_us, states.position_km, states.velocity_km_s, field.pull_km_s2, nodes=FINE_NODES
    )
    is_told = _is_told(states, field) & ~_touches(rows, known)
    middle = [0.5 * (each[1:] + each[:-1]) for each in (states.position_km, states.velocity_km_s)]
    axes = orbital_axes(*middle)
    gained_km_s, moved_km = (
        np.where(is_told[:, np.newaxis], erfa.rxp(axes, each), 0.0) for each in (gained_km_s, moved_km)
    )
    level = np.concatenate((np.zeros((1, 3)), np.cumsum(gained_km_s, axis=0)))
    # A burn may stand right beside the first or the last state of all.
    is_end = rows[0] == 0, rows[-1] > flight.tai_us.size - SIDE
    before, after = (min(SIDE_AT_END if end else SIDE, level.shape[0] // 3) for end in is_end)
    change_km_s = level[-after:].mean(axis=0) - level[:before].mean(axis=0)
    if not erfa.pm(change_km_s) > least_km_s or np.count_nonzero(is_told) < SIDE:
        return
    direction = change_km_s / erfa.pm(change_km_s)
    record = _record(states, erfa.pdp(gained_km_s, direction), erfa.pdp(moved_km, direction), is_told, (before, after))
    ramp = fit_ramp(record, float(record.at_s[before - 1]), float(record.at_s[-after]))
    if ramp.gained > least_km_s:
        yield _jump(flight, int(states.tai_us[0]), ramp, direction)


def _record(
    states: Flight,
    gained_km_s: NDArray[np.float64],
    moved_km: NDArray[np.float64],
    is_told: NDArray[np.bool_],
    sides: tuple[int, int],
) -> Record:
    """Return what is left along the push, with what so many steps on either side show of the scatter of coasts."""
    told = np.flatnonzero(is_told)
    (before_km_s, before_km), (after_km_s, after_km) = (
        (
            max(_scatter(gained_km_s[part]), states.velocity_digit_km_s, QUIETEST_KM_S),
            max(_scatter(moved_km[part]), states.position_digit_km, QUIETEST_KM),
        )
        for part in (told[: sides[0]], told[-sides[1] :])
    )
    if not (states.tai_us % MILLISECOND_US).any():
        after_km = max(after_km, EPOCH_ROUNDING_S * float(np.median(erfa.pm(states.velocity_km_s))))
    at_s = (states.tai_us - states.tai_us[0]) / SECOND_US
    return Record(at_s, gained_km_s, moved_km, before_km_s, before_km, after_km_s, after_km)


def _scatter(values: NDArray[np.float64]) -> float:
    return float(np.median(np.abs(values)))


def _jump(flight: Flight, origin_us: int, ramp: Ramp, direction: NDArray[np.float64]) -> Jump:
    ignition_us, cutoff_us = (
        origin_us + round(at_s / EDGE_DIGIT_S) * EDGE_DIGIT_S * SECOND_US for at_s in (ramp.start_s, ramp.stop_s)
    )
    first = int(np.searchsorted(flight.tai_us, ignition_us, side="right")) - 1
    last = int(np.searchsorted(flight.tai_us, cutoff_us, side="left"))
    return Jump(
        round(ignition_us),
        round(cutoff_us),
        max(ramp.start_sigma_s, EDGE_DIGIT_S),
        max(ramp.stop_sigma_s, EDGE_DIGIT_S),
        ramp.gained * direction,
        first,
        last,
    )
