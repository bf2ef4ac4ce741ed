"""When a push began and ended, from what states some time apart show of it: velocity gained and distance moved."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

GRID: Final = 128
"""Begins and ends tried for each span, all pairs of them."""
STAGES: Final = 3
LEAST_S: Final = 1.0
WIDER_SIGMAS: Final = 4.0
BEYOND_SIGMAS: Final = 5.0
BEYOND_SHARE: Final = 0.1
"""A push began in the step before its edge where that gains so many sigmas, and such a share of the step within."""
LONGEST_SHARE: Final = 1.1
"""What a push moves in a step is at most half of what it gains times the step, and something for errors."""
SAME_SHARE_AT_START: Final = 0.35
SAME_SHARE_AT_STOP: Final = 0.15
"""How far the push at an edge may differ from that beside it: engines settle before they push in full."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A push from `start_s` to `stop_s` with the standard deviations of both, and the velocity it gained in all."""

    start_s: float
    stop_s: float
    start_sigma_s: float
    stop_sigma_s: float
    gained: float


@dataclass(frozen=True, slots=True)
class Record:
    """What gravity leaves along one axis: times of states (n,), gained (n - 1,) and moved (n - 1,) by each step.

    The sigmas say how far velocity and position of a state may be off before the push is over, and after. Any units of
    length.
    """

    at_s: Reals
    gained: Reals
    moved: Reals
    gained_sigma: float
    moved_sigma: float
    gained_sigma_after: float
    moved_sigma_after: float


def fit_ramp(record: Record, since_s: float, until_s: float) -> Ramp:
    """Return the push between two times that explains a record best: means over all begins and ends that may be.

    Where both lie in one step its length is open, and comes out as half of what it can be at most.
    """
    spans = [np.linspace(since_s, until_s, GRID)] * 2
    over_s, push = since_s, abs(float(record.gained.sum())) / (until_s - since_s) * GRID / 8.0
    for _ in range(STAGES):
        # Between two times of the grid a push gains so much that neither can explain.
        blur = push * float(max(span[1] - span[0] for span in spans)) / 2.0
        ramp = _weighted(record, *_pairs(*spans), over_s, blur)
        over_s, push = ramp.stop_s, abs(ramp.gained) / max(ramp.stop_s - ramp.start_s, LEAST_S)
        spans = [
            np.linspace(max(since_s, at_s - reach_s), min(until_s, at_s + reach_s), GRID)
            for at_s, sigma_s, span in zip(
                (ramp.start_s, ramp.stop_s), (ramp.start_sigma_s, ramp.stop_sigma_s), spans, strict=True
            )
            for reach_s in [WIDER_SIGMAS * sigma_s + 2.0 * float(span[1] - span[0])]
        ]
    return _sharper(record, ramp)


def _pairs(starts_s: Reals, stops_s: Reals) -> tuple[Reals, Reals]:
    start_s, stop_s = np.meshgrid(starts_s, stops_s, indexing="ij")
    is_span = stop_s - start_s >= LEAST_S
    return start_s[is_span], stop_s[is_span]


def _weighted(record: Record, start_s: Reals, stop_s: Reals, over_s: float, blur: float) -> Ramp:
    """Return the mean ramp over pairs of begin and end, each weighed by how well it explains the record.

    From `over_s` on states are those of after the push; `blur` is what velocities may be off besides.
    """
    at_s = record.at_s
    gained = np.concatenate(([0.0], np.cumsum(record.gained)))
    moved = np.concatenate(([0.0], np.cumsum(record.moved + gained[:-1] * np.diff(at_s))))
    is_over = at_s >= over_s
    of_gained = np.where(is_over, record.gained_sigma_after, record.gained_sigma)
    of_moved = np.where(is_over, record.moved_sigma_after, record.moved_sigma)
    sigma = np.concatenate((np.hypot(of_gained, blur), np.hypot(of_moved, of_gained * (at_s - at_s[0]) / 2.0)))
    seen = np.concatenate((gained, moved)) / sigma
    powered_s = np.clip(at_s - start_s[:, np.newaxis], 0.0, (stop_s - start_s)[:, np.newaxis])
    length_s = (stop_s - start_s)[:, np.newaxis]
    after_s = np.maximum(at_s - stop_s[:, np.newaxis], 0.0)
    of_push = np.hstack((powered_s / length_s, powered_s**2 / (2.0 * length_s) + after_s)) / sigma
    # The state that all is counted from is off, too: by a velocity, which also moves, and by a position.
    zeros, ones = np.zeros(at_s.size), np.ones(at_s.size)
    of_velocity = np.concatenate((ones, at_s - at_s[0])) / sigma
    of_position = np.concatenate((zeros, ones)) / sigma
    basis = _orthonormal(of_velocity, of_position)
    rest = seen - basis @ seen @ basis
    push = of_push - of_push @ basis.T @ basis
    total = push @ rest / (push * push).sum(axis=1)
    left = rest - total[:, np.newaxis] * push
    misfit = (left * left).sum(axis=1)
    likely = np.exp(-0.5 * (misfit - misfit.min()))
    likely /= likely.sum()
    (start, start_sigma), (stop, stop_sigma) = (_moments(values, likely) for values in (start_s, stop_s))
    return Ramp(start, stop, start_sigma, stop_sigma, float((likely * total).sum()))


def _orthonormal(first: Reals, second: Reals) -> Reals:
    """Return two rows (n,) made orthonormal: (2, n)."""
    first = first / np.sqrt((first * first).sum())
    second = second - (first * second).sum() * first
    return np.stack((first, second / np.sqrt((second * second).sum())))


def _moments(values: Reals, likely: Reals) -> tuple[float, float]:
    mean = float((likely * values).sum())
    return mean, float(np.sqrt((likely * (values - mean) ** 2).sum()))


def _sharper(record: Record, ramp: Ramp) -> Ramp:
    """Return a ramp whose edges follow from the steps they lie in, where a step in full push stands between the two.

    The push need then not be constant all along. How long it lasted within a step follows from what it moved over what
    it gained, and from what it gained over the push beside it; both count by what they can be off.
    """
    at_s = record.at_s
    first, last = (int(np.searchsorted(at_s, edge_s, side="right")) - 1 for edge_s in (ramp.start_s, ramp.stop_s))
    h = np.diff(at_s)
    if first > 0 and _is_begun(record, first - 1, h[first - 1]):
        first -= 1
    if last - first < 2 or last >= record.gained.size:
        return ramp
    start_s, start_sigma_s, stop_s, stop_sigma_s = ramp.start_s, ramp.start_sigma_s, ramp.stop_s, ramp.stop_sigma_s
    gained, moved = record.gained, record.moved
    if (gained[first : first + 2] > record.gained_sigma).all():
        powered_s, start_sigma_s = _powered_s(
            2.0 * moved[first] / gained[first],
            2.0 * record.moved_sigma / gained[first],
            gained[first] / gained[first + 1] * h[first + 1],
            SAME_SHARE_AT_START,
            record.gained_sigma / gained[first + 1] * h[first + 1],
            h[first],
        )
        start_s = at_s[first + 1] - powered_s
    if (gained[last - 1 : last + 1] > record.gained_sigma_after).all():
        powered_s, stop_sigma_s = _powered_s(
            2.0 * (h[last] - moved[last] / gained[last]),
            2.0 * record.moved_sigma_after / gained[last],
            gained[last] / gained[last - 1] * h[last - 1],
            SAME_SHARE_AT_STOP,
            record.gained_sigma_after / gained[last - 1] * h[last - 1],
            h[last],
        )
        stop_s = at_s[last] + powered_s
    return Ramp(start_s, stop_s, start_sigma_s, stop_sigma_s, ramp.gained)


def _is_begun(record: Record, step: int, step_s: float) -> bool:
    """Tell whether a push acts in the last part of a step: weaker than in the next ones it may have been overlooked.

    An epoch that is off gains, too, but moves by more than any push does.
    """
    least = max(BEYOND_SIGMAS * record.gained_sigma, BEYOND_SHARE * record.gained[step + 1])
    gained, moved = record.gained[step], record.moved[step]
    return bool(gained > least and 0.0 < 2.0 * moved < LONGEST_SHARE * gained * step_s)


def _powered_s(
    by_way_s: float, by_way_sigma_s: float, by_push_s: float, share: float, by_push_sigma_s: float, most_s: float
) -> tuple[float, float]:
    """Return for how long a push acted within a step, and how far that may be off, from two estimates of it."""
    push_sigma_s = np.hypot(share * abs(by_push_s), by_push_sigma_s)
    weights = np.array([by_way_sigma_s, push_sigma_s]) ** -2.0
    powered_s = float((weights * [by_way_s, by_push_s]).sum() / weights.sum())
    return float(np.clip(powered_s, 0.0, most_s)), float(weights.sum() ** -0.5)
