"""A real S3 server for a session of tests, a prefix there for each test, and the stores that are tried."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import seaweedfs

from orbitlake.lake import Lake
from orbitlake.publishing import Access, Store

BUCKET = "lake"
PREFIXES = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.Server]:
    if not seaweedfs.WEED.is_file():
        pytest.skip("no S3 server: `make servers` fetches it")
    with seaweedfs.running(tmp_path_factory.mktemp("s3")) as server:
        # One for all: the server sets aside some volumes for each.
        server.arrow().create_dir(BUCKET)
        yield server


@pytest.fixture
def s3_url() -> str:
    """A prefix in a bucket, with nothing below it."""
    return f"s3://{BUCKET}/{next(PREFIXES)}/lake"


@pytest.fixture
def s3_store(s3_server: seaweedfs.Server, s3_url: str) -> Store:
    return Store.open(s3_url, access_to(s3_server))


@pytest.fixture(params=["s3", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind: objects, files that are renamed, and one of fsspec's."""
    if request.param == "s3":
        return request.getfixturevalue("s3_store")
    place = tmp_path / "published"
    return Store.open(f"file://{place}" if request.param == "file" else f"memory://{place}")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data")


def access_to(server: seaweedfs.Server) -> Access:
    """Return what a store of the server is opened with."""
    return Access(server.endpoint, "us-east-1", server.key_id, server.secret_key)
