"""Closed days of a test: every number of a day's rows is that of its revision, so that a mixed day shows."""

import functools
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.files import publish_file
from orbitlake.lake.paths import part_name
from orbitlake.lake.roomy import RoomyWriter
from orbitlake.tables import WINDOW_STATS

FIRST = date(2026, 3, 1)
LATER = datetime(2027, 3, 1, 12, tzinfo=UTC)
"""A moment at which all days of a test are over."""
OBJECT_ID = "1998-067A"


def day_after(number: int) -> date:
    """Return the day so many days after the first."""
    return FIRST + timedelta(days=number)


@functools.cache
def noise(rows: int) -> np.ndarray:
    """Numbers that compress as measured ones do."""
    return np.random.default_rng(1).normal(size=rows)


def rows_of(day: date, revision: int, rows: int = 20) -> pa.Table:
    """Return the rows of a revision of a day: `data_points` and the mean speed are its number."""
    moments = np.datetime64(day, "us") + np.arange(rows) * np.timedelta64(86_400_000_000 // rows, "us")
    times, numbers = pa.array(moments).cast(pa.timestamp("us", "UTC")), pa.array(noise(rows))
    columns = {field.name: times if pa.types.is_timestamp(field.type) else numbers for field in WINDOW_STATS.schema}
    columns |= {
        "object_id": pa.array([OBJECT_ID] * rows),
        "source": pa.array(["open_notify"] * rows),
        "data_points": pa.array([revision] * rows),
        "avg_velocity_km_s": pa.array([float(revision)] * rows),
    }
    return pa.table(columns).select(WINDOW_STATS.column_names).cast(WINDOW_STATS.schema)


def close(lake: Lake, day: date, revision: int, rows: int = 20, part: int = 0) -> Path:
    """Put a revision of a day, or of one of its parts, where the compaction puts it."""
    target = lake.day(WINDOW_STATS, day).with_name(part_name(part))
    with RoomyWriter(WINDOW_STATS, target, lake.staging) as writer:
        writer.write(rows_of(day, revision, rows))
    publish_file(writer.path, target)
    return target
