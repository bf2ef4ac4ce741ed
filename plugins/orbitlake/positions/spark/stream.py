"""raw records -> live positions and window_stats, a micro-batch at a time; a batch done again changes nothing."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, date, datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.lake.lines import append_line
from orbitlake.positions.spark.records import BAD, BAD_SCHEMA, FIX, TALLY, judge, rows_of
from orbitlake.positions.store.bad_lines import IN_ORDER, keep_bad_lines
from orbitlake.positions.store.batch import write_aside
from orbitlake.positions.store.minute_files import BASE_SCHEMA, Buckets, Written, publish
from orbitlake.settings import from_environment

DERIVED: Final = "derived"
NAMES: Final = ("kind", "block")


@dataclass(slots=True)
class Progress:
    """What one batch did, in counts, and how far behind now the newest answer was when it became visible.

    records: lines that are not blank: fixes, failed polls, and bad ones. rows: fixes that were not published yet;
    repeats: the others. late: of the rows those that a published fix follows within three minutes, and
    those received after their day. corrected: published rows that came out otherwise than before.
    """

    batch: int
    records: int = 0
    fixes: int = 0
    rows: int = 0
    repeats: int = 0
    late: int = 0
    failed_polls: int = 0
    bad: int = 0
    corrected: int = 0
    lag_s: float | None = None
    duration_s: float = 0.0
    finished_at: str = ""


@dataclass(slots=True)
class PositionStream:
    """The work of a batch. `object_id` is the object of records of the older form.

    A batch is one job of Spark's with one shuffle: executors judge the lines and spread the fixes by their objects,
    then read, derive and write aside what the fixes change, a part of the buckets each; the driver gives the files
    their names. Done again, whole or in part, it comes to the same.
    """

    lake: Lake
    object_id: str
    buckets: int = 1
    of_days: dict[date, int] = field(default_factory=dict)
    """How many buckets the days have that were met so far."""

    def process(self, pieces: DataFrame, batch: int) -> Progress:
        """Publish what the lines of a batch (pieces of files: value, file_name, offset) change."""
        began = time.monotonic()
        buckets = Buckets.of(self.lake, self.buckets, self.of_days)
        self.of_days.update(buckets.of_days)
        columns = pieces.select("value", "file_name", "offset")
        judged = columns.mapInArrow(judge(self.object_id, buckets), "part int, kind string, block binary")
        parts = judged.repartitionById(buckets.partitions, "part")
        done = parts.mapInArrow(deriver(self.lake, buckets), "kind string, block binary").toArrow()
        progress = self.publish(Progress(batch), done)
        progress.duration_s = round(time.monotonic() - began, 3)
        return progress

    def publish(self, progress: Progress, done: pa.Table) -> Progress:
        """Give the finished files of a batch their names, and put its bad lines into quarantine."""
        lake = self.lake
        blocks: dict[str, list[pa.BinaryScalar]] = defaultdict(list)
        for kind, block in zip(done.column("kind").to_pylist(), done.column("block"), strict=True):
            blocks[kind].append(block)
        bad = pa.concat_tables([BAD_SCHEMA.empty_table(), *map(rows_of, blocks[BAD])])
        if bad.num_rows:
            keep_bad_lines(lake, bad.sort_by(IN_ORDER), from_environment().keep_quarantine_bytes)
        files: list[Written] = []
        newest_fetch = None
        for block in (*blocks[TALLY], *blocks[DERIVED]):
            told = json.loads(block.as_py())
            files += [Written(*file) for file in told.pop("files", ())]
            fetched = told.pop("newest_fetch", None)
            newest_fetch = max(filter(None, (newest_fetch, fetched)), default=None)
            for name, count in told.items():
                setattr(progress, name, getattr(progress, name) + count)
        publish(lake, files)
        progress.bad, progress.repeats = bad.num_rows, progress.fixes - progress.rows
        now = datetime.now(UTC)
        if newest_fetch and progress.rows:
            progress.lag_s = round((now - datetime.fromisoformat(newest_fetch)).total_seconds(), 3)
        progress.finished_at = now.isoformat(timespec="milliseconds")
        return progress

    def report(self, progress: Progress) -> None:
        """Say what a batch did: a JSON line in the job's log, and in a file that stays small."""
        line = json.dumps(asdict(progress))
        print(line, flush=True)
        append_line(self.lake.stream_progress, line, self.lake.stream_staging)


def deriver(lake: Lake, buckets: Buckets) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that does one part of a batch on an executor.

    It is given rows of JUDGED; what is no fix it passes on. Of the fixes it yields, as JSON, the files written aside,
    and what was found among them.
    """

    def derive(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blocks: list[pa.Table] = []
        parts: set[int] = set()
        with errors_in_utf8():
            for batch in batches:
                for part, kind, block in zip(*batch.columns, strict=True):
                    if kind.as_py() == FIX:
                        blocks.append(rows_of(block))
                        parts.add(part.as_py())
                    else:
                        yield pa.RecordBatch.from_arrays([pa.array([kind.as_py()]), pa.array([block.as_py()])], NAMES)
            if blocks:
                (part,) = parts
                fixes = pa.concat_tables(blocks).unify_dictionaries().cast(BASE_SCHEMA)
                outcome = write_aside(lake, fixes, buckets, part)
                newest = pc.max(fixes.column("fetch_time")).as_py()
                told = asdict(outcome) | {"newest_fetch": newest and newest.isoformat()}
                told["files"] = [astuple(file) for file in outcome.files]
                yield pa.RecordBatch.from_arrays([pa.array([DERIVED]), pa.array([json.dumps(told).encode()])], NAMES)

    return derive
