"""A pass over a site -> points of its way through the sky, from rise to set, for the sky chart and the map."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field

from orbitlake.lake import Lake
from orbitlake.page.answers import Row
from orbitlake.page.pass_queries import one_pass
from orbitlake.passes import Site, read_places
from orbitlake.passes.sky_path import sky_path
from orbitlake.settings import STANDARD, data_root, from_environment
from orbitlake.tables import PASSES, TABLES
from orbitlake.trajectory import Trajectory, trajectory_of
from orbitlake.trajectory.states import utc_of

STEP_S: Final = 10
MOST_POINTS: Final = 2_000
"""Of one pass: something high up may stand above a site for days."""
MOMENTS: Final = ("rise_time", "culmination_time", "set_time")
EDGES: Final = ("visible_from", "visible_until")
PASSES_KEPT: Final = 64
"""Of which a process holds the points, each until another issue tells of it."""


class SkyPoint(Row):
    time: datetime
    azimuth_deg: float = Field(description="from north over east, 0 to 360 (deg)")
    elevation_deg: float = Field(description="above the horizontal of the site (deg)")
    range_km: float = Field(description="distance from the site (km)")
    latitude_deg: float = Field(description="geodetic latitude of the point below (deg)")
    longitude_deg: float = Field(description="longitude of the point below, east positive (deg)")
    is_visible: bool = Field(description="whether the object is sunlit and the Sun at least 6 degrees below there")


def points_of(root: Path, object_id: str, site: Site, row: Mapping[str, Any], *, refraction: bool) -> list[SkyPoint]:
    """Return points of a pass each 10 s and at its own moments, by the issue that tells of it; none of a cancelled one.

    `row` is one of the table passes.
    """
    if row["status"] == "CANCELLED":
        return []
    moments, edges = (tuple(row[name] for name in names if row[name] is not None) for names in (MOMENTS, EDGES))
    return list(_points(root, object_id, site, row["creation_date"], moments, edges, refraction))


@lru_cache(maxsize=PASSES_KEPT)
def _points(
    root: Path,
    object_id: str,
    site: Site,
    created: datetime,
    moments: tuple[datetime, ...],
    edges: tuple[datetime, ...],
    refraction: bool,
) -> tuple[SkyPoint, ...]:
    created_us = int(utc_of([created]).astype(np.int64)[0])
    arcs = [arc for arc in trajectory_of(object_id, root).arcs if arc.creation_us == created_us]
    times = _times(moments + edges)
    path = sky_path(site, Trajectory(arcs), times, refraction=refraction)
    is_visible = path.is_sunlit & path.is_dark
    return tuple(
        SkyPoint(
            time=time,
            azimuth_deg=round(float(path.azimuth_deg[i]), 3),
            elevation_deg=round(float(path.elevation_deg[i]), 3),
            range_km=round(float(path.range_km[i]), 3),
            latitude_deg=round(float(path.latitude_deg[i]), 4),
            longitude_deg=round(float(path.longitude_deg[i]), 4),
            # At the first and last such moment, to the millisecond, it might be either.
            is_visible=bool(is_visible[i]) or time in edges,
        )
        for i, time in enumerate(times)
        if np.isfinite(path.elevation_deg[i])
    )


def _times(moments: tuple[datetime, ...]) -> list[datetime]:
    """Return the moments, and times between the first and the last of them, in order."""
    first, last = min(moments), max(moments)
    length_s = (last - first).total_seconds()
    step_s = max(STEP_S, length_s / MOST_POINTS)
    steps = (first + timedelta(seconds=step_s * nth) for nth in range(int(length_s / step_s) + 1))
    return sorted({*moments, *steps})


def read_sky(object_id: str, site: str, pass_id: str, data: Path | None = None) -> list[SkyPoint]:
    """Return the points of a pass over a site, as the page draws them; none where there is no such pass.

    `data` is the root of the lake, by default that of the settings. Raises SitesError for a site that there is not.
    """
    from orbitlake.query import connect

    settings = from_environment()
    root = data_root(str(data), "data") if data else settings.data
    (place,) = read_places(settings.sites_file).named([site])
    result = connect(root, tables=[TABLES[PASSES.name]]).execute(one_pass(object_id, site, pass_id))
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    refraction = settings.refraction == STANDARD
    return points_of(Lake(root).root, object_id, place, rows[0], refraction=refraction) if rows else []


def call_of(object_id: str, site: str, pass_id: str) -> str:
    """The Python that gives the points of a pass, to be pasted anywhere."""
    return f"from orbitlake.page.sky import read_sky\n\npoints = read_sky({object_id!r}, {site!r}, {pass_id!r})"
