"""States between the states of an ephemeris: piecewise Hermite polynomials that stop at every burn edge."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Rows = NDArray[np.int64]

NODES: Final = 4
"""States a polynomial passes through, two on either side: degree 7, centimetres on a grid of 240 s in low orbit."""
TERMS: Final = 2 * NODES
LEAST_GAP: Final = 0.5
"""Outer nodes stand this share of the interval off the inner ones: the polynomial through a state 3 s beside another
multiplies the rounding of their epochs, 1 ms or 8 m, by the square of the interval over those 3 s."""
LONGEST_STEP_RAD: Final = 1.0
"""Across a hole through which an object turns further about its centre, a polynomial of degree 7 misses by more than
0.1 km: nothing is interpolated there."""
AT_ONCE: Final = 8_192
"""States worked out together: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class HermitePath:
    """One polynomial for each interval between states. Shapes: epoch_s (n,), coefficients (TERMS, n - 1, 3) in km.

    The variable of a polynomial runs from -1 at its interval's start to 1 at its end.
    """

    epoch_s: Reals
    coefficients: Reals

    @classmethod
    def through(
        cls, epoch_s: Reals, position_km: Reals, velocity_km_s: Reals, *, edge: NDArray[np.bool_] | None = None
    ) -> Self:
        """Return the path through states: (n,), (n, 3), (n, 3).

        Epochs rise strictly and count from any origin. `edge` (n,) marks states where the acceleration jumps: no
        polynomial reaches across one. Raises ValueError for epochs that do not rise.
        """
        epoch_s = np.asarray(epoch_s, dtype=np.float64)
        coefficients = np.full((TERMS, max(epoch_s.size - 1, 0), 3), np.nan)
        if not np.all(np.diff(epoch_s) > 0.0):
            raise ValueError("epochs do not rise strictly")
        if epoch_s.size > 1:
            nodes = _nodes(epoch_s, edge)
            counts = (nodes >= 0).sum(axis=1)
            is_near = _turned_rad(epoch_s, position_km, velocity_km_s) <= LONGEST_STEP_RAD
            for count in np.unique(counts):
                chosen = np.flatnonzero((counts == count) & is_near)
                of_chosen = nodes[chosen]
                node = of_chosen[of_chosen >= 0].reshape(-1, count)
                middle_s = 0.5 * (epoch_s[chosen] + epoch_s[chosen + 1])
                half_s = 0.5 * (epoch_s[chosen + 1] - epoch_s[chosen])
                at = (epoch_s[node] - middle_s[:, np.newaxis]) / half_s[:, np.newaxis]
                slope_km = velocity_km_s[node] * half_s[:, np.newaxis, np.newaxis]
                coefficients[:, chosen] = 0.0
                coefficients[: 2 * count, chosen] = _monomials(at, position_km[node], slope_km)
        return cls(epoch_s, coefficients)

    def states(self, at_s: Reals) -> tuple[Reals, Reals]:
        """Return positions (km) and velocities (km/s) at times (m,) -> two (m, 3); NaN outside of the epochs.

        Nothing is extrapolated, and nothing told of a hole too long to bridge.
        """
        at_s = np.asarray(at_s, dtype=np.float64)
        position_km, velocity_km_s = (np.full((at_s.size, 3), np.nan) for _ in range(2))
        if self.epoch_s.size < 2:
            return position_km, velocity_km_s
        for start in range(0, at_s.size, AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            self._evaluate(at_s[rows], position_km[rows], velocity_km_s[rows])
        return position_km, velocity_km_s

    def _evaluate(self, at_s: Reals, position_km: Reals, velocity_km_s: Reals) -> None:
        """Write the states at some times into the arrays given, by Horner's rule for value and slope together."""
        interval = np.clip(np.searchsorted(self.epoch_s, at_s, side="right") - 1, 0, self.epoch_s.size - 2)
        start_s = self.epoch_s[interval]
        half_s = 0.5 * (self.epoch_s[interval + 1] - start_s)
        at = ((at_s - start_s) / half_s - 1.0)[:, np.newaxis]
        value = self.coefficients[-1].take(interval, axis=0)
        slope = value.copy()
        for term in range(TERMS - 2, 0, -1):
            value *= at
            value += self.coefficients[term].take(interval, axis=0)
            slope *= at
            slope += value
        value *= at
        value += self.coefficients[0].take(interval, axis=0)
        slope /= half_s[:, np.newaxis]
        outside = (at_s < self.epoch_s[0]) | (at_s > self.epoch_s[-1])
        value[outside], slope[outside] = np.nan, np.nan
        position_km[:], velocity_km_s[:] = value, slope


def _turned_rad(epoch_s: Reals, position_km: Reals, velocity_km_s: Reals) -> Reals:
    """Return how far the direction from the centre turns from state to state, by the faster of both: (n - 1,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        area_km2_s = np.sqrt((np.cross(position_km, velocity_km_s) ** 2).sum(axis=1))
        rate_rad_s = np.nan_to_num(area_km2_s / (np.asarray(position_km) ** 2).sum(axis=1))
    turned_rad: Reals = np.diff(epoch_s) * np.maximum(rate_rad_s[1:], rate_rad_s[:-1])
    return turned_rad


def _nodes(epoch_s: Reals, edge: NDArray[np.bool_] | None) -> Rows:
    """Return the states that the polynomial of each interval passes through, in order: (n - 1, NODES), else -1.

    Two on either side; nearer to the end of a smooth piece more from within it.
    """
    first, last = pieces(epoch_s.size, edge)
    interval = np.arange(epoch_s.size - 1)
    gap_s = LEAST_GAP * np.diff(epoch_s)

    def before(node: Rows) -> Rows:
        found = np.searchsorted(epoch_s, epoch_s[node] - gap_s, side="right") - 1
        return np.where((node >= 0) & (found >= first), found, -1)

    def after(node: Rows) -> Rows:
        found = np.searchsorted(epoch_s, epoch_s[node] + gap_s, side="left")
        return np.where((node >= 0) & (found <= last), found, -1)

    left, right = before(interval), after(interval + 1)
    further_left = np.where(right < 0, before(left), -1)
    further_right = np.where(left < 0, after(right), -1)
    return np.column_stack((further_left, left, interval, interval + 1, right, further_right))


def pieces(states: int, edge: NDArray[np.bool_] | None) -> tuple[Rows, Rows]:
    """Return the first and the last state of the smooth piece around each of the `states` - 1 intervals."""
    bounds = np.unique(np.concatenate(([0], np.flatnonzero(edge) if edge is not None else [], [states - 1])))
    piece = np.searchsorted(bounds, np.arange(states - 1), side="right") - 1
    return bounds[piece].astype(np.int64), bounds[piece + 1].astype(np.int64)


def _monomials(at: Reals, value: Reals, slope: Reals) -> Reals:
    """Return the coefficients of the Hermite polynomials through nodes: (m, k), (m, k, 3) twice -> (2 k, m, 3).

    Newton's form over doubled nodes (Stoer and Bulirsch, Introduction to Numerical Analysis, 2.1.5), multiplied out.
    """
    node = np.repeat(at, 2, axis=1)
    divided = np.repeat(value, 2, axis=1)
    newton = [divided[:, 0]]
    for order in range(1, node.shape[1]):
        span = (node[:, order:] - node[:, :-order])[..., np.newaxis]
        with np.errstate(divide="ignore", invalid="ignore"):
            divided = np.diff(divided, axis=1) / span
        if order == 1:
            divided[:, ::2] = slope  # over a doubled node
        newton.append(divided[:, 0])
    result = np.zeros((len(newton), *newton[0].shape))
    result[0] = newton[-1]
    for order in range(len(newton) - 2, -1, -1):
        by_node = result * node[:, order, np.newaxis]
        result[1:] = result[:-1].copy()
        result[0] = newton[order]
        result -= by_node
    return result
