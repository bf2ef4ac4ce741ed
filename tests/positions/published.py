"""Rows put where the stream and the compaction put them, for tests that start from there."""

from datetime import date

import numpy as np
import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.roomy import RoomyWriter
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.store.batch import write_aside
from orbitlake.positions.store.closing import publish_parts
from orbitlake.positions.store.day_files import CLOSED_FROM, live_digest
from orbitlake.positions.store.minute_files import BASE_SCHEMA, Buckets, Minute, minute_starts, publish, write_minute
from orbitlake.tables import POSITIONS, WINDOW_STATS, Table


def of_base(rows: list[dict]) -> pa.Table:
    """Fixes as the table that motion is derived from."""
    return pa.Table.from_pylist([{name: row[name] for name in BASE_SCHEMA.names} for row in rows], schema=BASE_SCHEMA)


def derived(rows: list[dict]) -> dict[Table, pa.Table]:
    """positions and window_stats of some fixes."""
    positions = positions_of(of_base(rows))
    return {POSITIONS: positions, WINDOW_STATS: minutes_of(positions)}


def put_live(lake: Lake, table: Table, rows: pa.Table) -> None:
    """Make derived rows the live files of their minutes, whatever is there."""
    starts_us = minute_starts(rows, table)
    files = [
        write_minute(lake, table, Minute(int(start_us), 0), rows.filter(pa.array(starts_us == start_us)), 1)
        for start_us in np.unique(starts_us)
    ]
    publish(lake, files)


def put_closed(lake: Lake, table: Table, day: date, rows: pa.Table, digest: str | None = None) -> bool:
    """Make derived rows, in their order, a closed day, by default of its live files as they are."""
    target = lake.day(table, day)
    notes = {CLOSED_FROM: live_digest(lake, day) if digest is None else digest}
    with RoomyWriter(table, target, lake.staging, notes) as writer:
        writer.write(rows)
    return publish_parts({0: writer.path}, target.parent)


def stream_in(lake: Lake, rows: list[dict]) -> None:
    """Do what a batch of these fixes does, without an engine."""
    publish(lake, write_aside(lake, of_base(rows), Buckets.of(lake, 1), 0).files)
