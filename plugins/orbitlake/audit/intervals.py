"""The interval that a feed is polled at, told from the polls alone."""

from typing import Final

import numpy as np

from orbitlake.columns import Indices, Mask

Nearby = tuple[tuple[int, int], ...]
"""Polls beside a midnight: when each was asked and when it had its outcome, in microseconds since 1970."""
WINDOW: Final = 60
"""Steps on either side that say what is usual: five minutes at 5 s."""
FEW: Final = 15
"""Of fewer steps than these on one side, at an end of all records, the least counts: polls may have been missed."""
FEWEST: Final = 3
"""Fewer steps than these do not count."""
LEAST_US: Final = 1_000_000
"""A feed moves once a second: whoever asks more often is not missed for a moment."""
SLOW: Final = (9, 20)
"""A poll that takes more than 9/20 of the step to the next one may have put that off."""
TICKS_OF_GAP: Final = (13, 4)
"""Longer than 13/4 intervals is a gap: three of them, and a quarter for polls that come early and late."""


def intervals_us(asked_us: Indices, at_us: Indices) -> Indices:
    """Return the interval in force at each step from one poll to the next, 0 where nothing tells. (n,) -> (n - 1,).

    It is what is usual among the 60 steps before or among the 60 after, whichever is longer: so a change of the
    interval is no gap. The step itself has no say, nor has one after a poll that took half of it, while others have: a
    collector that waits for an answer until its next tick is there lets that one pass.
    """
    steps_us = steps_of(asked_us)
    is_quick = SLOW[1] * (at_us - asked_us)[:-1] <= SLOW[0] * steps_us
    is_quick |= not is_quick.any()
    counting_us = steps_us[is_quick]
    before: Indices = np.cumsum(is_quick) - is_quick
    after: Indices = counting_us.size - before - is_quick
    before_us, least_before_us = (each[before] for each in usual_of_first(counting_us))
    after_us, least_after_us = (each[after] for each in usual_of_first(counting_us[::-1]))
    before_us = np.where((before < FEW) & (after >= FEW), least_before_us, before_us)
    after_us = np.where((after < FEW) & (before >= FEW), least_after_us, after_us)
    return np.asarray(np.maximum(before_us, after_us))


def interval_between(before: Nearby, after: Nearby) -> int:
    """Return the interval in force at the step from the last poll of some to the first of others, 0 where unknown."""
    asked_us, at_us = columns_of((*before, *after))
    return int(intervals_us(asked_us, at_us)[len(before) - 1])


def interval_after(polls: Nearby) -> int:
    """Return the interval in force after the last of some polls, 0 where unknown."""
    asked_us, at_us = columns_of((*polls, polls[-1]))
    return int(intervals_us(asked_us, at_us)[-1])


def columns_of(polls: Nearby) -> tuple[Indices, Indices]:
    """Return when polls were asked and when they had their outcomes."""
    table = np.array(polls, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def steps_of(asked_us: Indices) -> Indices:
    """Return the steps between polls, none below 0."""
    return np.maximum(np.diff(asked_us), 0)


def usual_of_first(steps_us: Indices) -> tuple[Indices, Indices]:
    """Return what is usual among the last WINDOW of the first 0 to n steps, and the least. (n,) -> (n + 1,) twice.

    Both are 0 of none, the latter also of fewer than FEWEST; it serves for fewer than FEW.
    """
    result, least = np.zeros((2, steps_us.size + 1), np.int64)
    for count in range(1, min(WINDOW, steps_us.size + 1)):
        result[count] = usual(steps_us[None, :count])[0]
    if steps_us.size >= WINDOW:
        result[WINDOW:] = usual(np.lib.stride_tricks.sliding_window_view(steps_us, WINDOW))
    few_us = np.maximum(np.minimum.accumulate(steps_us[: FEW - 1]), LEAST_US)
    least[FEWEST : few_us.size + 1] = few_us[FEWEST - 1 :]
    return result, least


def usual(steps_us: Indices) -> Indices:
    """Return what is usual among the steps of each row. Shapes: (n, k) with k > 0 -> (n,).

    That is what three steps in five do not exceed: most polls that are missed do not count, nor does the shorter step
    of two collectors that take turns. Where one step in four is three times as long, those are the rhythm: of three
    collectors.
    """
    of = steps_us.shape[1] - 1
    common, long = int(0.6 * of), int(0.75 * of)
    ordered = np.partition(steps_us, (common, long), axis=1)
    return np.maximum(np.maximum(ordered[:, common], ordered[:, long] // 3), LEAST_US)


def is_gap(span_us: Indices | np.int64, interval_us: Indices | np.int64) -> Mask:
    """Whether a span is longer than three intervals and a quarter; never where the interval is not known. (n,)."""
    longer, than = TICKS_OF_GAP
    return np.asarray((interval_us > 0) & (than * span_us > longer * interval_us))


def missed(span_us: Indices | np.int64, interval_us: Indices | np.int64) -> Indices:
    """Return how many polls an interval has room for within a span between two polls. Shapes: (n,)."""
    known_us = np.maximum(interval_us, 1)
    return np.asarray(np.where(interval_us > 0, np.maximum((span_us + known_us // 2) // known_us - 1, 0), 0))
