"""A day is closed: derived anew from all of its fixes, a part of its objects at a time, and published.

Its live files and what is closed already are united, so that no fix is lost whose live file is gone.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.columns import OF_OBJECT, object_numbers
from orbitlake.digits import same_files
from orbitlake.lake import Lake
from orbitlake.lake.files import PARTS_ASIDE, publish_file, sync_folder
from orbitlake.lake.listing import parts_of
from orbitlake.lake.pages import Revision
from orbitlake.lake.parquet import rows_where
from orbitlake.lake.paths import part_name
from orbitlake.lake.roomy import RoomyWriter
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import BASE_COLUMNS, LONGEST_GAP_S, positions_of
from orbitlake.positions.store.day_files import CLOSED_FROM, closed_from
from orbitlake.positions.store.minute_files import BASE_SCHEMA, hashes_of, live_files
from orbitlake.tables import POSITIONS, TABLES, WINDOW_STATS, Table

ROWS_AT_ONCE: Final = 500_000
"""Whole objects are derived, as many at a time as come to so many rows."""
EVENT_TIME: Final = POSITIONS.column_names.index("event_time")


def write_part(lake: Lake, day: date, part: int, parts: int, digest: str) -> dict[str, Path]:
    """Derive and write aside one part of a day; return the finished file of each table by the table's name.

    `digest` is that of the live files that the day is closed from. Raises LakeError on a file of another schema.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    since = midnight - timedelta(seconds=LONGEST_GAP_S)
    eve = day - timedelta(days=1)
    live = live_files(lake, POSITIONS, day)
    live += [file for file in live_files(lake, POSITIONS, eve) if file.name >= f"{since:%H%M}"]
    files = [*live, *parts_of(lake, POSITIONS, day), *parts_of(lake, POSITIONS, eve)]

    def writer(table: Table) -> RoomyWriter:
        return RoomyWriter(table, lake.day(table, day).with_name(part_name(part)), lake.staging, {CLOSED_FROM: digest})

    with writer(POSITIONS) as positions, writer(WINDOW_STATS) as minutes:
        for fixes in by_objects(fixes_of(files, since, part, parts)):
            derived = positions_of(fixes)
            of_day = derived.filter(pc.greater_equal(derived.column("event_time"), pa.scalar(midnight)))
            positions.write(of_day)
            minutes.write(minutes_of(of_day))
    return {written.table.name: written.path for written in (positions, minutes)}


def fixes_of(files: Sequence[Path], since: datetime, part: int, parts: int) -> pa.Table:
    """Return the fixes from `since` on of a part of all objects: always the same objects of so many parts.

    Row groups that are older by their footer are not read. Names of objects and sources are dictionaries.
    """

    def may_hold(group: pq.RowGroupMetaData) -> bool:
        return bool(group.column(EVENT_TIME).statistics.max >= since)

    def is_wanted(rows: pa.Table) -> pa.Array:
        is_of_part = pa.array(hashes_of(rows.column("object_id")) % parts == part)
        return pc.and_(pc.greater_equal(rows.column("event_time"), pa.scalar(since)), is_of_part)

    found = (rows for file in files for rows in rows_where(file, POSITIONS, may_hold, is_wanted, BASE_COLUMNS))
    return pa.concat_tables([compact(rows) for rows in (BASE_SCHEMA.empty_table(), *found)]).unify_dictionaries()


def compact(fixes: pa.Table) -> pa.Table:
    """Return fixes with their names as dictionaries: millions of them are held at once."""
    for name in OF_OBJECT:
        fixes = fixes.set_column(fixes.column_names.index(name), name, fixes.column(name).dictionary_encode())
    return fixes


def by_objects(fixes: pa.Table) -> Iterator[pa.Table]:
    """Yield fixes in the order of their objects, those of an object together, some objects at a time."""
    numbers = object_numbers(fixes)
    rows_before = np.cumsum(np.bincount(numbers)) - np.bincount(numbers)
    turns = (rows_before // ROWS_AT_ONCE)[numbers]
    for turn in np.unique(rows_before // ROWS_AT_ONCE):
        yield fixes.filter(pa.array(turns == turn)).cast(BASE_SCHEMA)


def publish_parts(temporary: Mapping[int, Path], folder: Path) -> bool:
    """Make finished files the parts of a closed day by their numbers; return False where the rows are the same.

    A day that is new appears whole, one that was closed before is replaced a part at a time.
    """
    # Beside what is none of ours, and left alone, the parts come one by one.
    if not os.path.lexists(folder):
        aside = next(iter(temporary.values())).with_suffix(PARTS_ASIDE)
        aside.mkdir()
        for number, file in temporary.items():
            file.rename(aside / part_name(number))
        sync_folder(aside)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside.rename(folder)
        sync_folder(folder.parent)
        return True
    replaced = False
    for number, file in temporary.items():
        part = folder / part_name(number)
        holds_same = part.exists() and same_part(file, part)
        if holds_same and closed_from(file) == closed_from(part):
            file.unlink()
        else:
            # The same rows, closed from other files: then these are what the day is known to hold now.
            publish_file(file, part)
            replaced |= not holds_same
    return replaced


def same_part(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same rows, in schemas alike to the last word.

    By the digests of their pages; where those differ, another processor may have derived the very same day: then the
    rows tell.
    """
    with pq.ParquetFile(one) as ours, pq.ParquetFile(other) as theirs:
        if not ours.schema_arrow.equals(theirs.schema_arrow, check_metadata=True):
            return False
        if Revision.of(one).digest == Revision.of(other).digest:
            return True
        return same_files(ours, theirs, TABLES[ours.schema_arrow.metadata[b"orbitlake.table"].decode()])
