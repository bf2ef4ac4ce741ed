"""The live files: the rows of one UTC minute and one bucket of objects each, replaced whole.

`live/<table>/date=D/<HHMM>-<bucket>.parquet`. Objects are spread over the buckets of a day by a hash of object_id; how
many a day has stands in its files, so that it stays what it was when the setting changes.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa

from orbitlake.columns import DAY_US, MINUTE_US, Indices, micros
from orbitlake.lake import Lake
from orbitlake.lake.files import place_file, sync_folder
from orbitlake.lake.listing import days_in, files_of_day
from orbitlake.lake.locks import lock_file
from orbitlake.lake.pages import Revision
from orbitlake.lake.parquet import in_order, open_checked
from orbitlake.lake.paths import LIVE_NAME, day_folder, live_name
from orbitlake.lake.roomy import SPLIT_BYTES, RoomyWriter
from orbitlake.positions.derive.motion import BASE_COLUMNS
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table

TIME_OF: Final = {"positions": "event_time", "window_stats": "window_start"}
"""The column whose UTC minute and day say where a row lies."""
BASE_SCHEMA: Final = pa.schema([POSITIONS.schema.field(name) for name in BASE_COLUMNS])
BUCKETS: Final = "orbitlake.buckets"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Written = tuple[str, str, str]
"""A table by its name, a finished file in `staging/`, and the live file of that table that it is to become."""


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute (microseconds since 1970 at its start) and a bucket: what one live file a table holds."""

    start_us: int
    bucket: int

    @property
    def day(self) -> date:
        return day_of(self.start_us)

    def file(self, lake: Lake, table: Table) -> Path:
        at = EPOCH + timedelta(microseconds=self.start_us)
        return lake.live(table) / day_folder(at.date()) / live_name(at, self.bucket)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Into how many buckets the objects of a day are spread: as its files say, or by the setting for a new day."""

    setting: int
    of_days: Mapping[date, int] = field(default_factory=dict)

    @classmethod
    def of(cls, lake: Lake, setting: int, known: Mapping[date, int] | None = None) -> "Buckets":
        """Ask one file of each day that has any and is not among those `known`."""
        found = dict(known or {})
        for day in live_days(lake):
            if day not in found and (count := buckets_of(lake, day)):
                found[day] = count
        return cls(setting, found)

    def of_day(self, day: date) -> int:
        return self.of_days.get(day, self.setting)

    @property
    def partitions(self) -> int:
        """In how many parts a batch can be done so that no file is of two: a part takes whole buckets of every day."""
        return math.gcd(self.setting, *self.of_days.values())

    def minutes_of_part(self, part: int, starts_us: Indices) -> list[Minute]:
        """Return what a part of a batch is to do with of some minutes (starts, microseconds since 1970)."""
        parts = self.partitions
        of_minutes = ((int(start_us), self.of_day(day_of(start_us))) for start_us in starts_us)
        return [Minute(start_us, bucket) for start_us, count in of_minutes for bucket in range(part, count, parts)]

    def of_rows(self, rows: pa.Table, starts_us: Indices) -> Indices:
        """Return the bucket of each row, by the number of buckets of the day of its minute. Shapes: (n,) -> (n,)."""
        days, of_rows = np.unique(starts_us // DAY_US, return_inverse=True)
        counts = np.array([self.of_day(day_of(day * DAY_US)) for day in days], np.int64)
        return hashes_of(rows.column("object_id")) % counts[of_rows]


def buckets_of(lake: Lake, day: date) -> int | None:
    """Return the number of buckets of a day's live files, of either table; None where it has none."""
    for file in (file for table in POSITION_TABLES for file in live_files(lake, table, day)):
        # Retired meanwhile.
        with suppress(FileNotFoundError):
            return int(Revision.of(file).notes[BUCKETS])
    return None


def live_days(lake: Lake) -> list[date]:
    """The days with live files of either table: a retirement that is cut off leaves files of one alone."""
    return sorted({day for table in POSITION_TABLES for day in days_in(lake.live(table))})


def live_files(lake: Lake, table: Table, day: date) -> list[Path]:
    """The live files of a day, in order of their names."""
    found, _ = files_of_day(lake.live(table) / day_folder(day), LIVE_NAME)
    return sorted(Path(entry.path) for entry in found)


def minute_starts(rows: pa.Table | pa.RecordBatch, table: Table) -> Indices:
    """The minute that each row lies in, in microseconds since 1970."""
    return micros(rows.column(TIME_OF[table.name])) // MINUTE_US * MINUTE_US


def hashes_of(object_ids: pa.ChunkedArray) -> Indices:
    """Return a number for the object of each row, the same on every machine."""
    objects = object_ids.combine_chunks().dictionary_encode()
    hashes: Indices = np.array([crc32(each.encode()) for each in objects.dictionary.to_pylist()], np.int64)
    return np.asarray(hashes[objects.indices.to_numpy()])


def read_minutes(lake: Lake, table: Table, minutes: Iterable[Minute]) -> pa.Table:
    """Return the rows of the live files of some minutes; one without a file has none. Raises LakeError by name."""
    found = [table.schema.empty_table()]
    for minute in minutes:
        file = minute.file(lake, table)
        with suppress(FileNotFoundError):
            small = file.stat().st_size <= SPLIT_BYTES
            with open_checked(file, table, at_once=small) as opened:
                found.append(opened.read(use_threads=False))
    return pa.concat_tables(found)


def write_minute(lake: Lake, table: Table, minute: Minute, rows: pa.Table, buckets: int) -> Written:
    """Write aside what is to be the live file of a minute, with the room that the minute before has come to."""
    target = minute.file(lake, table)
    before = Minute(minute.start_us - MINUTE_US, minute.bucket).file(lake, table)
    least_bytes = 0
    with suppress(FileNotFoundError):
        least_bytes = before.stat().st_size
    with RoomyWriter(table, target, lake.stream_staging, {BUCKETS: str(buckets)}, least_bytes) as writer:
        writer.write(in_order(rows, table))
    return table.name, str(writer.path), str(target)


def publish(lake: Lake, files: Sequence[Written]) -> None:
    """Rename finished files to their places: minutes before the positions that they sum up, durable in that order.

    A batch that is cut off finds the positions that it did not come to changed still, and does their minutes again.
    """
    with live_lock(lake):
        for table in (WINDOW_STATS, POSITIONS):
            of_table = [(Path(temporary), Path(target)) for name, temporary, target in files if name == table.name]
            for temporary, target in of_table:
                place_file(temporary, target)
            for folder in sorted({target.parent for _, target in of_table}):
                sync_folder(folder)


@contextmanager
def live_lock(lake: Lake) -> Iterator[None]:
    """Hold the names of live files: whoever gives or takes one does so alone."""
    with lock_file(lake.checkpoints / "live_positions" / "lock"):
        yield


def day_of(start_us: int) -> date:
    """The UTC day of a time in microseconds since 1970."""
    return (EPOCH + timedelta(microseconds=int(start_us))).date()
