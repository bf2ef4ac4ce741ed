"""When an issue appears and what it holds: the station's states on NASA's time grid, its nodes and its events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import islice, pairwise
from typing import Final

import numpy as np

from orbitlake.physics.frames import itrs_from
from orbitlake.simulator.station import Epochs, Event, Station, Vectors

PUBLISHING_WEEKDAYS: Final = frozenset({0, 2, 4})
"""Monday, Wednesday and Friday, about NASA's pace."""
SPAN: Final = np.timedelta64(15, "D").astype("timedelta64[us]")
COAST_STEP: Final = np.timedelta64(240_000_000, "us")
LONGER_THAN_A_BURN: Final = np.timedelta64(30, "m")
"""By this an issue begins after noon where it would begin or end in the midst of a burn."""
POWERED_STEP: Final = np.timedelta64(2_000_000, "us")
ONE_ORBIT_S: Final = 5575
EQUATORIAL_RADIUS_KM: Final = 6378.137
"""Heights in the event table count from the equator of WGS-84."""


@dataclass(frozen=True, slots=True)
class Node:
    """An ascending node; its longitude counts on an Earth whose UT1 is UTC, as in NASA's files."""

    epoch_utc: np.datetime64
    orbit: int
    longitude_deg: float


@dataclass(frozen=True)
class Issue:
    """One ephemeris of 15 days, written some hours after its first state."""

    station: Station
    creation_utc: np.datetime64
    start_utc: np.datetime64

    @property
    def stop_utc(self) -> np.datetime64:
        stop_utc: np.datetime64 = self.start_utc + SPAN
        return stop_utc

    @cached_property
    def events(self) -> list[Event]:
        return self.station.events(self.start_utc, self.stop_utc)

    @cached_property
    def epochs_utc(self) -> Epochs:
        """The epochs (n,) of the states: 240 s apart, 2 s under thrust, restarting at each event and at cut-off."""
        starts = [self.start_utc, *(event.ignition_utc for event in self.events)]
        burns = [event for event in self.events if event.cutoff_utc is not None]
        ends = [event.cutoff_utc for event in burns if event.cutoff_utc is not None]
        powered = {event.ignition_utc for event in burns}
        runs = [
            np.arange(start, end, POWERED_STEP if start in powered else COAST_STEP)
            for start, end in pairwise(sorted({*starts, *ends, self.stop_utc}))
        ]
        return np.append(np.concatenate(runs), self.stop_utc)

    def states(self) -> tuple[Vectors, Vectors]:
        """Return positions (n, 3) in km and velocities (n, 3) in km/s, in EME2000."""
        return self.station.states(self.epochs_utc)

    def first_and_last_node(self) -> tuple[Node, Node]:
        orbits, epochs = self.station.ascending_nodes(self.start_utc, self.stop_utc)
        ends = epochs[[0, -1]]
        itrs_km = itrs_from("EME2000", ends, self.station.states(ends)[0], ut1="utc")
        if itrs_km is None:
            raise ValueError(f"no Earth orientation for {ends[0]}")
        longitudes_deg = np.rad2deg(np.arctan2(itrs_km[:, 1], itrs_km[:, 0]))
        first, last = (Node(*node) for node in zip(ends, orbits[[0, -1]] % 10_000, longitudes_deg, strict=True))
        return first, last

    def heights_km(self, event: Event) -> tuple[float, float]:
        """Return the greatest and the least height over the orbit that ends at the event."""
        before = event.ignition_utc - np.arange(0, ONE_ORBIT_S, 10) * np.timedelta64(1, "s")
        heights_km = np.linalg.norm(self.station.states(before)[0], axis=1) - EQUATORIAL_RADIUS_KM
        return float(heights_km.max()), float(heights_km.min())


def issues_before(station: Station, now_utc: np.datetime64) -> Iterator[Issue]:
    """Yield the issues published up to `now_utc`, the newest first, without end."""
    day: date = now_utc.astype("datetime64[D]").item()
    while True:
        issue = issue_of(station, day)
        if issue is not None and issue.creation_utc <= now_utc:
            yield issue
        day -= timedelta(days=1)


def issue_of(station: Station, day: date) -> Issue | None:
    """Return the issue created on `day`, or None on a day without one."""
    if day.weekday() not in PUBLISHING_WEEKDAYS:
        return None
    start = noon = np.datetime64(day, "us") + np.timedelta64(12, "h")
    while station.is_burning(start) or station.is_burning(start + SPAN):
        start += LONGER_THAN_A_BURN
    # Fixed by the day, spread over four hours, with a fraction of a second: at least 2.5 hours after the first state.
    delay_ms = 12_600_000 + day.toordinal() * 7_654_321 % 14_400_000
    return Issue(station, noon + np.timedelta64(delay_ms, "ms"), start)


def newest_issue(station: Station, now_utc: np.datetime64) -> Issue:
    """Return the issue that the server holds at its one address."""
    return next(issues_before(station, now_utc))


def newest_issues(station: Station, now_utc: np.datetime64, count: int) -> list[Issue]:
    """Return the last `count` issues, the newest first."""
    return list(islice(issues_before(station, now_utc), count))
