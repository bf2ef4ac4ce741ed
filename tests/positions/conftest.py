"""A Spark session for the tests that need it, a stream whose batches are given by hand, and Spark's part played."""

from collections.abc import Iterator
from itertools import count

import pytest
from pyspark.sql import SparkSession
from tests.positions.engine import Frame, Session
from tests.positions.killer import Killer

from orbitlake.lake import Lake
from orbitlake.lake.session import open_session
from orbitlake.positions.spark.stream import PositionStream, Progress
from orbitlake.positions.state import Checkpoint

ISS = "1998-067A"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    with open_session(
        "tests", spark_master="local[2]", spark_ui_enabled="false", spark_sql_shuffle_partitions="2"
    ) as session:
        yield session


@pytest.fixture
def engine() -> Session:
    """Spark's part in a compaction, played in this process."""
    return Session()


@pytest.fixture(scope="session")
def killer() -> Killer:
    """One for all: an audit hook cannot be taken off."""
    return Killer()


class StreamByHand:
    """A stream whose batches are given as lists of lines, each done at once and without Spark."""

    def __init__(self, lake: Lake):
        self.lake, self.numbers = lake, count()
        self.restart()

    def restart(self, buckets: int = 1) -> None:
        """Start anew from an empty checkpoint."""
        import shutil

        self.checkpoint = Checkpoint(self.lake)
        shutil.rmtree(self.checkpoint.root, ignore_errors=True)
        with self.checkpoint.held():
            self.stream = PositionStream(self.lake, ISS, buckets)
            self.numbers = count()

    def batch(self, lines: list[str | bytes], number: int | None = None) -> Progress:
        return self.stream.process(Frame.of_lines(lines), next(self.numbers) if number is None else number)


@pytest.fixture
def stream(lake) -> StreamByHand:
    return StreamByHand(lake)
