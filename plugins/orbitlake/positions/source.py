"""Spark's view of the raw folder: a streaming source of lines whose batches are those of the journal.

The driver asks it for the next batch, executors read the lines. A batch costs the listing of names and the files that
are new; Spark's own file source asks each file for its size and time, and remembers all of them for ever.
"""

import math
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadLimit, ReadMaxFiles, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from orbitlake.lake import Lake, errors_in_utf8, printable, quarantine_file, spark_schema, warn_of
from orbitlake.positions.journal import TAKEN, Journal, JournalError, files_of_batch
from orbitlake.positions.raw_files import damage_of, is_packed, lines_of, scan

LINE_SCHEMA: Final = pa.schema([("value", pa.binary()), ("file_name", pa.string()), ("line_number", pa.int64())])
ROWS_AT_ONCE: Final = 5_000
BYTES_AT_ONCE: Final = 4 * 2**20
SETTLED_S: Final = 60.0
"""How long a packed day that looks damaged must have been left alone to be taken for damaged."""


class RawRecords(DataSource):
    """Lines of raw files. Options: lake, journal and staging (folders), maxFiles a batch, tasks a batch at most."""

    @classmethod
    def name(cls) -> str:
        return "orbitlake_raw_records"

    def schema(self) -> StructType:
        return spark_schema(LINE_SCHEMA)

    def streamReader(self, schema: StructType) -> "RawReader":  # noqa: ARG002 - it is ours
        lake, journal, staging = (Path(self.options[name]) for name in ("lake", "journal", "staging"))
        return RawReader(Lake(lake), journal, staging, int(self.options["maxFiles"]), int(self.options["tasks"]))


@dataclass(frozen=True)
class Files(InputPartition):
    """What one task reads, in order."""

    names: Sequence[str]


class RawReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """The source of one query. One lives beside the driver as long as the query; copies of it read on executors."""

    def __init__(self, lake: Lake, journal: Path, staging: Path, max_files: int, tasks: int):
        self.lake, self.root, self.folder, self.staging = lake, lake.raw_open_notify, journal, staging
        self.max_files, self.tasks = max_files, tasks
        # Filled by the one beside the driver at its first batch: what is sent to executors stays small.
        self.journal: Journal | None = None
        self.existing: frozenset[str] = frozenset()
        self.waiting: deque[str] = deque()
        self.is_closed = False

    def initialOffset(self) -> dict[str, int]:
        return {TAKEN: 0}

    def getDefaultReadLimit(self) -> ReadLimit:
        return ReadMaxFiles(self.max_files)

    @errors_in_utf8()
    def prepareForTriggerAvailableNow(self) -> None:
        self.look()
        self.is_closed = True

    @errors_in_utf8()
    def latestOffset(self, start: dict[str, int], limit: ReadLimit) -> dict[str, int]:
        """Return the end of the next batch, `start` where there is none: Spark asks once `start` is committed.

        A batch that was written already, before a crash, is taken up as it is. Any other is written first, so that
        doing it again reads the very same files. Raises JournalError where the journal is not that of the checkpoint.
        """
        journal, done = self.opened_journal(), start[TAKEN]
        if not journal.folded_through <= done <= journal.last:
            raise JournalError(
                f"{self.folder} holds batches {journal.folded_through} to {journal.last}, Spark's checkpoint beside it "
                f"has done {done}: restore both from one backup, or remove both to start anew"
            )
        if done < journal.last:
            return {TAKEN: done + 1}
        if not self.waiting and not self.is_closed:
            self.look()
        journal.fold_when_long(done, self.existing)
        files = self.next_files(limit.max_files if isinstance(limit, ReadMaxFiles) else None)
        return {TAKEN: journal.take(files) if files else done}

    def opened_journal(self) -> Journal:
        """The journal, read from disk once."""
        if self.journal is None:
            self.journal = Journal.load(self.folder, self.staging)
        return self.journal

    def look(self) -> None:
        """List the folder, queue what was not taken yet, and warn of what will not be."""
        taken = self.opened_journal().taken
        strays: dict[str, list[str]] = {}
        self.existing = frozenset(scan(self.root, strays=strays))
        for reason, paths in strays.items():
            warn_of(paths, reason)
        self.waiting = deque(sorted(self.existing - taken))

    def next_files(self, max_files: int | None) -> list[str]:
        """Take files from the queue, as many as are allowed; a packed day, thousands of records, ends a batch."""
        files: list[str] = []
        while self.waiting and (max_files is None or len(files) < max_files):
            name = self.waiting.popleft()
            if is_packed(name) and not self.admits(name):
                continue
            files.append(name)
            if max_files is not None and is_packed(name):
                break
        return files

    def admits(self, name: str) -> bool:
        """Say whether to take a packed day that somebody put there; move one that is damaged to quarantine.

        One that is still being copied looks damaged too, or empty: it has to wait until nobody writes to it.
        """
        path = self.root / name
        # Taken away while it is looked at: then there is nothing to take.
        with suppress(FileNotFoundError):
            found = path.stat()
            damage = damage_of(path)
            if found.st_size and damage is None:
                return True
            if 0.0 <= time.time() - found.st_mtime < SETTLED_S:
                return False
            if damage is None:
                return True
            kept = quarantine_file(self.lake, path, f"damaged, none of its records was taken: {damage}")
            print(f"{path} is damaged ({damage}): moved to {kept}", file=sys.stderr, flush=True)
        return False

    @errors_in_utf8()
    def partitions(self, start: dict[str, int], end: dict[str, int]) -> Sequence[Files]:
        numbers = range(start[TAKEN] + 1, end[TAKEN] + 1)
        names = [name for number in numbers for name in files_of_batch(self.folder, number)]
        size = math.ceil(len(names) / self.tasks)
        return [Files(names[first : first + size]) for first in range(0, len(names), size or 1)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the lines of a task's files, many at once. Raises RawFileError by name where one cannot be read."""
        assert isinstance(partition, Files)  # noqa: S101 - tells the type checker what `partitions` returned
        rows: list[tuple[bytes, str, int]] = []
        held_bytes = 0
        with errors_in_utf8():
            for name in partition.names:
                label = printable(name)
                for number, line in enumerate(lines_of(self.root, name), start=1):
                    rows.append((line, label, number))
                    held_bytes += len(line)
                    if len(rows) >= ROWS_AT_ONCE or held_bytes >= BYTES_AT_ONCE:
                        yield batch_of(rows)
                        rows, held_bytes = [], 0
            yield batch_of(rows)


def batch_of(rows: list[tuple[bytes, str, int]]) -> pa.RecordBatch:
    """Return rows of LINE_SCHEMA."""
    columns = zip(*rows, strict=True) if rows else ((),) * len(LINE_SCHEMA)
    return pa.RecordBatch.from_arrays([list(column) for column in columns], schema=LINE_SCHEMA)
