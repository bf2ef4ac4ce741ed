"""One broker and one driver with Spark's jars for all tests of Kafka; both skip where the jars cannot be had."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from tests.servers.kafka import TestBroker

from orbitlake.embedded import kafka
from orbitlake.lake import Lake
from orbitlake.positions.kafka.publisher import Publisher
from orbitlake.settings import CHECKOUT, Settings, from_environment

PATIENCE_S = 90
"""What a broker may take on a busy machine."""


@pytest.fixture(scope="session")
def broker(tmp_path_factory) -> Iterator[TestBroker]:
    with pytest.MonkeyPatch.context() as patch:
        # One id in 64 begins like an option.
        patch.setattr(kafka, "uuid", SimpleNamespace(uuid4=lambda: uuid.UUID(bytes=b"\xf8" + bytes(15))))
        made = TestBroker.made(tmp_path_factory.mktemp("kafka"))
    made.start()
    yield made
    made.kill()


class Driver:
    """Runs streams in a process of its own."""

    def __init__(self, log) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHECKOUT / "plugins"), str(CHECKOUT)))}
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.positions.kafka.driver"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=environment,
                cwd=CHECKOUT,
                text=True,
            )

    def run(self, environment: dict[str, str], max_bytes: int = 10**7, skip_lost: bool = False, now: str = "") -> dict:
        asked = {"environment": environment, "max_bytes": max_bytes, "skip_lost": skip_lost, "now": now}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="session")
def driver(broker, tmp_path_factory) -> Iterator[Driver]:
    started = Driver(tmp_path_factory.mktemp("driver") / "log")
    yield started
    started.process.stdin.close()
    started.process.wait(60)


@dataclass
class Line:
    """A lake and a topic of its own."""

    lake: Lake
    environment: dict[str, str]
    driver: Driver | None = None

    @property
    def settings(self) -> Settings:
        return from_environment(self.environment)

    def publish(self, lines: list[str | bytes], partition: int | None = None) -> None:
        """Publish lines, all to one partition where it is named."""
        publisher = Publisher(self.settings, delivery_s=PATIENCE_S)
        values = [line.encode() if isinstance(line, str) else line for line in lines]
        if partition is None:
            assert publisher.wait(publisher.publish(values), PATIENCE_S)
            return
        from confluent_kafka import Producer

        producer = Producer(publisher.options)
        for value in values:
            producer.produce(self.settings.kafka_topic, value, partition=partition)
        assert producer.flush(PATIENCE_S) == 0

    def stream(self, **options) -> dict:
        """Do all that is there, and return the totals."""
        answer = self.driver.run(self.environment, **options)
        assert "totals" in answer, answer
        return answer["totals"]

    def by_files(self, **options) -> dict:
        answer = self.driver.run(self.environment | {"ORBITLAKE_KAFKA": ""}, **options)
        assert "totals" in answer, answer
        return answer["totals"]


@pytest.fixture
def line(lake, broker) -> Line:
    environment = {
        "ORBITLAKE_DATA": str(lake.root),
        "ORBITLAKE_KAFKA": broker.broker.address,
        "ORBITLAKE_KAFKA_TOPIC": f"positions-{uuid.uuid4().hex[:8]}",
    }
    return Line(lake, environment)


@pytest.fixture
def streamed_line(line, driver) -> Line:
    line.driver = driver
    return line
