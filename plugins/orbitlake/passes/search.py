"""When a value that changes along a track is above zero: rise, peak and fall, for many places at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.passes.track import STEP_S
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.roots import Rows, roots_between

WITHIN_S: Final = 1e-4
"""How near a search comes to a root."""
OVERLAP_S: Final = 0.05
"""Values at nodes may be off by light time: brackets reach so much further."""
PEAK_REACH: Final = 0.6
"""Of a step: the top of a parabola through three points is at most half a step off the highest of them."""
REACH_S: Final = PEAK_REACH * STEP_S

Values = Callable[[Reals, Rows], Reals]
"""Instants (m,) and for which place each is -> values or rates (m,)."""


@dataclass(frozen=True, slots=True)
class Found:
    """Spans above zero: the number of the place, and rise, peak and fall in seconds of the track; (n,) each."""

    place: Rows
    rise_s: Reals
    peak_s: Reals
    fall_s: Reals

    def of_rows(self, rows: NDArray[np.bool_]) -> "Found":
        """Return some of them."""
        return Found(*(getattr(self, name)[rows] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Bracketed:
    """Where spans above zero lie between nodes, as numbers of nodes (n,): rise is between `before` and `first`.

    The fall is between `last` and `after`, the peak beside `top`. Where no node is above zero, `first` and `last` are
    `top`, which may be below.
    """

    before: Rows
    first: Rows
    top: Rows
    last: Rows
    after: Rows


def bracket(value: Reals, reach: Reals) -> Bracketed:
    """Return the spans above zero of values at nodes (n,), NaN where not known; `reach` is how far a peak beside a node
    may be above it (n,).

    A span that goes on at either end, or at a hole, is none: when it begins or ends is not known.
    """
    inner = value[1:-1]
    # Where values stand still the last one counts.
    tops = np.flatnonzero((inner >= value[:-2]) & (inner > value[2:])) + 1
    above = np.concatenate(([False], value > 0.0, [False]))
    edges = np.diff(above.astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    has_ends = (first > 0) & (last < value.size - 1)
    first, last = first[has_ends], last[has_ends]
    has_ends = np.isfinite(value[first - 1]) & np.isfinite(value[last + 1])
    first, last = first[has_ends], last[has_ends]

    high = tops[value[tops] > 0.0]
    span = np.searchsorted(first, high, side="right") - 1
    is_within = (span >= 0) & (high <= last[np.maximum(span, 0)]) if first.size else np.zeros(high.size, dtype=np.bool_)
    high, span = high[is_within], span[is_within]
    order = np.lexsort((value[high], span))
    spans, from_end = np.unique(span[order][::-1], return_index=True)
    top = high[order][::-1][from_end]
    first, last = first[spans], last[spans]

    low = tops[(value[tops] <= 0.0) & (value[tops] + reach[tops] > 0.0)]
    columns = ((first - 1, low - 1), (first, low), (top, low), (last, low), (last + 1, low + 1))
    return Bracketed(*(np.concatenate(column) for column in columns))


def search(node_s: Reals, at_nodes: Iterable[tuple[Reals, Reals]], value: Values, rate: Values) -> Found:
    """Return the spans above zero of all places: values at nodes and what may be beside them (see `bracket`), place by
    place, and value and rate at any instant.

    What rises and falls between two neighbouring nodes is found as well; a dip below zero between them is not.
    """
    found = [bracket(*of_place) for of_place in at_nodes]
    place = np.repeat(np.arange(len(found)), [each.top.size for each in found])
    before, first, top, last, after = (
        np.concatenate([getattr(each, name) for each in found]) if found else np.empty(0, dtype=np.int64)
        for name in Bracketed.__slots__
    )
    peak_s = _roots(rate, place, node_s[top - 1], node_s[top + 1])
    peak_s = np.where(np.isnan(peak_s), node_s[top], peak_s)
    is_span = value(peak_s, place) > 0.0
    place, peak_s = place[is_span], peak_s[is_span]
    before, first, top, last, after = (each[is_span] for each in (before, first, top, last, after))
    # Of a span between nodes the peak is all that is known to be above zero.
    is_short = (first == top) & (last == top)
    rise_s = _roots(value, place, node_s[before] - OVERLAP_S, np.where(is_short, peak_s, node_s[first] + OVERLAP_S))
    fall_s = _roots(value, place, np.where(is_short, peak_s, node_s[last] - OVERLAP_S), node_s[after] + OVERLAP_S)
    result = Found(place, rise_s, peak_s, fall_s)
    return result.of_rows((rise_s < peak_s) & (peak_s < fall_s))


def _roots(function: Values, place: Rows, low_s: Reals, high_s: Reals) -> Reals:
    return roots_between(lambda at_s, rows: function(at_s, place[rows]), low_s, high_s, within=WITHIN_S)
