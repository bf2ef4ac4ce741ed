"""Fixes -> positions: repeats dropped, speed, phase, hemisphere and distance derived; one for stream and batch."""

from typing import Final

import numpy as np
import pyarrow as pa

from orbitlake.columns import Indices, reals
from orbitlake.digits import rounded
from orbitlake.physics import kinematics
from orbitlake.positions.derive.order import NONE, Track
from orbitlake.tables import POSITIONS

PHASES: Final = pa.array(["DESCENDING", "UNKNOWN", "ASCENDING"])
NORTH_SOUTH: Final = pa.array(["South", "North"])
EAST_WEST: Final = pa.array(["West", "East"])


def positions_of(fixes: pa.Table) -> pa.Table:
    """Return the positions of fixes (base columns, any order, repeats allowed): one row a distinct fix.

    They are sorted by object and in the order of fixes.
    """
    return united(fixes.schema.empty_table(), fixes)[0]


def united(before: pa.Table, fixes: pa.Table) -> tuple[pa.Table, Indices]:
    """Return the positions of both together, and for each the last row of `before` that is its fix, or NONE."""
    both = pa.concat_tables([before, fixes])
    track = Track.of(both)
    order, starts = track.repeats(reals(both.column("altitude_km")))
    if not order.size:
        return POSITIONS.schema.empty_table(), order
    last_before = np.maximum.reduceat(np.where(order < before.num_rows, order, NONE), starts)
    first = order[starts]
    sequence = track.take(first).in_order()
    rows = first[sequence]
    distinct = both.take(rows)
    track = track.take(rows)
    columns = dict(zip(distinct.column_names, distinct.columns, strict=True)) | motion_of(track)
    positions = pa.table([columns[name] for name in POSITIONS.column_names], schema=POSITIONS.schema)
    return rounded(positions, POSITIONS), last_before[sequence]


def motion_of(track: Track) -> dict[str, pa.Array]:
    """Return the derived columns of a track of distinct fixes in order."""
    before = track.earlier()
    has_earlier = before != NONE
    latitude, longitude = track.latitude, track.longitude
    earlier_latitude = np.where(has_earlier, track.latitude[before], np.nan)
    elapsed_s = np.where(has_earlier, (track.event_us - track.event_us[before]) / 1e6, np.nan)
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
