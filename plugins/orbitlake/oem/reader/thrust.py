"""Tells thrust from coast: which stretches of the runs printed every 2.000 s no gravity explains."""

from dataclasses import dataclass
from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.fields import Field, Vectors
from orbitlake.physics.unexplained import unexplained_between

LEAST_THRUST_KM_S2: Final = 4e-7
"""0.4 mm/s^2. A field of degree and order 4 errs by 0.1 mm/s^2 in low orbit, drag there adds less; the weakest of 56
real burns of the ISS has 0.77 mm/s^2 over any 20 s. What is weaker than this cannot be told from a coast."""
OF_MEDIAN: Final = 2.0
"""Nor is thrust what is less than so many times what gravity leaves unexplained in the median of the file's coasts."""
OF_QUIETEST: Final = 4.0
"""The same for a file without coasts of other steps than 2 s, where only its quietest stretches are surely coast."""
OF_FIELD_ERROR: Final = 2.0
WINDOW_S: Final = 20.0
"""Runs are judged by stretches of this length first: a burn shows against the rounding of the printed digits."""
MOST_DECIMALS: Final = 15
MOST_SAMPLES: Final = 200
LONGEST_PHASE_RAD: Final = 1.0
"""Longer steps, of more than a sixth of a low orbit, say nothing of an acceleration."""
SHORTEST_STEP_S: Final = 1.0
"""Nor do shorter ones, for the rounding of their ends."""
MEDIAN: Final = 50.0
QUIETEST: Final = 5.0
"""Percentile of stretches of COAST_S in a file that has no other steps than 2 s: it may thrust for most of its time."""
COAST_S: Final = 10.0
BETTER: Final = 0.5
"""A simpler field is the file's own only where it leaves less than half of what the full one does."""
AT_ONCE: Final = 32_768
"""States whose gravity is held in memory together."""
SECOND_US: Final = 1_000_000

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Flight:
    """States of one segment in inertial axes, at microseconds of TAI. Shapes (n,), (n, 3).

    The digits are the last printed ones of position (km) and velocity (km/s), as lengths over the three axes.
    """

    tai_us: NDArray[np.int64]
    position_km: Vectors
    velocity_km_s: Vectors
    position_digit_km: float
    velocity_digit_km_s: float

    def rows(self, rows: Rows | slice) -> "Flight":
        """Return some of the states."""
        return Flight(
            self.tai_us[rows],
            self.position_km[rows],
            self.velocity_km_s[rows],
            self.position_digit_km,
            self.velocity_digit_km_s,
        )


@dataclass(frozen=True, slots=True)
class Coast:
    """How a file coasts: in which field, and the acceleration (km/s^2) up to which all may be coast."""

    field: Field
    least_thrust_km_s2: float


def last_digit(vectors: Vectors) -> float:
    """Return the length of the last printed digits of vectors (n, 3), told from the numbers themselves.

    An axis that is 0 throughout tells nothing.
    """
    squares = 0.0
    for values in (axis for axis in vectors.T if axis.any()):
        for decimals in range(MOST_DECIMALS + 1):
            scale = 10.0**decimals
            if np.all(np.abs(np.rint(values * scale) / scale - values) <= 4.0 * np.spacing(np.abs(values))):
                break
        squares += 10.0 ** (-2 * decimals)
    return float(np.sqrt(squares))


def coast_of(flight: Flight, fields: tuple[Field, ...], in_run: NDArray[np.bool_]) -> Coast:
    """Return the coast of a segment, judged by its steps outside the runs, or by all where there are none.

    `in_run` (n - 1,) marks the steps of runs. `fields` hold the best first. A file flown in a simpler field, such as
    an example made with a point mass, is judged by that one.
    """
    first = np.flatnonzero(~in_run)
    last, percentile, factor = first + 1, MEDIAN, OF_MEDIAN
    if not _telling(flight, first, last, fields[0]).any():
        length = round(COAST_S / 2.0)
        first = np.arange(0, max(1, in_run.size - length + 1))
        last, percentile, factor = np.minimum(first + length, in_run.size), QUIETEST, OF_QUIETEST
    telling = _telling(flight, first, last, fields[0])
    first, last = first[telling], last[telling]
    if not first.size:
        return Coast(fields[0], LEAST_THRUST_KM_S2)
    sample = np.unique(np.linspace(0, first.size - 1, min(MOST_SAMPLES, first.size)).round().astype(np.int64))
    begin, end = first[sample], last[sample]

    def left_km_s2(field: Field) -> float:
        return float(np.percentile(_unexplained_km_s2(flight, begin, end, field), percentile))

    found = [left_km_s2(fields[0])]
    own_error_km_s2 = float(np.median(fields[0].error_km_s2(erfa.pm(flight.position_km[begin]))))
    if found[0] > own_error_km_s2 or sample.size < MOST_SAMPLES:
        found += [left_km_s2(field) for field in fields[1:]]
    best = int(np.argmin(found))
    if found[best] > BETTER * found[0]:
        best = 0
    return Coast(fields[best], max(LEAST_THRUST_KM_S2, factor * found[best]))


def _telling(flight: Flight, first: Rows, last: Rows, field: Field) -> NDArray[np.bool_]:
    """Return which steps are neither too short nor too long to measure an acceleration with."""
    step_s = (flight.tai_us[last] - flight.tai_us[first]) / SECOND_US
    with np.errstate(divide="ignore"):
        rate_rad_s = np.sqrt(field.mu_km3_s2 / erfa.pm(flight.position_km[first]) ** 3)
    telling: NDArray[np.bool_] = (step_s >= SHORTEST_STEP_S) & (step_s * rate_rad_s < LONGEST_PHASE_RAD)
    return telling


def _unexplained_km_s2(flight: Flight, first: Rows, last: Rows, field: Field) -> NDArray[np.float64]:
    """Return the acceleration that a field leaves unexplained between states. Shapes: (n,)."""
    gained_km_s, _ = unexplained_between(
        flight.tai_us, flight.position_km, flight.velocity_km_s, field.pull_km_s2, first, last
    )
    unexplained: NDArray[np.float64] = erfa.pm(gained_km_s) / (flight.tai_us[last] - flight.tai_us[first]) * SECOND_US
    return unexplained


def velocity_gained_km_s(flight: Flight, field: Field, begin: Rows, end: Rows) -> tuple[Vectors, Vectors, Vectors]:
    """Return the change of velocity from state to state that a field does not explain, and the states in the middle.

    Rows of states, two (m,) -> three (m, 3): km/s, km, km/s. For steps up to a minute: Simpson's rule (the trapezoid
    would lose 2 mm/s over ten minutes, all of it radial) over the middle of a cubic through both states.
    """
    gained_km_s, middle_km, middle_km_s = (np.empty((begin.size, 3)) for _ in range(3))
    for start in range(0, begin.size, AT_ONCE):
        chunk = slice(start, start + AT_ONCE)
        nodes, at = np.unique(np.concatenate((begin[chunk], end[chunk])), return_inverse=True)
        pull = field.pull_km_s2(flight.tai_us[nodes], flight.position_km[nodes])[at]
        first, last = flight.rows(begin[chunk]), flight.rows(end[chunk])
        step_us = last.tai_us - first.tai_us
        step_s = step_us[:, np.newaxis] / SECOND_US
        change_km_s = last.velocity_km_s - first.velocity_km_s
        middle_km[chunk] = 0.5 * (last.position_km + first.position_km) - step_s / 8.0 * change_km_s
        middle_km_s[chunk] = 0.5 * (last.velocity_km_s + first.velocity_km_s)
        pull_middle = field.pull_km_s2(first.tai_us + step_us // 2, middle_km[chunk])
        count = len(step_s)
        gained_km_s[chunk] = change_km_s - step_s / 6.0 * (pull[count:] + 4.0 * pull_middle + pull[:count])
    return gained_km_s, middle_km, middle_km_s


def powered_stretches(flight: Flight, coast: Coast, first: Rows, last: Rows) -> list[tuple[int, int, int]]:
    """Return the stretches of runs of regular steps that only thrust explains: number of the run, first, last state.

    `first` and `last` (m,) are the end states of the runs, in order. Judged in windows of WINDOW_S: the change of
    velocity that gravity leaves must exceed what an acceleration of the threshold makes in that time, and what the
    rounding of the printed digits can. Edges are then sought step by step.
    """
    steps = last - first
    step_s = (flight.tai_us[last] - flight.tai_us[first]) / SECOND_US / steps
    length = np.maximum(1, np.rint(WINDOW_S / step_s).astype(np.int64))
    windows = _windows(first, last, np.minimum(length, steps))
    is_powered, reach = _powered(flight, coast, windows, steps == 1)
    # Groups of powered windows, each wider by one window and by as many as blurred it.
    found: list[tuple[int, int, int]] = []
    edges = np.flatnonzero(is_powered & (_before(is_powered, windows.run) == 0))
    ends = np.flatnonzero(is_powered & (_before(is_powered[::-1], windows.run[::-1])[::-1] == 0))
    if not edges.size:
        return found
    run = windows.run[edges]
    since = np.maximum(windows.begin[np.maximum(edges - 1 - reach[edges], 0)], first[run])
    until = np.minimum(windows.end[np.minimum(ends + 1 + reach[ends], windows.end.size - 1)], last[run])
    single = _windows(since, until, np.ones_like(since))
    is_powered, _ = _powered(flight, coast, single, (steps == 1)[run])
    for number in np.unique(single.run[is_powered]):
        of_group = np.flatnonzero(is_powered & (single.run == number))
        begin, end = int(single.begin[of_group[0]]), int(single.end[of_group[-1]])
        if found and found[-1][0] == run[number] and begin <= found[-1][2]:
            begin = found.pop()[1]
        found.append((int(run[number]), begin, end))
    return found


@dataclass(frozen=True, slots=True)
class _Windows:
    """Parts of runs, in order and end to end: first and last state, number of the run. Shapes (n,)."""

    begin: Rows
    end: Rows
    run: Rows


def _windows(first: Rows, last: Rows, length: Rows) -> _Windows:
    """Cut runs into parts of `length` steps, the last one of each run longer where that does not divide it."""
    parts = (last - first) // length
    run = np.repeat(np.arange(first.size), parts)
    nth = np.arange(run.size) - np.repeat(np.cumsum(parts) - parts, parts)
    begin = first[run] + nth * length[run]
    is_last = nth == parts[run] - 1
    return _Windows(begin, np.where(is_last, last[run], begin + length[run]), run)


def _before(flags: NDArray[np.bool_], run: Rows) -> NDArray[np.bool_]:
    """Return the flag before each in the same run, False for the first."""
    before = np.zeros_like(flags)
    before[1:] = flags[:-1] & (run[1:] == run[:-1])
    return before


def _powered(
    flight: Flight, coast: Coast, windows: _Windows, is_one_step: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], Rows]:
    """Return which windows are powered, and over how many neighbours on either side each was judged. Shapes (n,).

    Where rounding hides a thrust within one window, the velocity gained over some about it is taken, and those from
    half of the run's highest on are powered: that finds both edges without bias.
    """
    distance_km = np.minimum(erfa.pm(flight.position_km[windows.begin]), erfa.pm(flight.position_km[windows.end]))
    gravity_km_s2 = coast.field.mu_km3_s2 / distance_km**2
    least_km_s2 = np.maximum(coast.least_thrust_km_s2, OF_FIELD_ERROR * coast.field.error_km_s2(distance_km))
    # A position off by a digit feels another pull: its gradient is at most twice the pull over the distance.
    least_km_s2 += flight.position_digit_km * 2.0 * gravity_km_s2 / distance_km
    rounding_km_s = np.full(distance_km.size, flight.velocity_digit_km_s)
    alone = is_one_step[windows.run]
    rounding_km_s[alone] += gravity_km_s2[alone] * _epoch_error_s(flight, windows.begin[alone], windows.end[alone])

    gained_km_s, _, _ = velocity_gained_km_s(flight, coast.field, windows.begin, windows.end)
    sums_km_s = np.concatenate((np.zeros((1, 3)), np.cumsum(gained_km_s, axis=0)))
    over_s = (flight.tai_us[windows.end] - flight.tai_us[windows.begin]) / SECOND_US
    reach = np.ceil(rounding_km_s / least_km_s2 / over_s).astype(np.int64) // 2
    number = np.arange(windows.run.size)
    starts = np.flatnonzero(np.append(True, windows.run[1:] != windows.run[:-1]))
    lengths = np.diff(starts, append=number.size)
    from_window = np.maximum(number - reach, np.repeat(starts, lengths))
    to_window = np.minimum(number + reach, np.repeat(starts + lengths - 1, lengths))
    over_s = (flight.tai_us[windows.end[to_window]] - flight.tai_us[windows.begin[from_window]]) / SECOND_US
    thrust_km_s2 = erfa.pm(sums_km_s[to_window + 1] - sums_km_s[from_window]) / over_s
    highest_km_s2 = np.repeat(np.maximum.reduceat(thrust_km_s2, starts), lengths)
    limit_km_s2 = least_km_s2 + rounding_km_s / over_s
    limit_km_s2 = np.where(reach > 0, np.maximum(limit_km_s2, 0.5 * highest_km_s2), limit_km_s2)
    return thrust_km_s2 > limit_km_s2, reach


def _epoch_error_s(flight: Flight, begin: Rows, end: Rows) -> NDArray[np.float64]:
    """Return how far an epoch may be off between states with nothing regular about them: (n,) rows -> (n,).

    A point of NASA's grid and an event beside it can stand 2.000 s apart with epochs rounded to the millisecond, and
    gravity acts in what was rounded away. The way flown in that time is missing between the positions.
    """
    first, last = flight.rows(begin), flight.rows(end)
    step_s = (last.tai_us - first.tai_us)[:, np.newaxis] / SECOND_US
    middle_km_s = 0.5 * (first.velocity_km_s + last.velocity_km_s)
    missing_km = erfa.pdp(last.position_km - first.position_km - step_s * middle_km_s, middle_km_s)
    speed_km_s = erfa.pm(middle_km_s)
    error_s: NDArray[np.float64] = 2.0 * np.abs(missing_km) / speed_km_s**2 + flight.position_digit_km / speed_km_s
    return error_s
