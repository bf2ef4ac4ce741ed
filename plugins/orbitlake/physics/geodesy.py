"""Cartesian positions on the rotating Earth to and from latitude, longitude and height on the WGS-84 ellipsoid."""

from typing import Final

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

WGS84: Final = 1
"""ERFA's number of the ellipsoid: a = 6378137 m, 1/f = 298.257223563 (NIMA TR8350.2)."""
METRES_PER_KM: Final = 1000.0


def geodetic_from_itrs(
    position_itrs_km: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return geodetic latitude (deg), longitude (deg, in [-180, 180]) and height (km). (n, 3) -> three (n,).

    Good to better than a micrometre at any height (Fukushima 2006, as in ERFA's gc2gd); NaN in gives NaN out.
    """
    position_m = np.asarray(position_itrs_km, dtype=np.float64) * METRES_PER_KM
    # ERFA takes an unknown position for a pole.
    known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(position_m), axis=-1, keepdims=True)
    longitude_rad, latitude_rad, height_m = erfa.gc2gd(WGS84, np.where(known, position_m, 0.0))
    latitude_deg, longitude_deg, height_km = (
        np.where(known[..., 0], value, np.nan)
        for value in (np.rad2deg(latitude_rad), np.rad2deg(longitude_rad), height_m / METRES_PER_KM)
    )
    return latitude_deg, longitude_deg, height_km


def itrs_from_geodetic(latitude_deg: ArrayLike, longitude_deg: ArrayLike, height_km: ArrayLike) -> NDArray[np.float64]:
    """Return positions (km) in ITRS: three (n,) -> (n, 3). Raises ValueError for a latitude beyond a pole."""
    if np.any(np.abs(latitude_deg) > 90.0):
        raise ValueError("latitude_deg is outside [-90, 90]")
    position_m = erfa.gd2gc(
        WGS84, np.deg2rad(longitude_deg), np.deg2rad(latitude_deg), np.asarray(height_km) * METRES_PER_KM
    )
    return np.asarray(position_m / METRES_PER_KM, dtype=np.float64)
