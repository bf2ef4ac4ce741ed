"""From start to stop of the stream: one driver a checkpoint, ended only between batches."""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.positions.raw.sealing import seal_closed_days
from orbitlake.positions.raw.source import BYTES_A_BATCH, raw_records
from orbitlake.positions.spark.stream import PositionStream
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.stream_run import on_record

AVAILABLE_NOW: Final = "available-now"
COUNTED: Final = ("records", "fixes", "rows", "repeats", "late", "failed_polls", "bad", "corrected")
LONGEST_WAIT_S: Final = 120
"""How long the end waits for the batch in hand; one cut short is done again at the next start."""


def run(
    spark: SparkSession,
    lake: Lake,
    object_id: str,
    trigger: str,
    asked: threading.Event,
    max_bytes: int = BYTES_A_BATCH,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    buckets: int = 1,
    max_runtime_s: float | None = None,
) -> dict[str, int]:
    """Stream until the input is done (trigger `available-now`) or for ever (an interval such as `5 seconds`).

    Once the end is `asked` for, or `max_runtime_s` is over, the batch in hand is the last one. Then the raw records of
    closed days are sealed: only who holds the checkpoint knows which of them were read. Returns the counts of all
    batches together. Raises CheckpointError as Checkpoint.held does.
    """
    with Checkpoint(lake).held() as checkpoint, on_record(lake) as had_batch:
        stream = PositionStream(lake, object_id, buckets)
        totals = dict.fromkeys(("batches", *COUNTED), 0)

        @errors_in_utf8()
        def batch(lines: DataFrame, number: int) -> None:
            progress = stream.process(lines, number)
            stream.report(progress)
            had_batch()
            totals["batches"] += 1
            for name in COUNTED:
                totals[name] += getattr(progress, name)

        writer = (
            raw_records(spark, lake, checkpoint.spark, max_bytes)
            .writeStream.queryName("stream_positions")
            .foreachBatch(batch)
            .option("checkpointLocation", str(checkpoint.spark))
        )
        once = trigger == AVAILABLE_NOW
        query = (writer.trigger(availableNow=True) if once else writer.trigger(processingTime=trigger)).start()
        supervise(query, asked, max_runtime_s)
        seal_closed_days(lake, checkpoint.spark, now(), is_enough=asked.is_set)
        return totals


def supervise(query: StreamingQuery, asked: threading.Event, max_runtime_s: float | None) -> None:
    """Wait for the query's own end, or end it between two batches once that is asked for or its time is over."""
    # The cluster's waking up is not counted: a run gets something done however long that takes.
    latest = math.inf if max_runtime_s is None else time.monotonic() + max_runtime_s
    while not query.awaitTermination(1):
        if asked.is_set() or time.monotonic() >= latest:
            stop_between_batches(query)
            return


def stop_between_batches(query: StreamingQuery) -> None:
    """Let the batch in hand be committed, then stop."""
    latest = time.monotonic() + LONGEST_WAIT_S
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < latest:
        time.sleep(0.05)
    query.stop()
