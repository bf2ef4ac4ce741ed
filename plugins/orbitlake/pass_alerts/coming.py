"""The tables passes and approaches -> what is told of: each pass and approach of the days around now."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import PART, folder_name
from orbitlake.passes.alert_rules import AlertRule
from orbitlake.passes.kinds import OF_APPROACHES, OF_PASSES, Kind
from orbitlake.passes.places import UTC_ZONE, Places, Point, Site
from orbitlake.passes.revisions import CANCELLED, NEAR_US

BACK: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=20)
"""Further than any issue reaches."""
NEAR: Final = timedelta(microseconds=NEAR_US)

Group = tuple[str, str, bool]
"""Object, place, and whether that is a site."""


# Without slots, so that what is asked for often is made once.
@dataclass(frozen=True)
class Coming:
    """A pass over a site, or an approach to a point: `facts` is its row, instants in ISO 8601, as JSON holds them.

    `is_flown` says that an issue created after its end was seen: whatever a clock says, it is over.
    """

    object_id: str
    object_name: str
    place: str
    is_site: bool
    time_zone: str
    facts: Mapping[str, Any]
    is_flown: bool = False

    @property
    def kind(self) -> Kind:
        """Which columns bear identity and times."""
        return OF_PASSES if self.is_site else OF_APPROACHES

    @cached_property
    def group(self) -> "Group":
        """The object and the place that it is of."""
        return self.object_id, self.place, self.is_site

    @cached_property
    def key(self) -> "tuple[Group, str]":
        """What tells it from all others."""
        return self.group, self.identity

    @cached_property
    def identity(self) -> str:
        """Its pass_id or approach_id."""
        return str(self.facts[self.kind.identity])

    @cached_property
    def begin(self) -> datetime:
        """When it rises, or comes within reach."""
        return instant(self.facts[self.kind.begin])

    @cached_property
    def peak(self) -> datetime:
        """When it is highest, or nearest."""
        return instant(self.facts[self.kind.peak])

    @cached_property
    def end(self) -> datetime:
        """When it sets, or leaves."""
        return instant(self.facts[self.kind.end])

    @property
    def is_cancelled(self) -> bool:
        """Whether the newest issue that covers it has it no more."""
        return bool(self.facts["status"] == CANCELLED)

    @property
    def is_visible(self) -> bool:
        """Whether some of it can be seen."""
        return self.facts.get("visible_from") is not None

    def fits(self, rule: AlertRule) -> bool:
        """Say whether a rule wants to know of it, as it is now."""
        if not rule.speaks_of(self.place, is_site=self.is_site) or self.is_cancelled:
            return False
        if rule.min_elevation_deg is not None and self.facts["max_elevation_deg"] < rule.min_elevation_deg:
            return False
        if rule.visible_only and not self.is_visible:
            return False
        zone = ZoneInfo(rule.time_zone or self.time_zone)
        return rule.quiet_hours is None or not rule.quiet_hours.holds(self.begin, zone)


class Timetable:
    """All that is coming, by its begin, and when the newest issue that tells of a group was created."""

    def __init__(self, coming: Iterable[Coming], created: Mapping[Group, datetime] | None = None) -> None:
        self.coming = tuple(sorted(coming, key=lambda each: each.begin))
        self._created = created or {}
        self._by_key = {each.key: each for each in self.coming}
        self._by_group: dict[Group, list[Coming]] = {}
        for each in self.coming:
            self._by_group.setdefault(each.group, []).append(each)
        self._peaks = {
            group: sorted(((each.peak, each) for each in some), key=itemgetter(0))
            for group, some in self._by_group.items()
        }

    def groups(self) -> Mapping[Group, list[Coming]]:
        """Return what is coming by object and place; also of those for which nothing is."""
        return {group: self._by_group.get(group, []) for group in dict.fromkeys((*self._created, *self._by_group))}

    def find(self, told: Coming) -> Coming | None:
        """Return what was told before as it is now; None where it is not there.

        Its identity may be another one: where an older issue arrives late, all is told anew, from that one on.
        """
        if told.key in self._by_key:
            return self._by_key[told.key]
        peaks = self._peaks.get(told.group, [])
        after = bisect_left(peaks, told.peak, key=itemgetter(0))
        nearest = min(peaks[max(after - 1, 0) : after + 1], key=lambda each: abs(each[0] - told.peak), default=None)
        return nearest[1] if nearest and abs(nearest[0] - told.peak) <= NEAR else None

    def flown_until(self, what: Coming) -> datetime | None:
        """Return until when issues have flown: what ended before is over, whatever a clock says; None if unknown."""
        return self._created.get(what.group, max(self._created.values(), default=None))


def timetable_of(lake: Lake, places: Places, names: Mapping[str, str], now: datetime) -> Timetable:
    """Return what the tables tell of the places of a file around now; `names` are those of the objects.

    Raises LakeError where a file is damaged or of another version.
    """
    asked: Sequence[tuple[Kind, Site | Point, bool, str]] = [
        *((OF_PASSES, site, True, site.time_zone) for site in places.sites),
        *((OF_APPROACHES, point, False, UTC_ZONE) for point in places.points),
    ]
    found: list[Coming] = []
    newest: dict[Group, datetime] = {}
    for kind, place, is_site, zone in asked:
        for rows in tables_of(lake, kind, place.name):
            created = pc.max(rows.column("creation_date")).as_py()
            if created is None:
                continue
            for object_id in rows.column("object_id").unique().to_pylist():
                newest[object_id, place.name, is_site] = created
            for row in around(rows, kind, now).to_pylist():
                facts = {
                    name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()
                }
                object_id = row["object_id"]
                is_flown = row[kind.end] <= created
                name = names.get(object_id, object_id)
                found.append(Coming(object_id, name, place.name, is_site, zone, facts, is_flown))
    return Timetable(found, newest)


def tables_of(lake: Lake, kind: Kind, place: str) -> Iterator[pa.Table]:
    """Yield the rows of each object over a place."""
    for file in sorted(lake.closed(kind.table).glob(f"*/{kind.place}={folder_name(place)}/{PART}")):
        with open_checked(file, kind.table, at_once=True) as opened:
            yield opened.read()


def around(rows: pa.Table, kind: Kind, now: datetime) -> pa.Table:
    """Return the rows that end after BACK before now and begin before AHEAD of it."""
    ends_late = pc.greater(rows.column(kind.end), pa.scalar(now - BACK))
    begins_early = pc.less(rows.column(kind.begin), pa.scalar(now + AHEAD))
    return rows.filter(pc.and_(ends_late, begins_early))


def instant(text: str) -> datetime:
    """Take an instant as it stands among facts."""
    return datetime.fromisoformat(text)
