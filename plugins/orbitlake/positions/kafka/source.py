"""The topic as Spark's own source reads it, and what is said where it lost what was to be read next."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from orbitlake.lake import Lake
from orbitlake.positions.kafka.connection import Topic, gone, spark_options
from orbitlake.positions.kafka.errors import KafkaError, LostRecordsError
from orbitlake.positions.kafka.landing import Landing
from orbitlake.positions.kafka.messages import OFFSET_BITS
from orbitlake.positions.raw.sealing import last_batch, last_committed, query_of
from orbitlake.settings import Settings

BYTES_A_RECORD: Final = 250
ROWS_AT_ONCE: Final = 8_000
EARLIEST: Final = -2
"""Spark's word for the oldest record of a partition."""


class KafkaTransport:
    """The topic of the settings as one run of the stream reads and lands it."""

    def __init__(self, settings: Settings, lake: Lake, spark: Path, *, skip_lost: bool = False) -> None:
        self.settings, self.spark, self.skip_lost = settings, spark, skip_lost
        self.topic = Topic(settings)
        self.landing = Landing(lake, spark, settings.kafka_topic)

    def messages(self, session: SparkSession, max_bytes: int) -> DataFrame:
        """Stream the topic: value (bytes of one record), file_name (none), and offset, a place (see messages).

        A new query begins where the raw records end. Raises KafkaError where the topic cannot be read, LostRecordsError
        where it no longer holds what comes next.
        """
        self.topic.make()
        self.landing.identity = self.topic.identity()
        wanted = self.next_offsets()
        held = self.topic.held()
        lost = gone(held, wanted)
        is_shorter = any(offset > held[number].next for number, offset in wanted.items() if number in held)
        if query_of(self.spark) is not None and (is_shorter or self.landing.began_anew()):
            # Spark would go on at the offsets of before, past records that were never read.
            raise LostRecordsError(
                f"topic {self.topic.name} is another one than the stream has read so far: it began anew. What is "
                "published stays. To read it from its oldest record on, run "
                "`python jobs/stream_positions.py --rebuild --skip-lost` once"
            )
        if lost and not self.skip_lost:
            raise LostRecordsError(self.told(lost))
        for number, offsets in lost.items():
            print(f"lost and passed over: topic {self.topic.name}, partition {number}: {offsets}", flush=True)
        begin = {number: EARLIEST if number in lost else wanted.get(number, EARLIEST) for number in held}
        options = spark_options(self.settings) | {
            "subscribe": self.topic.name,
            # Heeded by a new query alone.
            "startingOffsets": json.dumps({self.topic.name: begin}),
            "failOnDataLoss": "false" if self.skip_lost else "true",
            "maxOffsetsPerTrigger": str(max(1, max_bytes // BYTES_A_RECORD)),
            "minPartitions": str(session.sparkContext.defaultParallelism),
            "kafka.max.poll.records": "5000",
            # A task's share of a batch in a few answers of the broker, each of which is waited for.
            "kafka.max.partition.fetch.bytes": str(8 * 2**20),
        }
        try:
            rows = session.readStream.format("kafka").options(**options).load()
        except AnalysisException as error:
            if "Failed to find data source" not in str(error):
                raise
            raise without_source(self.settings) from None
        # A batch of Arrow's is what is judged at once, and what a block of fixes is made of.
        session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", ROWS_AT_ONCE)
        place = F.shiftleft(F.col("partition").cast("long"), OFFSET_BITS) + F.col("offset")
        return rows.select("value", F.lit(None).cast("string").alias("file_name"), place.alias("offset"))

    def next_offsets(self) -> dict[int, int]:
        """Return what the query is to read next: from its last batch on, or, of a new one, where raw records end."""
        if last_batch(self.spark) is None:
            return self.landing.next_offsets()
        offsets = json.loads(last_committed(self.spark, 1) or "{}").get(self.topic.name, {})
        return {int(number): offset for number, offset in offsets.items()}

    @contextmanager
    def losses_told(self) -> Iterator[None]:
        """Raise LostRecordsError where the query ends because the topic lost what it had to read next."""
        try:
            yield
        except PySparkException:
            if lost := gone(self.topic.held(), self.next_offsets()):
                raise LostRecordsError(self.told(lost)) from None
            raise

    def told(self, lost: dict[int, str]) -> str:
        """Say what was lost and what to do."""
        named = "; ".join(f"partition {number}: {offsets}" for number, offsets in lost.items())
        return (
            f"topic {self.topic.name} no longer holds the records that come next ({named}): the broker removed them "
            "before the stream read them. What is published stays. To go on from the oldest that there are, run "
            "`python jobs/stream_positions.py --skip-lost` once; and give the topic a longer retention.ms"
        )


def without_source(settings: Settings) -> KafkaError:
    """Return what is said where Spark lacks the jars by which it reads Kafka."""
    jars = ",".join(map(str, sorted(settings.kafka_jars.glob("*.jar"))))
    return KafkaError(
        f"Spark has no source of Kafka: run spark-submit --jars {jars} jobs/stream_positions.py"
        if jars
        else f"{settings.kafka_jars} holds no jars by which Spark reads Kafka: `make kafka` fetches them, by Maven"
    )
