"""Mean elements fitted to positions: what SGP4 needs to follow an object for some hours, in the digits of a TLE."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec

from orbitlake.physics.frames import UNIX_EPOCH_JD
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.orbit import mean_semi_major_axis_km
from orbitlake.trajectory.arcs import Micros
from orbitlake.trajectory.elements import sgp4_states
from orbitlake.trajectory.issues import DAY_US

EPOCH_GRAIN_US: Final = DAY_US // 10**8
"""The last digit of a TLE's epoch, 1e-8 d: 864 us."""
SGP4_EPOCH_JD: Final = 2_433_281.5
"""SGP4 counts days from 1949-12-31."""
MU_KM3_S2: Final = 398_600.8
"""WGS-72, as SGP4 has it."""
DAY_S: Final = 86_400.0
DAY_MIN: Final = 1_440.0
MOST_ROUNDS: Final = 40
ENOUGH_KM: Final = 1e-6
"""A round that gains less ends the fit."""
SHIFTS: Final = np.array([1e-7, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-5])
"""By how much each parameter moves for a numerical derivative."""
DRAG_SIGMA: Final = 1e-3
"""How far from zero B* may lie where positions say nothing of it, in 1 / Earth radii; the ISS has 1e-4 to 6e-4."""
LEAST_DRAG_SPAN_US: Final = DAY_US * 3 // 4
"""Shorter spans cannot tell drag from what SGP4 leaves out: six hours give the ISS a B* that is wrong by 1e-3, and
elements that are worse a day later than those without drag. Theirs is 0."""
POSITION_SIGMA_KM: Final = 0.5
"""How far SGP4 is off any ephemeris, about."""
LARGEST_ECCENTRICITY: Final = 0.9999999
"""What a TLE can print."""


class FitError(ValueError):
    """No elements can be fitted: the message says why."""


@dataclass(frozen=True, slots=True)
class FittedElements:
    """Mean elements of SGP4 in TEME, in the digits that a TLE prints; angles in degrees, B* in 1 / Earth radii.

    rms_km and worst_km say how far SGP4, given these very digits, is off the positions that they were fitted to; start
    and stop are the first and the last of those. Times in microseconds of UTC since 1970.
    """

    epoch_us: int
    mean_motion_rev_d: float
    eccentricity: float
    inclination_deg: float
    node_deg: float
    perigee_deg: float
    mean_anomaly_deg: float
    bstar: float
    rms_km: float
    worst_km: float
    start_us: int
    stop_us: int

    @property
    def model(self) -> Satrec:
        """SGP4 set up with them."""
        angles_deg = (self.perigee_deg, self.inclination_deg, self.mean_anomaly_deg, self.node_deg)
        return _model(self.epoch_us, self.mean_motion_rev_d, self.eccentricity, np.radians(angles_deg), self.bstar)


def fit_elements(epoch_us: int, utc_us: Micros, position_km: Reals, velocity_km_s: Reals) -> FittedElements:
    """Return the mean elements at an epoch that follow states in TEME best: least squares over the positions.

    Shapes: (n,), (n, 3), (n, 3). Raises FitError where SGP4 cannot follow them, as on a hyperbola or into the ground,
    and ValueError for an epoch that a TLE cannot print.
    """
    if epoch_us % EPOCH_GRAIN_US:
        raise ValueError(f"epoch lies {epoch_us % EPOCH_GRAIN_US} us beside the last digit of a TLE")
    near = int(np.abs(utc_us - epoch_us).argmin())
    parameters = _equinoctial(position_km[near : near + 1], velocity_km_s[near : near + 1])
    digits = _digits(_adjusted(parameters, epoch_us, utc_us, position_km))
    model = _model(epoch_us, *digits[:2], np.radians(digits[2]), digits[3])
    off_km = np.linalg.norm(sgp4_states(model, utc_us)[0] - position_km, axis=1)
    if not np.isfinite(off_km).all():
        raise FitError("SGP4 ends in the ground with the elements that were found")
    mean_motion_rev_d, eccentricity, (perigee_deg, inclination_deg, mean_anomaly_deg, node_deg), bstar = digits
    return FittedElements(
        epoch_us=epoch_us,
        mean_motion_rev_d=mean_motion_rev_d,
        eccentricity=eccentricity,
        inclination_deg=inclination_deg,
        node_deg=node_deg,
        perigee_deg=perigee_deg,
        mean_anomaly_deg=mean_anomaly_deg,
        bstar=bstar,
        rms_km=float(np.sqrt(np.mean(off_km**2))),
        worst_km=float(off_km.max()),
        start_us=int(utc_us[0]),
        stop_us=int(utc_us[-1]),
    )


def _adjusted(parameters: Reals, epoch_us: int, utc_us: Micros, position_km: Reals) -> Reals:
    """Return the parameters by Gauss and Newton, B* among them where the span is long enough."""
    free = SHIFTS.size if utc_us[-1] - utc_us[0] >= LEAST_DRAG_SPAN_US else SHIFTS.size - 1

    def residuals(values: Reals) -> Reals:
        off_km = position_km - sgp4_states(_model_of(values, epoch_us), utc_us)[0]
        return np.append(off_km.ravel() / POSITION_SIGMA_KM, -values[6] / DRAG_SIGMA)

    found, cost = parameters.copy(), np.inf
    for _ in range(MOST_ROUNDS):
        off = residuals(found)
        if not np.isfinite(off).all():
            raise FitError("SGP4 cannot follow these states: they are no orbit that stays above the ground")
        before, cost = cost, float(np.sqrt(np.mean(off**2))) * POSITION_SIGMA_KM
        if before - cost < ENOUGH_KM:
            break
        slopes = np.column_stack([(off - residuals(found + shift)) / shift.sum() for shift in np.diag(SHIFTS)[:free]])
        if not np.isfinite(slopes).all():
            raise FitError("SGP4 cannot follow states next to these")
        found[:free] += np.linalg.lstsq(slopes, off, rcond=None)[0]
    return found


def _equinoctial(position_km: Reals, velocity_km_s: Reals) -> Reals:
    """Return mean motion (rev/d), e sin and e cos of the perigee's longitude, tan(i/2) sin and cos of the node's, mean
    longitude (rad) and B* of one state, about: elements that are well defined also on circles and over the equator."""
    axis_km = float(mean_semi_major_axis_km(position_km, velocity_km_s)[0])
    position, velocity = position_km[0], velocity_km_s[0]
    if not axis_km > 0:
        raise FitError("the states are on no closed orbit")
    radius = float(np.linalg.norm(position))
    momentum = np.cross(position, velocity)
    pole = momentum / np.linalg.norm(momentum)
    if pole[2] < -1 + 1e-9:
        raise FitError("the orbit lies in the equator, against its sense")
    p, q = pole[0] / (1 + pole[2]), -pole[1] / (1 + pole[2])
    scale = 1 / (1 + p * p + q * q)
    along = scale * np.array([1 - p * p + q * q, 2 * p * q, -2 * p])
    across = scale * np.array([2 * p * q, 1 + p * p - q * q, 2 * q])
    toward = np.cross(velocity, momentum) / MU_KM3_S2 - position / radius
    k, h = float(toward @ along), float(toward @ across)
    eccentricity = np.hypot(h, k)
    if eccentricity >= LARGEST_ECCENTRICITY:
        raise FitError("the states are on no closed orbit")
    perigee = np.arctan2(h, k)
    true_anomaly = np.arctan2(float(position @ across), float(position @ along)) - perigee
    squeeze = np.sqrt((1 - eccentricity) / (1 + eccentricity))
    anomaly = 2 * np.arctan2(squeeze * np.sin(true_anomaly / 2), np.cos(true_anomaly / 2))
    mean_longitude = anomaly - eccentricity * np.sin(anomaly) + perigee
    mean_motion_rev_d = np.sqrt(MU_KM3_S2 / axis_km**3) * DAY_S / (2 * np.pi)
    return np.array([mean_motion_rev_d, h, k, p, q, mean_longitude, 0.0])


def _classical(parameters: Reals) -> tuple[float, float, Reals, float]:
    """Return mean motion (rev/d), eccentricity, the angles perigee, inclination, mean anomaly, node (rad), and B*."""
    mean_motion_rev_d, h, k, p, q, mean_longitude, bstar = parameters.tolist()
    node, perigee_longitude = np.arctan2(p, q), np.arctan2(h, k)
    angles = np.array(
        [perigee_longitude - node, 2 * np.arctan(np.hypot(p, q)), mean_longitude - perigee_longitude, node]
    )
    return mean_motion_rev_d, float(np.hypot(h, k)), angles % (2 * np.pi), bstar


def _digits(parameters: Reals) -> tuple[float, float, Reals, float]:
    """Return the same with the digits of a TLE, angles in degrees."""
    mean_motion_rev_d, eccentricity, angles, bstar = _classical(parameters)
    if not 0 < mean_motion_rev_d < 100 or eccentricity > LARGEST_ECCENTRICITY:
        raise FitError("a TLE cannot print the elements that were found")
    return (
        round(mean_motion_rev_d, 8),
        round(eccentricity, 7),
        np.array([round(angle, 4) % 360 for angle in np.degrees(angles).tolist()]),
        float(f"{bstar:.4e}"),
    )


def _model_of(parameters: Reals, epoch_us: int) -> Satrec:
    return _model(epoch_us, *_classical(parameters))


def _model(
    epoch_us: int, mean_motion_rev_d: float, eccentricity: float, angles: NDArray[np.float64], bstar: float
) -> Satrec:
    perigee, inclination, mean_anomaly, node = angles.tolist()
    model = Satrec()
    epoch_d = epoch_us / DAY_US + UNIX_EPOCH_JD - SGP4_EPOCH_JD
    per_min = mean_motion_rev_d * 2 * np.pi / DAY_MIN
    drag_and_rates = (bstar, 0.0, 0.0)
    model.sgp4init(
        WGS72, "i", 0, epoch_d, *drag_and_rates, eccentricity, perigee, inclination, mean_anomaly, per_min, node
    )
    return model
