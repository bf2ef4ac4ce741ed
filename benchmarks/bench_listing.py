"""What years of raw records that were read already cost the stream's next micro-batch of one new record.

PYTHONPATH=plugins python benchmarks/bench_listing.py [--days 1000] [--batches 5] [--rounds 3]

Our source beside Spark's own file source, each with nothing in the folder and beside so many sealed days, read before.
A time is `durationMs.triggerExecution` of Spark's own report; the four take turns, a few batches of one query each.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bars import Bar, print_machine, scaled, verdict
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from orbitlake.lake import Lake
from orbitlake.lake.paths import day_folder
from orbitlake.lake.session import open_session
from orbitlake.positions.raw.sealing import seal_closed_days
from orbitlake.positions.raw.source import raw_records
from orbitlake.positions.record import OPEN_NOTIFY, RawRecord
from orbitlake.positions.spark.stream import PositionStream
from orbitlake.positions.state import Checkpoint

DAY = datetime(2026, 11, 20, tzinfo=UTC)
OBJECT_ID = "1998-067A"
MAX_FILES = 100_000
MOST_GROWTH = 1.3
PATIENCE_S = 120.0


def spark_text_source(spark: SparkSession, checkpoint: Checkpoint) -> DataFrame:
    """Spark's own file source on the raw folder, as any stream of files would use it."""
    return (
        spark.readStream.format("text")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", "*.jsonl*")
        .option("maxFilesPerTrigger", MAX_FILES)
        .load(str(checkpoint.lake.raw_open_notify))
        .select(
            F.col("value").cast("binary").alias("value"),
            F.col("_metadata.file_name").alias("file_name"),
            F.lit(0).cast("long").alias("offset"),
        )
    )


def our_source(spark: SparkSession, checkpoint: Checkpoint) -> DataFrame:
    return raw_records(spark, checkpoint.lake, checkpoint.spark)


@dataclass(slots=True)
class Contender:
    """A stream on a data root of its own, its checkpoint held as a driver holds it."""

    name: str
    spark: SparkSession
    checkpoint: Checkpoint
    source: Callable[[SparkSession, Checkpoint], DataFrame]
    landed: int = 0
    trigger_ms: list[int] = field(default_factory=list)
    offset_ms: list[int] = field(default_factory=list)

    def land(self) -> None:
        """Put a segment of one record in place."""
        lake = self.checkpoint.lake
        at = DAY + timedelta(seconds=5 * self.landed)
        folder = lake.raw_open_notify / day_folder(at.date())
        folder.mkdir(parents=True, exist_ok=True)
        aside = lake.root / "aside"
        aside.write_bytes(self.record(at))
        aside.rename(folder / f"{at:%Y%m%dT%H%M%S}.000000Z-{self.landed:08x}.jsonl")
        self.landed += 1

    def record(self, at: datetime) -> bytes:
        """The line of one poll."""
        track = {"latitude": 10 + self.landed % 40, "longitude": 20.0, "timestamp": int(at.timestamp())}
        return RawRecord(OBJECT_ID, OPEN_NOTIFY, at, 12.5, http_status=200, **track).to_json()

    def consume_days(self, count: int) -> None:
        """Land a segment on each of the days before, read and seal them all."""
        lake = self.checkpoint.lake
        for back in range(1, count + 1):
            at = DAY - timedelta(days=back)
            folder = lake.raw_open_notify / day_folder(at.date())
            folder.mkdir(parents=True)
            (folder / f"{at:%Y%m%dT%H%M%S}.000000Z-{back:08x}.jsonl").write_bytes(self.record(at))
        self.start(availableNow=True).awaitTermination()
        if self.source is our_source:
            seal_closed_days(lake, self.checkpoint.spark, DAY)

    def start(self, **trigger: object) -> StreamingQuery:
        """Start the whole stream on the source."""
        stream = PositionStream(self.checkpoint.lake, OBJECT_ID)
        writer = self.source(self.spark, self.checkpoint).writeStream.foreachBatch(
            lambda lines, number: bool(stream.process(lines, number))
        )
        return writer.option("checkpointLocation", str(self.checkpoint.spark)).trigger(**trigger).start()

    def measure(self, batches: int) -> None:
        """Time batches of one new record each, the first of the query left out."""
        query = self.start(processingTime="0 seconds")
        reports = self.one_more(query)
        for _ in range(batches):
            reports = self.one_more(query)
        query.stop()
        self.trigger_ms += [report["triggerExecution"] for report in reports[1:]]
        self.offset_ms += [report["latestOffset"] for report in reports[1:]]

    def one_more(self, query: StreamingQuery) -> list[dict[str, int]]:
        """Land one record, wait for its batch; return the durations of the query's batches up to now."""
        before = len(durations(query))
        self.land()
        latest = time.monotonic() + PATIENCE_S
        while len(found := durations(query)) == before:
            if not query.isActive or time.monotonic() > latest:
                raise RuntimeError(f"{self.name}: no batch within {PATIENCE_S:.0f} s: {query.exception()}")
            time.sleep(0.05)
        return found


def durations(query: StreamingQuery) -> list[dict[str, int]]:
    """The durations of the batches that had something to do, in milliseconds."""
    return [progress.durationMs for progress in query.recentProgress if "addBatch" in progress.durationMs]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=scaled(1_000, 20), help="sealed days in the folder")
    parser.add_argument("--batches", type=int, default=scaled(5, 2), help="batches a turn")
    parser.add_argument("--rounds", type=int, default=scaled(3, 1), help="turns of each")
    arguments = parser.parse_args()
    sources = {"our source": our_source, "Spark's text source": spark_text_source}
    settings = {"spark_master": "local[2]", "spark_ui_enabled": "false", "spark_sql_shuffle_partitions": "2"}
    with tempfile.TemporaryDirectory() as folder, open_session("bench_listing", **settings) as spark:
        contenders = {}
        for source, make in sources.items():
            for days in (0, arguments.days):
                lake = Lake(Path(folder) / str(len(contenders)))
                lake.raw_open_notify.mkdir(parents=True)
                # Of a benchmark's own: nobody else can be at work in the folder.
                with Checkpoint(lake).held() as checkpoint:
                    contenders[source, days] = Contender(f"{source}, {days} days", spark, checkpoint, make)
                contenders[source, days].consume_days(days)
        for _ in range(arguments.rounds):
            for contender in contenders.values():
                contender.measure(arguments.batches)
    print_machine()
    for contender in contenders.values():
        trigger, offset = statistics.median(contender.trigger_ms), statistics.median(contender.offset_ms)
        print(f"     {contender.name}: micro-batch {trigger:.0f} ms, finding its records {offset:.0f} ms of that")
    ratios = {
        source: statistics.median(contenders[source, arguments.days].trigger_ms)
        / statistics.median(contenders[source, 0].trigger_ms)
        for source in sources
    }
    ours, theirs = ratios.values()
    print(f"     Spark's text source, beside {arguments.days} days over one beside none: {theirs:.2f}")
    name = f"micro-batch beside {arguments.days} sealed days over one beside none"
    return verdict([Bar(name, ours, MOST_GROWTH, at_least=False)])


if __name__ == "__main__":
    sys.exit(main())
