"""The polls of one object and source in one UTC day -> its gaps, its hours, and what its neighbours need of it.

A gap is a span from one poll with news to the next that is longer than three intervals and a quarter. Where a fallback
is not asked, that is no gap: there a span ends with the last poll before and begins with the first one after.
"""

from dataclasses import dataclass, replace

import numpy as np

from orbitlake.audit.hours import Hours, hours_of
from orbitlake.audit.intervals import WINDOW, Nearby, columns_of, interval_after, intervals_us, is_gap, steps_of
from orbitlake.audit.outcomes import NEWS, Polls, causes_of_steps, outcomes_of
from orbitlake.audit.spans import UNKNOWN_US, Blame, Edge, Ends, Gap, Link, Point
from orbitlake.columns import Indices, Mask


@dataclass(frozen=True, slots=True)
class FeedDay:
    """What a feed's day comes to: its gaps that end in it, its ends, which the days around need, its hours."""

    gaps: tuple[Gap, ...]
    ends: Ends
    hours: Hours


class Track:
    """A day's polls with the interval, the silences and the causes between them."""

    def __init__(self, polls: Polls, asked_in_turn: Mask, before: Edge | None, after: Nearby) -> None:
        self.polls, self.before = polls, before
        self.outcomes = outcomes_of(polls, before.answer if before else None)
        self.steps_us = steps_of(polls.asked_us)
        self.until = (before.nearby if before else ()) + nearby(polls, slice(-WINDOW - 1, None))
        around = columns_of(before.nearby if before else ()), (polls.asked_us, polls.at_us), columns_of(after)
        begin = around[0][0].size
        all_us = [np.concatenate(columns) for columns in zip(*around, strict=True)]
        self.intervals_us = intervals_us(*all_us)[begin : begin + self.steps_us.size]
        self.is_silent = is_gap(self.steps_us, self.intervals_us)
        self.is_fallback = self.role(asked_in_turn)
        self.first, self.last = self.first_edge(), self.last_edge()
        self.causes = causes_of_steps(polls.at_us, self.outcomes, self.is_silent)
        self.times_us = np.diff(polls.at_us)
        self.is_break = self.is_silent & self.is_fallback
        self.is_linked = before is not None and not Link.between(before, self.first).is_broken

    def role(self, asked_in_turn: Mask) -> bool:
        """Whether the feed is a fallback: half of the polls after a missed one were made in turn, as of before else."""
        starts = np.flatnonzero(2 * self.steps_us > 3 * self.intervals_us) + 1
        first = Edge(self.inner_point(0, -1), NEWS, is_fallback=False, nearby=opening_of(self.polls))
        if self.before is None or Link.between(self.before, first).is_silent:
            starts = np.concatenate(([0], starts))
        if not starts.size:
            return bool(self.before and self.before.is_fallback)
        return bool(2 * asked_in_turn[starts].sum() >= starts.size)

    def first_edge(self) -> Edge:
        """The first poll, as the days before see it."""
        return Edge(self.inner_point(0, -1), str(self.outcomes[0]), self.is_fallback, opening_of(self.polls))

    def last_edge(self) -> Edge:
        """The last poll, as the days after see it."""
        polls = self.until[-WINDOW - 1 :]
        point = replace(self.inner_point(-1, -1), interval_us=interval_after(polls))
        answer = self.polls.last_answer(self.before.answer if self.before else None)
        return Edge(point, str(self.outcomes[-1]), self.is_fallback, polls, answer)

    def edges_of_spans(self) -> tuple[Indices, Indices]:
        """Return the polls that begin or end a span, and the number of the part between breaks of every poll."""
        part = np.concatenate(([0], np.cumsum(self.is_break)))
        is_edge = self.outcomes == NEWS
        is_edge[1:] |= self.is_break
        is_edge[:-1] |= self.is_break
        is_edge[0] |= not self.is_linked
        return np.flatnonzero(is_edge), part

    def blame(self, start: int, end: int, polls: int) -> Blame:
        """What the steps from one poll to another are put down to; so many polls there brought no news."""
        causes, times_us = self.causes[start:end], self.times_us[start:end]
        shares_us = {str(cause): int(times_us[causes == cause].sum()) for cause in set(causes) - {NEWS}}
        return Blame(shares_us, polls)

    def inner_point(self, place: int, step: int) -> Point:
        """A poll, with the interval of a step beside it, not known where the step leads out of the day."""
        interval_us = int(self.intervals_us[step]) if 0 <= step < self.intervals_us.size else UNKNOWN_US
        return Point(int(self.polls.at_us[place]), int(self.polls.asked_us[place]), interval_us)


def derive(polls: Polls, asked_in_turn: Mask, before: Edge | None, after: Nearby, day_us: int) -> FeedDay:
    """Derive a feed's day, which begins at `day_us`, in microseconds since 1970.

    `before` is the last poll of its days before, None without one; `after` are the first polls of its next day (see
    opening_of), none without one.
    """
    track = Track(polls, asked_in_turn, before, after)
    edges, part = track.edges_of_spans()
    starts, ends = edges[:-1], edges[1:]
    whole = part[starts] == part[ends]
    starts, ends = starts[whole], ends[whole]
    longest_us = np.maximum(track.intervals_us[starts], track.intervals_us[ends - 1])
    chosen = is_gap(polls.asked_us[ends] - polls.asked_us[starts], longest_us)
    gaps = tuple(gap_of(track, int(start), int(end)) for start, end in zip(starts[chosen], ends[chosen], strict=True))
    return FeedDay(gaps, ends_of(track, edges), hours_of(polls, track.intervals_us, track.is_fallback, day_us))


def opening_of(polls: Polls) -> Nearby:
    """Return the first polls of a day, as many as bear on the interval before them."""
    return nearby(polls, slice(WINDOW + 1))


def nearby(polls: Polls, some: slice) -> Nearby:
    """Return when some polls were asked and had their outcomes."""
    return tuple(zip(polls.asked_us[some].tolist(), polls.at_us[some].tolist(), strict=True))


def ends_of(track: Track, edges: Indices) -> Ends:
    """Return what the days around need, given the polls that begin or end a span."""
    last = track.polls.at_us.size - 1
    if not edges.size:
        return Ends(track.first, track.last, track.blame(0, last, polls=last + 1), None, Blame(), None)
    begin, end = int(edges[0]), int(edges[-1])
    return Ends(
        first=track.first,
        last=track.last,
        head=track.blame(0, begin, polls=begin),
        head_end=track.inner_point(begin, begin - 1),
        tail=track.blame(end, last, polls=last - end),
        tail_start=track.inner_point(end, end),
    )


def gap_of(track: Track, start: int, end: int) -> Gap:
    """Return the gap between two polls of a day."""
    blame = track.blame(start, end, polls=end - start - 1)
    interval_us = int(max(track.intervals_us[start], track.intervals_us[end - 1]))
    start_us, end_us = int(track.polls.at_us[start]), int(track.polls.at_us[end])
    return Gap(start_us, end_us, blame.cause, blame.cause_us, blame.polls, interval_us)
