"""How far its drag brings an object along its orbit: what a wrong drag makes of a prediction has this shape."""

from typing import Final

import numpy as np

from orbitlake.physics.kinematics import Reals
from orbitlake.physics.orbit import mean_semi_major_axis_km, period_s

STEPS_AN_ORBIT: Final = 4
"""Steps that the fall is summed over; it grows smoothly, over days."""


def drag_ahead_s(
    epoch_s: Reals, position_km: Reals, velocity_km_s: Reals, burn_s: Reals, *, since_s: float, at_s: Reals
) -> Reals:
    """Return how far ahead drag has brought an object since a moment, in seconds: (n,), (n, 3) twice, (b, 2), (m,).

    A lower orbit is faster: the object comes so much earlier to where it would be in the orbit that it had at
    `since_s`. The orbit's fall is that of its semi-major axis, in the mean of an orbit and free of J2's swing; where a
    burn changes it, the fall before and after counts. NaN (m,) where there are not two orbits without a burn.
    """
    axis_km = mean_semi_major_axis_km(position_km, velocity_km_s)
    orbit_s = period_s(float(np.median(axis_km)))
    middle_s, fall_km_s = _fall(epoch_s, axis_km, burn_s, orbit_s)
    if not middle_s.size:
        return np.full(np.shape(at_s), np.nan)
    last_s = max(float(np.max(at_s, initial=since_s)), since_s + orbit_s)
    grid_s = np.linspace(since_s, last_s, 2 + int(STEPS_AN_ORBIT * (last_s - since_s) / orbit_s))
    fallen_km = _summed(grid_s, np.interp(grid_s, middle_s, fall_km_s))
    # Kepler's third law: the mean motion grows by 3/2 of the share by which the axis shrinks.
    ahead_s = _summed(grid_s, -1.5 * fallen_km / float(np.median(axis_km)))
    return np.interp(at_s, grid_s, ahead_s)


def _fall(epoch_s: Reals, axis_km: Reals, burn_s: Reals, orbit_s: float) -> tuple[Reals, Reals]:
    """Return moments an orbit apart, and how fast the mean axis changes there (km/s), without those of a burn."""
    area = np.concatenate(([0.0], np.cumsum(0.5 * (axis_km[1:] + axis_km[:-1]) * np.diff(epoch_s))))
    node_s = np.arange(epoch_s[0] + 0.5 * orbit_s, epoch_s[-1] - 0.5 * orbit_s, orbit_s)
    after, before = (np.interp(node_s + side * orbit_s, epoch_s, area) for side in (0.5, -0.5))
    fall_km_s = np.diff((after - before) / orbit_s) / orbit_s
    middle_s = 0.5 * (node_s[1:] + node_s[:-1])
    is_free = np.ones(middle_s.shape, dtype=np.bool_)
    for ignition_s, cutoff_s in burn_s:
        is_free &= (middle_s + orbit_s < ignition_s) | (middle_s - orbit_s > cutoff_s)
    return middle_s[is_free], fall_km_s[is_free]


def _summed(at_s: Reals, rate: Reals) -> Reals:
    """Return the sum of a rate from the first moment on, by trapezia: (n,), (n,) -> (n,)."""
    return np.concatenate(([0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(at_s))))
