"""Orbital quantities of states about Earth: semi-major axis, period, and the radial, in-track, cross-track axes."""

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.gravity import EARTH_RADIUS_KM, J2, MU_KM3_S2


def semi_major_axis_km(position_km: NDArray[np.float64], velocity_km_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the osculating semi-major axis (km), by vis-viva; negative on a hyperbola. (n, 3), (n, 3) -> (n,)."""
    radius = erfa.pm(position_km)
    speed_squared = erfa.pdp(velocity_km_s, velocity_km_s)
    axis: NDArray[np.float64] = 1.0 / (2.0 / radius - speed_squared / MU_KM3_S2)
    return axis


def mean_semi_major_axis_km(
    position_km: NDArray[np.float64], velocity_km_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the semi-major axis (km) free of J2's swing, 9 km twice an orbit for the ISS. (n, 3), (n, 3) -> (n,).

    One state is good to about 0.2 km in low orbit, the mean over an orbit to some 10 m; NaN for an unbound orbit.
    First order in J2: Kozai, Astronomical Journal 64 (1959), 367.
    """
    radius = erfa.pm(position_km)
    axis = semi_major_axis_km(position_km, velocity_km_s)
    momentum = erfa.pxp(position_km, velocity_km_s)
    momentum_squared = erfa.pdp(momentum, momentum)
    sin2_inclination = 1.0 - momentum[..., 2] ** 2 / momentum_squared
    sin2_latitude = (position_km[..., 2] / radius) ** 2
    ellipse = momentum_squared / (MU_KM3_S2 * axis)  # 1 - e^2
    with np.errstate(invalid="ignore"):
        swing = (axis / radius) ** 3 * (1.0 - 3.0 * sin2_latitude) - (1.0 - 1.5 * sin2_inclination) * ellipse**-1.5
    mean: NDArray[np.float64] = np.where(axis > 0.0, axis - J2 * EARTH_RADIUS_KM**2 / axis * swing, np.nan)
    return mean


def period_s(semi_major_axis_km: float) -> float:
    """Return the Keplerian period (s) of a bound orbit, NaN for an unbound one."""
    if not semi_major_axis_km > 0.0:
        return float("nan")
    return float(2.0 * np.pi * np.sqrt(semi_major_axis_km**3 / MU_KM3_S2))


def orbital_axes(position_km: NDArray[np.float64], velocity_km_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vectors radial, in-track and cross-track as rows of a rotation. (n, 3), (n, 3) -> (n, 3, 3).

    Radial points outward, cross-track along the angular momentum, in-track completes the right-handed set, along the
    motion: the frame that CCSDS 502.0-B-3 calls RTN.
    """
    radial = position_km / erfa.pm(position_km)[..., np.newaxis]
    momentum = erfa.pxp(position_km, velocity_km_s)
    cross_track = momentum / erfa.pm(momentum)[..., np.newaxis]
    return np.stack((radial, erfa.pxp(cross_track, radial), cross_track), axis=-2)
