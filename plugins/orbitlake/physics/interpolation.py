"""States between the states of an ephemeris: piecewise Hermite polynomials that stop at every burn edge."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

NODES: Final = 4
"""States a polynomial passes through, two on either side: degree 7, centimetres on a grid of 240 s in low orbit."""


def hermite(
    epoch_s: NDArray[np.float64],
    position_km: NDArray[np.float64],
    velocity_km_s: NDArray[np.float64],
    at_s: NDArray[np.float64],
    *,
    edge: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return the positions (km) at the times `at_s`: (n,), (n, 3), (n, 3), (m,) -> (m, 3).

    Epochs rise strictly and count from any origin. `edge` (n,) marks states where the acceleration jumps: no polynomial
    reaches across one. Times outside the epochs give NaN: nothing is extrapolated. Raises ValueError for epochs that do
    not rise. Newton's form over doubled nodes: Stoer and Bulirsch, Introduction to Numerical Analysis, 2.1.5.
    """
    epoch_s = np.asarray(epoch_s, dtype=np.float64)
    at_s = np.asarray(at_s, dtype=np.float64)
    result = np.full((at_s.size, 3), np.nan)
    if epoch_s.size < 2:
        return result
    if not np.all(np.diff(epoch_s) > 0.0):
        raise ValueError("epochs do not rise strictly")
    inside = np.flatnonzero((at_s >= epoch_s[0]) & (at_s <= epoch_s[-1]))
    interval = np.clip(np.searchsorted(epoch_s, at_s[inside], side="right") - 1, 0, epoch_s.size - 2)

    first, last = pieces(epoch_s.size, edge)
    count = np.minimum(NODES, last[interval] - first[interval] + 1)
    start = np.clip(interval - (count // 2 - 1), first[interval], last[interval] - count + 1)
    for nodes in np.unique(count):
        chosen = count == nodes
        node = start[chosen, np.newaxis] + np.arange(nodes)
        result[inside[chosen]] = _newton(epoch_s[node], position_km[node], velocity_km_s[node], at_s[inside[chosen]])
    return result


def pieces(states: int, edge: NDArray[np.bool_] | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last state of the smooth piece around each of the `states` - 1 intervals."""
    bounds = np.unique(np.concatenate(([0], np.flatnonzero(edge) if edge is not None else [], [states - 1])))
    piece = np.searchsorted(bounds, np.arange(states - 1), side="right") - 1
    return bounds[piece].astype(np.int64), bounds[piece + 1].astype(np.int64)


def _newton(
    epoch_s: NDArray[np.float64],
    position_km: NDArray[np.float64],
    velocity_km_s: NDArray[np.float64],
    at_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Evaluate one polynomial a row: (m, k), (m, k, 3), (m, k, 3), (m,) -> (m, 3)."""
    node_s = np.repeat(epoch_s, 2, axis=1)
    divided = np.repeat(position_km, 2, axis=1)
    coefficients = [divided[:, 0]]
    for order in range(1, node_s.shape[1]):
        span_s = (node_s[:, order:] - node_s[:, :-order])[..., np.newaxis]
        with np.errstate(divide="ignore", invalid="ignore"):
            divided = np.diff(divided, axis=1) / span_s
        if order == 1:
            divided[:, ::2] = velocity_km_s  # the slope over a doubled node is the velocity there
        coefficients.append(divided[:, 0])
    value = coefficients[-1]
    for order in range(len(coefficients) - 2, -1, -1):
        value = coefficients[order] + value * (at_s - node_s[:, order])[:, np.newaxis]
    return value
