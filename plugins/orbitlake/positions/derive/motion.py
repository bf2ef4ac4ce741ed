"""Fixes -> positions: repeats dropped, speed, phase, hemisphere and distance derived; one for stream and batch."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa

from orbitlake.columns import NEVER_US, Indices, micros, object_numbers, order_by, reals, starts_of_runs
from orbitlake.digits import rounded
from orbitlake.physics import kinematics
from orbitlake.physics.kinematics import Reals
from orbitlake.tables import POSITIONS

BASE_COLUMNS: Final = (
    "object_id", "source", "event_time", "fetch_time", "latitude_deg", "longitude_deg", "altitude_km",
)  # fmt: skip
"""What a feed gives; the other columns of positions are derived from these."""
LONGEST_GAP_S: Final = 120
"""A fix further back says nothing about the speed now."""
LONGEST_GAP_US: Final = LONGEST_GAP_S * 1_000_000
NONE: Final = -1
"""No row."""
PHASES: Final = pa.array(["DESCENDING", "UNKNOWN", "ASCENDING"])
NORTH_SOUTH: Final = pa.array(["South", "North"])
EAST_WEST: Final = pa.array(["West", "East"])


@dataclass(frozen=True, slots=True)
class Track:
    """Fixes of any objects, a row each: the number of its object and source, and its base columns. Shapes: (n,)."""

    object: Indices
    event_us: Indices
    fetch_us: Indices
    latitude: Reals
    longitude: Reals

    @classmethod
    def of(cls, fixes: pa.Table) -> "Track":
        """Take the columns of a table of fixes."""
        event_us, fetch_us = (micros(fixes.column(name)) for name in ("event_time", "fetch_time"))
        latitude, longitude = (reals(fixes.column(name)) for name in ("latitude_deg", "longitude_deg"))
        return cls(object_numbers(fixes), event_us, fetch_us, latitude, longitude)

    def take(self, rows: Indices) -> "Track":
        return Track(*(getattr(self, field.name)[rows] for field in fields(self)))

    def in_order(self) -> Indices:
        """Return the rows by object and in the order of fixes.

        Fixes of one second have no order of their own; this one is the same whatever the order of arrival.
        """
        return order_by(self.object, self.event_us, self.fetch_us, self.latitude, self.longitude)

    def repeats(self, altitude: Reals) -> tuple[Indices, Indices]:
        """Return the rows by object, time and place, and where among them each distinct fix begins.

        A distinct fix begins with its row as first received. Among copies a known fetch_time counts before an unknown
        one, and a known altitude likewise, so that the result knows no order of arrival.
        """
        fetched_us = np.where(self.fetch_us == NEVER_US, np.iinfo(np.int64).max, self.fetch_us)
        order = order_by(self.object, self.event_us, self.latitude, self.longitude, fetched_us, altitude)
        return order, starts_of_runs(
            *(key[order] for key in (self.object, self.event_us, self.latitude, self.longitude))
        )

    def earlier(self) -> Indices:
        """Return for each row of a track in order the row that its motion is measured against, NONE without one.

        That is the last one, in the order of fixes, with a strictly earlier time, if at most 120 s back.
        """
        starts = starts_of_runs(self.object, self.event_us)
        before = np.repeat(starts - 1, np.diff(starts, append=self.object.size))
        is_near = (before >= 0) & (self.object[before] == self.object)
        is_near &= self.event_us - self.event_us[before] <= LONGEST_GAP_US
        return np.where(is_near, before, NONE)


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
