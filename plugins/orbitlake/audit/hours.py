"""The polls of one object and source in one UTC day -> what each hour was to bring and what it brought."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from orbitlake.audit.intervals import missed
from orbitlake.audit.outcomes import Polls
from orbitlake.columns import Indices, order_by, starts_of_runs

HOUR_US: Final = 3_600_000_000
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Missed:
    """So many polls that were not made, an interval from each other; the first was due an interval after `asked_us`."""

    asked_us: int
    interval_us: int
    count: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The 24 hours of a feed's day, which begins at `day_us`. Shapes: (24,); an interval that is not known is 0."""

    day_us: int
    interval_us: Indices
    made: Indices
    missed: Indices
    answered: Indices
    distinct: Indices

    def rows(self, around: Iterable[Missed]) -> Iterator[dict[str, Any]]:
        """Yield a row of coverage for each hour with a poll made or missed, also missed by the days `around`."""
        missed_by_hour, interval_us = self.missed, self.interval_us
        for each in around:
            columns = (np.array([value], np.int64) for value in (each.asked_us, each.interval_us, each.count))
            more, theirs_us = by_hour(self.day_us, *columns)
            missed_by_hour = missed_by_hour + more
            interval_us = np.where(interval_us, interval_us, theirs_us)
        expected = self.made + missed_by_hour
        for hour in np.flatnonzero(expected):
            yield {
                "hour_start": int(self.day_us + hour * HOUR_US),
                "interval_s": interval_us[hour] / 1e6 if interval_us[hour] else None,
                "polls_expected": int(expected[hour]),
                "polls_made": int(self.made[hour]),
                "polls_answered": int(self.answered[hour]),
                "distinct_fixes": int(self.distinct[hour]),
                "completeness": float(self.distinct[hour] / expected[hour]),
            }


def hours_of(polls: Polls, intervals_us: Indices, is_fallback: bool, day_us: int) -> Hours:
    """Count by hour; `intervals_us` (n - 1,) are those in force between the polls. A fallback misses no poll."""
    hour = np.clip((polls.at_us - day_us) // HOUR_US, 0, HOURS - 1)
    steps_us = np.maximum(np.diff(polls.asked_us), 0)
    counts = missed(steps_us, intervals_us) * (not is_fallback)
    some = np.flatnonzero(counts)
    missed_by_hour, theirs_us = by_hour(day_us, polls.asked_us[some], intervals_us[some], counts[some])
    median_us = np.zeros(HOURS, np.int64)
    for each in np.unique(hour[:-1][intervals_us > 0]):
        known_us = np.sort(intervals_us[(hour[:-1] == each) & (intervals_us > 0)])
        median_us[each] = known_us[known_us.size // 2]
    fixes = np.flatnonzero(polls.has_fix)
    order = order_by(hour[fixes], polls.stamp_us[fixes], polls.latitude_deg[fixes], polls.longitude_deg[fixes])
    fixes = fixes[order]
    firsts = fixes[
        starts_of_runs(hour[fixes], polls.stamp_us[fixes], polls.latitude_deg[fixes], polls.longitude_deg[fixes])
    ]
    return Hours(
        day_us=day_us,
        interval_us=np.where(median_us, median_us, theirs_us),
        made=count(hour),
        missed=missed_by_hour,
        answered=count(hour[fixes]),
        distinct=count(hour[firsts]),
    )


def count(hours: Indices) -> Indices:
    """Return how often each hour occurs. Shapes: (n,) -> (24,)."""
    return np.bincount(hours, minlength=HOURS).astype(np.int64)


def by_hour(day_us: int, asked_us: Indices, interval_us: Indices, counts: Indices) -> tuple[Indices, Indices]:
    """Return the missed polls of each hour, and the longest interval of any of them. Shapes: (n,) -> (24,)."""
    ends_us = day_us + HOUR_US * np.arange(HOURS + 1) - 1
    until = np.clip((ends_us - asked_us[:, None]) // interval_us[:, None], 0, counts[:, None])
    of_hours = np.diff(until, axis=1)
    longest_us = np.max(np.where(of_hours > 0, interval_us[:, None], 0), axis=0, initial=0)
    return of_hours.sum(axis=0), longest_us
