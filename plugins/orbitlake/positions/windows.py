"""Positions -> window_stats: one row an object, source and UTC minute, the same whatever the order and partitioning."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from orbitlake.lake import spark_schema
from orbitlake.physics.kinematics import Reals, circular_means_deg, great_circle_km, ground_speed_km_s
from orbitlake.positions.motion import OF_OBJECT, ORDER_OF_FIXES
from orbitlake.tables import WINDOW_STATS

MINUTE_US: Final = 60_000_000
Indices = NDArray[np.int64]


def aggregate_minutes(positions: DataFrame) -> DataFrame:
    """Return window_stats of whole minutes of `positions` (its key, fetch_time and velocity_km_s).

    Sums of floating point depend on their order, so each minute is collected and sorted before it is summed.
    """
    fixes = F.sort_array(F.collect_list(F.struct(*ORDER_OF_FIXES, "velocity_km_s"))).alias("fixes")
    minute = F.date_trunc("minute", "event_time").alias("window_start")
    minutes = positions.groupBy(*OF_OBJECT, minute).agg(fixes)
    return minutes.mapInArrow(summarise, spark_schema(WINDOW_STATS.schema))


def minutes_of(positions: pa.Table) -> pa.Table:
    """Return window_stats of whole minutes of `positions` that are in memory: the same bits as `aggregate_minutes`."""
    keys = [(name, "ascending", "at_start") for name in (*OF_OBJECT, *ORDER_OF_FIXES)]
    rows = positions.take(pc.sort_indices(positions, sort_keys=keys)).combine_chunks()
    if not rows.num_rows:
        return WINDOW_STATS.schema.empty_table()
    minute = rows.column("event_time").cast(pa.int64()).to_numpy() // MINUTE_US
    objects = (rows.column(name).combine_chunks().dictionary_encode().indices.to_numpy() for name in OF_OBJECT)
    changes = np.any([np.diff(values) != 0 for values in (minute, *objects)], axis=0)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    fixes = rows.select([*ORDER_OF_FIXES, "velocity_km_s"]).to_struct_array().combine_chunks()
    object_id, source = (rows.column(name).combine_chunks().take(pa.array(starts)) for name in OF_OBJECT)
    return pa.Table.from_batches([summary(object_id, source, fixes, starts)], schema=WINDOW_STATS.schema)


def summarise(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn batches of (object_id, source, window_start, sorted fixes) into rows of window_stats."""
    for batch in batches:
        if batch.num_rows:
            lists = batch.column("fixes")
            lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
            starts = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
            yield summary(batch.column("object_id"), batch.column("source"), lists.flatten(), starts)


def summary(object_id: pa.Array, source: pa.Array, fixes: pa.StructArray, starts: Indices) -> pa.RecordBatch:
    """Return window_stats of runs of sorted fixes, none empty; run i begins at starts[i].

    Shapes: (m,), (m,), (n,), (m,) -> m rows.
    """
    data_points = np.diff(starts, append=len(fixes))
    latitude, longitude = real(fixes, "latitude_deg"), real(fixes, "longitude_deg")
    time_us = fixes.field("event_time").cast(pa.int64()).to_numpy(zero_copy_only=False)
    first_us, last_us = time_us[starts], time_us[starts + data_points - 1]
    start_us = first_us // MINUTE_US * MINUTE_US
    mean, lowest, highest, deviation = velocity_statistics(real(fixes, "velocity_km_s"), starts, data_points)
    numbers = {
        "window_start": start_us,
        "window_end": start_us + MINUTE_US,
        "data_points": data_points,
        "avg_latitude_deg": np.add.reduceat(latitude, starts) / data_points,
        "avg_longitude_deg": circular_means_deg(longitude, starts),
        "avg_velocity_km_s": mean,
        "max_velocity_km_s": highest,
        "min_velocity_km_s": lowest,
        "velocity_stddev_km_s": deviation,
        "ground_speed_km_s": ground_speed_km_s(path_km(latitude, longitude, starts), (last_us - first_us) / 1e6),
        "first_event_time": first_us,
        "last_event_time": last_us,
    }
    columns = {"object_id": object_id, "source": source} | {
        name: pa.array(values, from_pandas=True).cast(WINDOW_STATS.schema.field(name).type)
        for name, values in numbers.items()
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in WINDOW_STATS.column_names], schema=WINDOW_STATS.schema)


def velocity_statistics(velocity: Reals, starts: Indices, lengths: Indices) -> tuple[Reals, Reals, Reals, Reals]:
    """Return mean, minimum, maximum and sample deviation of each run, NaN where too few are observed.

    Shapes: (n,), (m,), (m,) -> four (m,). NaN in `velocity` is a fix without a speed.
    """
    observed = ~np.isnan(velocity)
    count = np.add.reduceat(observed.astype(np.int64), starts)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(np.where(observed, velocity, 0.0), starts) / count
        residual = np.where(observed, velocity - np.repeat(mean, lengths), 0.0)
        deviation = np.sqrt(np.add.reduceat(residual**2, starts) / (count - 1))
    lowest = np.minimum.reduceat(np.where(observed, velocity, np.inf), starts)
    highest = np.maximum.reduceat(np.where(observed, velocity, -np.inf), starts)
    nothing = count == 0
    return (
        np.where(nothing, np.nan, mean),
        np.where(nothing, np.nan, lowest),
        np.where(nothing, np.nan, highest),
        np.where(count < 2, np.nan, deviation),
    )


def path_km(latitude: Reals, longitude: Reals, starts: Indices) -> Reals:
    """Return the length of the way through the fixes of each run. Shapes: (n,), (n,), (m,) -> (m,)."""
    legs = np.zeros(latitude.size)
    legs[1:] = great_circle_km(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:])
    legs[starts] = 0.0  # the leg into a minute belongs to no minute
    return np.add.reduceat(legs, starts)


def real(fixes: pa.StructArray, name: str) -> Reals:
    """A field of the fixes as numpy, null as NaN."""
    return np.asarray(fixes.field(name).to_numpy(zero_copy_only=False), dtype=np.float64)
