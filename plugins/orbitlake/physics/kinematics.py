"""Motion of a point over the ground, on a sphere: the one home of distance, speed, phase and circular mean."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPHERE_RADIUS_KM: Final = 6371.0
PARIS_LATITUDE_DEG: Final = 48.8566
PARIS_LONGITUDE_DEG: Final = 2.3522
UNDEFINED_RESULTANT: Final = 1e-12
"""A mean direction whose resultant is shorter than this is rounding noise, not a direction."""

Reals = NDArray[np.float64]


def great_circle_km(
    latitude_deg: ArrayLike, longitude_deg: ArrayLike, to_latitude_deg: ArrayLike, to_longitude_deg: ArrayLike
) -> Reals:
    """Return the great-circle distance between two places. Shapes: four that broadcast -> theirs. Haversine.

    The haversine keeps its digits where the cosine formula loses them: for places metres apart.
    """
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    to_latitude, to_longitude = np.radians(to_latitude_deg), np.radians(to_longitude_deg)
    haversine = (
        np.sin((to_latitude - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(to_latitude) * np.sin((to_longitude - longitude) / 2) ** 2
    )
    # Rounding can carry the sum past 1 for antipodes, where arcsin has no value.
    return np.asarray(2 * SPHERE_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(haversine, 1.0))))


def distance_to_paris_km(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Reals:
    """Return the great-circle distance to 48.8566 N 2.3522 E. Shapes: two that broadcast -> theirs."""
    return great_circle_km(latitude_deg, longitude_deg, PARIS_LATITUDE_DEG, PARIS_LONGITUDE_DEG)


def ground_speed_km_s(distance_km: ArrayLike, elapsed_s: ArrayLike) -> Reals:
    """Return distance over time, NaN where no time has passed. Shapes: two that broadcast -> theirs."""
    distance, elapsed = np.broadcast_arrays(
        np.asarray(distance_km, dtype=np.float64), np.asarray(elapsed_s, dtype=np.float64)
    )
    return np.asarray(np.divide(distance, elapsed, out=np.full(distance.shape, np.nan), where=elapsed > 0))


def latitude_trend(latitude_deg: ArrayLike, earlier_latitude_deg: ArrayLike) -> NDArray[np.int8]:
    """Return 1 where the latitude rose (ascending), -1 where it fell, 0 where it stayed or either is NaN."""
    change = np.asarray(latitude_deg, dtype=np.float64) - np.asarray(earlier_latitude_deg, dtype=np.float64)
    return np.nan_to_num(np.sign(change)).astype(np.int8)


def circular_means_deg(angles_deg: Reals, starts: NDArray[np.int64]) -> Reals:
    """Return the mean direction of each run of angles, in [-180, 180]; NaN where the directions cancel.

    Shapes: (n,), (m,) -> (m,); run i begins at `starts[i]` and ends where the next begins. No run is empty.
    """
    radians = np.radians(angles_deg)
    lengths = np.diff(starts, append=angles_deg.size)
    sine = np.add.reduceat(np.sin(radians), starts) / lengths
    cosine = np.add.reduceat(np.cos(radians), starts) / lengths
    return np.where(np.hypot(sine, cosine) < UNDEFINED_RESULTANT, np.nan, np.degrees(np.arctan2(sine, cosine)))
