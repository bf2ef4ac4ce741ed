"""From start to stop of the stream: one driver a checkpoint, ended only between batches."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8
from orbitlake.positions.kafka.landing import note_of, take_back_half
from orbitlake.positions.raw.sealing import seal_closed_days
from orbitlake.positions.raw.source import BYTES_A_BATCH, raw_records
from orbitlake.positions.spark.stream import PositionStream
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.stream_run import on_record
from orbitlake.settings import Settings

if TYPE_CHECKING:
    from orbitlake.positions.kafka.source import KafkaTransport

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
    kafka: Settings | None = None,
    *,
    skip_lost: bool = False,
) -> dict[str, int]:
    """Stream until the input is done (trigger `available-now`) or for ever (an interval such as `5 seconds`).

    Once the end is `asked` for, or `max_runtime_s` is over, the batch in hand is the last one. Then the raw records of
    closed days are sealed: only who holds the checkpoint knows which of them were read. Returns the counts of all
    batches together. Raises CheckpointError as Checkpoint.held does.

    With the settings of `kafka` its topic is read beside the raw files, and landed there; where it no longer holds what
    comes next, LostRecordsError is raised, or with `skip_lost` the stream goes on from the oldest record there is.
    """
    with Checkpoint(lake, bool(kafka)).held() as checkpoint, on_record(lake) as had_batch:
        transport = opened(kafka, lake, checkpoint, skip_lost=skip_lost) if kafka else None
        if not kafka and (landed := note_of(lake)):
            # This query reads what was landed, and may seal it: of half a batch nothing would tell the other half.
            take_back_half(lake, landed)
        stream = PositionStream(lake, object_id, buckets, transport.landing if transport else None)
        totals = dict.fromkeys(("batches", *COUNTED), 0)

        @errors_in_utf8()
        def batch(lines: DataFrame, number: int) -> None:
            progress = stream.process(lines, number)
            stream.report(progress)
            had_batch()
            totals["batches"] += 1
            for name in COUNTED:
                totals[name] += getattr(progress, name)

        # Files first, in every plan: the checkpoint knows its sources by their order.
        rows = raw_records(spark, lake, checkpoint.spark, max_bytes)
        if transport:
            rows = rows.unionByName(transport.messages(spark, max_bytes))
        writer = (
            rows.writeStream.queryName("stream_positions")
            .foreachBatch(batch)
            .option("checkpointLocation", str(checkpoint.spark))
        )
        once = trigger == AVAILABLE_NOW
        query = (writer.trigger(availableNow=True) if once else writer.trigger(processingTime=trigger)).start()
        with transport.losses_told() if transport else nullcontext():
            supervise(query, asked, max_runtime_s)
        unfinished = transport.landing.unfinished() if transport else ()
        seal_closed_days(lake, checkpoint.spark, now(), asked.is_set, unfinished)
        return totals


def opened(kafka: Settings, lake: Lake, checkpoint: Checkpoint, *, skip_lost: bool) -> "KafkaTransport":
    """Return Kafka as transport. Whoever goes without it does without its client library."""
    from orbitlake.positions.kafka.source import KafkaTransport

    return KafkaTransport(kafka, lake, checkpoint.spark, skip_lost=skip_lost)


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
