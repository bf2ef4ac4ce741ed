"""Where an object stands in the sky of a place on Earth: elevation, azimuth, range, and how air lifts it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orbitlake.physics.fields import EARTH_RATE_RAD_S
from orbitlake.physics.geodesy import itrs_from_geodetic
from orbitlake.physics.vectors import dots, lengths

LIGHT_KM_S: Final = 299_792.458
LOWEST_REFRACTED_DEG: Final = -1.0
"""Saemundsson's formula is for what is above the horizon, or hardly below: further down its value there is held."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grounds:
    """n places on Earth: their positions in ITRS (km), and the unit vectors to east, north and up there, (n, 3) each.

    Up is the normal of the WGS-84 ellipsoid.
    """

    position_km: Reals
    east: Reals
    north: Reals
    up: Reals

    @classmethod
    def of(cls, latitude_deg: ArrayLike, longitude_deg: ArrayLike, height_km: ArrayLike) -> "Grounds":
        """Return places by geodetic coordinates: three (n,)."""
        latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
        sines, cosines = (np.sin(latitude), np.sin(longitude)), (np.cos(latitude), np.cos(longitude))
        zero = np.zeros_like(latitude)
        return cls(
            itrs_from_geodetic(latitude_deg, longitude_deg, height_km),
            np.stack((-sines[1], cosines[1], zero), axis=-1),
            np.stack((-sines[0] * cosines[1], -sines[0] * sines[1], cosines[0]), axis=-1),
            np.stack((cosines[0] * cosines[1], cosines[0] * sines[1], sines[0]), axis=-1),
        )

    def of_rows(self, rows: NDArray[np.int64]) -> "Grounds":
        """Return some of them, in any order and as often as asked for: (m,)."""
        return Grounds(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Sight:
    """What n places see, each its own object: `sine` of the elevation, and its rate (1/s); range_km; (n,) each.

    `direction` (n, 3) is the unit vector from place to object in ITRS. No air refracts.
    """

    sine: Reals
    rate: Reals
    range_km: Reals
    direction: Reals


def sight(grounds: Grounds, position_km: Reals, velocity_km_s: Reals) -> Sight:
    """Return what places see of objects, in ITRS, with velocities relative to the turning Earth: (n, 3), (n, 3).

    Light that arrives now left some milliseconds ago, when the object stood where it moved from in inertial space. The
    observer's own motion turns a direction by 0.0001 degrees at most (diurnal aberration): left out.
    """
    line_km = position_km - grounds.position_km
    # Light time: one step is good to a millimetre.
    ago_s = lengths(line_km) / LIGHT_KM_S
    line_km = line_km - ago_s[:, np.newaxis] * inertial_velocity(position_km, velocity_km_s)
    range_km = lengths(line_km)
    direction = line_km / range_km[:, np.newaxis]
    sine = dots(grounds.up, direction)
    rate = (dots(grounds.up, velocity_km_s) - sine * dots(direction, velocity_km_s)) / range_km
    return Sight(sine, rate, range_km, direction)


def azimuth_deg(grounds: Grounds, direction: Reals) -> Reals:
    """Return azimuths from north over east, 0 to 360 degrees, of directions: (n, 3) -> (n,)."""
    azimuth = np.degrees(np.arctan2(dots(direction, grounds.east), dots(direction, grounds.north)))
    return np.asarray(np.mod(azimuth, 360.0))


def inertial_velocity(position_km: Reals, velocity_km_s: Reals) -> Reals:
    """Return velocities as seen from inertial space, along the axes of ITRS: (n, 3), (n, 3) -> (n, 3)."""
    x, y, _ = position_km.T
    carried = np.column_stack((-EARTH_RATE_RAD_S * y, EARTH_RATE_RAD_S * x, np.zeros_like(x)))
    return np.asarray(velocity_km_s + carried)


def refraction_deg(elevation_deg: ArrayLike) -> Reals:
    """Return how far air lifts what stands at a true elevation, at 10 C and 1010 hPa. Shapes: any.

    Saemundsson 1986, Sky and Telescope 72, 70: to 0.1 minutes of arc above the horizon.
    """
    true_deg = np.maximum(np.asarray(elevation_deg, dtype=np.float64), LOWEST_REFRACTED_DEG)
    return np.asarray(1.02 / 60.0 / np.tan(np.radians(true_deg + 10.3 / (true_deg + 5.11))))


def true_elevation_deg(apparent_deg: ArrayLike) -> Reals:
    """Return the elevation without air of what stands at an apparent one. Shapes: any. The inverse of the above."""
    apparent = np.asarray(apparent_deg, dtype=np.float64)
    true_deg = apparent
    for _ in range(20):
        true_deg = apparent - refraction_deg(true_deg)
    return true_deg
