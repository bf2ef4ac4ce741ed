"""Changed days are published again and again beside readers: no error, no mixed day, no half of one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.publishing.days import LATER, close, day_after
from tests.servers import duckdb_httpfs, hadoop_aws

from orbitlake.publishing import publish
from orbitlake.tables import WINDOW_STATS

CHECKOUT = Path(__file__).resolve().parents[2]
PUBLISHES = int(os.environ.get("ORBITLAKE_PUBLISHES", "12"))
DAYS = 3
ROWS = 6_000
NEEDS = {
    "duckdb": (duckdb_httpfs.EXTENSION, "no DuckDB with httpfs"),
    "spark": (hadoop_aws.FOLDER, "no jars for s3a"),
}


@contextmanager
def reading(kind: str, url: str, server) -> Iterator[subprocess.Popen[str]]:
    """A reader at work; it ends when its input does."""
    environment = {**os.environ, **server.environment(), "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}"}
    command = [sys.executable, "-m", "tests.publishing.reader", kind, url, str(ROWS)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def beside(kinds: list[str], publishes: int, lake, s3_store, s3_url, s3_server) -> dict[str, dict]:
    """Publish changed days beside readers; return what each reader says."""
    for number in range(DAYS):
        close(lake, day_after(number), 0, ROWS)
    publish(lake, s3_store, [WINDOW_STATS], "live", now=LATER)
    with ExitStack() as stack:
        readers = {kind: stack.enter_context(reading(kind, s3_url, s3_server)) for kind in kinds}
        for reader in readers.values():
            assert reader.stdout.readline() == "ready\n"
        for reader in readers.values():
            reader.stdin.write("go\n")
            reader.stdin.flush()
        for revision in range(1, publishes + 1):
            close(lake, day_after(revision % DAYS), revision, ROWS)
            assert publish(lake, s3_store, [WINDOW_STATS], "live", now=LATER).sent == 1
        return {kind: json.loads(reader.communicate(timeout=120)[0]) for kind, reader in readers.items()}


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_readers_see_the_old_or_the_new_of_each_day_while_days_are_published(lake, s3_store, s3_url, s3_server):
    """ORBITLAKE_PUBLISHES says how many; by default a few."""
    kinds = [
        kind
        for kind in os.environ.get("KINDS", "connect,duckdb,polars,pandas,spark").split(",")
        if kind not in lacking()
    ]
    print(f"{PUBLISHES} publications beside {kinds}; not here: {lacking() or 'none'}")

    said = beside(kinds, PUBLISHES, lake, s3_store, s3_url, s3_server)

    print(said)
    for kind, what in said.items():
        assert (what["mixed"], what["errors"]) == ([], []), kind
        assert what["reads"] > 0, kind


def test_polars_sees_the_old_or_the_new_of_each_day(lake, s3_store, s3_url, s3_server):
    said = beside(["polars"], 6, lake, s3_store, s3_url, s3_server)["polars"]

    assert (said["mixed"], said["errors"]) == ([], [])
    assert said["reads"] > 0


def lacking() -> list[str]:
    """The readers that are not here."""
    return [kind for kind, (place, _) in NEEDS.items() if not place.exists()]
