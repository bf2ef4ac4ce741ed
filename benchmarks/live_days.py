"""Days of fixes as the stream leaves them in live files: the input of the benchmark of compaction."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bars import scaled

from orbitlake.lake import Lake
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.store.minute_files import Minute, minute_starts, publish, write_minute
from orbitlake.tables import POSITIONS, UTC_MICROSECONDS, WINDOW_STATS, Table

DAY_S = 86_400
FIXES_A_DAY = scaled(20_000, 1440)
"""The small day is one fix a minute: motion is derived only across less than two."""
BLOCKS_A_DAY = scaled(288, 6)


def name_of(number: int) -> str:
    """The designator of an object."""
    return f"{1960 + number // 1000}-{number % 1000:03}A"


def fixes_at(objects: int, at_s: np.ndarray) -> pa.Table:
    """The fixes of each object at some times (whole seconds since 1970); all share one track."""
    number = np.repeat(np.arange(objects), at_s.size)
    time_s = np.tile(at_s, objects)
    turns = time_s / 5560 + number / objects
    event_us = pa.array(time_s * 1_000_000)
    return pa.table(
        {
            "object_id": pa.array([name_of(each) for each in range(objects)]).take(pa.array(number)),
            "source": pa.repeat("open_notify", number.size),
            "event_time": event_us.cast(UTC_MICROSECONDS),
            "fetch_time": pc.add(event_us, 500_000).cast(UTC_MICROSECONDS),
            "latitude_deg": np.round(51.6 * np.sin(2 * np.pi * turns), 4),
            "longitude_deg": np.round((turns * 336.0 + 360 * number / objects) % 360 - 180, 4),
            "altitude_km": pa.nulls(number.size, pa.float64()),
        }
    )


def midnight_s(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def land_block(root: Path, day: date, objects: int, number: int) -> None:
    """Publish five minutes of a day of many objects, derived from the fix before as well."""
    at_s = midnight_s(day) + np.arange(FIXES_A_DAY) * DAY_S // FIXES_A_DAY
    length_s = DAY_S // BLOCKS_A_DAY
    first, end = np.searchsorted(at_s, midnight_s(day) + length_s * np.array([number, number + 1]))
    since = pa.scalar(int(at_s[first]) * 1_000_000).cast(UTC_MICROSECONDS)
    derived = positions_of(fixes_at(objects, at_s[max(0, first - 1) : end]))
    positions = derived.filter(pc.greater_equal(derived.column("event_time"), since))
    land_minutes(Lake(root), {POSITIONS: positions, WINDOW_STATS: minutes_of(positions)})


def land_day(root: Path, day: date, fixes: int) -> None:
    """Publish a day's positions of one object."""
    positions = positions_of(fixes_at(1, midnight_s(day) + np.arange(fixes) * DAY_S // fixes))
    land_minutes(Lake(root), {POSITIONS: positions})


def land_minutes(lake: Lake, rows: dict[Table, pa.Table]) -> None:
    """Publish rows as the stream leaves them: a file a minute, in one bucket."""
    for table, of_table in rows.items():
        start_us = minute_starts(of_table, table)
        order = np.argsort(start_us, kind="stable")
        minutes, firsts = np.unique(start_us[order], return_index=True)
        for minute_us, of_minute in zip(minutes, np.split(order, firsts[1:]), strict=True):
            minute = Minute(int(minute_us), 0)
            publish(lake, [write_minute(lake, table, minute, of_table.take(pa.array(of_minute)), 1)])
