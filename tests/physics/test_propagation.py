"""The integrator against Kepler's closed orbit, against itself, and at its limits."""

import math

import numpy as np
import pytest

from orbitlake.physics.gravity import MU_KM3_S2
from orbitlake.physics.propagation import Arc, NotSettledError, propagate

RADIUS_KM = 6800.0
SPEED_KM_S = math.sqrt(MU_KM3_S2 / RADIUS_KM)
PERIOD_S = math.tau * math.sqrt(RADIUS_KM**3 / MU_KM3_S2)
CIRCULAR = np.array([RADIUS_KM, 0.0, 0.0, 0.0, SPEED_KM_S, 0.0])
ONE_MICROMETRE_KM = 1e-9


def two_body(seconds: np.ndarray, position_km: np.ndarray, velocity_km_s: np.ndarray) -> np.ndarray:
    return -MU_KM3_S2 * position_km / np.linalg.norm(position_km, axis=1, keepdims=True) ** 3


def test_a_circular_orbit_is_met_at_every_moment_of_an_arc():
    halves = [Arc(PERIOD_S * share, two_body) for share in (0.5, 1.0)]
    seconds = np.linspace(0.0, PERIOD_S, 1001)
    angle = math.tau * seconds / PERIOD_S

    states = propagate(CIRCULAR, halves).states(seconds)

    np.testing.assert_allclose(states[:, 0], RADIUS_KM * np.cos(angle), rtol=0, atol=ONE_MICROMETRE_KM)
    np.testing.assert_allclose(states[:, 1], RADIUS_KM * np.sin(angle), rtol=0, atol=ONE_MICROMETRE_KM)
    np.testing.assert_allclose(states[:, 4], SPEED_KM_S * np.cos(angle), rtol=0, atol=ONE_MICROMETRE_KM)


def test_where_an_orbit_is_cut_into_arcs_does_not_matter():
    coarse = [Arc(PERIOD_S / 3, two_body)]
    fine = [Arc(PERIOD_S / 3 * share, two_body) for share in (0.1, 0.37, 1.0)]
    seconds = np.linspace(0.0, PERIOD_S / 3, 50)

    difference_km = np.abs(propagate(CIRCULAR, coarse).states(seconds) - propagate(CIRCULAR, fine).states(seconds))

    assert difference_km.max() < ONE_MICROMETRE_KM


def test_a_force_knows_the_time():
    def growing(seconds: np.ndarray, position_km: np.ndarray, velocity_km_s: np.ndarray) -> np.ndarray:
        return np.outer(seconds, [1.0, 0.0, 0.0])

    states = propagate(np.zeros(6), [Arc(1.0, growing), Arc(3.0, growing)]).states(np.array([3.0]))

    np.testing.assert_allclose(states[0], [27 / 6, 0, 0, 9 / 2, 0, 0], atol=ONE_MICROMETRE_KM)


def test_an_arc_too_long_to_settle_is_refused():
    with pytest.raises(NotSettledError, match="after 60 rounds"):
        propagate(CIRCULAR, [Arc(5 * PERIOD_S, two_body)])


@pytest.mark.parametrize("second", [-0.001, PERIOD_S / 3 + 0.001])
def test_a_moment_outside_the_arcs_is_refused(second: float):
    ephemeris = propagate(CIRCULAR, [Arc(PERIOD_S / 3, two_body)])

    with pytest.raises(ValueError, match="outside"):
        ephemeris.states(np.array([second]))
