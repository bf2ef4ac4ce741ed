"""Spans above zero: one where it is one, however short or high; none where its beginning or end is not known."""

import numpy as np
import pytest

from orbitlake.passes.search import bracket, search

STEP_S = 60.0
NODE_S = np.arange(0.0, 6001.0, STEP_S)
ONE_MILLISECOND = 1e-3


def found(function, reach: float = 0.5, node_s: np.ndarray = NODE_S, places: int = 1):
    """Search a function of time and place, with its rate by difference."""
    return search(
        node_s,
        [(function(node_s, np.full(node_s.size, place)), np.full(node_s.size, reach)) for place in range(places)],
        function,
        lambda at_s, place: function(at_s + 0.01, place) - function(at_s - 0.01, place),
    )


def bump(middle_s: float, half_s: float):
    """Return a function that is above zero for so long around its middle."""
    return lambda at_s, _: 1.0 - ((at_s - middle_s) / half_s) ** 2


@pytest.mark.parametrize("half_s", [2000.0, 300.0, 61.0, 30.0, 29.0, 5.0, 0.5])
@pytest.mark.parametrize("middle_s", [3000.0, 3030.0, 3011.7])
def test_a_span_is_one_whether_nodes_lie_in_it_or_not(middle_s, half_s):
    spans = found(bump(middle_s, half_s), reach=1e9)

    assert spans.place.size == 1
    times = np.array([spans.rise_s[0], spans.peak_s[0], spans.fall_s[0]])
    assert np.abs(times - [middle_s - half_s, middle_s, middle_s + half_s]).max() < ONE_MILLISECOND


def test_what_stays_below_zero_between_nodes_as_well_is_none():
    assert found(lambda at_s, _: -1e-6 - ((at_s - 3030.0) / 30.0) ** 2, reach=1e9).place.size == 0


def test_a_span_with_two_peaks_is_one_and_has_the_higher_one():
    spans = found(lambda at_s, _: np.cos(at_s / 2000.0 * 2 * np.pi) * 0.3 + 0.001 * (at_s - 3000) / 60 + 0.5
                  - ((at_s - 3000.0) / 1900.0) ** 2)  # fmt: skip

    assert spans.place.size == 1
    assert spans.peak_s[0] > 3000.0


def test_spans_that_go_on_at_either_end_are_none():
    # Above zero at both ends, and five times in between.
    spans = found(lambda at_s, _: np.cos(at_s / 1000.0 * 2 * np.pi))

    assert np.abs(spans.peak_s - np.arange(1000.0, 5001.0, 1000.0)).max() < ONE_MILLISECOND


@pytest.mark.parametrize("hole", [44, 45, 50, 55, 56])
def test_a_span_with_a_hole_in_it_or_beside_it_is_none(hole):
    value = bump(3000.0, 330.0)(NODE_S, None)
    assert bracket(value, np.ones(value.size)).top.tolist() == [50]
    value[hole] = np.nan

    assert bracket(value, np.ones(value.size)).top.tolist() == []


@pytest.mark.parametrize("hole", [43, 57])
def test_a_hole_further_off_does_not_matter(hole):
    value = bump(3000.0, 330.0)(NODE_S, None)
    value[hole] = np.nan

    assert bracket(value, np.ones(value.size)).top.tolist() == [50]


def test_places_are_told_apart():
    middles_s = np.array([1000.0, 2000.0, 5000.0])
    spans = found(lambda at_s, place: 1.0 - ((at_s - middles_s[place]) / 200.0) ** 2, places=3)

    assert spans.place.tolist() == [0, 1, 2]
    assert np.abs(spans.peak_s - middles_s).max() < ONE_MILLISECOND


def test_no_place_has_no_span():
    assert search(NODE_S, [], lambda at_s, _: at_s, lambda at_s, _: at_s).place.size == 0
