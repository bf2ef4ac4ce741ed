"""raw/open_notify -> lake/coverage, lake/gaps: the days whose records, or the ends of whose neighbours, have changed.

A day's files are a function of the raw records and, where a gap is open, of now: made anew they are the same bytes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from itertools import zip_longest

from orbitlake.audit.day_tables import amend_day, lock_feeds, write_day
from orbitlake.audit.feed_day import FeedDay, derive, opening_of
from orbitlake.audit.intervals import Nearby
from orbitlake.audit.notes import Feed, Notes, checksum
from orbitlake.audit.outcomes import Polls, in_turn
from orbitlake.audit.raw_index import RawIndex
from orbitlake.audit.raw_polls import start_us
from orbitlake.audit.spans import Edge, Ends, Gap, gap_beyond
from orbitlake.lake import Lake
from orbitlake.lake.derived import Published
from orbitlake.lake.listing import days_in
from orbitlake.settings import from_environment
from orbitlake.tables import COVERAGE, FEED_TABLES

Openings = dict[Feed, Nearby]
"""The first polls of each feed of a day."""


def update(lake: Lake, object_id: str | None = None, now: datetime | None = None) -> tuple[Published, ...]:
    """Bring coverage and gaps up to the raw records as they are now; return what became of the files of each.

    `object_id` is the object of records of the older form, by default that of the settings. `now` decides whether a
    silence at the end is long enough to be a gap. Raises RawFileError where a raw file goes away while it is read.
    """
    now_us = int((now or datetime.now(UTC)).timestamp() * 1_000_000)
    with lock_feeds(lake):
        return Update(lake, object_id or from_environment().object_id, now_us).run()


@dataclass(frozen=True, slots=True)
class Derived:
    """A day derived anew: from which files, a checksum of the polls around it, and what its feeds come to."""

    made_from: Mapping[str, int]
    around: str
    feeds: Mapping[Feed, FeedDay]

    @property
    def ends(self) -> dict[Feed, Ends]:
        return {feed: day.ends for feed, day in self.feeds.items()}


class Update:
    """One update of a lake: what is known of each day, and which days are derived anew."""

    def __init__(self, lake: Lake, object_id: str, now_us: int) -> None:
        self.lake, self.object_id, self.now_us = lake, object_id, now_us
        found = {day: Notes.read(lake.day(COVERAGE, day)) for day in days_in(lake.closed(COVERAGE))}
        self.notes = {day: notes for day, notes in found.items() if notes}
        self.index = RawIndex(lake, object_id, self.notes)
        self.derived: dict[date, Derived] = {}
        self.last: dict[Feed, Edge] = {}
        """The last poll of each feed before the day in hand."""
        self.before: dict[date, dict[Feed, Edge]] = {}
        self.after: dict[date, Openings] = {}

    def run(self) -> tuple[Published, ...]:
        """Derive what changed and write it."""
        days = sorted({*self.index.days, *self.notes})
        # A day is derived once its next one has been read, while both are in memory.
        for day, later in zip_longest([None, *days], days):
            if later is not None:
                self.index.read_new(later)
            if day is not None:
                self.after[day] = self.openings(later) if later else {}
                self.settle(day)
        # Files of later days may have held polls of earlier ones, and a feed may have been silent for days.
        days = sorted({*self.index.days, *self.notes})
        opened: Openings = {}
        for day in reversed(days):
            self.after[day] = dict(opened)
            opened |= self.openings(day)
        self.last = {}
        for day in days:
            self.settle(day)
        return self.write(days)

    def settle(self, day: date) -> None:
        """Derive a day unless what is known of it is right; days come in order."""
        self.before[day] = dict(self.last)
        if not self.is_current(day):
            self.derive(day)
        self.last |= {feed: ends.last for feed, ends in self.ends(day).items()}

    def known(self, day: date) -> Derived | Notes | None:
        """What was found out of a day, in this update or an earlier one."""
        return self.derived.get(day) or self.notes.get(day)

    def ends(self, day: date) -> Mapping[Feed, Ends]:
        """The ends of a day's feeds."""
        known = self.known(day)
        return known.ends if known else {}

    def has_same_files(self, day: date) -> bool:
        """Whether what is known of a day comes from its files as they are."""
        known = self.known(day)
        if known is None or (isinstance(known, Notes) and known.object_id != self.object_id):
            return False
        return known.made_from == self.index.files_of(day)

    def is_current(self, day: date) -> bool:
        """Whether what is known of a day is right, the polls around it included; what cannot be made anew is."""
        known = self.known(day)
        if known is None or self.index.is_kept(day):
            return known is not None
        return self.has_same_files(day) and known.around == self.around(day, known.ends)

    def around(self, day: date, feeds: Iterable[Feed]) -> str:
        """Return a checksum of the polls around a day, of its own feeds."""
        before, after = self.before[day], self.after[day]
        return checksum({feed: [before.get(feed) and asdict(before[feed]), after.get(feed)] for feed in feeds})

    def openings(self, day: date) -> Openings:
        """Return the first polls of each feed of a day."""
        if self.index.is_kept(day) or self.has_same_files(day):
            return {feed: ends.first.nearby for feed, ends in self.ends(day).items()}
        return {feed: opening_of(polls) for feed, polls in self.index.polls_of(day).items()}

    def derive(self, day: date) -> Derived:
        """Derive a day from the raw files that have polls of it."""
        polls = self.index.polls_of(day)
        before, after = self.before[day], self.after[day]
        by_object: dict[str, dict[str, Polls]] = {}
        for (owner, source), each in polls.items():
            by_object.setdefault(owner, {})[source] = each
        turns = {owner: in_turn(some) for owner, some in by_object.items()}
        feeds = {
            (owner, source): derive(
                each, turns[owner][source], before.get((owner, source)), after.get((owner, source), ()), start_us(day)
            )
            for (owner, source), each in polls.items()
        }
        self.derived[day] = Derived(self.index.files_of(day), self.around(day, feeds), feeds)
        return self.derived[day]

    def write(self, days: Sequence[date]) -> tuple[Published, ...]:
        """Write each day that was derived anew, or of which the days after say something else than was noted."""
        published = {table.name: Published(table.name, unchanged=len(days)) for table in FEED_TABLES}
        following: dict[Feed, list[Ends]] = {}
        for day in reversed(days):
            ends = self.ends(day)
            after = {feed: following[feed][-1].first for feed in ends if feed in following}
            gaps = {
                feed: gap
                for feed, each in ends.items()
                if (gap := gap_beyond(each, reversed(following.get(feed, [])), self.now_us))
            }
            known_beyond = [{feed: asdict(each) for feed, each in some.items()} for some in (after, gaps)]
            beyond = checksum({feed: [some.get(feed) for some in known_beyond] for feed in ends})
            for name, rows in self.write_changed(day, after, gaps, beyond):
                published[name].written += 1
                published[name].unchanged -= 1
                published[name].rows_written += rows
            for feed, each in ends.items():
                following.setdefault(feed, []).append(each)
        return tuple(published.values())

    def write_changed(
        self, day: date, after: Mapping[Feed, Edge], gaps: Mapping[Feed, Gap], beyond: str
    ) -> Iterator[tuple[str, int]]:
        """Write the files of a day if they are others now; yield the names of their tables, and how many rows."""
        if self.index.is_kept(day):
            notes = self.notes[day]
            if notes.beyond != beyond:
                yield from amend_day(self.lake, day, gaps, replace(notes, beyond=beyond))
        elif not self.is_written(day, beyond):
            derived = self.derived.get(day) or self.derive(day)
            held = self.index.held.get(day, {})
            notes = Notes(self.object_id, held, derived.made_from, derived.ends, derived.around, beyond)
            yield from write_day(self.lake, day, derived.feeds, self.before[day], after, gaps, notes)

    def is_written(self, day: date, beyond: str) -> bool:
        """Whether the files of a day are there and say what is known."""
        notes = self.notes.get(day)
        return (
            notes is not None
            and day not in self.derived
            and (notes.beyond, notes.held) == (beyond, self.index.held.get(day, {}))
            and all(self.lake.day(table, day).exists() for table in FEED_TABLES)
        )
