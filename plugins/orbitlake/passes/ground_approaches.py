"""Trajectory -> approaches of its ground track to points: when within reach, and how near."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orbitlake.passes.combine import newest_of
from orbitlake.passes.places import Point
from orbitlake.passes.predicted import columns_of, label, moments, sigma_s, times, whereabouts
from orbitlake.passes.search import REACH_S, Found, search
from orbitlake.passes.track import Track, tracks_of
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.kinematics import SPHERE_RADIUS_KM, Reals, great_circle_km
from orbitlake.physics.roots import Rows
from orbitlake.physics.sky import Grounds, inertial_velocity
from orbitlake.physics.vectors import dots, lengths
from orbitlake.tables import APPROACHES
from orbitlake.trajectory.states import Trajectory

HALF_STEP_S: Final = 0.25
"""Of the difference that stands for a rate."""
TOLD: Final = (
    *("point", "entry_time", "closest_time", "exit_time", "distance_km"),
    *("time_sigma_s", "time_p90_s", "burn_between", "creation_date"),
)
"""The columns of approaches that one issue tells."""


def approaches(points: Point | Sequence[Point], trajectory: Trajectory, start: datetime, stop: datetime) -> pa.Table:
    """Return the approaches that are closest from start to before stop, datetimes with a zone; by point and entry.

    The columns are those of the table approaches that one issue tells. Which issue that is: as of passes.
    """
    looking = [points] if isinstance(points, Point) else list(points)

    def of_issue(issue: Trajectory, since: np.datetime64, until: np.datetime64) -> pa.Table:
        return approaches_of_issue(looking, issue, since, until)

    return newest_of(trajectory, start, stop, of_issue, APPROACHES, TOLD)


def approaches_of_issue(
    points: Sequence[Point], issue: Trajectory, since: np.datetime64, until: np.datetime64
) -> pa.Table:
    """Return all approaches that lie in a span (UTC) by the one issue that a trajectory is of; its columns are TOLD."""
    looking = PointsOnEarth(points)
    parts = [_approaches(looking, track) for track in tracks_of(issue, since, until)]
    return pa.concat_tables([columns_of(APPROACHES, TOLD, {}), *parts])


class PointsOnEarth:
    """Points as the search sees them: normals of the ellipsoid, whose angles are those of great circles."""

    def __init__(self, points: Sequence[Point]) -> None:
        self.names = [point.name for point in points]
        self.latitude_deg, self.longitude_deg, within_km = (
            np.array([getattr(point, name) for point in points], dtype=np.float64)
            for name in ("latitude_deg", "longitude_deg", "within_km")
        )
        self.up = Grounds.of(self.latitude_deg, self.longitude_deg, np.zeros(len(points))).up
        self.limit_cosine = np.cos(within_km / SPHERE_RADIUS_KM)

    def nearness(self, position_km: Reals, place: Rows) -> Reals:
        """Return the cosine of the angle from a point, above that of its limit: (m, 3), (m,) -> (m,)."""
        return np.asarray(dots(_normals(position_km), self.up[place]) - self.limit_cosine[place])

    def at_nodes(self, track: Track) -> Iterator[tuple[Reals, Reals]]:
        """Yield how near the nodes are, as cosines, and how much nearer the path may come beside them: (n,)."""
        x, y, z = (np.ascontiguousarray(column) for column in _normals(track.position_km).T)
        reach_rad = REACH_S * lengths(track.velocity_km_s) / lengths(track.position_km)
        for up, limit in zip(self.up, self.limit_cosine, strict=True):
            cosine = up[0] * x + up[1] * y + up[2] * z
            angle_rad = np.arccos(np.clip(cosine, -1.0, 1.0))
            yield cosine - limit, np.cos(np.maximum(angle_rad - reach_rad, 0.0)) - cosine


def _normals(position_km: Reals) -> Reals:
    """Return the normals of the ellipsoid straight below positions: (n, 3) -> (n, 3)."""
    latitude, longitude = (np.radians(each) for each in geodetic_from_itrs(position_km)[:2])
    return np.column_stack(
        (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    )


def _approaches(points: PointsOnEarth, track: Track) -> pa.Table:
    def near(at_s: Reals, place: Rows) -> Reals:
        return points.nearness(track.states(at_s)[0], place)

    def nearing(at_s: Reals, place: Rows) -> Reals:
        return near(at_s + HALF_STEP_S, place) - near(at_s - HALF_STEP_S, place)

    found = search(track.node_s, points.at_nodes(track), near, nearing)
    # An entry before the first state, or an exit after the last one, is none.
    is_known = (found.rise_s >= 0.0) & (found.fall_s <= track.node_s[-1])
    found = Found(*(getattr(found, name)[is_known] for name in Found.__slots__))
    closest = whereabouts(track, found.peak_s)
    latitude_deg, longitude_deg, _ = geodetic_from_itrs(closest.position_km)
    # A late object passes over ground that Earth carried on: nearest is it later by more, or less, than it is late.
    ground_km_s = closest.velocity_km_s
    growth = dots(inertial_velocity(closest.position_km, ground_km_s), ground_km_s) / dots(ground_km_s, ground_km_s)
    columns: dict[str, Any] = {
        "point": label(points.names, found.place),
        "entry_time": times(track.utc(found.rise_s)),
        "closest_time": times(track.utc(found.peak_s)),
        "exit_time": times(track.utc(found.fall_s)),
        "distance_km": great_circle_km(
            latitude_deg, longitude_deg, points.latitude_deg[found.place], points.longitude_deg[found.place]
        ),
        "time_sigma_s": sigma_s(growth * closest.p50_s, growth * closest.p90_s),
        "time_p90_s": growth * closest.p90_s,
        "burn_between": pa.array(closest.burn_between),
        "creation_date": moments(closest.creation_date),
    }
    return columns_of(APPROACHES, TOLD, columns)
