"""States of an ephemeris -> points of the ground track between them, geodetic on WGS-84."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from orbitlake.page import questions
from orbitlake.page.answers import TrackPoint
from orbitlake.physics.frames import itrs_from
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.interpolation import HermitePath

TRACK_STEP_S: Final = 30


def read_track(
    object_id: str, at: datetime, past_minutes: int, next_minutes: int, data: Path | None = None
) -> list[TrackPoint]:
    """Return the ground track that the newest issue gives around a moment, a point each 30 s, as the page draws it.

    `data` is the root of the lake, by default that of the settings.
    """
    from orbitlake.query import connect

    start, stop = at - timedelta(minutes=past_minutes), at + timedelta(minutes=next_minutes)
    result = connect(data).execute(questions.track_states(object_id, start, stop))
    names = [column[0] for column in result.description]
    states = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return ground_track(states, steps(start, stop, TRACK_STEP_S))


def call_of(object_id: str, at: datetime, past_minutes: int, next_minutes: int) -> str:
    """The Python that gives the points of a track, to be pasted anywhere."""
    return (
        "from datetime import datetime\n"
        "from orbitlake.page.track import read_track\n\n"
        f"at = datetime.fromisoformat({at.isoformat()!r})\n"
        f"points = read_track({object_id!r}, at, {past_minutes}, {next_minutes})"
    )


def ground_track(states: Sequence[dict[str, Any]], times: Sequence[datetime]) -> list[TrackPoint]:
    """Return a point for each of `times` that the states and the usable span of their issue cover.

    `states` are rows of `questions.track_states`; interpolation stops at segment bounds and burn edges.
    """
    if not states:
        return []
    covered = [time for time in times if states[0]["useable_from"] <= time <= states[0]["useable_until"]]
    origin = states[0]["epoch"]
    at_s = seconds(covered, origin)
    position_km = np.full((len(covered), 3), np.nan)
    for _, rows in groupby(states, key=itemgetter("segment")):
        segment = list(rows)
        path = HermitePath.through(
            seconds([row["epoch"] for row in segment], origin),
            np.array([[row["x_km"], row["y_km"], row["z_km"]] for row in segment]),
            np.array([[row["vx_km_s"], row["vy_km_s"], row["vz_km_s"]] for row in segment]),
            edge=np.array([row["burn_edge"] for row in segment], dtype=bool),
        )
        found_km, _ = path.states(at_s)
        position_km = np.where(np.isnan(position_km), found_km, position_km)
    epoch_utc = np.array([time.astimezone(UTC).replace(tzinfo=None) for time in covered], dtype="datetime64[us]")
    itrs_km = itrs_from(states[0]["ref_frame"], epoch_utc, position_km)
    if itrs_km is None:
        return []
    latitude_deg, longitude_deg, height_km = geodetic_from_itrs(itrs_km)
    return [
        TrackPoint(
            time=time,
            latitude_deg=float(latitude_deg[i]),
            longitude_deg=float(longitude_deg[i]),
            altitude_km=float(height_km[i]),
        )
        for i, time in enumerate(covered)
        if np.isfinite(height_km[i])
    ]


def steps(start: datetime, stop: datetime, step_s: int) -> list[datetime]:
    """The times from `start` to `stop`, `step_s` apart, on whole multiples of it: the same points at every request."""
    first = start.timestamp() // step_s * step_s
    count = int((stop.timestamp() - first) // step_s)
    return [datetime.fromtimestamp(first, UTC) + timedelta(seconds=step_s * (i + 1)) for i in range(count)]


def seconds(times: Sequence[datetime], origin: datetime) -> NDArray[np.float64]:
    """Return times as seconds since `origin`."""
    return np.array([(time - origin).total_seconds() for time in times], dtype=np.float64)
