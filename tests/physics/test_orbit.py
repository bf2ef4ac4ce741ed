"""Orbital quantities: axes that are a rotation, and a semi-major axis that J2 does not swing."""

import numpy as np
import pytest

from orbitlake.physics.gravity import MU_KM3_S2, gravity_km_s2
from orbitlake.physics.orbit import mean_semi_major_axis_km, orbital_axes, period_s, semi_major_axis_km

POSITION_KM = np.array([4482.28542, -1945.87905, -4735.454317])
VELOCITY_KM_S = np.array([5.092194343892, 4.987268857019, 2.771174646982])
SWING_KM = 8.0
STEADY_KM = 0.1


def flown(duration_s: float, step_s: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the states of one coast under J2 to J4, by classical Runge-Kutta."""
    state = np.concatenate((POSITION_KM, VELOCITY_KM_S))

    def rate(at: np.ndarray) -> np.ndarray:
        return np.concatenate((at[3:], gravity_km_s2(at[:3])))

    states = [state]
    for _ in range(round(duration_s / step_s)):
        k1 = rate(state)
        k2 = rate(state + step_s / 2 * k1)
        k3 = rate(state + step_s / 2 * k2)
        k4 = rate(state + step_s * k3)
        state = state + step_s / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    all_states = np.array(states)
    return all_states[:, :3], all_states[:, 3:]


def test_j2_swings_the_osculating_axis_and_not_the_mean_one():
    position_km, velocity_km_s = flown(5600.0)
    osculating, mean = (
        semi_major_axis_km(position_km, velocity_km_s),
        mean_semi_major_axis_km(position_km, velocity_km_s),
    )

    assert np.ptp(osculating) > SWING_KM
    assert np.ptp(mean) < STEADY_KM
    assert mean.mean() == pytest.approx(osculating[:557].mean(), abs=STEADY_KM)


def test_the_axes_are_a_rotation_and_follow_the_motion():
    axes = orbital_axes(POSITION_KM[np.newaxis], VELOCITY_KM_S[np.newaxis])[0]
    radial, in_track, cross_track = axes

    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-14)
    assert np.linalg.det(axes) == pytest.approx(1)
    assert radial @ POSITION_KM == pytest.approx(np.linalg.norm(POSITION_KM))
    assert in_track @ VELOCITY_KM_S > 7
    assert cross_track @ np.cross(POSITION_KM, VELOCITY_KM_S) > 0


def test_a_circle_has_its_radius_for_axis_and_keplers_period():
    radius_km = 42_164.17
    speed_km_s = np.sqrt(MU_KM3_S2 / radius_km)

    assert semi_major_axis_km(np.array([radius_km, 0, 0]), np.array([0, speed_km_s, 0])) == pytest.approx(radius_km)
    assert period_s(radius_km) == pytest.approx(86_164.1, abs=0.1)


def test_an_escape_has_no_period_and_no_mean_axis():
    position_km, velocity_km_s = np.array([7000.0, 0, 0]), np.array([0, 12.0, 0])

    assert semi_major_axis_km(position_km, velocity_km_s) < 0
    assert np.isnan(mean_semi_major_axis_km(position_km, velocity_km_s))
    assert np.isnan(period_s(-1.0))
