"""jobs/load_database.py and the task of load_database: what they print, how they end, and that no password is told."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.database.random_rows import DAY, of_partition, put

from orbitlake.database import DatabaseError
from orbitlake.lake import Lake
from orbitlake.orchestration.loading import NONE_SET, load_database
from orbitlake.tables import PASSES, POSITIONS, TABLES

CHECKOUT = Path(__file__).resolve().parents[2]


def run(lake: Lake, url: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(CHECKOUT / "plugins"), "PATH": "", "ORBITLAKE_DATABASE_URL": url} | settings
    command = [sys.executable, str(CHECKOUT / "jobs" / "load_database.py"), "--data", str(lake.root), *words]
    return subprocess.run(
        command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_job_prints_a_line_a_table_and_compares_where_it_is_asked_to(lake, url, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    put(lake, PASSES, of_partition(PASSES, 2))
    done = run(lake, url, "--check", ORBITLAKE_DATABASE_TABLES="passes, positions")

    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"table": name, "loaded": 1, "unchanged": 0, "removed": 0, "rows_loaded": rows, "failures": []}
        for name, rows in (("passes", 2), ("positions", 4))
    ]
    connection.execute("DELETE FROM orbitlake.positions WHERE longitude_deg = 0")
    done = run(lake, url, "--check", "--table", "positions")
    assert done.returncode == 1
    assert done.stderr == f"load_database: positions/date={DAY}: 4 rows in the lake, 3 others in the database\n"
    assert run(lake, url, "--check", "--everything").returncode == 0


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        ("", 3, "no database is set"),
        ("mysql://u:hush@h/d", None, "ORBITLAKE_DATABASE_URL is no URL of PostgreSQL"),
        ("postgresql://u:hush%zz@127.0.0.1/d", 1, "the database's URL cannot be read"),
        ("postgresql://u:hush@127.0.0.1:1/d", 1, "127.0.0.1"),
    ],
)
def test_a_database_that_cannot_be_used_ends_the_job_in_a_line_without_its_password(lake, url, status, said: str):
    done = run(lake, url)

    assert done.returncode == (status or 1)
    assert said in done.stderr
    assert "hush" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_table_that_there_is_not_and_a_partition_that_cannot_be_read(lake, url):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    lake.day(POSITIONS, DAY).write_bytes(b"no Parquet")

    assert run(lake, url, "--table", "pases").returncode == 3
    done = run(lake, url, "--table", "positions", "--check")
    assert done.returncode == 1
    assert "is damaged" in json.loads(done.stdout)["failures"][0]
    assert "Traceback" not in done.stderr
    assert "is damaged" in done.stderr


@pytest.fixture
def airflow(monkeypatch, lake):
    """Run the task with these settings; return what it returned and the sentence that it left."""

    def task(scope: str = "changed", check: str = "no", **settings: str):
        monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
        for name, value in settings.items():
            monkeypatch.setenv(f"ORBITLAKE_DATABASE_{name}", value)
        pushed: dict = {}
        context = {
            "params": {"scope": scope, "check": check},
            "ti": SimpleNamespace(xcom_push=pushed.__setitem__),
        }
        try:
            return load_database(context), pushed
        except DatabaseError as error:
            return error, pushed

    return task


def test_the_task_says_that_no_database_is_set_and_is_done(airflow):
    assert airflow() == ({}, {"outcome": NONE_SET})


def test_the_task_notes_what_was_loaded_and_that_nothing_was(lake, url, airflow):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))

    done, left = airflow(URL=url)
    assert done["positions"]["rows_loaded"] == 4
    assert left == {"outcome": "positions: 1 partition loaded with 4 rows"}
    assert airflow(URL=url)[1] == {"outcome": f"nothing new in {len(TABLES)} tables"}


def test_the_task_loads_by_a_connection_of_airflow_before_the_url(lake, url, connection, airflow, monkeypatch):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    monkeypatch.setenv("AIRFLOW_CONN_HERE", url.replace("postgresql://", "postgres://"))

    _, left = airflow(CONNECTION="here", URL="postgresql://nobody@127.0.0.1:1/none", SCHEMA="own")

    assert left == {"outcome": "positions: 1 partition loaded with 4 rows"}
    assert connection.execute("SELECT count(*) FROM own.positions").fetchone() == (4,)


def test_the_task_fails_for_good_where_trying_again_would_not_help(lake, url, airflow):
    for settings in ({"CONNECTION": "not_there"}, {"URL": url, "TABLES": "pases"}):
        with pytest.raises(AirflowFailException):
            airflow(**{"CONNECTION": "", "TABLES": ""} | settings)


def test_the_task_fails_with_what_could_not_be_loaded_or_differs_and_loads_the_rest(lake, url, connection, airflow):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    put(lake, PASSES, of_partition(PASSES, 2))
    lake.day(POSITIONS, DAY).write_bytes(b"no Parquet")

    error, left = airflow(URL=url)
    assert "is damaged" in str(error)
    assert left["outcome"].endswith("passes: 1 partition loaded with 2 rows")
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    connection.execute("UPDATE orbitlake.passes SET revision = 77")
    error, _ = airflow(check="yes")
    assert str(error) == "passes/object_id=1998-067A/site=Paris: 2 rows in the lake, 2 others in the database"
    assert not isinstance(airflow(scope="everything", check="yes")[0], DatabaseError)
