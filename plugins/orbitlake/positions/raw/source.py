"""Spark's view of the raw folder: a streaming source of pieces of segments, whose offset is bytes read by segment."""

import sys
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadLimit, ReadMaxBytes, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from orbitlake.lake import Lake
from orbitlake.lake.errors import errors_in_utf8, printable
from orbitlake.lake.session import spark_schema
from orbitlake.positions.raw.backlog import Backlog, Offset, nothing_read
from orbitlake.positions.raw.segments import read_piece

PIECE_SCHEMA: Final = pa.schema([("value", pa.binary()), ("file_name", pa.string()), ("offset", pa.int64())])
BYTES_A_BATCH: Final = 32 * 2**20
"""Some 130,000 records."""


def raw_records(spark: SparkSession, lake: Lake, checkpoint: Path, max_bytes: int = BYTES_A_BATCH) -> DataFrame:
    """Stream raw files: value (bytes of many lines), file_name, and offset, where in the file they begin.

    `checkpoint` is the folder of Spark's own checkpoint. The one seam between transport and stream.
    """
    for folder in (lake.raw_open_notify, lake.inbox_open_notify):
        folder.mkdir(parents=True, exist_ok=True)
    spark.dataSource.register(RawRecords)
    return (
        spark.readStream.format(RawRecords.name())
        .option("lake", str(lake.root))
        .option("checkpoint", str(checkpoint))
        .option("maxBytes", max_bytes)
        .option("tasks", spark.sparkContext.defaultParallelism)
        .load()
    )


class RawRecords(DataSource):
    """Lines of raw files. Options: lake and checkpoint (folders), maxBytes a batch, tasks a batch at most."""

    @classmethod
    def name(cls) -> str:
        return "orbitlake_raw_records"

    def schema(self) -> StructType:
        return spark_schema(PIECE_SCHEMA)

    def streamReader(self, schema: StructType) -> "RawReader":  # noqa: ARG002 - it is ours
        lake, checkpoint = Lake(Path(self.options["lake"])), Path(self.options["checkpoint"])
        return RawReader(lake, checkpoint, int(self.options["maxBytes"]), int(self.options["tasks"]))


class RawReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """The source of one query. One lives beside the driver as long as the query; copies of it read on executors."""

    def __init__(self, lake: Lake, checkpoint: Path, max_bytes: int, tasks: int):
        self.lake, self.checkpoint, self.max_bytes, self.tasks = lake, checkpoint, max_bytes, tasks

    @cached_property
    def backlog(self) -> Backlog:
        """That of the one beside the driver, from its first question on: what is sent to executors stays small."""
        return Backlog(self.lake, self.checkpoint)

    def initialOffset(self) -> Offset:
        return nothing_read()

    def getDefaultReadLimit(self) -> ReadLimit:
        return ReadMaxBytes(self.max_bytes)

    @errors_in_utf8()
    def prepareForTriggerAvailableNow(self) -> None:
        self.backlog.bind()

    @errors_in_utf8()
    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:
        return self.backlog.next_offset(start, limit.max_bytes if isinstance(limit, ReadMaxBytes) else sys.maxsize)

    @errors_in_utf8()
    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        return [InputPartition(pieces) for pieces in self.backlog.pieces(start, end, self.tasks)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the lines of each piece of a task. Raises RawFileError by name where one cannot be read."""
        with errors_in_utf8():
            for piece in partition.value:
                begin, lines = read_piece(self.lake.raw_open_notify, piece)
                row = {"value": lines, "file_name": printable(piece.name), "offset": begin}
                yield pa.RecordBatch.from_pylist([row], schema=PIECE_SCHEMA)
