"""States -> where on Earth that is; null where the frame cannot be turned or another body is the centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import itrs_from_tai
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.trajectory.arcs import NO_ARC
from orbitlake.trajectory.states import States


@dataclass(frozen=True, slots=True)
class Ground:
    """Places of n instants (n,): degrees, and kilometres above the WGS-84 ellipsoid; NaN where not known."""

    latitude_deg: NDArray[np.float64]
    geocentric_latitude_deg: NDArray[np.float64]
    longitude_deg: NDArray[np.float64]
    altitude_km: NDArray[np.float64]


def ground_of(states: States) -> Ground:
    """Return the places of states on the rotating Earth."""
    itrs_km = np.full(states.position_km.shape, np.nan)
    for number in np.unique(states.arc[states.arc != NO_ARC]).tolist():
        arc, rows = states.arcs[number], states.arc == number
        if arc.is_geocentric:
            epoch_tai = tai_from_utc(states.epoch_utc[rows])
            turned_km = itrs_from_tai(
                arc.ref_frame, epoch_tai, states.position_km[rows], frame_epoch_tai=arc.frame_epoch_tai
            )
            if turned_km is not None:
                itrs_km[rows] = turned_km
    latitude_deg, longitude_deg, altitude_km = geodetic_from_itrs(itrs_km)
    geocentric_deg = np.degrees(np.arctan2(itrs_km[:, 2], np.hypot(itrs_km[:, 0], itrs_km[:, 1])))
    return Ground(latitude_deg, geocentric_deg, longitude_deg, altitude_km)
