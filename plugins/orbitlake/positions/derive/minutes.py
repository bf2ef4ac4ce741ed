"""Positions -> window_stats: one row an object, source and UTC minute, the same whatever the order and partitioning."""

import numpy as np
import pyarrow as pa

from orbitlake.columns import MINUTE_US, OF_OBJECT, Indices, reals, starts_of_runs
from orbitlake.digits import rounded
from orbitlake.physics.kinematics import Reals, circular_means_deg, great_circle_km, ground_speed_km_s
from orbitlake.positions.derive.motion import Track
from orbitlake.tables import WINDOW_STATS


def minutes_of(positions: pa.Table) -> pa.Table:
    """Return window_stats of whole minutes of `positions` (its key, fetch_time and velocity_km_s).

    Sums of floating point depend on their order, so the fixes of each minute are sorted before they are summed.
    """
    if not positions.num_rows:
        return WINDOW_STATS.schema.empty_table()
    track = Track.of(positions)
    order = track.in_order()
    track = track.take(order)
    velocity = reals(positions.column("velocity_km_s"))[order]
    starts = starts_of_runs(track.object, track.event_us // MINUTE_US)
    of_minutes = positions.select(list(OF_OBJECT)).take(order[starts])
    columns = dict(zip(OF_OBJECT, of_minutes.columns, strict=True)) | summary(track, velocity, starts)
    minutes = pa.table([columns[name] for name in WINDOW_STATS.column_names], schema=WINDOW_STATS.schema)
    return rounded(minutes, WINDOW_STATS)


def summary(track: Track, velocity: Reals, starts: Indices) -> dict[str, pa.Array]:
    """Return the columns of window_stats for runs of fixes in order, none empty; run i begins at starts[i].

    Shapes: (n,), (n,), (m,) -> (m,) each.
    """
    data_points = np.diff(starts, append=velocity.size)
    first_us, last_us = track.event_us[starts], track.event_us[starts + data_points - 1]
    start_us = first_us // MINUTE_US * MINUTE_US
    mean, lowest, highest, deviation = velocity_statistics(velocity, starts, data_points)
    way_km = path_km(track.latitude, track.longitude, starts)
    numbers = {
        "window_start": start_us,
        "window_end": start_us + MINUTE_US,
        "data_points": data_points,
        "avg_latitude_deg": np.add.reduceat(track.latitude, starts) / data_points,
        "avg_longitude_deg": circular_means_deg(track.longitude, starts),
        "avg_velocity_km_s": mean,
        "max_velocity_km_s": highest,
        "min_velocity_km_s": lowest,
        "velocity_stddev_km_s": deviation,
        "ground_speed_km_s": ground_speed_km_s(way_km, (last_us - first_us) / 1e6),
        "first_event_time": first_us,
        "last_event_time": last_us,
    }
    return {
        name: pa.array(values, from_pandas=True).cast(WINDOW_STATS.schema.field(name).type)
        for name, values in numbers.items()
    }


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
