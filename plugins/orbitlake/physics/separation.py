"""How far one path is off another: radial, along the orbit and across it, along arcs rather than straight lines."""

from dataclasses import dataclass

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.orbit import orbital_axes

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Separation:
    """Where a state stands as seen from a reference, each (n,).

    in_track_km is positive ahead, cross_track_km along the angular momentum, radial_km outward; total_km is the
    straight distance. in_track_s is how much later the reference comes to the same place along its orbit.
    """

    radial_km: Reals
    in_track_km: Reals
    cross_track_km: Reals
    total_km: Reals
    in_track_s: Reals


def separation(position_km: Reals, reference_km: Reals, reference_km_s: Reals) -> Separation:
    """Return where positions stand as seen from reference states, all in inertial axes: (n, 3) three times.

    In-track is the angle in the reference's orbital plane, over its radius as km and over its rate of turning as s.
    Along a straight line 200 km ahead in low orbit would count as 3 km below.
    """
    radius_km = erfa.pm(reference_km)
    own_radius_km = erfa.pm(position_km)
    seen = erfa.rxp(orbital_axes(reference_km, reference_km_s), position_km)
    angle_rad = np.arctan2(seen[:, 1], seen[:, 0])
    rate_rad_s = erfa.pm(erfa.pxp(reference_km, reference_km_s)) / radius_km**2
    return Separation(
        radial_km=own_radius_km - radius_km,
        in_track_km=angle_rad * radius_km,
        cross_track_km=np.arcsin(np.clip(seen[:, 2] / own_radius_km, -1.0, 1.0)) * radius_km,
        total_km=np.asarray(erfa.pm(position_km - reference_km)),
        in_track_s=angle_rad / rate_rad_s,
    )
