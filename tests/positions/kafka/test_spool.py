"""A collector whose broker is away: nothing is lost, order is kept, and the next one goes on with the spool."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.positions.kafka.conftest import PATIENCE_S

from orbitlake.positions.kafka.connection import Topic, client_options
from orbitlake.positions.kafka.publisher import Publisher
from orbitlake.positions.kafka.spool import KafkaWriter
from orbitlake.settings import CHECKOUT

START = datetime(2026, 11, 20, 23, 59, 58, tzinfo=UTC)


def record(number: int) -> bytes:
    return json.dumps({"object_id": "1998-067A", "source": "open_notify", "latency_ms": number}).encode() + b"\n"


def append(writer: KafkaWriter, first: int, last: int) -> None:
    for number in range(first, last):
        writer.append(record(number), START + timedelta(seconds=number))


def settle(writer: KafkaWriter) -> None:
    """Wait until the broker has all of the spool."""
    latest = time.monotonic() + PATIENCE_S
    while writer.waiting() or writer.sending:
        writer.catch_up(1)
        assert time.monotonic() < latest


def published(line) -> list:
    """All messages of the topic, as (key, headers, value)."""
    consumer = Consumer(client_options(line.settings) | {"group.id": "test"})
    held = Topic(line.settings).held()
    consumer.assign([TopicPartition(line.settings.kafka_topic, number, 0) for number in held])
    count, found = sum(each.next for each in held.values()), []
    while len(found) < count:
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert message.error() is None
        found.append((message.key(), message.headers(), message.value() + b"\n"))
    consumer.close()
    return found


@pytest.fixture
def hanging(broker):
    """Make the broker hang, and go on."""
    stopped = []

    def hang() -> None:
        broker.process.send_signal(signal.SIGSTOP)
        stopped.append(True)

    def resume() -> None:
        broker.process.send_signal(signal.SIGCONT)

    yield hang, resume
    resume()


def test_a_record_is_published_with_its_key_schema_and_version(line):
    with KafkaWriter(line.lake, Publisher(line.settings, delivery_s=PATIENCE_S)) as writer:
        append(writer, 0, 3)

    assert published(line) == [
        (
            b"1998-067A/open_notify",
            [("schema", b"orbitlake.raw_position_record"), ("version", b"1")],
            record(number),
        )
        for number in range(3)
    ]
    assert not list(line.lake.root.rglob("*.jsonl"))


def test_while_the_broker_hangs_records_are_spooled_and_published_in_order_once_it_answers(line, hanging, caplog):
    hang, resume = hanging
    caplog.set_level(logging.INFO, logger="orbitlake")
    with KafkaWriter(line.lake, Publisher(line.settings, delivery_s=1)) as writer:
        append(writer, 0, 2)
        settle(writer)
        hang()
        append(writer, 2, 5)
        spooled = sorted(line.lake.spool_open_notify.glob("date=*/*.jsonl"))
        assert b"".join(file.read_bytes() for file in spooled) == b"".join(map(record, range(2, 5)))
        resume()
        number = 5
        latest = time.monotonic() + PATIENCE_S
        while writer.waiting() or writer.sending:
            append(writer, number, number + 1)
            number += 1
            assert time.monotonic() < latest

    values = [value for _, _, value in published(line)]
    # One that the broker took too late to say so has come twice; the tables and the audit count copies once.
    assert list(dict.fromkeys(values)) == list(map(record, range(number)))
    assert not line.lake.spool_open_notify.exists() or not any(line.lake.spool_open_notify.rglob("*.jsonl"))
    levels = [entry.levelname for entry in caplog.records if entry.name.startswith("orbitlake")]
    # Once each; a machine that is too busy for the bound may have had more such times.
    assert levels == ["WARNING", "INFO"] * (len(levels) // 2)
    assert levels


COLLECTOR = """
import os, sys
from tests.positions.kafka.test_spool import *
from orbitlake.lake import Lake
from orbitlake.settings import from_environment
settings = from_environment()
writer = KafkaWriter(Lake(settings.data), Publisher(settings, delivery_s=0.3))
append(writer, 0, 20)
os.kill(os.getpid(), 9)
"""


def test_a_killed_collector_leaves_its_spool_to_the_next(line):
    nobody = {"ORBITLAKE_KAFKA": "127.0.0.1:1", "PYTHONPATH": f"{CHECKOUT / 'plugins'}{os.pathsep}{CHECKOUT}"}
    ended = subprocess.run(
        [sys.executable, "-c", COLLECTOR], env=os.environ | line.environment | nobody, cwd=CHECKOUT, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    files = sorted(line.lake.spool_open_notify.glob("date=*/*.jsonl"))
    assert b"".join(file.read_bytes() for file in files) == b"".join(map(record, range(20)))

    with KafkaWriter(line.lake, Publisher(line.settings, delivery_s=PATIENCE_S)) as writer:
        append(writer, 20, 23)

    assert [value for _, _, value in published(line)] == list(map(record, range(23)))
    assert not any(line.lake.spool_open_notify.rglob("*.jsonl"))
