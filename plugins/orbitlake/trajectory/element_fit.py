"""The arcs of an issue -> the mean elements that follow them about an epoch, away from burns."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from orbitlake.physics.frames import rotation_to_itrs, rotation_to_itrs_tai, turned, turned_back
from orbitlake.physics.kinematics import Reals
from orbitlake.trajectory.arcs import SECOND_US, Arc, Micros
from orbitlake.trajectory.fitted_elements import EPOCH_GRAIN_US, FitError, FittedElements, fit_elements
from orbitlake.trajectory.issues import tai_us_of, utc_us_of

STEP_US: Final = 60 * SECOND_US

Span = tuple[int, int]
"""Start and stop, microseconds of UTC since 1970."""


def elements_of(arcs: Sequence[Arc], near_us: int, span_s: float, *, exactly: bool = False) -> FittedElements:
    """Return the elements of the states within half a span of an epoch: the one nearest to `near_us`, in UTC.

    The states lie in one arc and are not powered; with `exactly` the epoch moves by the last digit of a TLE at most.
    Raises FitError where there is no such epoch, where the frame cannot be turned to TEME, and where SGP4 cannot follow
    the states.
    """
    half_us = round(span_s / 2 * SECOND_US)
    choices = [
        (abs(epoch_us - near_us), epoch_us, arc)
        for arc in reversed(arcs)
        for span in unpowered_spans(arc)
        if (epoch_us := _nearest(span, near_us, half_us)) is not None
    ]
    if not choices:
        raise FitError(f"no {span_s / 3600:g} h of states about Earth without a burn")
    moved_us, epoch_us, arc = min(choices, key=lambda choice: choice[0])
    if exactly and moved_us > EPOCH_GRAIN_US:
        nearest = np.datetime_as_string(np.datetime64(epoch_us, "us"), unit="s")
        raise FitError(
            f"a burn or an end of the states lies within {span_s / 7200:g} h of that epoch: "
            f"the nearest that is free is {nearest}Z"
        )
    utc_us = epoch_us + np.arange(-half_us, half_us + 1, min(STEP_US, max(half_us, 1)), dtype=np.int64)
    return fit_elements(epoch_us, utc_us, *in_teme(arc, utc_us))


def unpowered_spans(arc: Arc) -> Iterator[Span]:
    """Yield the spans of an arc about Earth between its burns."""
    if not arc.is_geocentric:
        return
    start_us, stop_us = utc_us_of(np.array([arc.start_tai_us, arc.stop_tai_us])).tolist()
    for ignition_us, cutoff_us in sorted(arc.path().burn_utc_us.tolist()):
        if start_us < ignition_us:
            yield start_us, min(ignition_us, stop_us)
        start_us = max(start_us, cutoff_us)
    if start_us < stop_us:
        yield start_us, stop_us


def _nearest(span: Span, near_us: int, half_us: int) -> int | None:
    """Return the epoch nearest to a time that a TLE can print and that has half a span on either side of it."""
    first, last = -(-(span[0] + half_us) // EPOCH_GRAIN_US), (span[1] - half_us) // EPOCH_GRAIN_US
    return None if first > last else min(max(round(near_us / EPOCH_GRAIN_US), first), last) * EPOCH_GRAIN_US


def in_teme(arc: Arc, utc_us: Micros) -> tuple[Reals, Reals]:
    """Return positions (km) and velocities (km/s) of an arc in TEME: (n,) -> two (n, 3).

    Raises FitError where its frame cannot be turned.
    """
    tai_us = tai_us_of(utc_us)
    to_itrs = rotation_to_itrs_tai(arc.ref_frame, tai_us.astype("datetime64[us]"), frame_epoch_tai=arc.frame_epoch_tai)
    from_teme = rotation_to_itrs("TEME", utc_us.astype("datetime64[us]"))
    if to_itrs is None or from_teme is None:
        raise FitError(f"{arc.ref_frame} cannot be turned to TEME")
    position_km, velocity_km_s = arc.path().states_at(tai_us)
    return turned_back(from_teme, turned(to_itrs, position_km)), turned_back(from_teme, turned(to_itrs, velocity_km_s))
