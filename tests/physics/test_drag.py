"""Drag's displacement along the orbit, on a circle that shrinks at a known rate, with and without a burn."""

import numpy as np
import pytest

from orbitlake.physics.drag import drag_ahead_s
from orbitlake.physics.gravity import MU_KM3_S2

DAY_S = 86_400.0
RADIUS_KM = 6790.0
FALL_KM_S = 0.1 / DAY_S
"""100 m a day, what the station falls."""
NO_BURN = np.empty((0, 2))


def shrinking(days: float, raised_km: float = 0.0, burn_s: float = 0.0) -> tuple[np.ndarray, ...]:
    """Return epochs and states on polar circles: J2 swings their axes by nothing in the mean of an orbit."""
    epoch_s = np.arange(0.0, days * DAY_S, 240.0)
    radius_km = RADIUS_KM - FALL_KM_S * epoch_s + raised_km * (epoch_s > burn_s)
    rate = np.sqrt(MU_KM3_S2 / radius_km**3)
    angle = np.concatenate(([0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * 240.0)))
    unit = np.column_stack((np.cos(angle), np.zeros_like(angle), np.sin(angle)))
    ahead = np.column_stack((-np.sin(angle), np.zeros_like(angle), np.cos(angle)))
    return epoch_s, unit * radius_km[:, np.newaxis], ahead * (radius_km * rate)[:, np.newaxis]


def expected_s(seconds: float) -> float:
    """Three halves of the share that the axis shrinks by, summed over time."""
    return 1.5 * FALL_KM_S / RADIUS_KM * seconds**2 / 2.0


@pytest.mark.parametrize("since_d", [0.5, 3.0])
def test_a_falling_object_comes_ahead_with_the_square_of_time(since_d):
    at_s = (since_d + np.array([0.0, 2.0, 5.0, 9.0])) * DAY_S
    found = drag_ahead_s(*shrinking(15), NO_BURN, since_s=since_d * DAY_S, at_s=at_s)

    np.testing.assert_allclose(found, [expected_s(days * DAY_S) for days in (0, 2, 5, 9)], rtol=0.03)


def test_a_burn_is_no_drag():
    burn_s = 6 * DAY_S
    states = shrinking(15, raised_km=1.8, burn_s=burn_s)
    at_s = np.array([10 * DAY_S])

    told = drag_ahead_s(*states, np.array([[burn_s - 300.0, burn_s + 300.0]]), since_s=0.0, at_s=at_s)
    untold = drag_ahead_s(*states, NO_BURN, since_s=0.0, at_s=at_s)

    np.testing.assert_allclose(told, expected_s(10 * DAY_S), rtol=0.03)
    assert abs(untold[0] - told[0]) > 0.5 * told[0]


def test_states_of_less_than_two_orbits_tell_nothing():
    assert np.isnan(drag_ahead_s(*shrinking(0.1), NO_BURN, since_s=0.0, at_s=np.array([DAY_S]))).all()
