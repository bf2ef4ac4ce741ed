"""Where the Sun stands, whether a spacecraft is in the Earth's shadow, and how bright it is."""

from typing import Final

import erfa
import numpy as np
from numpy.typing import ArrayLike, NDArray

from orbitlake.physics.frames import itrs_from, itrs_from_tai

MEAN_RADIUS_KM: Final = 6371.0
UNIX_EPOCH: Final = np.datetime64(0, "us")
UNIX_EPOCH_JD: Final = 2_440_587.5
DAY: Final = np.timedelta64(86_400_000_000, "us")
DAY_S: Final = 86_400.0
TT_MINUS_TAI_S: Final = 32.184
LIGHT_TIME_S: Final = 499.004784
"""From the Sun over one astronomical unit (IAU 2012). Seen from the moving Earth it stands where the Earth was then."""
KNOT_S: Final = 21_600.0
"""Spacing of exact places of the Sun: a parabola between them is good to 0.01 seconds of arc."""

EQUATORIAL_RADIUS_KM: Final = 6378.137


def sun_direction_itrs(epoch_utc: np.datetime64) -> NDArray[np.float64]:
    """Return the unit vector (3,) from Earth to the Sun, IAU SOFA's epv00.

    Aberration and the 69 s between UTC and TDB are left out: 0.01 degrees. Raises ValueError outside the frames' span.
    """
    earth_from_sun, _ = erfa.epv00(UNIX_EPOCH_JD, float((epoch_utc - UNIX_EPOCH) / DAY))
    from_earth = -np.asarray(earth_from_sun["p"], dtype=np.float64)
    turned = itrs_from("GCRF", np.array([epoch_utc]), from_earth[np.newaxis])
    if turned is None:
        raise ValueError(f"no Earth orientation for {epoch_utc}")
    direction: NDArray[np.float64] = turned[0] / np.linalg.norm(turned[0])
    return direction


def apparent_sun_itrs(tai_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return unit vectors from Earth's centre to where the Sun is seen, at instants in TAI: (n,) -> (n, 3).

    IAU SOFA's epv00 with aberration, to 0.001 degrees; TT counts as TDB, 2 ms. NaN outside the frames' span.
    """
    seconds = tai_us * 1e-6 + TT_MINUS_TAI_S - LIGHT_TIME_S
    knot = np.floor(seconds / KNOT_S).astype(np.int64)
    knots, of_row = np.unique(knot, return_inverse=True)
    three = (knots[:, np.newaxis] + np.arange(3)).ravel()
    earth_from_sun, _ = erfa.epv00(UNIX_EPOCH_JD, three * (KNOT_S / DAY_S))
    first, second, third = (
        np.asarray(-earth_from_sun["p"], dtype=np.float64).reshape(-1, 3, 3)[of_row].transpose(1, 0, 2)
    )
    at = (seconds / KNOT_S - knot)[:, np.newaxis]
    sun = first + at * (second - first) + 0.5 * at * (at - 1.0) * (third - 2.0 * second + first)
    turned = itrs_from_tai("GCRF", tai_us.astype("datetime64[us]"), sun)
    if turned is None:
        return np.full((tai_us.size, 3), np.nan)
    direction: NDArray[np.float64] = turned / erfa.pm(turned)[:, np.newaxis]
    return direction


def is_sunlit(position_km: NDArray[np.float64], sun: NDArray[np.float64]) -> bool:
    """Say whether a position (3,) lies outside the cylinder of shadow behind a round Earth; `sun` is a unit vector."""
    toward_sun_km = float(position_km @ sun)
    return toward_sun_km > 0 or float(np.linalg.norm(position_km - toward_sun_km * sun)) > MEAN_RADIUS_KM


def out_of_shadow_km(position_km: NDArray[np.float64], sun: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far positions are outside of the Earth's shadow, negative within: (n, 3), (n, 3) in ITRS -> (n,).

    The shadow is a cylinder of the equatorial radius behind the Earth, as of a Sun that is a point: it begins where
    half the Sun is hidden, in low orbit 4 s before all of it is. Toward the poles the ellipsoid is up to 21 km
    smaller, and air that dims light reaches about as high. On the side of the Sun the value is the height above a
    sphere, which meets the other at the border.
    """
    toward_km = erfa.pdp(position_km, sun)
    night_km: NDArray[np.float64] = erfa.pm(position_km - toward_km[:, np.newaxis] * sun) - EQUATORIAL_RADIUS_KM
    day_km: NDArray[np.float64] = erfa.pm(position_km) - EQUATORIAL_RADIUS_KM
    return np.where(toward_km < 0.0, night_km, day_km)


def magnitude(standard: ArrayLike, range_km: ArrayLike, phase_rad: ArrayLike) -> NDArray[np.float64]:
    """Return the magnitude of a sunlit satellite, estimated as a sphere that scatters evenly. Shapes: any.

    `standard` is that at 1000 km and half lit, phase_rad the angle at the satellite between Sun and observer. The phase
    function is Lambert's (sin p + (pi - p) cos p), which is 1 half lit. Without extinction by air.
    """
    own, phase = (np.asarray(each, dtype=np.float64) for each in (standard, phase_rad))
    # Rounding can carry a new one below nothing.
    lit = np.maximum(np.sin(phase) + (np.pi - phase) * np.cos(phase), 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(own - 15.0 + 5.0 * np.log10(range_km) - 2.5 * np.log10(lit))
