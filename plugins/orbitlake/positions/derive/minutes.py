"""Positions -> window_stats: one row an object, source and UTC minute, the same whatever the order and partitioning."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.columns import MINUTE_US, OF_OBJECT, Indices, starts_of_runs
from orbitlake.digits import rounded
from orbitlake.physics.kinematics import Reals, circular_means_deg, great_circle_km, ground_speed_km_s
from orbitlake.positions.derive.motion import Track
from orbitlake.tables import WINDOW_STATS


def minutes_of(positions: pa.Table) -> pa.Table:
    """Return window_stats of whole minutes of `positions`, which are in the order in which `positions_of` returns them.

    Sums of floating point depend on that order.
    """
    track = Track.of(positions)
    starts = starts_of_runs(track.object, track.event_us // MINUTE_US)
    data_points = np.diff(starts, append=positions.num_rows)
    first_us, last_us = track.event_us[starts], track.event_us[starts + data_points - 1]
    start_us = first_us // MINUTE_US * MINUTE_US
    way_km = path_km(track.latitude, track.longitude, starts)
    numbers = {
        "window_start": start_us,
        "window_end": start_us + MINUTE_US,
        "data_points": data_points,
        "avg_latitude_deg": np.add.reduceat(track.latitude, starts) / data_points,
        "avg_longitude_deg": circular_means_deg(track.longitude, starts),
        "ground_speed_km_s": ground_speed_km_s(way_km, (last_us - first_us) / 1e6),
        "first_event_time": first_us,
        "last_event_time": last_us,
    }
    columns = {name: positions.column(name).take(starts) for name in OF_OBJECT}
    columns |= velocity_statistics(positions.column("velocity_km_s"), data_points)
    columns |= {
        name: pa.array(values, from_pandas=True).cast(WINDOW_STATS.schema.field(name).type)
        for name, values in numbers.items()
    }
    minutes = pa.table([columns[name] for name in WINDOW_STATS.column_names], schema=WINDOW_STATS.schema)
    return rounded(minutes, WINDOW_STATS)


def velocity_statistics(velocity: pa.ChunkedArray, lengths: Indices) -> dict[str, pa.ChunkedArray]:
    """Return mean, extremes and sample deviation of runs of so many fixes, by column; null where too few are observed.

    Shapes: (n,), (m,) -> (m,) each. A null velocity is a fix without a speed.
    """
    runs = pa.table({"run": np.repeat(np.arange(lengths.size), lengths), "velocity": velocity})
    wanted = {
        "avg_velocity_km_s": ("velocity", "mean"),
        "max_velocity_km_s": ("velocity", "max"),
        "min_velocity_km_s": ("velocity", "min"),
        "velocity_stddev_km_s": ("velocity", "stddev", pc.VarianceOptions(ddof=1)),
    }
    # On several threads the runs would lose their order.
    sums = runs.group_by("run", use_threads=False).aggregate(list(wanted.values()))
    return dict(zip(wanted, sums.columns[1:], strict=True))


def path_km(latitude: Reals, longitude: Reals, starts: Indices) -> Reals:
    """Return the length of the way through the fixes of each run. Shapes: (n,), (n,), (m,) -> (m,)."""
    legs = np.zeros(latitude.size)
    legs[1:] = great_circle_km(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:])
    legs[starts] = 0.0  # the leg into a minute belongs to no minute
    return np.add.reduceat(legs, starts)
