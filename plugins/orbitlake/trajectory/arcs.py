"""The arcs of issues, a segment's usable span each, and which of them holds at an instant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.physics.drag import drag_ahead_s
from orbitlake.physics.interpolation import HermitePath
from orbitlake.physics.leap_seconds import tai_from_utc

SECOND_US: Final = 1_000_000
NO_ARC: Final = -1
STATE_COLUMNS: Final = ("segment", "epoch", "epoch_tai", "x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s")
"""The columns of state_vectors that a path needs."""
BURN_COLUMNS: Final = ("ignition_time", "cutoff_time")
"""The columns of thrust_episodes that a path needs."""

Micros = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Path:
    """The interpolated states of an arc, and when it burns: spans in UTC, microseconds since 1970, (m, 2)."""

    origin_tai_us: int
    states: HermitePath
    burn_utc_us: Micros

    def states_at(self, tai_us: Micros) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions (km) and velocities (km/s) at instants in TAI: (n,) -> two (n, 3)."""
        return self.states.states((tai_us - self.origin_tai_us) / SECOND_US)

    def first_burn_us(self, created_us: int) -> int:
        """Return when the first burn begins that is not over at a time in UTC, far in the future where none is."""
        later_us = self.burn_utc_us[self.burn_utc_us[:, 1] > created_us, 0]
        return int(later_us.min(initial=np.iinfo(np.int64).max))

    def drag_ahead_s(self, since_utc_us: int, utc_us: Micros) -> NDArray[np.float64]:
        """Return how far ahead drag has brought the object since an instant, in seconds; see physics/drag: (n,)."""
        origin_us = self.origin_tai_us
        burn_s, since_s, at_s = (
            (tai_from_utc(np.asarray(times).astype("datetime64[us]")).astype(np.int64) - origin_us) / SECOND_US
            for times in (self.burn_utc_us, [since_utc_us], utc_us)
        )
        epoch_s = self.states.epoch_s
        return drag_ahead_s(epoch_s, *self.states.states(epoch_s), burn_s, since_s=float(since_s[0]), at_s=at_s)

    def is_powered(self, utc_us: Micros) -> NDArray[np.bool_]:
        """Tell which instants lie from an ignition to before its cut-off: (n,) -> (n,)."""
        powered = np.zeros(utc_us.shape, dtype=np.bool_)
        for ignition_us, cutoff_us in self.burn_utc_us:
            powered |= (utc_us >= ignition_us) & (utc_us < cutoff_us)
        return powered


@dataclass(frozen=True, slots=True)
class Arc:
    """What one segment of an issue covers: the span of its states, within its usable one, in TAI.

    `path` reads or makes its states, which is work; the rest is known beforehand.
    """

    creation_us: int
    segment: int
    start_tai_us: int
    stop_tai_us: int
    center_name: str
    ref_frame: str
    path: Callable[[], Path]
    frame_epoch_tai: np.datetime64 | None = None
    """The instant whose axes a turning frame has for the whole segment; None where they turn with each state."""

    @property
    def is_geocentric(self) -> bool:
        """Whether positions count from Earth's centre."""
        return self.center_name.strip().upper() == "EARTH"


def arcs_of(segments: pa.Table, states: pa.Table, episodes: pa.Table) -> list[Arc]:
    """Return the arcs of one issue, from its rows of oem_segments, state_vectors and thrust_episodes."""
    return arcs_of_segments(segments, lambda number: path_through(states, episodes, number))


def arcs_of_segments(segments: pa.Table, path: Callable[[int], Path]) -> list[Arc]:
    """Return the arcs of rows of oem_segments; `path` gives the states of a segment by its number."""
    return [arc for row in segments.to_pylist() if (arc := _arc(row, path))]


def _arc(row: dict[str, Any], path: Callable[[int], Path]) -> Arc | None:
    starts = [row["first_epoch"], row["useable_start_time"] or row["first_epoch"]]
    stops = [row["last_epoch"], row["useable_stop_time"] or row["last_epoch"]]
    created, *bounds = (_utc(time) for time in (row["creation_date"], max(starts), min(stops)))
    start_tai_us, stop_tai_us = tai_from_utc(np.array(bounds)).astype(np.int64).tolist()
    # One state alone says nothing of any other instant.
    if start_tai_us >= stop_tai_us:
        return None
    number = row["segment"]
    return Arc(
        int(created.astype(np.int64)),
        number,
        start_tai_us,
        stop_tai_us,
        row["center_name"],
        row["ref_frame"],
        lambda: path(number),
        tai_from_utc(np.array([_utc(row["ref_frame_epoch"])]))[0] if row["ref_frame_epoch"] else None,
    )


def _utc(time: Any) -> np.datetime64:
    return np.datetime64(time.replace(tzinfo=None), "us")


def path_through(states: pa.Table, episodes: pa.Table, segment: int) -> Path:
    """Return the path through the states of a segment; no polynomial reaches across an ignition or a cut-off."""
    rows = states.filter(pc.equal(states.column("segment"), segment)) if "segment" in states.column_names else states
    utc_us, tai_us = (micros(rows, name) for name in ("epoch", "epoch_tai"))
    position_km, velocity_km_s = (
        np.column_stack([rows.column(name).to_numpy() for name in names])
        for names in (STATE_COLUMNS[3:6], STATE_COLUMNS[6:])
    )
    burn_utc_us = np.column_stack([micros(episodes, name) for name in BURN_COLUMNS])
    origin_us = int(tai_us[0])
    path = HermitePath.through(
        (tai_us - origin_us) / SECOND_US, position_km, velocity_km_s, edge=burn_edges(utc_us, burn_utc_us.ravel())
    )
    return Path(origin_us, path, burn_utc_us)


def micros(rows: pa.Table, name: str) -> Micros:
    """Return a column of times as microseconds since 1970: (n,)."""
    values: Micros = rows.column(name).to_numpy().astype("datetime64[us]").astype(np.int64)
    return values


def burn_edges(epoch_us: Micros, edge_us: Micros) -> NDArray[np.bool_]:
    """Return which states bound the smooth pieces of a path: (n,), (m,) -> (n,).

    An edge at a state is that one; one between two states makes an interval of its own of them.
    """
    within = edge_us[(edge_us >= epoch_us[0]) & (edge_us <= epoch_us[-1])]
    is_edge = np.zeros(epoch_us.shape, dtype=np.bool_)
    is_edge[np.searchsorted(epoch_us, within, side="left")] = True
    is_edge[np.searchsorted(epoch_us, within, side="right") - 1] = True
    return is_edge


@dataclass(frozen=True, slots=True)
class LatestArcs:
    """Which arc holds when: of the issue created last that covers the instant. Shapes: bounds (n,), arcs (n,).

    `at_bound` says it for the bounds themselves, `after_bound` for the instants between one and the next.
    """

    bounds_tai_us: Micros
    at_bound: NDArray[np.int32]
    after_bound: NDArray[np.int32]

    @classmethod
    def of(cls, arcs: Sequence[Arc]) -> "LatestArcs":
        """Return the rule for arcs in any order; where two segments of an issue meet, the later one holds."""
        bounds = np.unique(np.array([(arc.start_tai_us, arc.stop_tai_us) for arc in arcs], dtype=np.int64))
        at_bound, after_bound = (np.full(bounds.size, NO_ARC, dtype=np.int32) for _ in range(2))
        for number in sorted(range(len(arcs)), key=lambda number: (arcs[number].creation_us, arcs[number].segment)):
            start, stop = np.searchsorted(bounds, (arcs[number].start_tai_us, arcs[number].stop_tai_us))
            at_bound[start : stop + 1] = number
            after_bound[start:stop] = number
        return cls(bounds, at_bound, after_bound)

    def at(self, tai_us: Micros) -> NDArray[np.int32]:
        """Return the number of the arc that holds at each instant, NO_ARC where none does: (n,) -> (n,)."""
        if not self.bounds_tai_us.size:
            return np.full(tai_us.shape, NO_ARC, dtype=np.int32)
        place = np.searchsorted(self.bounds_tai_us, tai_us, side="right") - 1
        is_bound = self.bounds_tai_us[place] == tai_us
        return np.where(place < 0, NO_ARC, np.where(is_bound, self.at_bound[place], self.after_bound[place]))

    def holding(self, start_tai_us: int, stop_tai_us: int) -> set[int]:
        """Return the arcs that hold anywhere from one instant to a later one, NO_ARC among them where none does."""
        since, until = np.searchsorted(self.bounds_tai_us, (start_tai_us, stop_tai_us), side="right").tolist()
        before = np.searchsorted(self.bounds_tai_us, stop_tai_us, side="left")
        at_ends = self.at(np.array([start_tai_us, stop_tai_us])).tolist()
        after_start = int(self.after_bound[since - 1]) if since else NO_ARC
        within = [*self.at_bound[since:until].tolist(), *self.after_bound[since:before].tolist()]
        return {*at_ends, after_start, *within}
