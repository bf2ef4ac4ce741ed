"""Predictions moved by what was seen of them until a day, judged by what was seen at later ones."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.trajectory.correction import FEED_SIGMA_S, OBSERVED_UNTIL_D, PROVED_LEAD_D
from orbitlake.trajectory.issues import DAY_US
from tools.prediction.estimators import ESTIMATORS, Observed
from tools.prediction.history import History, Seen

LEADS_D: Final = (3.0, 6.0, 7.0, 10.0, 12.0, 14.0)
UNTIL_D: Final = (2.0, 3.0, 5.0, 7.0, 9.0, 12.0)
NEAR_D: Final = 0.35
"""A judgement counts for a lead that it is so near to."""
DAILY_D: Final = 0.5
"""An observation counts for a day that it is so near to."""
LEAST_WAIT_D: Final = 0.9
FEWEST_ISSUES: Final = 5
DRAWS: Final = 9
RESAMPLES: Final = 1_000
BOUNDS_PERCENT: Final = (5.0, 95.0)
SEED: Final = 20_230_324
KM_A_SECOND: Final = 7.66
Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """Predictions for one lead, observed until another: errors in km without correction and with each estimator (n,).

    `flown` tells how many of them were judged by flown states, the others by elements at their epoch.
    """

    lead_d: float
    until_d: float
    raw_km: Reals
    corrected_km: dict[str, Reals]
    flown: int

    @property
    def is_shipped(self) -> bool:
        """Whether state_at corrects such predictions."""
        within = PROVED_LEAD_D[0] <= self.lead_d <= PROVED_LEAD_D[-1]
        return bool(within and self.until_d >= np.interp(self.lead_d, PROVED_LEAD_D, OBSERVED_UNTIL_D))


def median_bounds(values: Reals) -> tuple[float, float]:
    """Return what nine of ten medians of as many values, drawn from these, keep to; always the same draws."""
    draws = np.random.default_rng(SEED).integers(0, values.size, (RESAMPLES, values.size))
    low, high = np.percentile(np.median(values[draws], axis=1), BOUNDS_PERCENT)
    return float(low), float(high)


def cells(history: History) -> list[Cell]:
    """Return all cells with enough issues."""
    seen = {number: history.seen(number) for number in range(len(history.issues.all))}
    found = (
        _cell(history, seen, lead_d, until_d) for lead_d in LEADS_D for until_d in UNTIL_D if until_d < lead_d - 0.5
    )
    return [each for each in found if each.raw_km.size >= FEWEST_ISSUES]


def by_flown_states(history: History) -> Cell:
    """Return all predictions that flown states judge at leads that ship, observed until the day that this needs.

    Its errors are not of one lead; some issues are in it more than once.
    """
    cases = []
    for number in range(len(history.issues.all)):
        seen = history.seen(number)
        for judge in np.flatnonzero(seen.is_flown).tolist():
            lead_d = float(seen.lead_d[judge])
            if PROVED_LEAD_D[0] <= lead_d <= PROVED_LEAD_D[-1]:
                until_d = float(np.ceil(np.interp(lead_d, PROVED_LEAD_D, OBSERVED_UNTIL_D)))
                cases.append(_case(history, number, seen, judge, until_d))
    return _cell_of(np.nan, np.nan, [each for each in cases if each])


def _cell(history: History, seen: dict[int, Seen], lead_d: float, until_d: float) -> Cell:
    judged = ((number, each, _judge(each, lead_d)) for number, each in seen.items())
    cases = (_case(history, *each, until_d) for each in judged)
    return _cell_of(lead_d, until_d, [each for each in cases if each])


@dataclass(frozen=True, slots=True)
class Case:
    """One prediction: its error without correction and with each estimator, in km, and what judged it."""

    raw_km: float
    corrected_km: dict[str, float]
    is_flown: bool


def _cell_of(lead_d: float, until_d: float, cases: list[Case]) -> Cell:
    return Cell(
        lead_d,
        until_d,
        np.array([each.raw_km for each in cases]),
        {name: np.array([each.corrected_km[name] for each in cases]) for name in ESTIMATORS},
        sum(each.is_flown for each in cases),
    )


def _case(history: History, number: int, seen: Seen, judge: int | None, until_d: float) -> Case | None:
    """Return what becomes of one prediction; None without a judge, an observation of late, or with a burn since."""
    rows = _daily(seen, until_d)
    if judge is None or not rows.size:
        return None
    last_d, judged_d = seen.lead_d[rows[-1]], seen.lead_d[judge]
    burn_d = _burns_d(history, number)
    is_late = last_d < until_d - 0.6 or judged_d - last_d < LEAST_WAIT_D
    if is_late or ((burn_d > last_d) & (burn_d < judged_d)).any():
        return None
    return Case(
        abs(seen.ahead_s[judge]) * KM_A_SECOND,
        _errors_km(history, number, seen, rows, judge),
        bool(seen.is_flown[judge]),
    )


def _judge(seen: Seen, lead_d: float) -> int | None:
    """Return what judges a lead: the nearest flown states, else the nearest elements, if they are near enough."""
    near = np.flatnonzero(np.abs(seen.lead_d - lead_d) <= NEAR_D)
    order = np.lexsort((np.abs(seen.lead_d[near] - lead_d), ~seen.is_flown[near]))
    return int(near[order[0]]) if near.size else None


def _daily(seen: Seen, until_d: float) -> NDArray[np.int64]:
    """Return one observation a day until a lead: the nearest to each whole day."""
    rows = set()
    for day in np.arange(1.0, until_d + 0.01):
        distance = np.where(seen.lead_d <= until_d + 0.3, np.abs(seen.lead_d - day), np.inf)
        if distance.size and distance.min() < DAILY_D:
            rows.add(int(np.argmin(distance)))
    return np.array(sorted(rows), dtype=np.int64)


def _burns_d(history: History, number: int) -> Reals:
    issue = history.issues.all[number]
    burns_us = [burn.ignition_us for burn in issue.burns if burn.cutoff_us > issue.creation_us]
    return (np.array(burns_us, dtype=np.int64) - issue.creation_us) / DAY_US


def _errors_km(history: History, number: int, seen: Seen, rows: NDArray[np.int64], judge: int) -> dict[str, float]:
    """Return the median error of each estimator over draws of the feed's noise."""
    created_us = history.issues.all[number].creation_us
    at_us = created_us + np.rint(seen.lead_d[[*rows.tolist(), judge]] * DAY_US).astype(np.int64)
    *drag_s, drag_then_s = history.path(number).drag_ahead_s(created_us, at_us).tolist()
    burn_d = _burns_d(history, number)
    burn_d = burn_d[burn_d < seen.lead_d[rows[-1]]]
    random = np.random.default_rng([SEED, number])
    noise_s = random.normal(0.0, FEED_SIGMA_S, (DRAWS, seen.lead_d.size))[:, rows]
    left_s: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    for drawn_s in noise_s:
        observed = Observed(
            seen.lead_d[rows],
            seen.ahead_s[rows] + drawn_s,
            np.full(rows.size, FEED_SIGMA_S),
            np.array(drag_s),
            burn_d,
        )
        for name, estimate in ESTIMATORS.items():
            ahead_s = estimate(observed, float(seen.lead_d[judge]), drag_then_s)
            left_s[name].append(np.nan if ahead_s is None else abs(seen.ahead_s[judge] - ahead_s))
    return {name: float(np.median(values)) * KM_A_SECOND for name, values in left_s.items()}
