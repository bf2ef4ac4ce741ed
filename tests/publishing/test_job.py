"""The command and the task: they publish what the settings say, tell of it, and do nothing where nothing is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.publishing.conftest import access_to
from tests.publishing.days import FIRST, close

from orbitlake.orchestration import publications
from orbitlake.publishing import Store
from orbitlake.settings import REFUSED, SettingError, from_environment

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = f"lake/window_stats/date={FIRST}/part-0.parquet"
CHOSEN = {"table": "all", "verify": "no"}


class Task:
    """What a task leaves for the note of its run."""

    def __init__(self, **params: str) -> None:
        self.said = ""
        self.context = {"params": {**CHOSEN, **params}, "ti": self}

    def xcom_push(self, _: str, sentence: str) -> None:
        self.said = sentence


@pytest.fixture
def named(lake, s3_server, s3_url, monkeypatch) -> str:
    """The settings name a store, and the environment who may write there."""
    close(lake, FIRST, 1)
    variables = s3_server.environment() | {"ORBITLAKE_PUBLISH_URL": s3_url, "ORBITLAKE_DATA": str(lake.root)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return s3_url


def run_job(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHECKOUT / "jobs" / "publish_lake.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_job_publishes_and_says_what_it_did(named, s3_store, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "plugins"))
    first, again = run_job(), run_job("--verify")

    assert first.returncode == again.returncode == 0, first.stderr
    assert json.loads(first.stdout)["sent"] == json.loads(again.stdout)["unchanged"] == 1
    assert list(s3_store.sizes("lake")) == [NAME]


def test_the_job_refuses_where_no_store_is_named(lake, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "plugins"))
    monkeypatch.delenv("ORBITLAKE_PUBLISH_URL", raising=False)

    refused = run_job("--data", str(lake.root))

    assert (refused.returncode, refused.stdout) == (REFUSED, "")
    assert "ORBITLAKE_PUBLISH_URL" in refused.stderr


def test_the_task_publishes_and_notes_how_much(named, s3_store):
    task = Task()

    publications.publish_lake(task.context)

    assert list(s3_store.sizes("lake")) == [NAME]
    assert task.said.startswith("1 partition sent, ")


def test_the_task_does_nothing_where_no_store_is_named(monkeypatch):
    monkeypatch.delenv("ORBITLAKE_PUBLISH_URL", raising=False)
    task = Task()

    assert publications.publish_lake(task.context) == {}
    assert task.said == publications.NOTHING_NAMED


def test_a_table_that_there_is_not_fails_at_once(named, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_PUBLISH_TABLES", "positions, nothing")

    with pytest.raises(AirflowFailException, match="holds 'nothing'"):
        publications.publish_lake(Task().context)


def test_a_connection_of_airflow_brings_credentials_and_endpoint(named, s3_server, s3_store, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "ORBITLAKE_PUBLISH_ENDPOINT"):
        monkeypatch.delenv(name)
    connection = {
        "conn_type": "aws",
        "login": s3_server.key_id,
        "password": s3_server.secret_key,
        "extra": {"endpoint_url": s3_server.endpoint, "region_name": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_OUR_STORE", json.dumps(connection))
    monkeypatch.setenv("ORBITLAKE_PUBLISH_CONNECTION", "our_store")

    publications.publish_lake(Task().context)

    assert list(s3_store.sizes("lake")) == [NAME]
    assert publications.access_of(from_environment()) == access_to(s3_server)


@pytest.mark.parametrize("url", ["bucket/prefix", "s3://", "s3://key:secret@bucket/a", "file://", "s3:bucket"])
def test_a_url_that_names_no_place_or_holds_a_secret_is_refused(url: str):
    with pytest.raises(SettingError, match="ORBITLAKE_PUBLISH_URL is no place to publish to") as refused:
        from_environment({"ORBITLAKE_PUBLISH_URL": url})

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["s3://bucket/a?secret_key=hush", "gs://bucket/a#hush"])
def test_a_url_with_a_query_or_fragment_is_refused_with_the_reason_and_not_told(url: str, monkeypatch):
    with pytest.raises(SettingError, match="ORBITLAKE_PUBLISH_URL has a query or fragment") as refused:
        from_environment({"ORBITLAKE_PUBLISH_URL": url})

    assert "hush" not in str(refused.value)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT / "plugins"))
    said = run_job("--to", url).stderr
    assert "has a query or fragment" in said
    assert "hush" not in said


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:8333", "http://key:secret@127.0.0.1", "http://host/path", "ftp://host"]
)
def test_an_endpoint_is_a_host_and_nothing_else(endpoint: str):
    with pytest.raises(SettingError, match="ORBITLAKE_PUBLISH_ENDPOINT is no endpoint"):
        from_environment({"ORBITLAKE_PUBLISH_ENDPOINT": endpoint})


def test_a_store_that_cannot_be_had_is_named(tmp_path):
    with pytest.raises(Exception, match="nothing://a cannot be used"):
        Store.open("nothing://a")
