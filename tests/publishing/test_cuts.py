"""An upload that is cut, by the network or with its process, is never seen: each day there is whole, old or new."""

import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.publishing.conftest import access_to
from tests.publishing.cutting import cutting
from tests.publishing.days import LATER, close, day_after
from tests.servers.seaweedfs import Server

from orbitlake.lake import Lake
from orbitlake.publishing import Access, Published, PublishError, Store, StoreError, publish
from orbitlake.tables import WINDOW_STATS

CHECKOUT = Path(__file__).resolve().parents[2]
CUTS = int(os.environ.get("ORBITLAKE_CUTS", "6"))
"""Half of them by the network, half by killing the process."""
DAYS = 3
ROWS = 12_000


def close_all(lake: Lake, revision: int) -> None:
    for number in range(DAYS):
        close(lake, day_after(number), revision, ROWS)


def publish_all(lake: Lake, store: Store, revision: int, **how: object) -> Published:
    """Publish, some hours after the revision before: who began to read that one is done."""
    return publish(lake, store, [WINDOW_STATS], "live", now=LATER + revision * timedelta(hours=2), **how)


def revision_in(content: bytes) -> set[int]:
    """Return the one revision that a day's rows are of."""
    rows = pq.read_table(pa.BufferReader(content))
    points, speeds = set(rows["data_points"].to_pylist()), set(rows["avg_velocity_km_s"].to_pylist())
    assert (rows.num_rows, len(points), points) == (ROWS, 1, speeds)
    return points


def assert_each_day_is_whole(store: Store, *revisions: int) -> set[int]:
    """Hold every object against what may stand there; return which revisions do."""
    found = set()
    manifest = json.loads(store.read("manifest.json"))
    for name in store.sizes("lake"):
        content = store.read(name)
        found |= revision_in(content)
        # Who goes by the manifest finds what it says, also where the object has been replaced since.
        revision_in(content[: manifest["objects"][name]["bytes"]])
    assert found <= set(revisions)
    return found


def cut_by_network(lake: Lake, url: str, server: Server, revision: int, after_bytes: int) -> bool:
    with cutting(server.endpoint, after_bytes) as proxy:
        access = Access(proxy.endpoint, "us-east-1", server.key_id, server.secret_key)
        try:
            publish_all(lake, Store.open(url, access), revision)
        except (PublishError, StoreError):
            return True
    return False


def cut_by_kill(lake: Lake, url: str, server: Server, revision: int, after_s: float) -> bool:
    environment = {**os.environ, **server.environment(), "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}"}
    command = [sys.executable, "-m", "tests.publishing.killed", str(lake.root), url, str(2 * revision)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(after_s)
        process.kill()
        return process.stdout.read() == ""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_cut_uploads_are_never_seen_and_the_next_run_goes_on(lake, s3_store, s3_url, s3_server):
    """ORBITLAKE_CUTS says how many; by default a few."""
    chance = random.Random(7)
    close_all(lake, 0)
    publish_all(lake, s3_store, 0)
    begun = time.monotonic()
    close_all(lake, 1)
    whole_bytes = publish_all(lake, s3_store, 1).bytes_sent
    whole_s = time.monotonic() - begun
    cut = 0
    for revision in range(2, CUTS + 2):
        close_all(lake, revision)
        if revision % 2:
            cut += cut_by_network(lake, s3_url, s3_server, revision, chance.randrange(2_000, int(1.1 * whole_bytes)))
        else:
            cut += cut_by_kill(lake, s3_url, s3_server, revision, chance.uniform(0, whole_s))
        # What was handed over whole before the cut may still arrive after it.
        assert_each_day_is_whole(s3_store, *range(1, revision + 1))

    healed = publish_all(lake, s3_store, CUTS + 2, verify=True)

    print(f"{cut} of {CUTS} publications were cut")
    assert cut > CUTS // 3
    assert healed.unchanged + healed.sent <= DAYS
    assert assert_each_day_is_whole(s3_store, CUTS + 1) == {CUTS + 1}
    assert publish_all(lake, s3_store, CUTS + 2, verify=True).sent == 0


def test_an_upload_cut_by_the_network_leaves_the_day_before_and_says_so(lake, s3_store, s3_url, s3_server):
    close_all(lake, 1)
    publish_all(lake, s3_store, 1)
    close_all(lake, 2)

    with cutting(s3_server.endpoint, 600_000) as proxy:
        access = Access(proxy.endpoint, "us-east-1", s3_server.key_id, s3_server.secret_key)
        with pytest.raises((PublishError, StoreError)):
            publish_all(lake, Store.open(s3_url, access), 2)

    assert proxy.passed == 600_000
    assert_each_day_is_whole(s3_store, 1, 2)
    publish_all(lake, s3_store, 3)
    assert assert_each_day_is_whole(s3_store, 2) == {2}


def test_the_server_is_reached_with_the_right_key_alone(s3_url, s3_server, lake):
    close(lake, day_after(0), 1)
    wrong = Store.open(s3_url, Access(s3_server.endpoint, "us-east-1", s3_server.key_id, "wrong"))

    with pytest.raises((PublishError, StoreError)) as refused:
        publish_all(lake, wrong, 1)

    assert "wrong" not in str(refused.value)
    assert access_to(s3_server).secret_key not in repr(access_to(s3_server))
