"""A PostgreSQL on loopback for the tests of a worker, and a database of its own for each test."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import count

import psycopg
import pytest

from orbitlake.database import connect
from orbitlake.embedded.database import Database, free_port
from orbitlake.embedded.roots import TopologyError

WITHIN_S = 60
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}
NUMBERS = count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Database]:
    """The server that the topology brings along; where it cannot run here, its tests say so and skip."""
    folder = tmp_path_factory.mktemp("server")
    made = Database(folder / "database", "secret", free_port())
    try:
        made.make(ENVIRONMENT, folder / "initdb.log")
    except TopologyError as error:
        pytest.skip(f"no PostgreSQL here: {error}")
    # A test needs no database that outlives the machine.
    command = (*made.command, "-c", "fsync=off", "-c", "max_wal_size=4GB")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=log)
    try:
        deadline = time.monotonic() + WITHIN_S
        while subprocess.run(made.check, env=ENVIRONMENT, check=False).returncode:
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            assert process.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.05)
        yield made
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(WITHIN_S)


@pytest.fixture
def url(server: Database) -> str:
    """The URL of an empty database, whose user may do anything."""
    base = server.url.replace("+psycopg2", "")
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return base.removesuffix("/postgres") + f"/{name}"


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    with connect(url) as made:
        yield made
