"""Earth's pull: zonal harmonics for a propagator, degree and order 4 of EGM96 for an audit, 20 of EGM2008 for burns."""

from collections.abc import Sequence
from functools import lru_cache
from math import factorial, sqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MU_KM3_S2: Final = 398_600.4415
"""Earth's gravitational parameter, EGM96 (NASA/TP-1998-206861), the value that goes with its coefficients."""
EARTH_RADIUS_KM: Final = 6378.1363
"""Reference radius of the EGM96 coefficients; not the equatorial radius of WGS-84."""
J2: Final = 1.082_626_68e-3
J3: Final = -2.532_656_48e-6
J4: Final = -1.619_621_59e-6
"""J2 to J4: unnormalised zonal coefficients of EGM96 (Vallado, Fundamentals of Astrodynamics, 4th ed., table D-1)."""

NORMALISED_EGM96: Final = (
    (2, 0, -0.484165371736e-03, 0.0),
    (2, 1, -0.186987635955e-09, 0.119528012031e-08),
    (2, 2, 0.243914352398e-05, -0.140016683654e-05),
    (3, 0, 0.957254173792e-06, 0.0),
    (3, 1, 0.202998882184e-05, 0.248513158716e-06),
    (3, 2, 0.904627768605e-06, -0.619025944205e-06),
    (3, 3, 0.721072657057e-06, 0.141435626958e-05),
    (4, 0, 0.539873863789e-06, 0.0),
    (4, 1, -0.536321616971e-06, -0.473440265853e-06),
    (4, 2, 0.350694105785e-06, 0.662671572540e-06),
    (4, 3, 0.990771803829e-06, -0.200928369177e-06),
    (4, 4, -0.188560802735e-06, 0.308853169333e-06),
)
"""Degree, order, C and S, fully normalised (NASA/TP-1998-206861)."""
Coefficients = Sequence[tuple[int, int, float, float]]


@lru_cache(maxsize=1)
def egm2008() -> Coefficients:
    """Return the same of EGM2008 to degree and order 20; mu and radius are those of EGM96."""
    lines = Path(__file__).with_name("egm2008.txt").read_text().splitlines()
    rows = (line.split() for line in lines if not line.startswith("#"))
    return tuple((int(degree), int(order), float(c), float(s)) for degree, order, c, s in rows)


def gravity_km_s2(position_km: NDArray[np.float64], *, highest: int = 4) -> NDArray[np.float64]:
    """Return the acceleration (km/s^2) at positions (km) whose z axis is Earth's. (n, 3) -> (n, 3) or (3,) -> (3,).

    `highest` is the last zonal term that counts: 2 for J2 alone, 4 for J2 to J4.
    In low orbit it errs by up to 1e-7 km/s^2 where the pole of J2000 is taken for that of 2026, and by up to 3e-7 for
    the tesseral terms it leaves out. Formula: Vallado, 4th ed., section 8.7.1.
    """
    position = np.asarray(position_km, dtype=np.float64)
    r_squared = np.einsum("...i,...i->...", position, position)
    r = np.sqrt(r_squared)
    s = position[..., 2] / r  # sine of the geocentric latitude
    s2 = s * s
    q = EARTH_RADIUS_KM / r
    q2 = q * q
    j3, j4 = (J3, J4) if highest == 4 else (0.0, 0.0)
    # Gradient of -mu/r * sum(J_n q^n P_n(s)): `along` multiplies the radius vector, `polar` the z axis.
    along = (
        1.0
        + J2 * q2 * (1.5 - 7.5 * s2)
        + j3 * q2 * q * s * (7.5 - 17.5 * s2)
        + j4 * q2 * q2 * (-1.875 + (26.25 - 39.375 * s2) * s2)
    )
    polar = J2 * q2 * 3.0 * s + j3 * q2 * q * (7.5 * s2 - 1.5) + j4 * q2 * q2 * s * (17.5 * s2 - 7.5)
    strength = -MU_KM3_S2 / (r_squared * r)
    acceleration: NDArray[np.float64] = (strength * along)[..., np.newaxis] * position
    acceleration[..., 2] += strength * polar * r
    return acceleration


def gravity_itrs_km_s2(
    position_itrs_km: NDArray[np.float64], coefficients: Coefficients = NORMALISED_EGM96
) -> NDArray[np.float64]:
    """Return the gravitational acceleration (km/s^2, ITRS axes) of a field, degree and order 4. (n, 3) -> (n, 3).

    Burns integrated against it meet NASA's printed delta-v to its last digit, 0.05 m/s; against the zonal terms alone
    they miss it by up to 0.08. Cunningham's recursion: Montenbruck & Gill, Satellite Orbits,
    section 3.2.4, whose V and W are here the real and imaginary part of one complex number.
    """
    x, y, z = np.asarray(position_itrs_km, dtype=np.float64).T
    r_squared = x * x + y * y + z * z
    rho = EARTH_RADIUS_KM * EARTH_RADIUS_KM / r_squared
    equatorial = EARTH_RADIUS_KM * (x + 1j * y) / r_squared
    polar = EARTH_RADIUS_KM * z / r_squared
    degree = 1 + max(n for n, *_ in coefficients)
    solid: dict[tuple[int, int], NDArray[np.complex128]] = {(0, 0): EARTH_RADIUS_KM / np.sqrt(r_squared) + 0j}
    for m in range(degree + 1):
        if m:
            solid[m, m] = (2 * m - 1) * equatorial * solid[m - 1, m - 1]
        for n in range(m + 1, degree + 1):
            solid[n, m] = (2 * n - 1) / (n - m) * polar * solid[n - 1, m]
            if n > m + 1:
                solid[n, m] -= (n + m - 1) / (n - m) * rho * solid[n - 2, m]

    across = -solid[1, 1]  # x and y of the pull as real and imaginary part, here of the central term
    along = -solid[1, 0].real
    for n, m, c_normalised, s_normalised in coefficients:
        scale = sqrt((1 if m == 0 else 2) * (2 * n + 1) * factorial(n - m) / factorial(n + m))
        coefficient = scale * (c_normalised - 1j * s_normalised)
        if m == 0:
            across = across - coefficient.real * solid[n + 1, 1]
        else:
            lower = (n - m + 2) * (n - m + 1) * coefficient * solid[n + 1, m - 1]
            across = across + 0.5 * (lower.conj() - coefficient * solid[n + 1, m + 1])
        along = along - (n - m + 1) * (coefficient * solid[n + 1, m]).real
    strength = MU_KM3_S2 / EARTH_RADIUS_KM**2
    return strength * np.stack((across.real, across.imag, along), axis=-1)
