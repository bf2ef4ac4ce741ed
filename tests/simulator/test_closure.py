"""The search for a cycle that closes, on a gap that is known."""

from dataclasses import astuple

import numpy as np
import pytest

from orbitlake.simulator import closure
from orbitlake.simulator.station import Design

SOUGHT = np.array(astuple(Design()))


FAR = SOUGHT + 50.0 * closure.NUDGES


def curved(numbers: np.ndarray) -> np.ndarray:
    """A gap that is 1 and a little more a hundred nudges off."""
    off = (numbers - SOUGHT) / (100.0 * closure.NUDGES)
    return off + 0.1 * off**2


def test_the_search_finds_the_design_whose_gap_vanishes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(closure, "gap_of", curved)

    found = closure.close_cycle(Design(*FAR))

    assert np.abs(curved(np.array(astuple(found)))).max() < closure.CLOSED_KM
    np.testing.assert_array_less(np.abs(astuple(found) - SOUGHT), 1e-3 * closure.NUDGES)


def test_a_gap_that_does_not_vanish_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(closure, "gap_of", lambda numbers: 1.0 + curved(numbers) ** 2)

    with pytest.raises(ArithmeticError, match="did not close in 12 rounds"):
        closure.close_cycle(Design(*FAR))
