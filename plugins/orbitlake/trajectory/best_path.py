"""trajectory: the states of the best known path, day by day."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.tables import TRAJECTORY
from orbitlake.trajectory.arcs import NO_ARC, SECOND_US, Arc, Micros, micros
from orbitlake.trajectory.issues import DAY_US, Issue, Issues, tai_us_of, utc_us_of

EPOCH_DAY: Final = date(1970, 1, 1)
AS_PUBLISHED: Final = (
    *("epoch", "epoch_tai", "x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s"),
    *("latitude_deg", "longitude_deg", "altitude_km", "segment"),
)
"""Columns of state_vectors that the path repeats."""
STATES_KEPT: Final = 4
"""Issues whose states are kept in memory from day to day."""


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of a path: its bounds in TAI, and which arcs hold within, by their numbers.

    `rule` says in words when each of them holds: it changes with whatever changes that.
    """

    day: date
    start_tai_us: int
    stop_tai_us: int
    holding: tuple[int, ...]
    rule: str


class BestPath:
    """The best known path of one object: at each instant that of the issue created last that covers it."""

    def __init__(self, issues: Issues) -> None:
        self.object_id = issues.object_id
        self.issues = issues.all
        self.latest, self.arcs = issues.latest(range(len(issues.all)))
        self._states = lru_cache(maxsize=STATES_KEPT)(self._read)

    def days(self) -> Iterator[Day]:
        """Yield the days on which any arc holds, in order."""
        bounds_us = self.latest.bounds_tai_us
        if not bounds_us.size:
            return
        first, last = (int(utc_us_of(bounds_us[[end]])[0]) // DAY_US for end in (0, -1))
        edges_us = tai_us_of(np.arange(first, last + 2) * DAY_US)
        for number, (start_us, stop_us) in enumerate(zip(edges_us[:-1].tolist(), edges_us[1:].tolist(), strict=True)):
            since, until = np.searchsorted(bounds_us, (start_us, stop_us)).tolist()
            before = [int(self.latest.after_bound[since - 1])] if since else []
            within = [
                (int(bounds_us[place]), int(self.latest.at_bound[place]), int(self.latest.after_bound[place]))
                for place in range(since, until)
            ]
            holding = {*before, *(arc for _, at, after in within for arc in (at, after))} - {NO_ARC}
            if holding:
                rule = [*map(self._name, before), *((at_us, *map(self._name, arcs)) for at_us, *arcs in within)]
                day = EPOCH_DAY + timedelta(days=first + number)
                yield Day(day, start_us, stop_us, tuple(sorted(holding)), repr(rule))

    def inputs(self, day: Day) -> list[str]:
        """Return what the rows of a day follow from, as texts that change with it."""
        return [day.rule, *(self.issues[self.arcs[arc][0]].sign for arc in day.holding)]

    def rows(self, day: Day) -> pa.Table:
        """Return the rows of trajectory of one day."""
        parts = [self._rows(day, number) for number in day.holding]
        return pa.concat_tables(parts)

    def _rows(self, day: Day, number: int) -> pa.Table:
        place, arc = self.arcs[number]
        states = self._states(place)
        tai_us = micros(states, "epoch_tai")
        holds = (states.column("segment").to_numpy() == arc.segment) & (tai_us >= day.start_tai_us)
        holds &= tai_us < day.stop_tai_us
        rows = np.flatnonzero(holds)
        rows = rows[self.latest.at(tai_us[rows]) == number]
        chosen = states.take(pa.array(rows))
        return _with_issue(chosen, self.object_id, self.issues[place], arc)

    def _read(self, place: int) -> pa.Table:
        return self.issues[place].states.select(AS_PUBLISHED)

    def _name(self, arc: int) -> str:
        return "" if arc == NO_ARC else f"{self.issues[self.arcs[arc][0]].name}/{self.arcs[arc][1].segment}"


def _with_issue(states: pa.Table, object_id: str, issue: Issue, arc: Arc) -> pa.Table:
    epoch_us = micros(states, "epoch")
    count = states.num_rows
    columns = dict(zip(states.column_names, states.columns, strict=True)) | {
        "object_id": pa.array([object_id] * count, pa.string()).dictionary_encode(),
        "creation_date": pa.array(np.full(count, issue.creation_us), pa.int64()).cast(
            TRAJECTORY.schema.field("creation_date").type
        ),
        "age_s": (epoch_us - issue.creation_us) / SECOND_US,
        "is_powered": _is_powered(epoch_us, issue),
        "center_name": pa.array([arc.center_name] * count, pa.string()),
        "ref_frame": pa.array([arc.ref_frame] * count, pa.string()),
    }
    return pa.table([columns[name] for name in TRAJECTORY.column_names], schema=TRAJECTORY.schema)


def _is_powered(epoch_us: Micros, issue: Issue) -> NDArray[np.bool_]:
    powered = np.zeros(epoch_us.shape, dtype=np.bool_)
    edges = (micros(issue.episodes, name).tolist() for name in ("ignition_time", "cutoff_time"))
    for ignition_us, cutoff_us in zip(*edges, strict=True):
        powered |= (epoch_us >= ignition_us) & (epoch_us < cutoff_us)
    return powered
