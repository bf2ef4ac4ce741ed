"""Ways to tell from observations how far an object will be ahead of its issue: the one that ships, and what it beat."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.trajectory.correction import DRAG_SHARE, DRIFT_S, Correction

Reals = NDArray[np.float64]
FADES_D: Final = 4.0
"""Days after which an observation is taken to be off by e times as much."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Observations of one issue in order (n,): leads in days, how far ahead in seconds, and drag's displacement there.

    `burn_d` are the leads of its planned burns before the last one.
    """

    lead_d: Reals
    ahead_s: Reals
    sigma_s: Reals
    drag_s: Reals
    burn_d: Reals


Estimator = Callable[[Observed, float, float], float | None]
"""Observations, lead in days and drag's displacement there -> seconds ahead, None where they are too few."""


def shipped(seen: Observed, lead_d: float, drag_s: float) -> float:
    """Shares of drag and of drift, each as likely as orbits make them; nothing where noise is the greater of both."""
    fit = Correction.fit(seen.lead_d * 86_400.0, seen.ahead_s, seen.sigma_s, seen.drag_s)
    ahead_s, sigma_s = fit.at(np.array([lead_d * 86_400.0]), np.array([drag_s]))
    return float(ahead_s[0]) if abs(ahead_s[0]) > sigma_s[0] else 0.0


def newest_first(seen: Observed, lead_d: float, drag_s: float) -> float:
    """The same, where an observation counts the less the older it is: drag changes from day to day."""
    aged_s = seen.sigma_s * np.exp((seen.lead_d[-1] - seen.lead_d) / FADES_D)
    return shipped(replace(seen, sigma_s=aged_s), lead_d, drag_s)


def last_scaled(seen: Observed, _: float, drag_s: float) -> float:
    """The last observation, scaled as drag displaces the issue."""
    return float(seen.ahead_s[-1] / seen.drag_s[-1] * drag_s)


def drag_alone(seen: Observed, _: float, drag_s: float) -> float:
    """One share of drag through all observations, by least squares."""
    return float((seen.ahead_s * seen.drag_s).sum() / (seen.drag_s**2).sum() * drag_s)


def drag_and_drift(seen: Observed, lead_d: float, drag_s: float) -> float | None:
    """Shares of drag and of drift by plain least squares."""
    if seen.lead_d.size < 3:
        return None
    shapes = np.column_stack((seen.drag_s, seen.lead_d))
    return float(np.linalg.lstsq(shapes, seen.ahead_s)[0] @ (drag_s, lead_d))


def drag_and_burns(seen: Observed, lead_d: float, drag_s: float) -> float:
    """A share of drag, and a drift from each planned burn on, each as likely as orbits make them."""
    since_burns = [np.maximum(seen.lead_d - each, 0.0) for each in seen.burn_d]
    shapes = np.column_stack((seen.drag_s, *since_burns)) / seen.sigma_s[:, np.newaxis]
    prior = np.diag([DRAG_SHARE**-2, *(DRIFT_S**-2 for _ in since_burns)])
    share = np.linalg.solve(shapes.T @ shapes + prior, shapes.T @ (seen.ahead_s / seen.sigma_s))
    return float(share @ (drag_s, *(lead_d - each for each in seen.burn_d)))


ESTIMATORS: Final[dict[str, Estimator]] = {
    "drag and drift, weighed (shipped)": shipped,
    "drag and drift, the newest most": newest_first,
    "drag and drift, plain least squares": drag_and_drift,
    "drag and planned burns, weighed": drag_and_burns,
    "drag alone, least squares": drag_alone,
    "last observation, scaled": last_scaled,
}
