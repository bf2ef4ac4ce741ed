"""Finds the numbers with which the station's cycle closes on itself; prints them for station.py (`python -m` this)."""

import math
from dataclasses import astuple
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.gravity import MU_KM3_S2
from orbitlake.simulator.station import CYCLE_S, EARTH_RATE_RAD_S, Design, fly_one_cycle

CLOSED_KM: Final = 5e-5
"""Rounding, which is another on each kind of processor, leaves up to a centimetre after 183 orbits."""
MOST_ROUNDS: Final = 12
NUDGES: Final = np.array([1e-3, 1e-6, 1e-6, 1e-14, 1e-3, 1e-6])
"""Steps of the difference quotients, one a field of Design, in its unit."""


def close_cycle(design: Design) -> Design:
    """Return the design near `design` whose cycle ends as it began. Newton's method. Raises ArithmeticError."""
    numbers = np.array(astuple(design))
    for _ in range(MOST_ROUNDS):
        gap = gap_of(numbers)
        if np.abs(gap).max() < CLOSED_KM:
            return Design(*map(float, numbers))
        slopes = [(gap_of(numbers + nudge) - gap) / step for nudge, step in zip(np.diag(NUDGES), NUDGES, strict=True)]
        numbers = numbers - np.linalg.solve(np.transpose(slopes), gap)
    raise ArithmeticError(f"the cycle did not close in {MOST_ROUNDS} rounds: it is off by {gap}")


def gap_of(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much the elements (6,) over Earth differ at the end of a cycle from those at its start, in km.

    Those without a dimension, and angles in radians, count by what they move in space: times the semi-major axis.
    """
    first, last = fly_one_cycle(Design(*map(float, numbers))).states(np.array([0.0, CYCLE_S]))
    gap = elements_of(last) - elements_of(first)
    gap[5] -= EARTH_RATE_RAD_S * CYCLE_S
    gap[4:] = [math.remainder(angle, math.tau) for angle in gap[4:]]
    gap[1:] *= numbers[0]
    return gap


def elements_of(state: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a state's a (km), e cos w, e sin w, i (rad), argument of latitude (rad) and node (rad). (6,) -> (6,)."""
    position, velocity = state[:3], state[3:]
    radius_km = float(np.linalg.norm(position))
    normal = np.cross(position, velocity)
    node = np.array([-normal[1], normal[0], 0.0]) / math.hypot(normal[0], normal[1])
    ahead = np.cross(normal, node) / np.linalg.norm(normal)
    eccentricity = np.cross(velocity, normal) / MU_KM3_S2 - position / radius_km
    return np.array(
        [
            1.0 / (2.0 / radius_km - velocity @ velocity / MU_KM3_S2),
            eccentricity @ node,
            eccentricity @ ahead,
            math.acos(normal[2] / np.linalg.norm(normal)),
            math.atan2(position @ ahead, position @ node),
            math.atan2(node[1], node[0]),
        ]
    )


if __name__ == "__main__":
    print(close_cycle(Design()))
