"""Where a place would be that an object passed some seconds ago, as seen from where it is: Earth turned meanwhile."""

from typing import Final

import erfa
import numpy as np

from orbitlake.physics.fields import EARTH_RATE_RAD_S
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.orbit import orbital_axes

STEPS: Final = 4
"""Of Newton's method: each leaves a hundredth of the error before."""


def cross_track_of_lag(reference_km: Reals, reference_km_s: Reals, in_track_rad: Reals) -> Reals:
    """Return how far out of the orbit's plane (rad) lies the place on the ground track that is so far along it.

    Positions, and inertial velocities, are along Earth-fixed axes: (n, 3), (n, 3), (n,) -> (n,). A late feed shows that
    place: 30 s late is up to 11 km out of the plane. On a circle, which is good to a quarter of an hour.
    """
    radial, in_track, cross_track = np.moveaxis(orbital_axes(reference_km, reference_km_s), -2, 0)
    rate_rad_s = erfa.pm(erfa.pxp(reference_km, reference_km_s)) / erfa.pm(reference_km) ** 2
    # Along the orbit the ground moves, too, at most by this.
    net_rad_s = rate_rad_s - EARTH_RATE_RAD_S * cross_track[:, 2]
    lag_s = in_track_rad / net_rad_s
    for _ in range(STEPS):
        place = _place(radial, in_track, rate_rad_s, lag_s)
        reached_rad = np.arctan2(erfa.pdp(place, in_track), erfa.pdp(place, radial))
        lag_s = lag_s + (in_track_rad - reached_rad) / net_rad_s
    place = _place(radial, in_track, rate_rad_s, lag_s)
    return np.asarray(np.arcsin(np.clip(erfa.pdp(place, cross_track), -1.0, 1.0)))


def _place(radial: Reals, in_track: Reals, rate_rad_s: Reals, lag_s: Reals) -> Reals:
    """Return the direction on the turned Earth, in the axes of now, of where the object is after `lag_s`."""
    angle_rad, turn_rad = rate_rad_s * lag_s, -EARTH_RATE_RAD_S * lag_s
    x, y, z = (np.cos(angle_rad)[:, np.newaxis] * radial + np.sin(angle_rad)[:, np.newaxis] * in_track).T
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    return np.column_stack((cosine * x - sine * y, sine * x + cosine * y, z))
