"""Which burns were flown, planned or not, by where a later path runs that begins after them."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.fields import inertial_states
from orbitlake.physics.orbit import mean_semi_major_axis_km, period_s
from orbitlake.trajectory.arcs import SECOND_US, Micros
from orbitlake.trajectory.issues import Issues, tai_us_of, utc_us_of

SAMPLES_AN_ORBIT: Final = 48
DAY_US: Final = 86_400 * SECOND_US
LONGEST_GAP_US: Final = 7 * DAY_US
"""So far a prediction's axis is carried on beyond its end."""
OF_DECAY: Final = 0.5
"""A refitted drag changes what an orbit loses by up to so much, mostly by half of it."""
LEAST_DOUBT_KM: Final = 0.05
MOST_DOUBT: Final = 0.5
MOST_MISFIT: Final = 0.35
LEAST_LEAD: Final = 0.3
"""Shares of what the least of the burns raises: half of it lies midway between flown and not."""
MOST_BURNS: Final = 6
LEAST_DOUBTS: Final = 2.0
"""A path that differs from a prediction by more than so much of its doubt was burnt there: coasts of NASA's issues come
to 1.1 of it at most, but for those in which burns were changed.
"""
M_PER_KM: Final = 1000.0


def were_flown(issues: Issues, earlier: int, later: int, raised_km: Sequence[float]) -> list[bool] | None:
    """Return which of the earlier issue's planned burns were flown, None where the later issue does not tell.

    Each raises the mean semi-major axis by so much (km), and all end before the later issue begins. Of all subsets the
    one is flown that explains by how much the prediction, which flew them all, is higher there than the later path.
    """
    if not raised_km or len(raised_km) > MOST_BURNS:
        return None
    seen = _higher_km(issues, earlier, later)
    if seen is None:
        return None
    higher_km, doubt_km, _ = seen
    least_km = min(abs(each) for each in raised_km)
    numbers = range(len(raised_km))
    misfits = sorted(
        (abs(higher_km - sum(raised_km[number] for number in missing)), missing)
        for count in range(len(raised_km) + 1)
        for missing in combinations(numbers, count)
    )
    (best_km, missing), (second_km, _) = misfits[:2]
    is_clear = best_km <= MOST_MISFIT * least_km and second_km - best_km >= LEAST_LEAD * least_km
    if doubt_km > MOST_DOUBT * least_km or not is_clear:
        return None
    return [number not in missing for number in numbers]


def untold_burn(issues: Issues, earlier: int, later: int) -> float | None:
    """Return the delta-v (m/s, against the motion negative) of what burnt between two issues without a plan of it.

    That is what lifts the later path out of where the earlier issue has it, whichever of its plans were flown. None
    where plans and drag explain the later path, or nothing is known of it.
    """
    seen = _higher_km(issues, earlier, later)
    raised_km = _planned_km(issues, earlier, later)
    if seen is None or raised_km is None:
        return None
    higher_km, doubt_km, axis_km = seen
    of_subsets = (
        higher_km - sum(missing) for count in range(len(raised_km) + 1) for missing in combinations(raised_km, count)
    )
    unexplained_km = min(of_subsets, key=abs)
    if abs(unexplained_km) <= LEAST_DOUBTS * doubt_km:
        return None
    # On a circle: half of the mean motion times the change of the axis.
    return -unexplained_km * M_PER_KM * np.pi / period_s(axis_km)


def _planned_km(issues: Issues, earlier: int, later: int) -> list[float] | None:
    """Return by how much each burn that an issue plans before a later path begins raises the axis, None if unknown."""
    created_us, start_us = issues.all[earlier].creation_us, issues.all[later].start_tai_us
    burns = [
        burn
        for burn in issues.all[earlier].burns
        if burn.ignition_us > created_us and tai_us_of([burn.ignition_us])[0] < start_us
    ]
    raised_km = [burn.raised_km for burn in burns if burn.raised_km is not None]
    return raised_km if len(raised_km) == len(burns) <= MOST_BURNS else None


def _higher_km(issues: Issues, earlier: int, later: int) -> tuple[float, float, float] | None:
    """Return how much higher the prediction's mean semi-major axis is where a later path begins, its doubt, and that
    path's own axis (km).
    """
    start_us = issues.all[later].start_tai_us
    if start_us > issues.all[earlier].stop_tai_us + LONGEST_GAP_US:
        return None
    flown_km = _axis_km(issues, later, start_us)
    coast = _longest_coast_us(issues, earlier)
    if flown_km is None or coast is None:
        return None
    since_us, until_us = coast
    orbit_us = round(period_s(flown_km) * SECOND_US)
    first_km, last_km = (_axis_km(issues, earlier, at_us) for at_us in (since_us, until_us - orbit_us))
    if first_km is None or last_km is None:
        return None
    rate_km_us = (last_km - first_km) / (until_us - orbit_us - since_us)
    created_us = int(tai_us_of([issues.all[earlier].creation_us])[0])
    doubt_km = LEAST_DOUBT_KM + OF_DECAY * abs(rate_km_us) * (start_us - created_us)
    predicted_km = _axis_km(issues, earlier, start_us)
    if predicted_km is None:
        # Only a last coast can be carried on: nothing is known of burns beyond.
        end_us = issues.all[earlier].stop_tai_us
        if until_us != end_us or not start_us >= until_us - orbit_us:
            return None
        predicted_km = last_km + rate_km_us * (start_us - until_us + orbit_us)
    return predicted_km - flown_km, doubt_km, flown_km


def _longest_coast_us(issues: Issues, number: int) -> tuple[int, int] | None:
    """Return the longest span without a burn in what an issue predicts (TAI), None where it is below a day."""
    issue = issues.all[number]
    edges_us = [tai_us_of([burn.ignition_us, burn.cutoff_us]).tolist() for burn in issue.burns]
    created_us = int(tai_us_of([issue.creation_us])[0])
    within = [(since, until) for since, until in edges_us if until > created_us and since < issue.stop_tai_us]
    bounds = [max(created_us, issue.start_tai_us), *(edge for span in within for edge in span), issue.stop_tai_us]
    coasts = list(pairwise(bounds))[::2]
    # The last one where it is long enough: what follows it is nearest.
    since_us, until_us = coasts[-1] if coasts[-1][1] - coasts[-1][0] >= DAY_US else max(coasts, key=_length)
    return (since_us, until_us) if until_us - since_us >= DAY_US else None


def _length(span: tuple[int, int]) -> int:
    return span[1] - span[0]


def _axis_km(issues: Issues, number: int, since_tai_us: int) -> float | None:
    """Return the mean semi-major axis (km) over the orbit from an instant on, None where it is not coasted about Earth.

    The path of that one issue counts.
    """
    (axis_km,) = _axes_km(issues, number, np.array([since_tai_us]))
    orbit_s = period_s(float(axis_km))
    if not np.isfinite(orbit_s):
        return None
    orbit_us = np.arange(SAMPLES_AN_ORBIT) / SAMPLES_AN_ORBIT * orbit_s * SECOND_US
    tai_us = since_tai_us + orbit_us.astype(np.int64)
    if _is_burning(issues, number, since_tai_us, int(tai_us[-1])):
        return None
    mean_km = float(np.mean(_axes_km(issues, number, tai_us)))
    return mean_km if np.isfinite(mean_km) else None


def _axes_km(issues: Issues, number: int, tai_us: Micros) -> NDArray[np.float64]:
    """Return the semi-major axis without J2's swing at instants: (n,), NaN where none about Earth is known."""
    states = issues.path(number).state_at(utc_us_of(tai_us).astype("datetime64[us]"))
    frame = states.ref_frame[0]
    if (states.ref_frame != frame).any() or (states.center_name != "EARTH").any():
        return np.full(tai_us.shape, np.nan)
    return mean_semi_major_axis_km(*inertial_states(frame, tai_us, states.position_km, states.velocity_km_s))


def _is_burning(issues: Issues, number: int, since_tai_us: int, until_tai_us: int) -> bool:
    edges_us = [tai_us_of([burn.ignition_us, burn.cutoff_us]).tolist() for burn in issues.all[number].burns]
    return any(ignition < until_tai_us and cutoff > since_tai_us for ignition, cutoff in edges_us)
