"""The stream by Kafka under kill -9: broker, collector, driver and executor, with every kind of reader looking on.

ORBITLAKE_KILLS sets how often: three by default, 50 with eleven thousand polls are the full run. Once the
last entry of Spark's log of commits is removed.
"""

import json
import os
import shutil
import sys
import time
from collections import Counter

import pytest
from tests.kills.cluster import kill
from tests.kills.conftest import SEED
from tests.kills.days import approximately, expected_of, in_order
from tests.kills.records import unkind_records
from tests.positions.streamed import whole_lines
from tests.servers.kafka import TestBroker

from orbitlake.lake import Lake
from orbitlake.positions.kafka.connection import Topic
from orbitlake.positions.state import Checkpoint
from orbitlake.query import connect
from orbitlake.settings import CHECKOUT, from_environment
from orbitlake.tables import POSITION_TABLES

KILLS = int(os.environ.get("ORBITLAKE_KILLS", "3"))
POLLS = max(1000, 220 * KILLS)
VICTIMS = ("broker", "driver", "collector", "worker")
STALLED_AFTER_S = 120
DONE_WITHIN_S = 600

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(240 + 90 * KILLS + DONE_WITHIN_S)]


@pytest.fixture
def broker(tmp_path):
    made = TestBroker.made(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


class Line:
    """Collector, broker, topic and stream, each started again after its end."""

    def __init__(self, lake, cluster, broker, folder, choose):
        self.lake, self.cluster, self.broker, self.folder, self.choose = lake, cluster, broker, folder, choose
        cluster.environment |= {"ORBITLAKE_KAFKA": broker.broker.address}
        self.settings = from_environment(cluster.environment)
        cluster.settings["spark.jars"] = ",".join(map(str, sorted(self.settings.kafka_jars.glob("*.jar"))))
        # The collector is one of ours.
        cluster.environment["PYTHONPATH"] += f"{os.pathsep}{CHECKOUT}"
        folder.mkdir()
        self.collector = None

    def collect(self, upto: int) -> None:
        """Let the collector go so far; it is started where it does not run."""
        (self.folder / "upto").write_text(str(upto))
        if self.collector is None or self.collector.poll() is not None:
            command = (sys.executable, "-m", "tests.kills.collector", str(self.folder))
            self.collector = self.cluster.start("collector", *command)

    def stream(self) -> None:
        if self.cluster.driver is None or self.cluster.driver.poll() is not None:
            self.cluster.submit("--trigger", "1 second", "--max-bytes", "10000")

    def kill_broker(self) -> None:
        self.broker.kill()
        time.sleep(self.choose.uniform(0, 5))
        self.broker.start()

    def kill_collector(self) -> None:
        kill(self.collector, self.choose)

    def kill(self, victim: str) -> None:
        getattr(self if hasattr(self, f"kill_{victim}") else self.cluster, f"kill_{victim}")()

    def wait_for_batch(self) -> bool:
        """Wait until one more batch is done; the stream is started if it ends."""
        batches, deadline = len(self.cluster.progress()), time.monotonic() + STALLED_AFTER_S
        while len(self.cluster.progress()) <= batches and time.monotonic() < deadline:
            self.stream()
            time.sleep(0.1)
        return len(self.cluster.progress()) > batches

    def forget_last_commit(self) -> bool:
        """Remove the last entry of Spark's log of commits, while no driver runs."""
        self.cluster.kill_driver()
        commits = Checkpoint(self.lake, by_kafka=True).spark / "commits"
        done = sorted((file for file in commits.glob("[0-9]*") if file.name.isdigit()), key=lambda file: int(file.name))
        for file in (done[-1], commits / f".{done[-1].name}.crc") if done else ():
            file.unlink(missing_ok=True)
        return bool(done)

    def stop(self) -> None:
        if self.collector is not None:
            kill(self.collector, self.choose)


@pytest.fixture
def line(lake, cluster, broker, tmp_path, choose):
    made = Line(lake, cluster, broker, tmp_path / "collected", choose)
    yield made
    made.stop()


def rows_of(lake: Lake) -> dict:
    with connect(lake.root, tables=POSITION_TABLES) as connection:
        return {
            table: in_order(connection.table(table.name).to_arrow_table().select(table.column_names).to_pylist(), table)
            for table in POSITION_TABLES
        }


def stream_all(cluster) -> int | None:
    """Stream what is there and return the exit status; whoever runs it starts it again where it fails."""
    ended, deadline = None, time.monotonic() + DONE_WITHIN_S
    while ended != 0 and time.monotonic() < deadline:
        ended = cluster.submit("--trigger", "available-now").wait(DONE_WITHIN_S)
    return ended


def test_kills_at_any_moment_lose_double_and_tear_nothing_by_kafka(line, lake, cluster, watch, choose, tmp_path):
    landing = unkind_records(POLLS, SEED)
    lines = [text for _, content in landing.files for text in content.split("\n") if text]
    (line.folder / "lines.json").write_text(json.dumps(lines))
    expected = expected_of(landing.fixes)
    end_watch = watch(expected)
    kills: Counter[str] = Counter()
    share = len(lines) // (KILLS + 1) + 1
    for number in range(KILLS):
        line.collect((number + 1) * share)
        line.stream()
        if choose.random() < 0.3:
            time.sleep(choose.uniform(0, 10))
        else:
            if not line.wait_for_batch():
                cluster.kill_driver()
                kills["stalled driver"] += 1
                line.wait_for_batch()
            time.sleep(choose.uniform(0, 3))
        victim = VICTIMS[number % len(VICTIMS)]
        line.kill(victim)
        kills[victim] += 1
        if number == KILLS // 2:
            kills["commit forgotten"] += line.forget_last_commit()
    line.collect(len(lines))
    line.collector.wait(DONE_WITHIN_S)
    cluster.kill_driver()
    ended = stream_all(cluster)
    accounts, tables = end_watch()
    messages = sum(each.next for each in Topic(line.settings).held().values())
    landed = whole_lines(lake.raw_open_notify)
    looks = {kind: account["looks"] for kind, account in accounts.items()}
    copies = messages - len(lines)
    print(
        f"kills {dict(kills)}, batches {len(cluster.progress())}, messages {messages}, copies {copies}, looks {looks}"
    )
    kept = [file for file in lake.quarantine.iterdir() if not file.name.endswith(".reason.json")]
    quarantined = {text for file in kept for text in file.read_bytes().split(b"\n")}

    assert [wrong for account in accounts.values() for wrong in account["wrong"]] == []
    assert ended == 0
    for (_, name), rows in tables.items():
        table = next(table for table in POSITION_TABLES if table.name == name)
        assert in_order(rows.to_pylist(), table) == approximately(in_order(expected[table].to_pylist(), table))
    assert all(account["last"] and account["looks"] for account in accounts.values())
    assert quarantined == {text.encode() for text in landing.bad_lines}
    assert len(landed) == messages
    assert set(landed) == {text.encode() for text in lines}
    # What landed is all that a replay needs: by files, without a broker, the same tables to the bit.
    line.broker.kill()
    replayed = Lake(tmp_path / "replayed")
    shutil.copytree(lake.raw_open_notify, replayed.raw_open_notify)
    cluster.environment |= {"ORBITLAKE_KAFKA": "", "ORBITLAKE_DATA": str(replayed.root)}
    assert stream_all(cluster) == 0
    assert rows_of(replayed) == rows_of(lake)
