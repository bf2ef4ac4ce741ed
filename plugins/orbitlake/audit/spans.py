"""Spans of a feed's polls without news, and how days hang together: what a day must know of the days around it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np

from orbitlake.audit.hours import Missed
from orbitlake.audit.intervals import Nearby, interval_between, is_gap, missed
from orbitlake.audit.outcomes import NEWS, NOT_RUNNING, Answer, causes_of_steps

UNKNOWN_US: Final = 0
"""An interval that nothing tells."""


@dataclass(frozen=True, slots=True)
class Point:
    """A poll at the edge of a span: its outcome's time, when it was asked, the interval in force, 0 where unknown."""

    at_us: int
    asked_us: int
    interval_us: int


@dataclass(frozen=True, slots=True)
class Edge:
    """The first or the last poll of a feed's day.

    `nearby` is it and its neighbours on this side of midnight, of a last poll also those of earlier days; `answer` is
    what the feed had said last by then.
    """

    point: Point
    outcome: str
    is_fallback: bool
    nearby: Nearby = ()
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Blame:
    """What a span without news is put down to, in microseconds by cause, and the polls within that brought none."""

    shares_us: Mapping[str, int] = field(default_factory=dict)
    polls: int = 0

    def __add__(self, other: "Blame") -> "Blame":
        shares_us = dict(self.shares_us)
        for cause, time_us in other.shares_us.items():
            shares_us[cause] = shares_us.get(cause, 0) + time_us
        return Blame(shares_us, self.polls + other.polls)

    @property
    def cause(self) -> str:
        """The cause of the greatest part; of equal parts the first by name."""
        return min(self.shares_us, key=lambda cause: (-self.shares_us[cause], cause), default=NOT_RUNNING)

    @property
    def cause_us(self) -> int:
        """How much is put down to it."""
        return self.shares_us.get(self.cause, 0)


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; `end_us` and `cause_us` are None while it is open."""

    start_us: int
    end_us: int | None
    cause: str
    cause_us: int | None
    polls: int
    interval_us: int


@dataclass(frozen=True, slots=True)
class Ends:
    """What the days around need of a feed's day.

    `head` is what comes before the first edge of a span, at `head_end`, where the day goes on with a span of before;
    `tail` is what follows the last one, at `tail_start`. Both are None where one span passes through the whole day.
    """

    first: Edge
    last: Edge
    head: Blame
    head_end: Point | None
    tail: Blame
    tail_start: Point | None


@dataclass(frozen=True, slots=True)
class Link:
    """The step from the last poll of a feed's day to the first of its next one."""

    asked_us: int
    step_us: int
    time_us: int
    interval_us: int
    is_silent: bool
    is_of_fallback: bool
    cause: str

    @classmethod
    def between(cls, before: Edge, after: Edge) -> Self:
        """Judge the step between two polls of a feed."""
        earlier, later = before.point, after.point
        step_us = max(later.asked_us - earlier.asked_us, 0)
        interval_us = interval_between(before.nearby, after.nearby)
        is_silent = bool(is_gap(np.int64(step_us), np.int64(interval_us)))
        at_us = np.array([earlier.at_us, later.at_us])
        outcomes = np.array([before.outcome, after.outcome], dtype=object)
        (cause,) = causes_of_steps(at_us, outcomes, np.array([is_silent]))
        is_of_fallback = before.is_fallback or after.is_fallback
        time_us = later.at_us - earlier.at_us
        return cls(earlier.asked_us, step_us, time_us, interval_us, is_silent, is_of_fallback, str(cause))

    @property
    def is_broken(self) -> bool:
        """Whether the step is no gap's, since a fallback was not asked."""
        return self.is_silent and self.is_of_fallback

    @property
    def missed(self) -> Missed | None:
        """The polls that were not made in the step."""
        count = 0 if self.is_of_fallback else int(missed(np.int64(self.step_us), np.int64(self.interval_us)))
        return Missed(self.asked_us, self.interval_us, count) if count else None

    @property
    def blame(self) -> Blame:
        """The step as a part of a span."""
        return Blame({self.cause: self.time_us} if self.cause != NEWS else {})


def gap_beyond(ends: Ends, following: Iterable[Ends], now_us: int) -> Gap | None:
    """Return the gap that begins in a day and does not end in it; `following` are the ends of the feed's days after it.

    It is open where no poll with news has come by `now_us`. None where there is no such gap.
    """
    start = ends.tail_start
    if start is None:
        return None
    blame, last = ends.tail, ends.last
    first_interval_us = start.interval_us
    for day in following:
        link = Link.between(last, day.first)
        if link.is_broken:
            return closed(start, first_interval_us, last.point, UNKNOWN_US, blame)
        first_interval_us = first_interval_us or link.interval_us
        blame = blame + link.blame + day.head
        if day.head_end is not None:
            return closed(start, first_interval_us, day.head_end, day.head_end.interval_us or link.interval_us, blame)
        last = day.last
    if last.is_fallback:
        return closed(start, first_interval_us, last.point, UNKNOWN_US, blame)
    interval_us = max(first_interval_us, last.point.interval_us)
    if not is_gap(np.int64(max(now_us, last.point.asked_us) - start.asked_us), np.int64(interval_us)):
        return None
    is_silent = is_gap(np.int64(now_us - last.point.asked_us), np.int64(last.point.interval_us))
    cause = NOT_RUNNING if is_silent or not blame.shares_us else blame.cause
    return Gap(start.at_us, None, cause, None, blame.polls, interval_us)


def closed(start: Point, first_interval_us: int, end: Point, last_interval_us: int, blame: Blame) -> Gap | None:
    """Return the gap between two polls of different days, None where they are not far enough apart."""
    interval_us = max(first_interval_us, last_interval_us)
    if not is_gap(np.int64(end.asked_us - start.asked_us), np.int64(interval_us)):
        return None
    return Gap(start.at_us, end.at_us, blame.cause, blame.cause_us, blame.polls, interval_us)
