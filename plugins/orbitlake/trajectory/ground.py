"""States -> where on Earth that is; null where the frame cannot be turned or another body is the centre."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.fields import EARTH_RATE_RAD_S
from orbitlake.physics.frames import TERRESTRIAL, rotation_to_itrs_tai, turned
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
    itrs_km, _ = earth_fixed(states)
    latitude_deg, longitude_deg, altitude_km = geodetic_from_itrs(itrs_km)
    geocentric_deg = np.degrees(np.arctan2(itrs_km[:, 2], np.hypot(itrs_km[:, 0], itrs_km[:, 1])))
    return Ground(latitude_deg, geocentric_deg, longitude_deg, altitude_km)


def earth_fixed(states: States) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return positions (km) in ITRS and velocities (km/s) relative to the turning Earth: two (n, 3), NaN likewise."""
    itrs_km, itrs_km_s = (np.full(states.position_km.shape, np.nan) for _ in range(2))
    for number in np.unique(states.arc[states.arc != NO_ARC]).tolist():
        arc, rows = states.arcs[number], states.arc == number
        if not arc.is_geocentric:
            continue
        epoch_tai = tai_from_utc(states.epoch_utc[rows])
        rotation = rotation_to_itrs_tai(arc.ref_frame, epoch_tai, frame_epoch_tai=arc.frame_epoch_tai)
        if rotation is not None:
            position_km, velocity_km_s = (
                turned(rotation, each[rows]) for each in (states.position_km, states.velocity_km_s)
            )
            if not TERRESTRIAL.fullmatch(arc.ref_frame.strip().upper()):
                velocity_km_s[:, 0] += EARTH_RATE_RAD_S * position_km[:, 1]
                velocity_km_s[:, 1] -= EARTH_RATE_RAD_S * position_km[:, 0]
            itrs_km[rows], itrs_km_s[rows] = position_km, velocity_km_s
    return itrs_km, itrs_km_s
