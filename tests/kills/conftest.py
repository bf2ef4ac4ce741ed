"""What the kill tests share: chance by a seed, a cluster with the stream's driver, a process that closes days."""

import json
import os
import random
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from tests.kills.cluster import Cluster
from tests.kills.compactor import Compactor
from tests.kills.readers import READERS, keys_of

from orbitlake.settings import CHECKOUT

SEED = int(os.environ.get("ORBITLAKE_KILLS_SEED", "1"))


@pytest.fixture
def choose():
    return random.Random(SEED)


@pytest.fixture
def cluster(tmp_path, lake, choose):
    scratch = tmp_path / "cluster"
    scratch.mkdir()
    started = Cluster(scratch, lake.root, choose)
    yield started
    started.stop()


@pytest.fixture
def compactor(lake, tmp_path, choose):
    started = Compactor(lake, tmp_path / "compactor.log")
    yield started
    started.kill(choose)


@pytest.fixture
def watch(tmp_path, lake):
    """Start the readers; the returned function ends them and gives their accounts."""
    out = tmp_path / "readers"
    out.mkdir()
    readers = {}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(CHECKOUT / "plugins"), str(CHECKOUT)))}

    def start(expected):
        (out / "expected.json").write_text(
            json.dumps({table.name: keys_of(rows, table) for table, rows in expected.items()})
        )
        for kind in READERS:
            command = [sys.executable, "-m", "tests.kills.readers", kind, lake.root, out / "expected.json", out]
            with (out / f"{kind}.log").open("wb") as log:
                readers[kind] = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=CHECKOUT)

        def end():
            (out / "stop").touch()
            ended = {kind: reader.wait(300) for kind, reader in readers.items()}
            accounts = {kind: json.loads((out / f"{kind}.json").read_text()) for kind in ended}
            tables = {
                (kind, table.name): pq.read_table(out / f"{kind}-{table.name}.parquet")
                for kind in ended
                for table in expected
            }
            return accounts, tables

        return end

    yield start
    for reader in readers.values():
        reader.kill()
        reader.wait()
