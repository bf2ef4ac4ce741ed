"""Many roots at once: found to the tolerance asked for, and none where there is no crossing."""

import numpy as np

from orbitlake.physics.roots import roots_between

WITHIN = 1e-9


def test_roots_of_many_functions_are_found_each_in_its_bracket():
    level = np.array([-0.9, -0.3, 0.0, 0.5, 0.99])

    found = roots_between(
        lambda at, rows: np.sin(at) - level[rows], np.full(5, -np.pi / 2), np.full(5, np.pi / 2), within=WITHIN
    )

    assert np.abs(found - np.arcsin(level)).max() < WITHIN


def test_a_flat_root_and_a_steep_one_take_no_more_than_halving():
    calls = []

    def function(at, rows):
        calls.append(at.size)
        return np.where(rows == 0, (at - 0.3) ** 9, np.sign(at - 0.7) * np.abs(at - 0.7) ** 0.1)

    found = roots_between(function, np.zeros(2), np.ones(2), within=1e-6)

    assert np.abs(found - [0.3, 0.7]).max() < 1e-6
    assert len(calls) < 60


def test_a_bracket_without_a_crossing_has_no_root_and_a_bound_may_be_one():
    found = roots_between(lambda at, rows: at**2 + [1.0, 0.0, -4.0][0] * (rows == 0) - 4.0 * (rows == 2),
                          np.array([-1.0, 0.0, 2.0]), np.array([1.0, 1.0, 3.0]), within=WITHIN)  # fmt: skip

    assert np.isnan(found[0])
    assert np.abs(found[1:] - [0.0, 2.0]).max() < WITHIN


def test_nothing_is_asked_for_nothing():
    assert roots_between(lambda at, _: at, np.empty(0), np.empty(0), within=WITHIN).size == 0
