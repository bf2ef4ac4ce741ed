"""Fixes as columns of numpy: which are repeats, how they follow each other, which one lies before which."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.physics.kinematics import Reals

BASE_COLUMNS: Final = (
    "object_id", "source", "event_time", "fetch_time", "latitude_deg", "longitude_deg", "altitude_km",
)  # fmt: skip
"""What a feed gives; the other columns of positions are derived from these."""
LONGEST_GAP_S: Final = 120
"""A fix further back says nothing about the speed now."""
LONGEST_GAP_US: Final = LONGEST_GAP_S * 1_000_000
OF_OBJECT: Final = ("object_id", "source")
MINUTE_US: Final = 60_000_000
DAY_US: Final = 1440 * MINUTE_US
NEVER_US: Final = np.iinfo(np.int64).min
"""A time that is null."""
NONE: Final = -1
"""No row."""

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


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


def order_by(*keys: NDArray[np.generic]) -> Indices:
    """Return the order of rows by the keys, the first one foremost; at least three keys."""
    # Two rows of one object and time are rare, and only they need the other keys.
    order = np.lexsort(keys[1::-1])
    tied = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys[:2]])
    return np.lexsort(keys[::-1]) if tied.any() else order


def starts_of_runs(*keys: NDArray[np.generic]) -> Indices:
    """Return where each run of rows with equal keys begins. Shapes: (n,) each -> (runs,)."""
    if not keys[0].size:
        return np.zeros(0, np.int64)
    changes = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def object_numbers(rows: pa.Table) -> Indices:
    """Return a number for the object and source of each row, in the order of their names."""
    numbers = np.zeros(rows.num_rows, np.int64)
    for name in OF_OBJECT:
        encoded = rows.column(name).combine_chunks().dictionary_encode()
        ranks = pc.rank(encoded.dictionary).to_numpy().astype(np.int64) - 1
        numbers = numbers * ranks.size + ranks[encoded.indices.to_numpy()]
    return numbers


def micros(times: pa.Array | pa.ChunkedArray) -> Indices:
    """A column of times as microseconds since 1970, null as NEVER_US."""
    return np.asarray(times.cast(pa.int64()).fill_null(NEVER_US).to_numpy(), dtype=np.int64)


def reals(values: pa.Array | pa.ChunkedArray) -> Reals:
    """An Arrow column as numpy, null as NaN."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
