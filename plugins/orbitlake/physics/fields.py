"""Gravity about a centre as an ephemeris may have flown it: the point mass, fields of degree and order 4 and 20."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import INERTIAL, TERRESTRIAL, UNIX_EPOCH_JD, rotation_to_itrs_tai, turned, turned_back
from orbitlake.physics.gravity import (
    EARTH_RADIUS_KM,
    MU_KM3_S2,
    NORMALISED_EGM96,
    Coefficients,
    egm2008,
    gravity_itrs_km_s2,
    gravity_km_s2,
)

Vectors = NDArray[np.float64]
Pull = Callable[[NDArray[np.int64], Vectors], Vectors]
"""TAI in microseconds since 1970 (n,) and inertial positions (n, 3) in km -> accelerations (n, 3) in km/s^2."""

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
KNOT_US: Final = 300 * SECOND_US
"""Earth's axes are looked up so often, and turned about z in between, which neglects where the pole stands in them:
gravity in low orbit is the same to 1e-12 km/s^2."""
DEGREE_4: Final = "degree and order 4"
AT_ONCE: Final = 32_768
EARTH_RATE_RAD_S: Final = 7.292_115e-5
FAR_KM: Final = 60_000.0
"""Below, Moon and Sun pull at a spacecraft and at Earth alike to 0.02 mm/s^2; above, they are counted."""
NEAR_MOON_KM: Final = 30_000.0
"""Closer to the Moon than this, the 20 km by which we know its place are 7 mm/s of a quarter of an hour, and more."""
DRAG_AT_150_KM_KM_S2: Final = 1.5e-6
"""Of a light spacecraft, 0.02 m^2/kg, in 2e-9 kg/m^3; it grows or falls by e each DRAG_SCALE_KM."""
DRAG_SCALE_KM: Final = 12.0
STATION_ERROR_KM_S2: Final = 1e-7
"""What degree and order 4 leave out of the field in low orbit."""


@dataclass(frozen=True, slots=True)
class Field:
    """One model of the forces of a coast, and how far it may err at a distance: (n,) km -> (n,) km/s^2."""

    name: str
    pull_km_s2: Pull
    error_km_s2: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    mu_km3_s2: float
    is_unknown: Callable[[NDArray[np.int64], Vectors], NDArray[np.bool_]] = lambda tai_us, _: np.zeros(
        tai_us.shape, dtype=np.bool_
    )
    """Where the model says nothing, by time and place as of a Pull: (n,), (n, 3) -> (n,)."""


CENTRES: Final = {
    "SUN": (132_712_440_041.3, 695_700.0, 1e-6),
    "MERCURY": (22_031.9, 2439.7, 1e-3),
    "VENUS": (324_858.6, 6051.8, 1e-3),
    "MOON": (4902.8, 1737.4, 3e-3),
    "MARS": (42_828.4, 3396.2, 1e-2),
    "JUPITER": (126_686_531.9, 71_492.0, 5e-2),
    "SATURN": (37_931_206.2, 60_268.0, 6e-2),
    "URANUS": (5_793_951.3, 25_559.0, 2e-2),
    "NEPTUNE": (6_835_099.9, 24_764.0, 2e-2),
}
"""Gravitational parameter (km^3/s^2, JPL DE440), equatorial radius (km, IAU 2015), and what the point mass leaves out.

That is a share of gravity at the surface, falling as a quadrupole does: three times J2, and for the Moon its mascons.
"""
OTHER_INERTIAL: Final = frozenset({"MCI"})
"""Frames of other bodies whose axes stand still; about a point mass their direction does not matter."""


def fields_about(center_name: str, ref_frame: str, since_tai_us: int) -> tuple[Field, ...]:
    """Return the fields that a coast about a centre may have been flown in, the best first; none where none is known.

    About Earth: degree and order 4 with Moon and Sun, from when on Earth's orientation is known, then what simpler
    propagators take: J2 to J4, J2, the point mass.
    """
    center, frame = center_name.strip().upper(), ref_frame.strip().upper()
    is_inertial = frame in INERTIAL
    if center == "EARTH" and (is_inertial or TERRESTRIAL.fullmatch(frame)):
        axes = frame if is_inertial else "GCRF"
        full, *simpler = (
            Field(DEGREE_4, _full_field(axes, NORMALISED_EGM96), _earth_error_km_s2, MU_KM3_S2, _is_near_moon),
            Field("J2 to J4", lambda _, position: gravity_km_s2(position), _earth_error_km_s2, MU_KM3_S2),
            Field("J2", lambda _, position: gravity_km_s2(position, highest=2), _earth_error_km_s2, MU_KM3_S2),
            Field("a point mass", _point_mass(MU_KM3_S2), _earth_error_km_s2, MU_KM3_S2),
        )
        is_known = rotation_to_itrs_tai(axes, np.array([since_tai_us], "datetime64[us]")) is not None
        return (full, *simpler) if is_known else tuple(simpler) if is_inertial else ()
    if center in CENTRES and (is_inertial or frame in OTHER_INERTIAL):
        mu_km3_s2, radius_km, share = CENTRES[center]

        def error_km_s2(distance_km: NDArray[np.float64]) -> NDArray[np.float64]:
            error: NDArray[np.float64] = share * mu_km3_s2 * radius_km**2 / distance_km**4
            return error

        return (Field("a point mass", _point_mass(mu_km3_s2), error_km_s2, mu_km3_s2),)
    return ()


def inertial_states(
    ref_frame: str, tai_us: NDArray[np.int64], position_km: Vectors, velocity_km_s: Vectors
) -> tuple[Vectors, Vectors]:
    """Return states in the inertial axes that `fields_about` takes: those of an earth-fixed frame turned to GCRF.

    (n,), (n, 3), (n, 3) -> (n, 3), (n, 3).
    """
    if not TERRESTRIAL.fullmatch(ref_frame.strip().upper()):
        return position_km, velocity_km_s
    turned_km, turned_km_s = np.empty_like(position_km), np.empty_like(velocity_km_s)
    for start in range(0, tai_us.size, AT_ONCE):
        chunk = slice(start, start + AT_ONCE)
        turn = _rotation("GCRF", tai_us[chunk])
        x, y, _ = position_km[chunk].T
        carried_km_s = np.column_stack((-EARTH_RATE_RAD_S * y, EARTH_RATE_RAD_S * x, np.zeros_like(x)))
        turned_km[chunk] = turned_back(turn, position_km[chunk])
        turned_km_s[chunk] = turned_back(turn, velocity_km_s[chunk] + carried_km_s)
    return turned_km, turned_km_s


def _rotation(frame: str, tai_us: NDArray[np.int64]) -> NDArray[np.float64]:
    turn = rotation_to_itrs_tai(frame, tai_us.astype("datetime64[us]"))
    if turn is None:
        raise ValueError(f"{frame} cannot be turned to ITRS at every epoch")
    return turn


def finer_field(field: Field, ref_frame: str) -> Field:
    """Return the field of degree and order 20 for that of 4, which costs a tenth; any other field as it is.

    In low orbit it leaves 2 mm/s of a coast of 240 s unexplained where the other leaves 20.
    """
    if field.name != DEGREE_4:
        return field
    frame = ref_frame.strip().upper()
    pull = _full_field(frame if frame in INERTIAL else "GCRF", egm2008())
    return replace(field, name="degree and order 20", pull_km_s2=pull)


def _full_field(frame: str, coefficients: Coefficients) -> Pull:
    def pull_km_s2(tai_us: NDArray[np.int64], position_km: Vectors) -> Vectors:
        nearest = (tai_us + KNOT_US // 2) // KNOT_US
        knots, of_epoch = np.unique(nearest, return_inverse=True)
        turn = _rotation(frame, knots * KNOT_US)[of_epoch]
        angle_rad = EARTH_RATE_RAD_S * (tai_us - nearest * KNOT_US) / SECOND_US
        itrs_km = _about_z(turned(turn, position_km), angle_rad)
        pull = turned_back(turn, _about_z(gravity_itrs_km_s2(itrs_km, coefficients), -angle_rad))
        far = erfa.pm(position_km) > FAR_KM
        if far.any():
            moon_km, sun_km = _moon_and_sun_km(tai_us[far])
            for mu_km3_s2, body_km in ((CENTRES["MOON"][0], moon_km), (CENTRES["SUN"][0], sun_km)):
                pull[far] += _third_body_km_s2(mu_km3_s2, body_km, position_km[far])
        return pull

    return pull_km_s2


def _about_z(vectors: Vectors, angle_rad: NDArray[np.float64]) -> Vectors:
    """Return vectors (n, 3) in axes turned about z by angles (n,)."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    x, y, z = vectors.T
    return np.column_stack((cosine * x + sine * y, cosine * y - sine * x, z))


def _point_mass(mu_km3_s2: float) -> Pull:
    def pull_km_s2(_: NDArray[np.int64], position_km: Vectors) -> Vectors:
        return _central_km_s2(mu_km3_s2, position_km)

    return pull_km_s2


def _central_km_s2(mu_km3_s2: float, position_km: Vectors) -> Vectors:
    pull: Vectors = -mu_km3_s2 * position_km / (erfa.pm(position_km) ** 3)[:, np.newaxis]
    return pull


def _third_body_km_s2(mu_km3_s2: float, body_km: Vectors, position_km: Vectors) -> Vectors:
    """Return what a body pulls more at the spacecraft than at Earth."""
    return _central_km_s2(mu_km3_s2, position_km - body_km) - _central_km_s2(mu_km3_s2, -body_km)


def _moon_and_sun_km(tai_us: NDArray[np.int64]) -> tuple[Vectors, Vectors]:
    """Return where Moon and Sun stand from Earth, to some 20 km and 20,000 km (ERFA's moon98, epv00; TAI as TDB)."""
    days = tai_us / DAY_US
    au_km = erfa.DAU / 1000.0
    moon_km = erfa.moon98(UNIX_EPOCH_JD, days)["p"] * au_km
    sun_km = -erfa.epv00(UNIX_EPOCH_JD, days)[0]["p"] * au_km
    return np.asarray(moon_km), np.asarray(sun_km)


def _is_near_moon(tai_us: NDArray[np.int64], position_km: Vectors) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = erfa.pm(position_km) > FAR_KM
    if near.any():
        moon_km, _ = _moon_and_sun_km(tai_us[near])
        near[near] = erfa.pm(position_km[near] - moon_km) < NEAR_MOON_KM
    return near


def _earth_error_km_s2(distance_km: NDArray[np.float64]) -> NDArray[np.float64]:
    drag_km_s2 = DRAG_AT_150_KM_KM_S2 * np.exp((EARTH_RADIUS_KM + 150.0 - distance_km) / DRAG_SCALE_KM)
    error: NDArray[np.float64] = STATION_ERROR_KM_S2 + drag_km_s2
    return error
