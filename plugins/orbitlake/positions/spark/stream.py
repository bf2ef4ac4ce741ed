"""raw records -> live positions and window_stats, a micro-batch at a time; a batch done again changes nothing."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.lake.lines import append_line
from orbitlake.positions.spark.records import (
    BAD,
    BAD_SCHEMA,
    BLOCKS,
    FIX,
    LANDED,
    TOLD,
    PieceReader,
    RowReader,
    judge,
    row,
    rows_of,
)
from orbitlake.positions.store.bad_lines import IN_ORDER, keep_bad_lines
from orbitlake.positions.store.batch import write_aside
from orbitlake.positions.store.minute_files import Buckets, Written, publish
from orbitlake.settings import from_environment

if TYPE_CHECKING:
    from orbitlake.positions.kafka.landing import Landing


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
    landing: "Landing | None" = None
    """Where messages of Kafka lie as raw records before they are published."""
    of_days: dict[date, int] = field(default_factory=dict)
    """How many buckets the days have that were met so far."""

    def process(self, pieces: DataFrame, batch: int) -> Progress:
        """Publish what the lines of a batch (pieces of files: value, file_name, offset) change."""
        began = time.monotonic()
        buckets = Buckets.of(self.lake, self.buckets, self.of_days)
        self.of_days.update(buckets.of_days)
        judged = pieces.mapInArrow(judge(self.object_id, buckets, self.open_reader()), BLOCKS)
        parts = judged.repartitionById(buckets.partitions, "part")
        done = parts.mapInArrow(deriver(self.lake, buckets), BLOCKS).toArrow()
        progress = self.publish(Progress(batch), done)
        progress.duration_s = round(time.monotonic() - began, 3)
        return progress

    def open_reader(self) -> Callable[[], RowReader]:
        """Return what opens the reader of a task's rows."""
        if self.landing is None:
            return PieceReader
        from orbitlake.positions.kafka.messages import MessageReader

        return partial(MessageReader, self.landing.aside, self.landing.topic)

    def publish(self, progress: Progress, done: pa.Table) -> Progress:
        """Give the finished files of a batch their names, and put its bad lines into quarantine."""
        lake = self.lake
        blocks = [(each["kind"], each["block"]) for each in done.to_pylist()]
        if self.landing:
            self.landing.land(progress.batch, [json.loads(block) for kind, block in blocks if kind == LANDED])
        bad = pa.concat_tables([BAD_SCHEMA.empty_table(), *(rows_of(block) for kind, block in blocks if kind == BAD)])
        if bad.num_rows:
            keep_bad_lines(lake, bad.sort_by(IN_ORDER), from_environment().keep_quarantine_bytes)
        files: list[Written] = []
        newest_fetch = ""
        for told in (json.loads(block) for kind, block in blocks if kind == TOLD):
            files += told.pop("files", ())
            newest_fetch = max(newest_fetch, told.pop("newest_fetch", None) or "")
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

    Of the fixes it tells the files written aside and what was found among them; what is no fix it passes on.
    """

    def derive(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        blocks: list[pa.Table] = []
        with errors_in_utf8():
            for part, kind, block in (each.values() for batch in batches for each in batch.to_pylist()):
                if kind == FIX:
                    of_part = part
                    blocks.append(rows_of(block))
                else:
                    yield row(part, kind, block)
            if blocks:
                fixes = pa.concat_tables(blocks)
                outcome = write_aside(lake, fixes, buckets, of_part)
                newest = pc.max(fixes.column("fetch_time")).as_py()
                told = asdict(outcome) | {"newest_fetch": newest and newest.isoformat()}
                yield row(of_part, TOLD, json.dumps(told).encode())

    return derive
