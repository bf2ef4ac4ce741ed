"""What gravity leaves unexplained of the motion from state to state: change of velocity and of position."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

SECOND_US: Final = 1_000_000
AT_ONCE: Final = 4_096
"""Steps whose gravity is held in memory together."""


def unexplained_steps(
    tai_us: NDArray[np.int64],
    position_km: Vectors,
    velocity_km_s: Vectors,
    pull_km_s2: Callable[[NDArray[np.int64], Vectors], Vectors],
    *,
    nodes: int = 4,
) -> tuple[Vectors, Vectors]:
    """Return what each step gains (km/s) and moves (km) beyond a coast: (n,), (n, 3) twice -> two (n - 1, 3).

    A constant push a over the last t seconds of a step gains a t and moves a t^2 / 2. Gravity is summed at the nodes of
    Gauss and Legendre, along the quintic through position, velocity and gravity at both ends: in low orbit it is 6 cm
    off in the middle of 240 s, 4 m of 480 s, whose gravity is nearly the same.
    """
    found = [
        _steps(tai_us[rows], position_km[rows], velocity_km_s[rows], pull_km_s2, nodes)
        for start in range(0, max(tai_us.size - 1, 1), AT_ONCE)
        for rows in [slice(start, start + AT_ONCE + 1)]
    ]
    gained, moved = zip(*found, strict=True)
    return np.concatenate(gained), np.concatenate(moved)


def _steps(
    tai_us: NDArray[np.int64],
    position_km: Vectors,
    velocity_km_s: Vectors,
    pull_km_s2: Callable[[NDArray[np.int64], Vectors], Vectors],
    nodes: int,
) -> tuple[Vectors, Vectors]:
    at, weight = np.polynomial.legendre.leggauss(nodes)
    at, weight = 0.5 * (at + 1.0), 0.5 * weight
    step_us = np.diff(tai_us)
    h = step_us[:, np.newaxis] / SECOND_US
    pull = pull_km_s2(tai_us, position_km)
    first, slope, curve = position_km[:-1], velocity_km_s[:-1] * h, pull[:-1] * h**2 / 2.0
    ahead = position_km[1:] - first - slope - curve
    ahead_slope = velocity_km_s[1:] * h - slope - 2.0 * curve
    ahead_curve = pull[1:] * h**2 - 2.0 * curve
    cubic = 10.0 * ahead - 4.0 * ahead_slope + ahead_curve / 2.0
    quartic = -15.0 * ahead + 7.0 * ahead_slope - ahead_curve
    quintic = 6.0 * ahead - 3.0 * ahead_slope + ahead_curve / 2.0
    path_km = [first + u * (slope + u * (curve + u * (cubic + u * (quartic + u * quintic)))) for u in at]
    epoch_us = np.concatenate([tai_us[:-1] + (u * step_us).astype(np.int64) for u in at])
    pulls = pull_km_s2(epoch_us, np.concatenate(path_km)).reshape(nodes, -1, 3)
    gained_km_s = (
        velocity_km_s[1:] - velocity_km_s[:-1] - h * sum(w * each for w, each in zip(weight, pulls, strict=True))
    )
    moved_km = (
        position_km[1:]
        - first
        - slope
        - h**2 * sum(w * (1.0 - u) * each for w, u, each in zip(weight, at, pulls, strict=True))
    )
    return gained_km_s, moved_km
