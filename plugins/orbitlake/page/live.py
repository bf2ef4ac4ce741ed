"""Live rows held between requests: an open day has thousands of small files, too many to open for every answer."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in, files_of_day
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import DAY_PREFIX, LIVE_NAME
from orbitlake.tables import Table

LOOK_AGAIN_AFTER_S: Final = 1.0
FILE: Final = "file"

Stamp = tuple[int, int]
"""Time of the last change (ns) and size (bytes) of a file: a batch done again replaces its file."""


@dataclass(frozen=True, slots=True)
class OpenDay:
    """The rows of a day's live files, each with the file it came from, as they stood at one look."""

    stamps: dict[str, Stamp]
    rows: pa.Table
    looked_s: float


class LiveRows:
    """The live rows of a lake; a request opens only files that are new or changed since the last."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.days: dict[Path, OpenDay] = {}
        self.lock = Lock()

    def since(self, table: Table, day: date) -> pa.Table:
        """Return the table's live rows from `day` on, with the columns `date` and `file` besides.

        Raises FileNotFoundError where a file vanishes meanwhile: its day is being closed; LakeError where a file is of
        another version.
        """
        root = self.lake.live(table)
        with self.lock:
            folders = list(days_in(root, day).values())
            for closed in [folder for folder in self.days if folder.parent == root and not folder.exists()]:
                del self.days[closed]
            for folder in folders:
                self.days[folder] = looked_at(folder, table, self.days.get(folder))
            return pa.concat_tables([self.days[folder].rows for folder in folders] or [read([], table, "0001-01-01")])


def looked_at(folder: Path, table: Table, before: OpenDay | None) -> OpenDay:
    """The day's rows as they are now."""
    now_s = time.monotonic()
    if before and now_s - before.looked_s < LOOK_AGAIN_AFTER_S:
        return before
    stamps = {}
    for entry in files_of_day(folder, LIVE_NAME)[0]:
        stat = entry.stat()
        stamps[entry.path] = (stat.st_mtime_ns, stat.st_size)
    day = folder.name.removeprefix(DAY_PREFIX)
    held = before or OpenDay({}, read([], table, day), 0.0)
    changed = [file for file in stamps.keys() | held.stamps.keys() if stamps.get(file) != held.stamps.get(file)]
    if not changed:
        return OpenDay(stamps, held.rows, now_s)
    kept = held.rows.filter(pc.invert(pc.is_in(held.rows.column(FILE), pa.array(changed, pa.string()))))
    fresh = read([file for file in changed if file in stamps], table, day)
    return OpenDay(stamps, pa.concat_tables([kept, fresh]).combine_chunks(), now_s)


def read(files: Iterable[str], table: Table, day: str) -> pa.Table:
    """The rows of some files of one day."""
    # Whole files from memory: less than half the time that a file takes through DuckDB.
    parts = {file: open_checked(Path(file), table, at_once=True).read(use_threads=False) for file in files}
    rows = pa.concat_tables([table.schema.empty_table(), *parts.values()])
    names = [file for file, part in parts.items() for _ in range(part.num_rows)]
    dates = pa.repeat(pa.scalar(date.fromisoformat(day)), rows.num_rows)
    return rows.append_column("date", dates).append_column(FILE, pa.array(names, pa.string()))
