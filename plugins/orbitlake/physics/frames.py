"""Turns positions from the frames that ephemerides use to ITRS, with Earth orientation that needs no network."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import erfa
import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.leap_seconds import tai_from_utc, tai_minus_utc_s, utc_day_and_time_us

ARCSECOND_RAD: Final = np.pi / 648_000.0
DAY_S: Final = 86_400.0
TT_MINUS_TAI_S: Final = 32.184
UNIX_EPOCH_JD: Final = 2_440_587.5
UNIX_EPOCH_MJD: Final = 40_587.0
KNOTS_A_DAY: Final = 4
"""Spacing of the exact pole coordinates: cubic interpolation between them stays within 0.1 mm in low orbit."""

DAYS_KEPT: Final = 4_096
"""Days whose pole coordinates a process remembers, a hundred bytes each."""

DYNAMICAL_J2000: Final = frozenset({"EME2000", "J2000"})
CELESTIAL: Final = frozenset({"GCRF", "ICRF", "GCRS"})
TEME: Final = "TEME"
TERRESTRIAL: Final = re.compile(r"ITRF([-_ ]?(19|20)?\d\d)?|ITRS")
"""Realisations of ITRF differ by centimetres: all count as one."""
STANDING: Final = DYNAMICAL_J2000 | CELESTIAL
"""Frames whose axes never turn."""
INERTIAL: Final = STANDING | {TEME}


@dataclass(frozen=True, slots=True)
class EarthOrientation:
    """Daily values of IERS at 0 h UTC: Bulletin B where it exists, else A, observed or predicted. Shapes (n,)."""

    mjd_utc: NDArray[np.float64]
    ut1_minus_tai_s: NDArray[np.float64]
    polar_x_rad: NDArray[np.float64]
    polar_y_rad: NDArray[np.float64]
    pole_dx_rad: NDArray[np.float64]
    pole_dy_rad: NDArray[np.float64]


def itrs_from(
    frame: str,
    epoch_utc: NDArray[np.datetime64],
    position_km: NDArray[np.float64],
    *,
    ut1: Literal["observed", "utc"] = "observed",
) -> NDArray[np.float64] | None:
    """Return Earth-centred positions of `frame` in ITRS (km): (n,), (n, 3) -> (n, 3). None: as rotation_to_itrs_tai."""
    return itrs_from_tai(frame, tai_from_utc(epoch_utc), position_km, ut1=ut1)


def itrs_from_tai(
    frame: str,
    epoch_tai: NDArray[np.datetime64],
    position_km: NDArray[np.float64],
    *,
    frame_epoch_tai: np.datetime64 | None = None,
    ut1: Literal["observed", "utc"] = "observed",
) -> NDArray[np.float64] | None:
    """Return the same with epochs in TAI, which also tells the instants of a leap second apart."""
    rotation = rotation_to_itrs_tai(frame, epoch_tai, frame_epoch_tai=frame_epoch_tai, ut1=ut1)
    if rotation is None:
        return None
    return turned(rotation, np.asarray(position_km, dtype=np.float64))


def turned(rotation: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors turned by matrices. Shapes: (n, 3, 3), (n, 3) -> (n, 3).

    ERFA's plain loops, here and below, and not `@`, dot, matvec or linalg: those may go to BLAS, whose last bits differ
    from processor to processor, and what comes out of here is published.
    """
    result: NDArray[np.float64] = erfa.rxp(rotation, vectors)
    return result


def turned_back(rotation: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors turned by the transposed matrices, the way back. Shapes: (n, 3, 3), (n, 3) -> (n, 3)."""
    result: NDArray[np.float64] = erfa.trxp(rotation, vectors)
    return result


def rotation_to_itrs(
    frame: str, epoch_utc: NDArray[np.datetime64], *, ut1: Literal["observed", "utc"] = "observed"
) -> NDArray[np.float64] | None:
    """Return the matrices that turn `frame` to ITRS at epochs in UTC: (n,) -> (n, 3, 3). See rotation_to_itrs_tai."""
    return rotation_to_itrs_tai(frame, tai_from_utc(epoch_utc), ut1=ut1)


def rotation_to_itrs_tai(
    frame: str,
    epoch_tai: NDArray[np.datetime64],
    *,
    frame_epoch_tai: np.datetime64 | None = None,
    ut1: Literal["observed", "utc"] = "observed",
) -> NDArray[np.float64] | None:
    """Return the matrices that turn `frame` to ITRS: epochs in TAI (n,) -> (n, 3, 3).

    None where the frame is not EME2000, GCRF, ICRF, TEME or a realisation of ITRF, or where an epoch lies before
    1973-01-02, the first day of IERS's table. Past the table's last day, about a year after the package was made,
    its last UT1 and pole are held: 1 ms of length of day, the most seen since 1999, moves a low orbit by 0.5 m for
    each day past the end. With `frame_epoch_tai` the axes are those that the frame has at that moment, and stay: this
    moves TEME, and not EME2000, GCRF and ICRF, whose axes never turn. None for ITRF, where some mean the epoch of the
    stations' coordinates, others axes that stand still. `ut1="utc"` takes UT1 = UTC, as the node
    longitudes of NASA's files do.
    IAU 2006/2000A with IERS's pole offsets; tides below a day in UT1 and pole, 3 cm at most, are left out.
    """
    name = frame.strip().upper()
    tai_us = np.asarray(epoch_tai).astype("datetime64[us]").astype(np.int64)
    if frame_epoch_tai is not None and (TERRESTRIAL.fullmatch(name) or name == TEME):
        if name != TEME or np.isnat(frame_epoch_tai):
            return None
        then = np.array([frame_epoch_tai])
        to_itrs = rotation_to_itrs_tai("GCRF", epoch_tai, ut1=ut1)
        teme_then, gcrf_then = (rotation_to_itrs_tai(each, then, ut1=ut1) for each in (TEME, "GCRF"))
        if to_itrs is None or teme_then is None or gcrf_then is None:
            return None
        standing: NDArray[np.float64] = erfa.rxr(to_itrs, erfa.rxr(erfa.tr(gcrf_then[0]), teme_then[0]))
        return standing
    if TERRESTRIAL.fullmatch(name) or not tai_us.size:
        return np.broadcast_to(np.eye(3), (tai_us.size, 3, 3))
    if name not in INERTIAL:
        return None
    day, time_us = utc_day_and_time_us(tai_us)
    second = time_us * 1e-6
    table = earth_orientation()
    mjd_utc = UNIX_EPOCH_MJD + day + second / DAY_S
    if mjd_utc.min() < table.mjd_utc[0]:
        return None

    tai_utc_s = tai_minus_utc_s(day)
    ut1_utc_s = np.interp(mjd_utc, table.mjd_utc, table.ut1_minus_tai_s) + tai_utc_s if ut1 == "observed" else 0.0
    day_jd = UNIX_EPOCH_JD + day
    ut1_of_day = (second + ut1_utc_s) / DAY_S
    tt_of_day = (second + tai_utc_s + TT_MINUS_TAI_S) / DAY_S
    polar_x = np.interp(mjd_utc, table.mjd_utc, table.polar_x_rad)
    polar_y = np.interp(mjd_utc, table.mjd_utc, table.polar_y_rad)

    rotation: NDArray[np.float64]
    if name == TEME:
        # TEME turns by mean sidereal time of 1982 and takes no s' (Vallado et al., AIAA 2006-6753, appendix C).
        rotation = erfa.c2tcio(np.eye(3), erfa.gmst82(day_jd, ut1_of_day), erfa.pom00(polar_x, polar_y, 0.0))
        return rotation
    pole_x, pole_y, locator = _intermediate_pole(day, tt_of_day)
    to_cirs = erfa.c2ixys(
        pole_x + np.interp(mjd_utc, table.mjd_utc, table.pole_dx_rad),
        pole_y + np.interp(mjd_utc, table.mjd_utc, table.pole_dy_rad),
        locator,
    )
    polar_motion = erfa.pom00(polar_x, polar_y, erfa.sp00(day_jd, tt_of_day))
    rotation = erfa.c2tcio(to_cirs, erfa.era00(day_jd, ut1_of_day), polar_motion)
    if name in DYNAMICAL_J2000:
        rotation = erfa.rxr(rotation, _frame_bias().T)
    return rotation


@lru_cache(maxsize=1)
def earth_orientation() -> EarthOrientation:
    """Return the bundled finals2000A.all, read once a process. Its columns: ReadMe.finals2000A of IERS."""
    import astropy_iers_data

    content = Path(astropy_iers_data.IERS_A_FILE).read_bytes()
    lines = np.frombuffer(
        content,
        np.dtype(
            {
                "names": ["mjd", "x", "y", "ut1", "dx", "dy", "x_b", "y_b", "ut1_b", "dx_b", "dy_b"],
                "formats": ["S8", "S9", "S9", "S10", "S9", "S9", "S10", "S10", "S11", "S10", "S10"],
                "offsets": [7, 18, 37, 58, 97, 116, 134, 144, 154, 165, 175],
                "itemsize": content.index(b"\n") + 1,
            }
        ),
    )

    def values(name: str) -> NDArray[np.float64]:
        text = np.char.strip(lines[name])
        return np.where(text == b"", b"nan", text).astype(np.float64)

    def best(name: str) -> NDArray[np.float64]:
        bulletin_b = values(f"{name}_b")
        return np.where(np.isnan(bulletin_b), values(name), bulletin_b)

    mjd_utc, ut1_utc_s = values("mjd"), best("ut1")
    known = ~np.isnan(ut1_utc_s)
    unix_day = (mjd_utc - UNIX_EPOCH_MJD).astype(np.int64)
    milliarcsecond_rad = 1e-3 * ARCSECOND_RAD
    return EarthOrientation(
        mjd_utc=mjd_utc[known],
        ut1_minus_tai_s=(ut1_utc_s - tai_minus_utc_s(unix_day))[known],
        polar_x_rad=best("x")[known] * ARCSECOND_RAD,
        polar_y_rad=best("y")[known] * ARCSECOND_RAD,
        # Pole offsets are predicted less far than UT1: an unknown one is below 0.5 mas, 2 cm, and counts as none.
        pole_dx_rad=np.nan_to_num(best("dx")[known]) * milliarcsecond_rad,
        pole_dy_rad=np.nan_to_num(best("dy")[known]) * milliarcsecond_rad,
    )


@lru_cache(maxsize=1)
def _frame_bias() -> NDArray[np.float64]:
    """Return the rotation from GCRS to the mean equator and equinox of J2000, 23 milliarcseconds."""
    bias: NDArray[np.float64] = erfa.bp06(erfa.DJ00, 0.0)[0]
    return bias


@lru_cache(maxsize=DAYS_KEPT)
def _pole_of_day(unix_day: int) -> NDArray[np.float64]:
    """Return X, Y and s (rad) at the knots of a day: (3, KNOTS_A_DAY). Judging thrust asks for a day many times."""
    knots = unix_day * KNOTS_A_DAY + np.arange(KNOTS_A_DAY)
    pole: NDArray[np.float64] = np.stack(erfa.xys06a(UNIX_EPOCH_JD, knots / KNOTS_A_DAY))
    return pole


def _intermediate_pole(
    unix_day: NDArray[np.int64], tt_of_day: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return X, Y and s (rad) of IAU 2006/2000A: exact for few epochs, through knots for many (33 us saved on each)."""
    knot, fraction = np.divmod(tt_of_day * KNOTS_A_DAY, 1.0)
    first = unix_day * KNOTS_A_DAY + knot.astype(np.int64)
    knots = np.unique(first[:, np.newaxis] + np.arange(-1, 3))
    if knots.size >= first.size:
        exact: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
        exact = erfa.xys06a(UNIX_EPOCH_JD + unix_day, tt_of_day)
        return exact
    days, of_day = np.unique(knots // KNOTS_A_DAY, return_inverse=True)
    by_day = np.stack([_pole_of_day(int(day)) for day in days], axis=1)
    at_knots = by_day[:, of_day, knots % KNOTS_A_DAY]
    before = np.searchsorted(knots, first - 1)
    u = fraction
    weights = (
        -u * (u - 1.0) * (u - 2.0) / 6.0,
        (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0,
        -(u + 1.0) * u * (u - 2.0) / 2.0,
        (u + 1.0) * u * (u - 1.0) / 6.0,
    )
    weighted, *terms = (weight * at_knots[:, before + i] for i, weight in enumerate(weights))
    for term in terms:
        weighted = weighted + term
    pole_x, pole_y, locator = weighted
    return pole_x, pole_y, locator
