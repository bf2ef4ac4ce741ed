"""A PostgreSQL for the tests of a worker, and a database of its own for each test."""

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from tests.servers import postgres

from orbitlake.database import connect
from orbitlake.embedded.roots import TopologyError

NUMBERS = count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[str]:
    """The URL of the server; where it cannot run here, its tests say so and skip."""
    try:
        with postgres.running(tmp_path_factory.mktemp("server")) as url:
            yield url
    except TopologyError as error:
        pytest.skip(f"no PostgreSQL here: {error}")


@pytest.fixture
def url(server: str) -> str:
    """The URL of an empty database, whose user may do anything."""
    name = f"test_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.removesuffix("/postgres") + f"/{name}"


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    with connect(url) as made:
        yield made
