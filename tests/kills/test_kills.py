"""The stream under kill -9: driver, worker and master, at random moments, with every kind of reader looking on.

ORBITLAKE_KILLS sets how often: one of each kind by default, 50 with eleven thousand polls are the full run.
"""

import os
import time
from collections import Counter

import pytest
from tests.kills.conftest import SEED
from tests.kills.days import approximately, expected_of, in_order
from tests.kills.records import land, unkind_records

from orbitlake.tables import POSITION_TABLES

KILLS = int(os.environ.get("ORBITLAKE_KILLS", "3"))
POLLS = max(1000, 220 * KILLS)
VICTIMS = ("driver", "worker", "master", "driver")
STALLED_AFTER_S = 120
DONE_WITHIN_S = 600

pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(120 + 90 * KILLS + DONE_WITHIN_S)]


def stream(cluster):
    """Start the stream where it does not run."""
    if cluster.driver is None or cluster.driver.poll() is not None:
        cluster.submit("--trigger", "1 second", "--max-bytes", "10000")


def wait_for_batch(cluster, batches, seconds):
    """Wait until more batches than so many are done; tell whether it came to that. The stream is started if it ends."""
    deadline = time.monotonic() + seconds
    while len(cluster.progress()) <= batches and time.monotonic() < deadline:
        stream(cluster)
        time.sleep(0.1)
    return len(cluster.progress()) > batches


def test_kills_at_any_moment_lose_double_and_tear_nothing_for_any_reader(lake, cluster, watch, choose):
    landing = unkind_records(POLLS, SEED)
    expected = expected_of(landing.fixes)
    end_watch = watch(expected)
    kills = Counter()
    torn = 0
    share = len(landing.files) // (KILLS + 1) + 1
    for number in range(KILLS):
        torn += land(landing.files[number * share : (number + 1) * share], lake)
        stream(cluster)
        if choose.random() < 0.3:
            time.sleep(choose.uniform(0, 10))
        else:
            if not wait_for_batch(cluster, len(cluster.progress()), STALLED_AFTER_S):
                # A driver without its master waits for ever: whoever runs it starts it again.
                cluster.kill_driver()
                kills["stalled driver"] += 1
                stream(cluster)
                wait_for_batch(cluster, len(cluster.progress()), STALLED_AFTER_S)
            time.sleep(choose.uniform(0, 3))
        victim = VICTIMS[number % len(VICTIMS)]
        getattr(cluster, f"kill_{victim}")()
        kills[victim] += 1
    torn += land(landing.files[KILLS * share :], lake)
    cluster.kill_driver()
    deadline = time.monotonic() + DONE_WITHIN_S
    while time.monotonic() < deadline:
        ended = cluster.submit("--trigger", "available-now", "--max-bytes", "50000").wait(DONE_WITHIN_S)
        if ended == 0:
            break
    # The run that finds a collector gone ends its torn line, the next one reads it.
    ended = cluster.submit("--trigger", "available-now").wait(DONE_WITHIN_S)
    progress = cluster.progress().values()
    accounts, tables = end_watch()
    looks = {kind: account["looks"] for kind, account in accounts.items()}
    files = len(landing.files)
    print(f"kills {dict(kills)}, batches {len(progress)}, polls {landing.polls}, files {files}, looks {looks}")
    kept = [file for file in lake.quarantine.iterdir() if not file.name.endswith(".reason.json")]
    quarantined = [text for file in kept for text in file.read_bytes().split(b"\n")]

    assert [wrong for account in accounts.values() for wrong in account["wrong"]] == []
    assert ended == 0
    for (_, name), rows in tables.items():
        table = next(table for table in POSITION_TABLES if table.name == name)
        assert in_order(rows.to_pylist(), table) == approximately(in_order(expected[table].to_pylist(), table))
    assert sum(batch["records"] for batch in progress) == landing.polls + torn
    assert sum(batch["failed_polls"] for batch in progress) == landing.failed_polls
    assert sorted(content.strip() for content in quarantined) == sorted(
        text.strip().encode() for text in landing.bad_lines
    )
    assert all(account["last"] and account["looks"] for account in accounts.values())
