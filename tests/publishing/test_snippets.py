"""What docs/object-store.md gives to copy runs as it stands, against a real server."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.publishing.days import LATER, close, day_after
from tests.servers import duckdb_httpfs, hadoop_aws

from orbitlake.publishing import publish
from orbitlake.tables import WINDOW_STATS

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "object-store.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
INSTALLED = 'lake.execute("INSTALL httpfs; LOAD httpfs")'
DOWNLOADED = '.config("spark.jars.packages", "org.apache.hadoop:hadoop-aws:3.5.0")'


def snippet(word: str) -> str:
    (found,) = (each for each in SNIPPETS if word in each)
    return found


@pytest.fixture
def run(lake, s3_store, s3_url, s3_server, tmp_path):
    """Publish three days and run a snippet there; return what it prints."""
    for number in range(3):
        close(lake, day_after(number), number + 1)
    publish(lake, s3_store, [WINDOW_STATS], "live", now=LATER)
    bucket = s3_url.removeprefix("s3://")

    def run(code: str, *more: str) -> str:
        script = tmp_path / "snippet.py"
        script.write_text(code.replace("bucket/prefix", bucket))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ORBITLAKE_"))}
        environment |= s3_server.environment() | {"PYTHONPATH": os.pathsep.join([*more, str(CHECKOUT / "plugins")])}
        del environment["ORBITLAKE_PUBLISH_ENDPOINT"]
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def assert_sums(printed: str) -> None:
    """The days' sums of `data_points`: twenty rows of 1, 2 and 3."""
    found = re.findall(r"(2026-03-0[123])\D+(\d+)", printed)

    assert found == [("2026-03-01", "20"), ("2026-03-02", "40"), ("2026-03-03", "60")]


@pytest.mark.parametrize("reader", ["orbitlake.query", "import pandas", "import polars"])
def test_a_snippet_reads_what_was_published(run, reader: str):
    assert_sums(run(snippet(reader)))


def test_duckdb_reads_it_by_its_own_extension(run):
    if not duckdb_httpfs.EXTENSION.is_file():
        pytest.skip("no DuckDB with httpfs: `make servers` fetches it")
    code = snippet("import duckdb")
    assert INSTALLED in code

    # Loaded from where it was fetched to: nothing is downloaded here.
    loaded = code.replace(INSTALLED, f"lake.execute(\"LOAD '{duckdb_httpfs.EXTENSION}'\")")
    assert_sums(run(loaded, str(duckdb_httpfs.FOLDER)))


@pytest.mark.long
def test_spark_reads_it_by_s3a(run):
    if not hadoop_aws.jars():
        pytest.skip("no jars for s3a: `make servers` fetches them")
    code = snippet("SparkSession")
    assert DOWNLOADED in code

    assert_sums(run(code.replace(DOWNLOADED, f'.config("spark.jars", "{",".join(hadoop_aws.jars())}")')))


def test_every_snippet_is_run():
    assert len(SNIPPETS) == 5
