"""When a push began and ended, from what states show of it: exact where they say it, honest where they do not."""

import numpy as np
import pytest

from orbitlake.physics.ramp import Record, fit_ramp

STEP_S = 240.0
AT_S = np.arange(17) * STEP_S
PUSH = 1.5e-6
SIGMAS = (2e-6, 3e-4, 2e-6, 0.011)
"""In km/s and km: velocity and position before the push is over, and after, where printed epochs are off."""


def record(*pushes: tuple[float, float, float]) -> Record:
    """Return what pushes (begin, end, acceleration) gain and move in each step of 240 s."""
    gained, moved = np.zeros(AT_S.size - 1), np.zeros(AT_S.size - 1)
    for since_s, until_s, push in pushes:
        begin, end = (np.clip(edge_s - AT_S[:-1], 0, STEP_S) for edge_s in (since_s, until_s))
        gained += push * (end - begin)
        moved += push * (end - begin) * (STEP_S - (begin + end) / 2)
    return Record(AT_S, gained, moved, *SIGMAS)


def fitted(found: Record) -> tuple[float, float, float]:
    ramp = fit_ramp(found, 3 * STEP_S, 13 * STEP_S)
    return ramp.start_s, ramp.stop_s, ramp.gained


@pytest.mark.parametrize("since_s", [1441.0, 1500.0, 1590.0, 1679.0])
@pytest.mark.parametrize("length_s", [260.0, 500.0, 1100.0])
def test_a_steady_push_across_states_is_met_within_seconds(since_s, length_s):
    start_s, stop_s, gained = fitted(record((since_s, since_s + length_s, PUSH)))

    assert start_s == pytest.approx(since_s, abs=10)
    assert stop_s == pytest.approx(since_s + length_s, abs=10)
    assert gained == pytest.approx(PUSH * length_s, rel=0.02)


@pytest.mark.parametrize(("since_s", "length_s"), [(1445.0, 225.0), (1530.0, 48.0), (1445.0, 20.0), (1600.0, 70.0)])
def test_a_push_within_a_step_is_in_its_middle_and_within_a_minute_at_both_ends(since_s, length_s):
    """Any length about its middle gains and moves the same: half of the longest one is never far off."""
    start_s, stop_s, gained = fitted(record((since_s, since_s + length_s, 4e-4 / length_s)))

    assert (start_s + stop_s) / 2 == pytest.approx(since_s + length_s / 2, abs=15)
    assert start_s == pytest.approx(since_s, abs=60)
    assert stop_s == pytest.approx(since_s + length_s, abs=60)
    assert gained == pytest.approx(4e-4, rel=0.02)


def test_how_far_an_edge_may_be_off_is_told():
    within = fit_ramp(record((1530.0, 1578.0, 1e-5)), 3 * STEP_S, 13 * STEP_S)
    across = fit_ramp(record((1500.0, 2300.0, PUSH)), 3 * STEP_S, 13 * STEP_S)

    assert within.start_sigma_s > 10
    assert across.start_sigma_s < 10


@pytest.mark.parametrize("since_s", [1500.0, 1600.0, 1640.0])
def test_an_engine_that_settles_at_half_its_push_began_when_it_settled(since_s):
    start_s, stop_s, _ = fitted(record((since_s, since_s + 180, PUSH / 2), (since_s + 180, 2600.0, PUSH)))

    assert start_s == pytest.approx(since_s, abs=30)
    assert stop_s == pytest.approx(2600.0, abs=30)


def test_a_push_that_grows_ends_where_it_ends():
    start_s, stop_s, _ = fitted(record(*((1440.0 + 60 * n, 1500.0 + 60 * n, PUSH * (1 + n / 20)) for n in range(13))))

    assert start_s == pytest.approx(1440.0, abs=10)
    assert stop_s == pytest.approx(2220.0, abs=30)


def test_an_epoch_that_is_off_beside_a_push_does_not_move_its_edges():
    """A state printed 1 ms late after the cut-off, whose velocity an interpolation made 0.1 m/s wrong."""
    clean = record((1500.0, 2300.0, PUSH))
    gained, moved = clean.gained.copy(), clean.moved.copy()
    gained[11:13] += [1e-4, -1e-4]
    moved[11:13] += [0.0077, -0.03]

    start_s, stop_s, found = fitted(Record(AT_S, gained, moved, *SIGMAS))

    assert start_s == pytest.approx(1500.0, abs=10)
    assert stop_s == pytest.approx(2300.0, abs=30)
    assert found == pytest.approx(PUSH * 800, rel=0.05)
