"""Integrates an orbit arc by arc into Chebyshev polynomials: a state at any moment is then a sum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
Acceleration = Callable[[NDArray[np.float64], Vectors, Vectors], Vectors]
"""Seconds (n,), inertial positions (n, 3) in km and velocities (n, 3) in km/s -> accelerations (n, 3) in km/s^2."""

DEGREE: Final = 32
MOST_ITERATIONS: Final = 60
SETTLED_KM: Final = 1e-9
"""Iteration ends once no node moves by more: each round moves them by a tenth or so of the round before."""


class NotSettledError(ArithmeticError):
    """An arc is too long for its forces: the iteration did not come to rest."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A stretch without a jump in the forces, up to `end_s` seconds after the start of the whole."""

    end_s: float
    acceleration_km_s2: Acceleration


@dataclass(frozen=True, slots=True)
class Ephemeris:
    """States as polynomials of time. Shapes: edges_s (m + 1,), coefficients (m, DEGREE + 1, 6) in km and km/s."""

    edges_s: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    def states(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return positions and velocities (n, 6) at seconds (n,) after the start. ValueError outside the arcs."""
        if seconds.size and not (seconds.min() >= self.edges_s[0] and seconds.max() <= self.edges_s[-1]):
            raise ValueError(f"seconds are outside {self.edges_s[0]} to {self.edges_s[-1]}")
        arc = np.clip(np.searchsorted(self.edges_s, seconds, side="right") - 1, 0, len(self.coefficients) - 1)
        start, end = self.edges_s[arc], self.edges_s[arc + 1]
        powers = chebyshev.chebvander((2.0 * seconds - start - end) / (end - start), DEGREE)
        states: NDArray[np.float64] = np.matvec(self.coefficients[arc].transpose(0, 2, 1), powers)
        return states


def propagate(state: NDArray[np.float64], arcs: Sequence[Arc]) -> Ephemeris:
    """Integrate from `state` (6,), in km and km/s, at second 0 through `arcs` in order. Raises NotSettledError.

    Picard iteration on the Chebyshev nodes of an arc (Bai and Junkins, Modified Chebyshev-Picard Iteration Methods,
    2011): arcs of 40 minutes in low orbit settle in about thirteen rounds.
    """
    edges_s = np.array([0.0, *(arc.end_s for arc in arcs)])
    coefficients = np.empty((len(arcs), DEGREE + 1, 6))
    for index, arc in enumerate(arcs):
        nodes = _settle(state, float(edges_s[index]), arc)
        coefficients[index] = _COEFFICIENTS_OF_NODES @ nodes
        state = nodes[-1]
    return Ephemeris(edges_s, coefficients)


def _settle(start: NDArray[np.float64], start_s: float, arc: Arc) -> NDArray[np.float64]:
    """Return the states (DEGREE + 1, 6) at the nodes of one arc."""
    duration_s = arc.end_s - start_s
    seconds = start_s + 0.5 * duration_s * (1.0 + _NODES)
    integral = 0.5 * duration_s * _INTEGRAL_OF_NODES
    position = start[:3] + (seconds - start_s)[:, np.newaxis] * start[3:]
    velocity = np.broadcast_to(start[3:], position.shape)
    for _ in range(MOST_ITERATIONS):
        velocity = start[3:] + integral @ arc.acceleration_km_s2(seconds, position, velocity)
        moved = start[:3] + integral @ velocity
        step_km = np.abs(moved - position).max()
        position = moved
        if step_km < SETTLED_KM:
            return np.hstack([position, velocity])
    raise NotSettledError(f"an arc of {duration_s} s still moves by {step_km} km after {MOST_ITERATIONS} rounds")


_NODES: Final = -np.cos(np.pi * np.arange(DEGREE + 1) / DEGREE)
_COEFFICIENTS_OF_NODES: Final = np.linalg.inv(chebyshev.chebvander(_NODES, DEGREE))
_INTEGRAL_OF_NODES: Final = (
    chebyshev.chebvander(_NODES, DEGREE + 1) @ chebyshev.chebint(np.eye(DEGREE + 1), lbnd=-1) @ _COEFFICIENTS_OF_NODES
)
