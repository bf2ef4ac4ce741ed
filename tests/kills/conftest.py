"""What the kill tests share: chance by a seed, a cluster with the stream's driver, a process that closes days."""

import os
import random

import pytest
from tests.kills.cluster import Cluster
from tests.kills.compactor import Compactor

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
