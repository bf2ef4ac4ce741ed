"""The errors of a feed's fixes, in order -> the verdict on each: one change of mind for each thing that happens.

A verdict turns bad when three fixes in a row say so, or all of the last two minutes where they are fewer. It turns good
when everything of five minutes is well within the bound: an error that swings about it tells of one trouble, not many.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Final, Self

import numpy as np

from orbitlake.audit.fix_errors import Errors
from orbitlake.columns import NEVER_US, Indices, Mask, starts_of_runs

OK, STALE, FROZEN, OFFSET = "OK", "STALE", "FROZEN", "OFFSET"
CROSS_KM: Final = 4.0
"""Across the track Open Notify was never off by more than 1.2 km in 2025, whatever the age of elements and issue."""
TURNING: Final = 0.0025
"""A wrong semi-major axis turns the plane by 0.16 % of what it makes along the track."""
IN_A_ROW: Final = 3
AGREED_US: Final = 120_000_000
CLEARED_US: Final = 300_000_000
WELL_WITHIN: Final = 0.5
"""Of a bound: what clears a verdict. Rounded stamps scatter by half of the least bound, so that none swings."""
STANDS_US: Final = 30_000_000
"""What stands still for so long is frozen."""
MOVES_US: Final = 2_500_000
"""What stands still for less may be a cache, or the rounding; for longer, its error says nothing."""


@dataclass(slots=True)
class Streak:
    """How many fixes in a row have said something, and when one last said otherwise."""

    count: int = 0
    broken_us: int = NEVER_US

    def see(self, says_so: bool, at_us: int) -> None:
        if says_so:
            # No more than tells: a count that grows for ever would make each day follow from all before.
            self.count = min(self.count + 1, IN_A_ROW)
        else:
            self.count, self.broken_us = 0, at_us

    def is_agreed(self, at_us: int) -> bool:
        """Whether three fixes, or all of two minutes, have said so."""
        return self.count >= IN_A_ROW or (self.count > 0 and at_us - self.broken_us > AGREED_US)


@dataclass(slots=True)
class FeedState:
    """What the next verdict on a feed depends on: all that is to be known of the fixes before.

    `confirmed_km` is the error along the track that last confirmed a bad verdict, 0 where that was one across it;
    `place` stands since `place_us`.
    """

    verdict: str = OK
    beyond: Streak = field(default_factory=Streak)
    off_track: Streak = field(default_factory=Streak)
    moving: Streak = field(default_factory=Streak)
    not_well_us: int = NEVER_US
    confirmed_km: float = 0.0
    place: tuple[float, float] | None = None
    place_us: int = NEVER_US

    @property
    def text(self) -> str:
        """All of it as text, from which `read` makes it again."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the state that a text tells of."""
        values = json.loads(text)
        streaks = {name: Streak(**values[name]) for name in ("beyond", "off_track", "moving")}
        place = {"place": tuple(values["place"]) if values["place"] else None}
        return cls(**(values | streaks | place))

    def vote(self, at_us: int, is_beyond: bool, is_off_track: bool, is_within: bool, along_km: float) -> None:
        """Take in a fix that has moved."""
        self.moving.see(True, at_us)
        self.off_track.see(is_off_track, at_us)
        self.beyond.see(is_beyond or is_off_track, at_us)
        is_bad = self.verdict in (STALE, OFFSET)
        # An older issue has a wider bound: that it holds an error that has not become smaller says nothing.
        is_left = is_bad and along_km * self.confirmed_km > WELL_WITHIN * self.confirmed_km**2
        is_well = is_within and not is_left
        if not is_well:
            self.not_well_us = at_us
        if self.verdict == FROZEN:
            if not self.moving.is_agreed(at_us):
                return
            self.verdict = OK
        if self.off_track.is_agreed(at_us):
            self.verdict = OFFSET
        elif self.beyond.is_agreed(at_us) and self.verdict == OK:
            self.verdict = STALE
        elif is_well and self.verdict != OK and at_us - self.not_well_us >= CLEARED_US:
            self.verdict = OK
        if self.verdict != OK and (is_beyond or is_off_track):
            self.confirmed_km = along_km if is_beyond else 0.0

    def stand_still(self, at_us: int, stood_us: int) -> None:
        """Take in a fix that repeats the one before, or its stamp, since so long."""
        if stood_us >= STANDS_US:
            self.moving.see(False, at_us)
            self.verdict = FROZEN


def judge(errors: Errors, is_repeated: Mask, state: FeedState) -> list[str]:
    """Return the verdict on each fix, and bring `state` from before the first to after the last. Shapes: (n,).

    `is_repeated` marks fixes that the feed went on to repeat for long: an answer to the letter makes no other row.
    """
    fixes = errors.fixes
    order = in_order(errors)
    stamp_stood_us = stood_by_stamp(errors)
    size_km = np.abs(errors.along_km)
    is_off_track = errors.off_track_km > CROSS_KM + TURNING * size_km
    is_beyond = size_km > errors.bound_km
    is_within = size_km <= WELL_WITHIN * errors.bound_km
    is_within &= np.abs(errors.cross_km) <= WELL_WITHIN * CROSS_KM
    verdicts = [OK] * order.size
    columns = (fixes.event_us, fixes.latitude_deg, fixes.longitude_deg, stamp_stood_us, is_repeated)
    votes = (is_beyond, is_off_track, is_within, errors.along_km)
    facts, ballots = (zip(*(column[order].tolist() for column in some), strict=True) for some in (columns, votes))
    for row, fact, ballot in zip(order.tolist(), facts, ballots, strict=True):
        at_us, latitude_deg, longitude_deg, stamp_us, is_repeat = fact
        if state.place != (latitude_deg, longitude_deg):
            state.place, state.place_us = (latitude_deg, longitude_deg), at_us
        stood_us = STANDS_US if is_repeat else max(stamp_us, at_us - state.place_us)
        if stood_us < MOVES_US:
            state.vote(at_us, *ballot)
        else:
            state.stand_still(at_us, stood_us)
        verdicts[row] = state.verdict
    return verdicts


def in_order(errors: Errors) -> Indices:
    """Return the rows in the order of fixes; those of one stamp by how long it had stood."""
    fixes = errors.fixes
    return np.lexsort((fixes.longitude_deg, fixes.latitude_deg, stood_by_stamp(errors), fixes.event_us))


def stood_by_stamp(errors: Errors) -> Indices:
    """Return how long, in microseconds, the stamp of each fix had stood: by when it came, else by how far it is ahead.

    An object that goes on under one stamp runs ahead of its ephemeris. Shapes: (n,).
    """
    event_us, fetch_us = errors.fixes.event_us, errors.fixes.fetch_us
    order = np.argsort(event_us, kind="stable")
    starts = starts_of_runs(event_us[order])
    lengths = np.diff(starts, append=order.size)
    ahead_us = np.rint(errors.along_s * 1e6).astype(np.int64)
    stood_us = np.zeros(event_us.size, np.int64)
    if not event_us.size or lengths.max() == 1:
        return stood_us
    by_place_us = ahead_us[order] - np.repeat(np.minimum.reduceat(ahead_us[order], starts), lengths)
    fetched_us = fetch_us[order]
    known = fetched_us != NEVER_US
    first_us = np.minimum.reduceat(np.where(known, fetched_us, np.iinfo(np.int64).max), starts)
    by_arrival_us = np.where(known, fetched_us - np.where(known, np.repeat(first_us, lengths), fetched_us), by_place_us)
    stood_us[order] = by_arrival_us
    return stood_us
