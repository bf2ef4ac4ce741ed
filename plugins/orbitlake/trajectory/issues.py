"""The issues of one object as the audits of its path see them: spans first, states and burns when asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orbitlake.physics.leap_seconds import tai_from_utc, utc_day_and_time_us
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES, TRAJECTORY_EVENTS, Table
from orbitlake.trajectory.arcs import SECOND_US, Arc, LatestArcs, Micros, arcs_of_segments, micros, path_through
from orbitlake.trajectory.states import Trajectory
from orbitlake.trajectory.told_burns import ToldBurn, told_burns

DAY_US: Final = 86_400 * SECOND_US
PATHS_KEPT: Final = 64
"""Issues whose states are kept in memory: more than overlap in half a month."""

Rows = Callable[[Table], pa.Table]
"""Table of the ephemeris -> the rows of one issue."""


@dataclass(frozen=True)
class Issue:
    """One issue: `name` is that of its folder without `issue=`, such as 20230324T225531Z; `rows` reads its tables.

    `sign` is another one when any of its files is.
    """

    name: str
    rows: Rows
    sign: str = ""

    @cached_property
    def segments(self) -> pa.Table:
        """Its rows of oem_segments."""
        return self.rows(OEM_SEGMENTS)

    @cached_property
    def creation_us(self) -> int:
        """CREATION_DATE in UTC, microseconds since 1970."""
        return int(micros(self.segments, "creation_date")[0])

    @cached_property
    def arcs(self) -> tuple[Arc, ...]:
        """What it covers."""
        return tuple(arcs_of_segments(self.segments, lambda number: path_through(self.states, self.episodes, number)))

    @property
    def states(self) -> pa.Table:
        """Its rows of state_vectors, read anew each time."""
        return self.rows(STATE_VECTORS)

    @cached_property
    def episodes(self) -> pa.Table:
        """Its rows of thrust_episodes."""
        return self.rows(THRUST_EPISODES)

    @cached_property
    def burns(self) -> tuple[ToldBurn, ...]:
        """The burns that it tells of, by ignition."""
        return tuple(told_burns(self.episodes, self.rows(TRAJECTORY_EVENTS)))

    @cached_property
    def drag_coefficient(self) -> float | None:
        """The drag coefficient that it states."""
        value: float | None = self.rows(OEM_ISSUES).column("drag_coefficient")[0].as_py()
        return value

    @cached_property
    def spans_tai_us(self) -> Micros:
        """Start and stop of each arc: (n, 2)."""
        return np.array([(arc.start_tai_us, arc.stop_tai_us) for arc in self.arcs], dtype=np.int64).reshape(-1, 2)

    @cached_property
    def start_tai_us(self) -> int:
        """First instant covered."""
        return int(self.spans_tai_us[:, 0].min())

    @cached_property
    def stop_tai_us(self) -> int:
        """Last instant covered."""
        return int(self.spans_tai_us[:, 1].max())

    @cached_property
    def least_burn_m_s(self) -> float:
        """The least burn that would show in each of its segments; infinite where one shows none."""
        least = self.segments.column("least_burn_m_s").to_pylist()
        return max(float("inf") if value is None else value for value in least)

    def covers(self, since_tai_us: int, until_tai_us: int) -> bool:
        """Tell whether one arc covers a span."""
        spans = self.spans_tai_us
        return bool(((spans[:, 0] <= since_tai_us) & (spans[:, 1] >= until_tai_us)).any())


class Issues:
    """All issues of an object that cover anything, in order of creation; those of one second by their names."""

    def __init__(self, object_id: str, issues: Sequence[Issue]) -> None:
        self.object_id = object_id
        self.all = sorted((issue for issue in issues if issue.arcs), key=lambda issue: (issue.creation_us, issue.name))
        self.path = lru_cache(maxsize=PATHS_KEPT)(self._path)
        self.start_tai_us = np.array([issue.start_tai_us for issue in self.all], dtype=np.int64)
        self.stop_tai_us = np.array([issue.stop_tai_us for issue in self.all], dtype=np.int64)

    def _path(self, number: int) -> Trajectory:
        """Return the path of one issue by its number in `all`, without the others."""
        return Trajectory(self.all[number].arcs)

    def latest(self, numbers: Sequence[int]) -> tuple[LatestArcs, list[tuple[int, Arc]]]:
        """Return which arc holds when among those of some issues, and the arcs with the numbers of their issues."""
        arcs = [(number, arc) for number in numbers for arc in self.all[number].arcs]
        return LatestArcs.of([arc for _, arc in arcs]), arcs


def tai_us_of(utc_us: Any) -> Micros:
    """Return instants in TAI, microseconds since 1970, of UTC likewise."""
    return tai_from_utc(np.asarray(utc_us).astype("datetime64[us]")).astype(np.int64)


def utc_us_of(tai_us: Micros) -> Micros:
    """Return instants in UTC, microseconds since 1970, of TAI likewise; leap seconds count as their last one."""
    day, time_us = utc_day_and_time_us(tai_us)
    return day * DAY_US + np.minimum(time_us, DAY_US - 1)
