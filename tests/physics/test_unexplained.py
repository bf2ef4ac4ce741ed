"""What gravity leaves unexplained from state to state: nothing of a coast, both integrals of a push."""

import numpy as np
import pytest

from orbitlake.physics.gravity import gravity_km_s2
from orbitlake.physics.propagation import Arc, propagate
from orbitlake.physics.unexplained import unexplained_between, unexplained_steps

LOW_ORBIT = np.array([4482.28542, -1945.87905, -4735.454317, 5.092194343892, 4.987268857019, 2.771174646982])
PUSH_KM_S2 = np.array([2e-7, -1e-6, 3e-7])
A_TENTH_MM_S_KM_S = 1e-7
A_CENTIMETRE_KM = 1e-5


def pull_km_s2(_: np.ndarray, position_km: np.ndarray) -> np.ndarray:
    return gravity_km_s2(position_km)


def flown(since_s: float, until_s: float, step_s: float = 240.0, steps: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return TAI (us) and states of a coast, pushed from `since_s` to `until_s`."""

    def coast(_: np.ndarray, position_km: np.ndarray, __: np.ndarray) -> np.ndarray:
        return gravity_km_s2(position_km)

    def powered(at_s: np.ndarray, position_km: np.ndarray, velocity_km_s: np.ndarray) -> np.ndarray:
        return coast(at_s, position_km, velocity_km_s) + PUSH_KM_S2

    at_s = np.arange(steps + 1) * step_s
    ends_s = sorted({since_s, until_s, *at_s[1:].tolist()})
    orbit = propagate(LOW_ORBIT, [Arc(end, powered if since_s < end <= until_s else coast) for end in ends_s])
    return (at_s * 1e6).astype(np.int64), orbit.states(at_s)


def test_a_coast_leaves_nothing():
    tai_us, states = flown(1440.0, 1440.0)

    gained_km_s, moved_km = unexplained_steps(tai_us, states[:, :3], states[:, 3:], pull_km_s2)

    assert np.abs(gained_km_s).max() < A_TENTH_MM_S_KM_S
    assert np.abs(moved_km).max() < A_CENTIMETRE_KM


@pytest.mark.parametrize(("since_s", "until_s"), [(630.0, 720.0), (500.0, 700.0)])
def test_a_push_gains_and_moves_by_how_long_it_acts(since_s, until_s):
    tai_us, states = flown(since_s, until_s)
    powered_s, left_s = until_s - since_s, 720.0 - until_s

    gained_km_s, moved_km = unexplained_steps(tai_us, states[:, :3], states[:, 3:], pull_km_s2)

    # Gravity pulls otherwise where the push has moved the object: a thousandth of it in 4 minutes.
    way_km = PUSH_KM_S2 * (powered_s**2 / 2 + powered_s * left_s)
    np.testing.assert_allclose(gained_km_s[2], PUSH_KM_S2 * powered_s, rtol=0.003, atol=A_TENTH_MM_S_KM_S)
    np.testing.assert_allclose(moved_km[2], way_km, rtol=0.003, atol=A_CENTIMETRE_KM)
    assert np.abs(gained_km_s[[0, 1, 3, 4]]).max() < A_TENTH_MM_S_KM_S


def test_more_steps_than_are_worked_out_together_are_all_there():
    tai_us, states = flown(1440.0, 1440.0)
    many = np.arange(9000)
    repeated_us = tai_us[0] + many * 1_000_000

    gained_km_s, moved_km = unexplained_steps(
        repeated_us, np.tile(states[0, :3], (many.size, 1)), np.tile(states[0, 3:], (many.size, 1)), pull_km_s2
    )

    assert gained_km_s.shape == moved_km.shape == (8999, 3)
    np.testing.assert_allclose(gained_km_s, np.tile(gained_km_s[0], (8999, 1)), rtol=1e-12)


def test_states_taken_by_their_rows_are_judged_as_if_no_others_stood_between():
    tai_us, states = flown(500.0, 700.0, step_s=120.0, steps=12)
    coarse = slice(None, None, 2)

    between = unexplained_between(
        tai_us, states[:, :3], states[:, 3:], pull_km_s2, np.arange(0, 12, 2), np.arange(2, 13, 2)
    )

    alone = unexplained_steps(tai_us[coarse], states[coarse, :3], states[coarse, 3:], pull_km_s2)
    np.testing.assert_array_equal(between, alone)
