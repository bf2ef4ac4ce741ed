"""Retirement of live files under kill -9, beside a stream that writes into the very days: nothing lost or doubled.

ORBITLAKE_KILLS sets how often; 50 is the full run.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from tests.kills.cluster import Cluster, kill
from tests.kills.compactor import Compactor
from tests.kills.days import Day, assert_published
from tests.kills.readers import keys_of
from tests.positions.samples import START, lines

from orbitlake.embedded.topology import CHECKOUT
from orbitlake.lake import Lake
from orbitlake.positions.raw.segments import SegmentWriter
from orbitlake.positions.store.day_files import pending_days
from orbitlake.positions.store.minute_files import live_days
from orbitlake.query import connect
from orbitlake.tables import POSITION_TABLES

KILLS = int(os.environ.get("ORBITLAKE_KILLS", "2"))
OBJECTS = ("1998-067A", "2021-035A")
DAYS = 2
KEEP_LIVE_S = 5.0
"""Longer than a look takes: who listed a live file just before its day was closed may still open it."""
BATCH_WITHIN_S = 600
MOST_FILES = 80
"""Before which of the files that go a retirement is killed, at most; a day here has about ninety."""
ONE_SECOND = ("--trigger", "1 second")

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(900 + 60 * KILLS)]


class Retirement:
    """`jobs/retire_files.py`, as its DAG and people run it."""

    def __init__(self, lake: Lake) -> None:
        self.environment = os.environ | {
            "PYTHONPATH": str(CHECKOUT / "plugins"),
            "ORBITLAKE_DATA": str(lake.root),
            "ORBITLAKE_KEEP_LIVE_HOURS": str(KEEP_LIVE_S / 3600),
            "PYTHONUNBUFFERED": "1",
        }
        self.lasts_s = 1.0

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "jobs/retire_files.py"],
            stdout=-1,
            stderr=-2,
            text=True,
            env=self.environment,
            cwd=CHECKOUT,
        )

    def run(self) -> dict:
        began = time.monotonic()
        with self.start() as process:
            said, _ = process.communicate(timeout=120)
        self.lasts_s = time.monotonic() - began
        assert process.returncode == 0, said
        return json.loads(said.splitlines()[-1])["files"]


class Watcher(threading.Thread):
    """Looks at both tables through the views, over and over: whatever was there once stays, once."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(name="watcher")
        self.lake, self.stop = lake, threading.Event()
        self.looks = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        seen: dict[str, set] = {table.name: set() for table in POSITION_TABLES}
        while not self.stop.is_set():
            for table in POSITION_TABLES:
                began = time.monotonic()
                try:
                    with connect(self.lake.root, tables=[table]) as database:
                        keys = keys_of(database.sql(f"FROM {table.name}").to_arrow_table(), table)
                except Exception as error:  # noqa: BLE001 - any failure of a reader is what is looked for
                    # One that was slower than files are kept may find them gone.
                    if time.monotonic() - began < KEEP_LIVE_S:
                        self.wrong.append(f"{table.name}: {error}")
                    continue
                now = set(keys)
                problems = {"double": len(keys) - len(now), "vanished": len(seen[table.name] - now)}
                self.wrong += [f"{table.name}: {count} {what}" for what, count in problems.items() if count]
                seen[table.name] |= now
                self.looks += 1
            time.sleep(0.3)


def land(lake: Lake, rows: list[dict]) -> None:
    """Append fixes to a segment of their own, as a collector does."""
    writer = SegmentWriter(lake)
    writer.append(("\n".join(lines(rows)) + "\n").encode(), START)
    writer.close()


def await_records(cluster: Cluster, records: int) -> None:
    """Wait until the stream has read so many records; it is started where it does not run."""
    deadline = time.monotonic() + BATCH_WITHIN_S
    while sum(batch["records"] for batch in cluster.progress().values()) < records:
        assert time.monotonic() < deadline, cluster.progress()
        if cluster.driver is None or cluster.driver.poll() is not None:
            cluster.submit(*ONE_SECOND)
        time.sleep(0.1)


def close_pending(lake: Lake, compactor: Compactor) -> None:
    """Close each day whose live files say something else than its closed one."""
    for day in pending_days(lake, START.date().max):
        compactor.order(day)
        compactor.answer()


def test_retirement_killed_beside_a_writing_stream_loses_and_doubles_nothing(
    lake: Lake, cluster: Cluster, compactor: Compactor, choose: random.Random
):
    # A late go for each kill, which the stream writes into a day that is closed and being retired.
    days = [Day(number, (KILLS + DAYS) // DAYS, OBJECTS, choose) for number in range(DAYS)]
    fixes = [row for day in days for row in day.fixes]
    landed = 0
    for day in days:
        land(lake, day.in_time)
        landed += len(day.in_time)
    await_records(cluster, landed)
    retirement, watcher, removed, kills = Retirement(lake), Watcher(lake), Counter(), Counter()
    watcher.start()
    try:
        for number in range(KILLS):
            close_pending(lake, compactor)
            time.sleep(KEEP_LIVE_S)
            late = days[number % DAYS].late.pop()
            before = sum(1 for _ in (lake.root / "live").rglob("*.parquet"))
            land(lake, late)
            landed += len(late)
            # At once, or while the stream has the batch in hand.
            time.sleep(choose.choice((0, choose.uniform(0, 2))))
            process = retirement.start()
            if choose.random() < 0.3:
                time.sleep(choose.uniform(0, retirement.lasts_s))
            else:
                # It says each file before it removes it.
                said = [process.stdout.readline() for _ in range(choose.randrange(1, MOST_FILES))]
                assert not any("closed day" in line for line in said), said
            kills["after its end" if process.poll() is not None else "at work"] += 1
            kill(process, choose)
            removed["before the kill"] += before - sum(1 for _ in (lake.root / "live").rglob("*.parquet"))
            await_records(cluster, landed)
            removed["by the next"] += retirement.run().get("live", 0)
        for day in days:
            for late in day.late:
                land(lake, late)
                landed += len(late)
        await_records(cluster, landed)
        close_pending(lake, compactor)
        time.sleep(KEEP_LIVE_S)
        retirement.run()
    finally:
        watcher.stop.set()
        watcher.join()
    print(f"{KILLS} kills: {dict(kills)}; live files removed: {dict(removed)}; {watcher.looks} looks")

    assert watcher.wrong == []
    assert list(live_days(lake)) == []
    assert_published(lake, fixes)
