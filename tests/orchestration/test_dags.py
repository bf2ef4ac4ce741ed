"""The DAG folder as Airflow parses it: these DAGs, these tasks, nothing heavy on the way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
EXPECTED = {
    "collect_positions": ["collect"],
    "compact_positions": ["compact", "retire"],
    "ingest_oem": ["archive", "check", "download", "tabulate"],
    "stream_positions": ["stream"],
}
OUTLETS = {
    "collect_positions": {"raw_open_notify"},
    "compact_positions": {"positions", "window_stats"},
    "ingest_oem": {"raw_oem", "oem_issues", "state_vectors", "trajectory_events", "thrust_episodes", "oem_covariances"},
    "stream_positions": {"live_positions", "live_window_stats"},
}
HEAVY = ("pyspark", "pandas", "numpy", "pyarrow", "duckdb")
PROBE = """
import json, sys
from pathlib import Path
import importlib.util
for source in sorted(Path({folder!r}).glob("*.py")):
    spec = importlib.util.spec_from_file_location("parsed_" + source.stem, source)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
print(json.dumps([m for m in {heavy!r} if m in sys.modules]))
"""


@pytest.fixture(scope="module")
def dag_bag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(CHECKOUT / "dags"))


def test_folder_holds_these_dags_and_tasks_and_no_other(dag_bag):
    found = {dag_id: sorted(task.task_id for task in dag.tasks) for dag_id, dag in dag_bag.dags.items()}

    assert dag_bag.import_errors == {}
    assert found == EXPECTED


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_dag_says_who_reads_it_what_a_failure_means_and_how_to_run_it_again(dag_bag, dag_id: str):
    text = dag_bag.dags[dag_id].doc_md

    for part in ("**Read", "**Writes**", "**Read by**", "**A failed run**", "again**"):
        assert part in text


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_dag_is_owned_retried_with_back_off_and_runs_once_at_a_time(dag_bag, dag_id: str):
    dag = dag_bag.dags[dag_id]

    assert dag.max_active_runs == 1
    assert not dag.catchup
    for task in dag.tasks:
        assert task.owner == "orbitlake"
        assert task.retries == 3
        assert task.retry_exponential_backoff > 1


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_tables_are_assets_of_the_dag_that_makes_them(dag_bag, dag_id: str):
    outlets = {asset.name for task in dag_bag.dags[dag_id].tasks for asset in task.outlets}

    assert outlets == OUTLETS[dag_id]


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_every_param_is_typed_and_described_and_its_default_is_valid(dag_bag, dag_id: str):
    params = dag_bag.dags[dag_id].params

    assert params
    for name in params:
        param = params.get_param(name)
        assert param.schema.get("type"), name
        assert param.schema.get("title"), name
        assert param.description, name
        param.resolve()


def test_spark_tasks_give_driver_and_executors_the_same_python_and_leave_cores_to_others(dag_bag):
    tasks = [dag_bag.dags["stream_positions"].get_task("stream"), dag_bag.dags["compact_positions"].get_task("compact")]

    for task in tasks:
        assert type(task).__name__ == "SparkSubmitOperator"
        assert Path(task.application).is_file()
        assert task.env_vars["PYTHONPATH"] == task.conf["spark.executorEnv.PYTHONPATH"] == str(CHECKOUT / "plugins")
        assert task.conf["spark.pyspark.python"] == sys.executable
        assert int(task.conf["spark.cores.max"]) <= 2


def test_spark_tasks_tell_their_jobs_to_end_with_them(dag_bag):
    from orbitlake.positions.launcher import VARIABLE

    for dag_id in ("stream_positions", "compact_positions"):
        (task,) = dag_bag.dags[dag_id].tasks

        assert task.env_vars[VARIABLE] == "1"
        assert "end_with_launcher()" in Path(task.application).read_text()


def test_airflow_gives_each_task_a_process_group_of_its_own(monkeypatch):
    """What the jobs watch, the leader of their group, is the task's process."""
    from airflow.sdk.execution_time import supervisor

    asked = {}
    started = SimpleNamespace(_on_child_started=lambda **_: None)
    monkeypatch.setattr(supervisor.WatchedSubprocess, "start", lambda **options: asked.update(options) or started)
    task = SimpleNamespace(id="a task")
    supervisor.ActivitySubprocess.start(what=task, dag_rel_path="", bundle_info=None, client=None)

    assert asked["new_process_group"] is True


@pytest.mark.parametrize("dag_id", ["collect_positions", "stream_positions"])
def test_a_continuous_dag_goes_on_after_its_first_run(dag_bag, dag_id: str):
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags[dag_id]))
    first = dag.next_dagrun_info(last_automated_run_info=None)
    second = dag.next_dagrun_info(last_automated_run_info=first)

    assert first.logical_date < second.logical_date


def test_parsing_the_folder_imports_nothing_heavy(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-c", PROBE.format(folder=str(CHECKOUT / "dags"), heavy=HEAVY)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(outcome.stdout.strip().splitlines()[-1]) == []


def test_the_check_of_the_folder_is_red_on_an_empty_one(tmp_path):
    from airflow.dag_processing.dagbag import DagBag

    empty = DagBag(dag_folder=str(tmp_path))

    assert {dag_id: [] for dag_id in empty.dags} != EXPECTED
