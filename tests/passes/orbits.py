"""Trajectories on circles in EME2000, made without a file: where each is at any time is known without a computer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import tau

import numpy as np

from orbitlake.physics.interpolation import HermitePath
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.trajectory import Arc, Trajectory
from orbitlake.trajectory.arcs import Path
from orbitlake.trajectory.bands import NO_BANDS, Bands

START = datetime(2026, 3, 1, tzinfo=UTC)
RADIUS_KM = 6790.0
MU_KM3_S2 = 398_600.4418
STEP_S = 60.0


def states_on_a_circle(
    seconds: np.ndarray, inclination_deg: float, radius_km: float, node_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and velocities so long after an ascending node: (n,) -> two (n, 3)."""
    rate_rad_s = np.sqrt(MU_KM3_S2 / radius_km**3)
    tilt, node = np.radians(inclination_deg), np.radians(node_deg)
    along = np.array([np.cos(node), np.sin(node), 0.0])
    ahead = np.array([-np.sin(node) * np.cos(tilt), np.cos(node) * np.cos(tilt), np.sin(tilt)])
    angle = (rate_rad_s * seconds)[:, np.newaxis]
    position_km = radius_km * (np.cos(angle) * along + np.sin(angle) * ahead)
    return position_km, radius_km * rate_rad_s * (np.cos(angle) * ahead - np.sin(angle) * along)


def arc_on_a_circle(
    created_h: float = 0.0,
    start_h: float = 0.0,
    stop_h: float = 24.0,
    *,
    early_s: float = 0.0,
    inclination_deg: float = 51.6,
    radius_km: float = RADIUS_KM,
    node_deg: float = 0.0,
    burns_h: Sequence[tuple[float, float]] = (),
    without_h: tuple[float, float] | None = None,
) -> Arc:
    """Return the arc of an issue, in hours after START, that is so many seconds ahead; maybe with a hole in it."""
    seconds = np.arange(start_h * 3600.0, stop_h * 3600.0 + 1.0, STEP_S)
    if without_h is not None:
        seconds = seconds[(seconds < without_h[0] * 3600.0) | (seconds > without_h[1] * 3600.0)]
    start = np.datetime64(START.replace(tzinfo=None), "us")
    utc = start + (seconds * 1e6).astype("timedelta64[us]")
    tai_us = tai_from_utc(utc).astype(np.int64)
    states = states_on_a_circle(seconds + early_s, inclination_deg, radius_km, node_deg)
    burn_us = start.astype(np.int64) + (np.array(burns_h).reshape(-1, 2) * 3.6e9).astype(np.int64)
    path = Path(int(tai_us[0]), HermitePath.through((tai_us - tai_us[0]) * 1e-6, *states), burn_us)
    created_us = int(start.astype(np.int64)) + round(created_h * 3.6e9)
    return Arc(created_us, 0, int(tai_us[0]), int(tai_us[-1]), "EARTH", "EME2000", lambda: path)


def circling(bands: Bands = NO_BANDS, **what: float) -> tuple[Trajectory, datetime]:
    """Return the trajectory of one issue on a circle, and when it begins."""
    return Trajectory([arc_on_a_circle(**what)], bands), START


def period_s(radius_km: float = RADIUS_KM) -> float:
    """Return how long one revolution takes."""
    return tau * float(np.sqrt(radius_km**3 / MU_KM3_S2))


def hours(after: float) -> datetime:
    """Return an instant so many hours after START."""
    return START + timedelta(hours=after)
