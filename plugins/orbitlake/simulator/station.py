"""The simulated station: 183 orbits with drag and one reboost, which end over the same ground as they began."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.frames import rotation_to_itrs
from orbitlake.physics.gravity import MU_KM3_S2, gravity_itrs_km_s2
from orbitlake.physics.propagation import Acceleration, Arc, Ephemeris, propagate

Epochs = NDArray[np.datetime64]
Vectors = NDArray[np.float64]

ORIGIN_UTC: Final = np.datetime64("2020-01-01T00:00:00", "us")
CYCLE_S: Final = 1_019_980.0
"""Twelve turns of Earth below the plane of the orbit, 11.8 days, in which the station makes 183 orbits."""
CYCLE: Final = np.timedelta64(round(CYCLE_S * 1e6), "us")
LONGEST_ARC_S: Final = 2400.0
EARTH_RATE_RAD_S: Final = math.tau * 1.00273781191135448 / 86_400.0
"""Earth's rotation angle over UT1 (IERS Conventions 2010, equation 5.15); UT1 runs like UTC here."""

MASS_KG: Final = 473_832.0
DRAG_AREA_M2: Final = 1618.40
DRAG_COEFFICIENT: Final = 2.5
DENSITY_RADIUS_KM: Final = 6795.0
SCALE_HEIGHT_KM: Final = 60.0

BURN_START_S: Final = 578_880.0
BURN_DURATION_S: Final = 1122.727
BURN_DELTA_V_M_S: Final = 1.1
UNDOCKING_S: Final = 295_060.0
DOCKING_S: Final = 713_110.0


@dataclass(frozen=True, slots=True)
class Design:
    """The orbit at the start of a cycle, at an ascending node, by osculating elements; and the forces on it.

    The defaults come from closure.py: with them, and no others, a cycle ends as it began. The drag is that of air of
    4.4e-12 kg/m^3 at DENSITY_RADIUS_KM, as under an active Sun; the yaw turns the thrust off the velocity.
    """

    semi_major_axis_km: float = 6804.074745902791
    eccentricity_to_node: float = 0.0009941131450004722
    eccentricity_ahead: float = 0.0012103997834454223
    drag_per_km: float = 1.8973675611735498e-11
    thrust_yaw_rad: float = 0.0001236448046681292
    inclination_rad: float = 0.9014643611221482


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an issue's event table; only a burn has a delta-v and lasts."""

    name: str
    ignition_utc: np.datetime64
    delta_v_m_s: float = 0.0
    cutoff_utc: np.datetime64 | None = None


class Station:
    """The orbit at any UTC epoch since 2017, after the last leap second so far: days of 86400 s.

    Earth turns steadily under the orbit, and forces depend on nothing else: so each cycle is the one before it, over
    the same ground. Precession, nutation and the wandering of the pole come in with the turn to EME2000, as matrices:
    the inertial forces that they would bring are below 1e-9 km/s^2.
    """

    def __init__(self, design: Design | None = None) -> None:
        self.cycle: Ephemeris = fly_one_cycle(design or Design())

    def states(self, epoch_utc: Epochs) -> tuple[Vectors, Vectors]:
        """Return positions (n, 3) in km and velocities (n, 3) in km/s, in EME2000, at epochs (n,)."""
        to_itrs = rotation_to_itrs("EME2000", epoch_utc)
        if to_itrs is None:
            raise ValueError("no Earth orientation for epochs before 1973")
        from_itrs = to_itrs.transpose(0, 2, 1)
        position_km, velocity_km_s = self.itrs_states(epoch_utc)
        return np.matvec(from_itrs, position_km), np.matvec(from_itrs, velocity_km_s)

    def itrs_states(self, epoch_utc: Epochs) -> tuple[Vectors, Vectors]:
        """Return positions (n, 3) in ITRS in km, and inertial velocities (n, 3) along the same axes in km/s."""
        since_origin = np.asarray(epoch_utc).astype("datetime64[us]") - ORIGIN_UTC
        seconds = (since_origin % CYCLE).astype(np.float64) * 1e-6
        states = self.cycle.states(seconds)
        angle_rad = -EARTH_RATE_RAD_S * seconds
        return _turned(states[:, :3], angle_rad), _turned(states[:, 3:], angle_rad)

    def ascending_nodes(self, start_utc: np.datetime64, stop_utc: np.datetime64) -> tuple[NDArray[np.int64], Epochs]:
        """Return the orbit numbers (n,), counted from ORIGIN_UTC, and epochs (n,) of the nodes from start to stop."""
        first, last = ((epoch - ORIGIN_UTC) // CYCLE for epoch in (start_utc, stop_utc))
        cycles = np.arange(int(first), int(last) + 1)
        numbers = (cycles[:, np.newaxis] * self._nodes_us.size + np.arange(self._nodes_us.size)).ravel()
        epochs = (ORIGIN_UTC + cycles[:, np.newaxis] * CYCLE + self._nodes_us).ravel()
        inside = (epochs >= start_utc) & (epochs <= stop_utc)
        return numbers[inside], epochs[inside]

    def events(self, start_utc: np.datetime64, stop_utc: np.datetime64) -> list[Event]:
        """Return the events that begin from start to stop, in order of time."""
        first, last = (int((epoch - ORIGIN_UTC) // CYCLE) for epoch in (start_utc, stop_utc))
        planned = (event for cycle in range(first, last + 1) for event in _plan(cycle))
        return [event for event in planned if start_utc <= event.ignition_utc <= stop_utc]

    def is_burning(self, epoch_utc: np.datetime64) -> bool:
        """Say whether the epoch lies within a burn, its ends included."""
        second = float((epoch_utc - ORIGIN_UTC) % CYCLE / np.timedelta64(1, "s"))
        return BURN_START_S <= second <= BURN_START_S + BURN_DURATION_S

    @cached_property
    def _nodes_us(self) -> NDArray[np.timedelta64]:
        """Times of the ascending nodes of one cycle, whose start is the first of them."""
        seconds = np.arange(60.0, CYCLE_S, 60.0)
        z_km = self.cycle.states(seconds)[:, 2]
        low, high = (seconds[side][(z_km[:-1] < 0) & (z_km[1:] >= 0)] for side in (slice(None, -1), slice(1, None)))
        while (high - low).max() > 1e-7:
            middle = 0.5 * (low + high)
            below = self.cycle.states(middle)[:, 2] < 0
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        nodes_us: NDArray[np.timedelta64] = np.round(np.append(0.0, high) * 1e6).astype("timedelta64[us]")
        return nodes_us


@lru_cache(maxsize=1)
def station() -> Station:
    """Return the one station of the simulator; the first call integrates its cycle, about half a second."""
    return Station()


def fly_one_cycle(design: Design) -> Ephemeris:
    """Integrate one cycle from a node at longitude 0, in axes that stand still and are Earth's at second 0."""
    burn_end_s = BURN_START_S + BURN_DURATION_S
    ends_s = sorted({*np.arange(LONGEST_ARC_S, CYCLE_S, LONGEST_ARC_S).tolist(), CYCLE_S, BURN_START_S, burn_end_s})
    coast, burn = _coast(design), _burn(design)
    return propagate(
        _state_at_node(design), [Arc(end, burn if BURN_START_S < end <= burn_end_s else coast) for end in ends_s]
    )


def _coast(design: Design) -> Acceleration:
    """Gravity, and drag in air that stands still."""

    def acceleration(seconds: NDArray[np.float64], position_km: Vectors, velocity_km_s: Vectors) -> Vectors:
        angle_rad = EARTH_RATE_RAD_S * seconds
        gravity_km_s2 = _turned(gravity_itrs_km_s2(_turned(position_km, -angle_rad)), angle_rad)
        radius_km = np.linalg.norm(position_km, axis=1, keepdims=True)
        speed_km_s = np.linalg.norm(velocity_km_s, axis=1, keepdims=True)
        density = np.exp((DENSITY_RADIUS_KM - radius_km) / SCALE_HEIGHT_KM)
        drag_km_s2: Vectors = -design.drag_per_km * density * speed_km_s * velocity_km_s
        return gravity_km_s2 + drag_km_s2

    return acceleration


def _burn(design: Design) -> Acceleration:
    """Coast, and a steady push along the velocity, but for the yaw."""
    thrust_km_s2 = BURN_DELTA_V_M_S / 1000.0 / BURN_DURATION_S
    coast = _coast(design)

    def acceleration(seconds: NDArray[np.float64], position_km: Vectors, velocity_km_s: Vectors) -> Vectors:
        normal = np.cross(position_km, velocity_km_s)
        along = velocity_km_s / np.linalg.norm(velocity_km_s, axis=1, keepdims=True)
        across = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        direction = math.cos(design.thrust_yaw_rad) * along + math.sin(design.thrust_yaw_rad) * across
        total_km_s2: Vectors = coast(seconds, position_km, velocity_km_s) + thrust_km_s2 * direction
        return total_km_s2

    return acceleration


def _state_at_node(design: Design) -> NDArray[np.float64]:
    """Return the first state (6,): osculating elements to Cartesian (Vallado, 4th ed., algorithm 10), at the node."""
    to_node, ahead = design.eccentricity_to_node, design.eccentricity_ahead
    parameter_km = design.semi_major_axis_km * (1.0 - to_node**2 - ahead**2)
    radial_km_s = -math.sqrt(MU_KM3_S2 / parameter_km) * ahead
    transverse_km_s = math.sqrt(MU_KM3_S2 / parameter_km) * (1.0 + to_node)
    return np.array(
        [
            parameter_km / (1.0 + to_node),
            0.0,
            0.0,
            radial_km_s,
            transverse_km_s * math.cos(design.inclination_rad),
            transverse_km_s * math.sin(design.inclination_rad),
        ]
    )


def _plan(cycle: int) -> Iterator[Event]:
    """Yield the events of one cycle in order of time; names fit the 20 characters that the table has for them."""

    def at(seconds: float) -> np.datetime64:
        epoch_utc: np.datetime64 = ORIGIN_UTC + cycle * CYCLE + np.timedelta64(round(seconds * 1e6), "us")
        return epoch_utc

    yield Event(f"Cargo {cycle} Undock", at(UNDOCKING_S))
    ignition = at(BURN_START_S)
    day_of_year = (ignition.astype("datetime64[D]") - ignition.astype("datetime64[Y]")).astype(int) + 1
    yield Event(f"GMT {day_of_year:03d} ISS Reboost", ignition, BURN_DELTA_V_M_S, at(BURN_START_S + BURN_DURATION_S))
    yield Event(f"Cargo {cycle + 1} Docking", at(DOCKING_S))


def _turned(vectors: Vectors, angle_rad: NDArray[np.float64]) -> Vectors:
    """Return vectors (n, 3) turned about the z axis by angles (n,)."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    x, y, z = vectors.T
    return np.column_stack([cosine * x - sine * y, sine * x + cosine * y, z])
