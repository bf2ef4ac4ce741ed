"""One Spark session for all tests of positions, and rows of fixes to vary."""

from collections.abc import Iterator
from itertools import count

import pytest
from pyspark.sql import SparkSession

from orbitlake.lake import Lake, open_session, spark_schema
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.stream import PositionStream, Progress
from orbitlake.positions.track import BASE_COLUMNS
from orbitlake.tables import POSITIONS

ISS = "1998-067A"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    with open_session(
        "tests", spark_master="local[2]", spark_ui_enabled="false", spark_sql_shuffle_partitions="2"
    ) as session:
        yield session


@pytest.fixture
def frame_of(spark):
    """Turn rows of base columns into a frame; absent columns are null."""
    schema = spark_schema(POSITIONS.schema)
    base = type(schema)([schema[name] for name in BASE_COLUMNS])
    return lambda rows: spark.createDataFrame([tuple(row.get(n) for n in BASE_COLUMNS) for row in rows], base)


class StreamByHand:
    """A stream whose batches are given as lists of lines, each done at once."""

    def __init__(self, spark: SparkSession, lake: Lake):
        self.spark, self.lake, self.numbers = spark, lake, count()
        self.restart()

    def restart(self) -> None:
        """Start anew from an empty checkpoint."""
        import shutil

        self.checkpoint = Checkpoint(self.lake)
        shutil.rmtree(self.checkpoint.root, ignore_errors=True)
        with self.checkpoint.held():
            self.numbers = count()

    def batch(self, lines: list[str | bytes], number: int | None = None) -> Progress:
        encoded = [(line if isinstance(line, bytes) else line.encode(), "poll.json") for line in lines]
        frame = self.spark.createDataFrame(encoded, "value binary, file_name string")
        stream = PositionStream(self.checkpoint, ISS)
        return stream.process(frame, next(self.numbers) if number is None else number)


@pytest.fixture
def stream(spark, lake) -> StreamByHand:
    return StreamByHand(spark, lake)
