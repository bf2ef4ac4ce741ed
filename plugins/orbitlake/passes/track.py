"""The path of one issue over the turning Earth, as the search for passes needs it: dense nodes, and the exact path."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.physics.kinematics import Reals
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.sunlight import apparent_sun_itrs
from orbitlake.trajectory.arcs import SECOND_US, Arc, Micros
from orbitlake.trajectory.ground import earth_fixed
from orbitlake.trajectory.issues import utc_us_of
from orbitlake.trajectory.states import States, Trajectory

STEP_S: Final = 60.0
"""From node to node: in low orbit cubic polynomials between them miss the path by half a metre, and 1 m/s^2 of thrust
bends it by 60 m within."""
STEP_US: Final = round(STEP_S * SECOND_US)


@dataclass(frozen=True)
class Track:
    """A path in ITRS, at nodes at whole minutes of TAI. Shapes: node_s (n,), position_km and velocity_km_s (n, 3).

    Seconds count from origin_tai_us; velocities are relative to the turning Earth; NaN where the issue says nothing.
    Positions between nodes are of polynomials through them: `exact` gives what the trajectory itself says.
    """

    trajectory: Trajectory
    origin_tai_us: int
    node_s: Reals
    position_km: Reals
    velocity_km_s: Reals

    @classmethod
    def through(cls, trajectory: Trajectory, since_tai_us: int, until_tai_us: int) -> "Track":
        """Return the track of a trajectory over a span, as far as it covers that."""
        whole = np.arange(-(-since_tai_us // STEP_US), until_tai_us // STEP_US + 1, dtype=np.int64) * STEP_US
        tai_us = np.unique(np.concatenate(([since_tai_us], whole, [until_tai_us])))
        states = trajectory.state_at(utc_us_of(tai_us).astype("datetime64[us]"))
        return cls(trajectory, since_tai_us, (tai_us - since_tai_us) / SECOND_US, *earth_fixed(states))

    @cached_property
    def sun(self) -> Reals:
        """Unit vectors to the Sun at the nodes: (n, 3)."""
        return apparent_sun_itrs(self.origin_tai_us + np.rint(self.node_s * SECOND_US).astype(np.int64))

    def states(self, at_s: Reals) -> tuple[Reals, Reals]:
        """Return positions and velocities between the nodes: (m,) -> two (m, 3). Cubic Hermite polynomials."""
        node, share, length_s = self._place(at_s)
        begin, end = (self.position_km.take(each, axis=0) for each in (node, node + 1))
        slope, end_slope = (length_s * self.velocity_km_s.take(each, axis=0) for each in (node, node + 1))
        change = end - begin
        square = 3.0 * change - 2.0 * slope - end_slope
        cube = slope + end_slope - 2.0 * change
        position_km = begin + share * (slope + share * (square + share * cube))
        velocity_km_s = (slope + share * (2.0 * square + 3.0 * share * cube)) / length_s
        return position_km, velocity_km_s

    def sun_at(self, at_s: Reals) -> Reals:
        """Return directions to the Sun between the nodes, of length 1 to three parts in a million: (m,) -> (m, 3)."""
        node, share, _ = self._place(at_s)
        begin, end = (self.sun.take(each, axis=0) for each in (node, node + 1))
        return begin + share * (end - begin)

    def _place(self, at_s: Reals) -> tuple[Micros, Reals, Reals]:
        """Return the nodes before instants, and share (m, 1) and length (m, 1) of the way to the next ones."""
        # Nodes after the first are whole minutes: no search is needed.
        since_minute_s = self.origin_tai_us % STEP_US / SECOND_US
        node = np.clip(((at_s + since_minute_s) // STEP_S).astype(np.int64), 0, self.node_s.size - 2)
        length_s = self.node_s[node + 1] - self.node_s[node]
        return node, ((at_s - self.node_s[node]) / length_s)[:, np.newaxis], length_s[:, np.newaxis]

    def exact(self, at_s: Reals) -> tuple[States, Reals, Reals]:
        """Return the trajectory's states at instants, and their positions and velocities as above: (m,), two (m, 3)."""
        states = self.trajectory.state_at(self.utc(at_s))
        return states, *earth_fixed(states)

    def utc(self, at_s: Reals) -> NDArray[np.datetime64]:
        """Return instants in UTC, to the microsecond: (m,)."""
        tai_us = self.origin_tai_us + np.rint(at_s * SECOND_US).astype(np.int64)
        return utc_us_of(tai_us).astype("datetime64[us]")


def tracks_of(trajectory: Trajectory, start: np.datetime64, stop: np.datetime64) -> list[Track]:
    """Return the tracks of one issue between two instants in UTC, one for each stretch that it covers without a gap."""
    since_us, until_us = tai_from_utc(np.array([start, stop])).astype(np.int64).tolist()
    spans = ((max(begin_us, since_us), min(end_us, until_us)) for begin_us, end_us in stretches_of(trajectory.arcs))
    return [Track.through(trajectory, begin_us, end_us) for begin_us, end_us in spans if begin_us < end_us]


def stretches_of(arcs: Iterable[Arc]) -> list[tuple[int, int]]:
    """Return the spans that arcs cover without a gap, in TAI: where one begins by the end of another they are one."""
    stretches: list[tuple[int, int]] = []
    for begin_us, end_us in sorted((arc.start_tai_us, arc.stop_tai_us) for arc in arcs):
        if stretches and begin_us <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(stretches[-1][1], end_us)
        else:
            stretches.append((begin_us, end_us))
    return stretches
