"""Fixes -> positions: repeats dropped, speed, phase, hemisphere and distance derived; one for stream and batch."""

from typing import Final

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from orbitlake.digits import rounded
from orbitlake.lake import spark_schema
from orbitlake.physics import kinematics
from orbitlake.positions.track import NONE, OF_OBJECT, Indices, Track, reals
from orbitlake.tables import POSITIONS

PHASES: Final = pa.array(["DESCENDING", "UNKNOWN", "ASCENDING"])
NORTH_SOUTH: Final = pa.array(["South", "North"])
EAST_WEST: Final = pa.array(["West", "East"])


def derive_motion(fixes: DataFrame) -> DataFrame:
    """Return the positions of `fixes` (base columns, any order, repeats allowed): one row a distinct fix."""
    return fixes.groupBy(*OF_OBJECT).applyInArrow(positions_of, spark_schema(POSITIONS.schema))


def positions_of(fixes: pa.Table) -> pa.Table:
    """Return the same of fixes in memory, by object and in the order of fixes."""
    track = Track.of(fixes)
    order, starts = track.repeats(reals(fixes.column("altitude_km")))
    first = order[starts]
    rows = first[track.take(first).in_order()]
    distinct = fixes.take(rows)
    track = track.take(rows)
    columns = dict(zip(distinct.column_names, distinct.columns, strict=True)) | motion_of(track, np.arange(rows.size))
    return rounded(pa.table([columns[name] for name in POSITIONS.column_names], schema=POSITIONS.schema), POSITIONS)


def motion_of(track: Track, rows: Indices) -> dict[str, pa.Array]:
    """Return the derived columns of some rows of a track of distinct fixes in order."""
    before = track.earlier()[rows]
    has_earlier = before != NONE
    latitude, longitude = track.latitude[rows], track.longitude[rows]
    earlier_latitude = np.where(has_earlier, track.latitude[before], np.nan)
    elapsed_s = np.where(has_earlier, (track.event_us[rows] - track.event_us[before]) / 1e6, np.nan)
    way_km = kinematics.great_circle_km(earlier_latitude, track.longitude[before], latitude, longitude)
    return {
        "velocity_km_s": pa.array(kinematics.ground_speed_km_s(way_km, elapsed_s), from_pandas=True),
        "orbit_phase": chosen(PHASES, kinematics.latitude_trend(latitude, earlier_latitude) + 1),
        "hemisphere_ns": chosen(NORTH_SOUTH, latitude >= 0),
        "hemisphere_ew": chosen(EAST_WEST, longitude >= 0),
        "distance_to_paris_km": pa.array(kinematics.distance_to_paris_km(latitude, longitude)),
    }


def chosen(words: pa.Array, numbers: np.ndarray) -> pa.Array:
    """Return words by their numbers."""
    return words.take(pa.array(numbers.astype(np.int8)))
