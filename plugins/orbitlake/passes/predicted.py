"""What one issue tells of passes and approaches, as rows: times, how sure they are, and rounding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded_values_of
from orbitlake.passes.track import Track
from orbitlake.physics.kinematics import Reals
from orbitlake.physics.roots import Rows
from orbitlake.physics.sky import inertial_velocity
from orbitlake.physics.vectors import lengths
from orbitlake.tables import UTC_MICROSECONDS, Table

MILLISECOND_US: Final = 1000
P90_OF_SIGMA: Final = 1.6448536269514722
P50_OF_SIGMA: Final = 0.6744897501960817
"""Half-widths of the intervals that hold nine tenths and half of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a trajectory has an object at n instants, in ITRS (n, 3), and how sure that is, (n,) each.

    p50_s and p90_s are what half and nine tenths of the errors of such predictions kept to, as time along the track.
    """

    p50_s: Reals
    p90_s: Reals
    burn_between: NDArray[np.bool_]
    creation_date: NDArray[np.datetime64]
    position_km: Reals
    velocity_km_s: Reals


def whereabouts(track: Track, at_s: Reals) -> Whereabouts:
    """Return where the trajectory has the object at instants, in ITRS, and how sure that is: (n,)."""
    states, position_km, velocity_km_s = track.exact(at_s)
    speed_km_s = lengths(inertial_velocity(position_km, velocity_km_s))
    return Whereabouts(
        states.p50_km / speed_km_s,
        states.p90_km / speed_km_s,
        states.burn_between,
        states.creation_date,
        position_km,
        velocity_km_s,
    )


def sigma_s(p50_s: Reals, p90_s: Reals) -> Reals:
    """Return the standard deviation of a normal distribution by its bounds, by that for half where it must: (n,)."""
    return np.where(np.isnan(p90_s), p50_s / P50_OF_SIGMA, p90_s / P90_OF_SIGMA)


def times(utc: NDArray[np.datetime64], is_known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return a column of instants to the millisecond, null where not known: (n,)."""
    utc_us = utc.astype("datetime64[us]").astype(np.int64)
    whole_us = (utc_us + MILLISECOND_US // 2) // MILLISECOND_US * MILLISECOND_US
    mask = None if is_known is None else ~is_known
    return pa.array(whole_us, pa.int64(), mask=mask).cast(UTC_MICROSECONDS)


def moments(utc: NDArray[np.datetime64]) -> pa.Array:
    """Return a column of instants as they are, null where NaT: (n,)."""
    return pa.array(utc.astype("datetime64[us]"), pa.timestamp("us")).cast(UTC_MICROSECONDS)


def label(names: Sequence[str], number: Rows) -> pa.DictionaryArray:
    """Return a column of names by their numbers: (n,)."""
    return pa.DictionaryArray.from_arrays(pa.array(number, pa.int32()), pa.array(names, pa.string()))


def columns_of(table: Table, names: Sequence[str], columns: Mapping[str, Any]) -> pa.Table:
    """Return rows with some columns of a table, rounded to its digits, NaN as null; none without columns."""
    schema = pa.schema([table.schema.field(name) for name in names])
    if not columns:
        return schema.empty_table()
    decimals = {column.name: column.decimals for column in table.columns}
    arrays = []
    for name in names:
        values = columns[name]
        places = decimals[name]
        arrays.append(
            values if places is None else pa.array(rounded_values_of(np.asarray(values), places), from_pandas=True)
        )
    return pa.table(arrays, schema=schema)
