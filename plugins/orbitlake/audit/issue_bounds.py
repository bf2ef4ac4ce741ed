"""How far an issue's prediction may be off along the track, by lead: of what is known, else of what NASA's issues were.

Known values count in steps of 1, 2 and 5: with each new issue they change by a little, and all days would be others.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from orbitlake.columns import Indices, Mask
from orbitlake.physics.kinematics import Reals
from orbitlake.trajectory.arcs import SECOND_US

DAY_S: Final = 86_400.0
FEWEST_PAIRS: Final = 10
"""Fewer pairs of issues than these say too little of the worst."""
STEPS: Final = (1.0, 2.0, 5.0, 10.0)
LEADS_D: Final = (3.0, 7.0, 10.0, 14.0)
PERCENTILE_90_KM: Final = (55.0, 219.0, 468.0, 889.0)
"""Of NASA's issues up to 2023; it held 88 to 93 % of those from 2024 on."""
GROWTH: Final = 1.76
"""The power of lead that errors grow with, for less than three days and more than fourteen."""
UNKNOWN_BURNS: Final = 2.0
"""Where a burn was changed or not announced, percentile 90 was twice that of all: a reboost that is not in the issue
makes a feed late that saw it, and none ahead. With 1.5 Open Notify of 2025-05-02 to 12 would be STALE.
"""
MOVES_BY: Final = 0.5
"""By how much of the time until it a planned burn may be flown early. Chosen so that it covers the drift of Open Notify
off the issue of 2025-03-14 from two days before its burn; that the burn was early is what the drift suggests, no more.
"""


@dataclass(frozen=True, slots=True)
class IssueBounds:
    """Bounds that are known, by whether a burn lies between, and the range of lead: km on the sphere of the ground."""

    known_km: Mapping[tuple[bool, float, float], float]

    @classmethod
    def of(cls, summary: Iterable[Mapping[str, Any]]) -> Self:
        """Take rows of prediction_error_summary of one object: percentile 99 of ranges with enough pairs, at most."""
        return cls(
            {
                (row["burn_between"], row["lead_from_s"], row["lead_to_s"]): step_above(row["p99_high_km"])
                for row in summary
                if row["n"] >= FEWEST_PAIRS
            }
        )

    def km(self, lead_s: Reals, has_burn: Mask, is_late: Mask) -> Reals:
        """Return the bounds for leads (n,): 0 for what was flown when the issue was made. `is_late` is the feed."""
        bounds_km = expected_km(lead_s) * np.where(is_late, UNKNOWN_BURNS, 1.0)
        for (with_burn, since_s, until_s), known_km in self.known_km.items():
            chosen = (has_burn == with_burn) & (lead_s >= since_s) & (lead_s < until_s)
            bounds_km[chosen] = known_km
        return np.where(lead_s > 0.0, bounds_km, 0.0)

    @property
    def text(self) -> str:
        """What changes with any of the bounds."""
        return repr(sorted(self.known_km.items()))


def expected_km(lead_s: Reals) -> Reals:
    """Return what nine of ten of NASA's predictions kept to: (n,) -> (n,)."""
    lead_d = np.maximum(lead_s, 1.0) / DAY_S
    logarithm = np.interp(np.log(lead_d), np.log(LEADS_D), np.log(PERCENTILE_90_KM))
    beyond = np.log(lead_d / np.clip(lead_d, LEADS_D[0], LEADS_D[-1]))
    return np.asarray(np.exp(logarithm + GROWTH * beyond))


def early_burn_km(epoch_us: Indices, created_us: int, ignition_us: int, delta_v_km_s: float) -> Reals:
    """Return how far along the track an object would be from its plan, had it burnt as early as it may: (n,) -> (n,).

    Faster is higher, and falls behind: by three times the delta-v over the time, in the mean of an orbit.
    """
    most_us = MOVES_BY * (ignition_us - created_us)
    since_s = np.clip(epoch_us - (ignition_us - most_us), 0.0, most_us) / SECOND_US
    return np.asarray(-3.0 * delta_v_km_s * since_s)


def step_above(value_km: float) -> float:
    """Return the least of 1, 2, 5, 10, 20 and so on that a value does not exceed."""
    power = 10.0 ** math.floor(math.log10(max(value_km, 1.0)))
    return next(power * step for step in STEPS if value_km <= power * step)
