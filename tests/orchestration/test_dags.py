"""The DAG folder as Airflow parses it: these DAGs, these tasks, nothing heavy on the way."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import ParamValidationError
from airflow.utils.types import DagRunType

from orbitlake.orchestration.alerting import run_failed, run_succeeded
from orbitlake.orchestration.defaults import TAGS
from orbitlake.tables import TABLES

CHECKOUT = Path(__file__).resolve().parents[2]
EXPECTED = {
    "alert_passes": ["tell"],
    "audit_positions": [
        "burn_history",
        "gaps",
        "position_audit",
        "positions_filled",
        "prediction_bands",
        "prediction_error",
        "prediction_error_summary",
        "trajectory",
    ],
    "collect_positions": ["collect"],
    "compact_positions": ["compact", "retire"],
    "load_database": ["load"],
    "predict_passes": ["approaches", "passes", "sites"],
    "publish_lake": ["publish"],
    "ingest_oem": ["archive", "ask", "check", "conflicts", "download", "tabulate"],
    "settle_conflict": ["compare", "decide", "settle"],
    "stream_positions": ["stream"],
    "watch_freshness": ["watch"],
}
INLETS = {
    "alert_passes": {"passes", "approaches"},
    "audit_positions": {
        "oem_issues",
        "oem_segments",
        "state_vectors",
        "thrust_episodes",
        "trajectory_events",
        "prediction_error",
        "prediction_error_summary",
        "positions",
        "live_positions",
        "raw_open_notify",
        "gaps",
        "prediction_bands",
        "trajectory",
    },
    "collect_positions": set(),
    "compact_positions": {"live_positions", "live_window_stats"},
    "ingest_oem": {"raw_oem"},
    "load_database": set(TABLES),
    "predict_passes": {
        "oem_issues",
        "oem_segments",
        "state_vectors",
        "thrust_episodes",
        "trajectory_events",
        "prediction_bands",
    },
    "publish_lake": set(TABLES),
    "settle_conflict": {"raw_oem"},
    "stream_positions": {"raw_open_notify"},
    "watch_freshness": {"raw_open_notify", "oem_issues"},
}
OUTLETS = {
    "alert_passes": set(),
    "audit_positions": {
        "trajectory",
        "prediction_error",
        "prediction_error_summary",
        "prediction_bands",
        "burn_history",
        "coverage",
        "gaps",
        "positions_filled",
        "position_audit",
    },
    "collect_positions": {"raw_open_notify"},
    "compact_positions": {"positions", "window_stats"},
    "ingest_oem": {
        "raw_oem",
        "oem_issues",
        "oem_segments",
        "state_vectors",
        "trajectory_events",
        "thrust_episodes",
        "oem_covariances",
    },
    "load_database": set(),
    "predict_passes": {"passes", "approaches"},
    "publish_lake": set(),
    # What ingest_oem writes: a new file in place of the one held makes all tables of its issue anew.
    "settle_conflict": {
        "raw_oem",
        "oem_issues",
        "oem_segments",
        "state_vectors",
        "trajectory_events",
        "thrust_episodes",
        "oem_covariances",
    },
    "stream_positions": {"live_positions", "live_window_stats"},
    # It announces what the stream, whose own run ends once an hour, has written, and keeps the audit up to the minute.
    "watch_freshness": {"live_positions", "live_window_stats", "coverage", "gaps", "position_audit"},
}
# What a person may type into the form that cannot be meant.
REFUSED_VALUES = {
    "alert_passes": {"test": ["", "maybe", None, True]},
    "audit_positions": {"scope": ["", "all", None, 7]},
    "collect_positions": {
        "interval_s": [0.5, -1, 3601, "5", None],
        "duration_s": [0, 86_401, "an hour", None],
        "fallback": ["", "on", "open_notify", None],
    },
    "compact_positions": {"date": ["yesterday", "2026-02-30", "20.11.2026", "", 20261120]},
    "ingest_oem": {
        "source": [
            "ftp://example.org/a.txt",
            "/etc/passwd",
            "file:///etc/passwd",
            "../a.txt",
            "",
            "http://" + "a" * 2000,
            "https://user:secret@host/a.txt",
            "https://user@host",
        ]
    },
    "load_database": {"scope": ["", "all", None, 7], "check": ["", "maybe", None, True]},
    "predict_passes": {
        "site": ["", "../Paris", "a/b", "1st", ".Paris", 'Par"is', "Paris\n", "x" * 65, 7],
        "days": [0, -1, 61, "five", None],
        "scope": ["", "all", None, 7],
        "new_site": ["", "../Paris", "a/b", "1st", "_x", "a=b", "x" * 65, 7],
        "latitude_deg": [90.1, -91, "48.8", True],
        "longitude_deg": [180.1, -181, "2.3", True],
        "height_m": [9001, -501, "35", None],
        "horizon_deg": [-1, 90, "10", None],
        "time_zone": ["", "../../etc/passwd", " UTC", None, 2],
    },
    "publish_lake": {"table": ["", "raw_oem", None, 7], "verify": ["", "maybe", None, True]},
    "settle_conflict": {"file": ["", "../a.txt", "/etc/passwd", "a b", ".hidden", "a" * 151, 7]},
    "stream_positions": {
        "trigger": ["", "0 seconds", "1 fortnight", None],
        "max_runtime_s": [0, 9, 86_401, "long", None],
    },
    "watch_freshness": {
        "feed_minutes": [0, -1, 1441, "ten", None],
        "stream_minutes": [0, -1, 1441, None],
        "issue_days": [0, -1, 366, None],
    },
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
    """The DAGs; Airflow knows a timetable of ours by the plugin that brings it."""
    from airflow import plugins_manager
    from airflow.dag_processing.dagbag import DagBag

    from run_forms import RunForms

    known = {f"{each.__module__}.{each.__qualname__}": each for each in RunForms.timetables}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins_manager, "get_timetables_plugins", lambda: known)
        yield DagBag(dag_folder=str(CHECKOUT / "dags"))


def test_folder_holds_these_dags_and_tasks_and_no_other(dag_bag):
    found = {dag_id: sorted(task.task_id for task in dag.tasks) for dag_id, dag in dag_bag.dags.items()}

    assert dag_bag.import_errors == {}
    assert found == EXPECTED


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_dag_says_who_reads_it_what_a_failure_means_and_how_to_run_it_again(dag_bag, dag_id: str):
    text = dag_bag.dags[dag_id].doc_md

    sections = [line for line in text.splitlines() if line.startswith("### ")]
    assert sections == ["### Reads", "### Writes", "### Read by", "### A failed run", "### To run again"]


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_dag_is_owned_retried_with_back_off_and_runs_once_at_a_time(dag_bag, dag_id: str):
    dag = dag_bag.dags[dag_id]

    # A question that is open must not hold up the next one.
    assert dag.max_active_runs == (1000 if dag_id == "settle_conflict" else 1)
    assert not dag.catchup
    for task in dag.tasks:
        assert task.owner == "orbitlake"
        # The next run of these comes within a minute.
        assert task.retries == (1 if dag_id in ("alert_passes", "watch_freshness") else 3)
        assert task.retry_exponential_backoff > 1
        if task.task_id != "decide":
            assert timedelta(0) < task.execution_timeout <= timedelta(days=1, hours=1)


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_tables_are_assets_of_the_dag_that_makes_them(dag_bag, dag_id: str):
    tasks = dag_bag.dags[dag_id].tasks

    assert {asset.name for task in tasks for asset in task.inlets} == INLETS[dag_id]
    assert {asset.name for task in tasks for asset in task.outlets} == OUTLETS[dag_id]


def test_the_asset_graph_reaches_from_raw_to_every_table_and_names_its_folder(dag_bag, lake):
    assets = {asset.name: asset for dag in dag_bag.dags.values() for task in dag.tasks for asset in task.outlets}

    assert set(TABLES) < set(assets)
    for name, asset in assets.items():
        group, folder = asset.uri.split("/", 1)
        assert group == asset.group
        assert name == (folder if group == "lake" else f"{group}_{folder}")
    made = set(TABLES)
    assert {assets[name].uri for name in made} == {f"lake/{lake.closed(TABLES[name]).name}" for name in made}


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_dag_is_named_described_and_tagged_from_the_one_vocabulary(dag_bag, dag_id: str):
    dag = dag_bag.dags[dag_id]

    assert dag.dag_display_name.lower().replace(" ", "_") == dag_id
    assert dag.description
    assert dag.tags
    assert dag.tags <= TAGS


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


@pytest.mark.parametrize(
    ("dag_id", "name", "value"),
    [(dag_id, name, value) for dag_id, of in REFUSED_VALUES.items() for name, values in of.items() for value in values],
)
def test_a_form_refuses_what_cannot_be_meant(dag_bag, dag_id: str, name: str, value):
    with pytest.raises(ParamValidationError):
        dag_bag.dags[dag_id].params.get_param(name).resolve(value)


@pytest.mark.parametrize("source", [None, "https://host/a.txt?raw=1", "http://127.0.0.1:80/@a", "a.txt", "may/b 1.gz"])
def test_an_ephemeris_is_named_by_url_or_by_its_place_in_the_inbox(dag_bag, source):
    assert dag_bag.dags["ingest_oem"].params.get_param("source").resolve(source) == source


def test_every_param_has_values_that_are_refused(dag_bag):
    assert {dag_id: set(of) for dag_id, of in REFUSED_VALUES.items()} == {
        dag_id: set(dag.params) for dag_id, dag in dag_bag.dags.items()
    }


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_failures_are_told_by_the_task_that_knows_the_cause_and_by_the_run(dag_bag, dag_id: str):
    dag = dag_bag.dags[dag_id]

    for task in dag.tasks:
        assert task.on_failure_callback == [run_failed]
    # The watch would have every minute's success told by the DAG processor: it clears its own alert.
    if dag_id != "watch_freshness":
        assert dag.on_failure_callback == run_failed
        assert dag.on_success_callback == run_succeeded


@pytest.mark.parametrize("backwards", [False, True])
def test_a_backfill_of_days_makes_one_run_a_day_in_any_order_each_of_its_own_day(dag_bag, backwards: bool):
    from airflow.models.backfill import _get_info_list
    from airflow.serialization.serialized_objects import DagSerialization

    source = dag_bag.dags["compact_positions"]
    dag = DagSerialization.from_dict(DagSerialization.to_dict(source))
    first, last = datetime(2026, 2, 27, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    infos = _get_info_list(from_date=first, to_date=last, reverse=backwards, dag=dag)
    days = [day_of_run(source, info.run_after, info.partition_key) for info in infos]

    expected = ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]
    assert days == (expected[::-1] if backwards else expected)
    assert not any(task.depends_on_past or task.wait_for_downstream for task in source.tasks)


def day_of_run(dag, run_after: datetime, partition_key: str | None, date: str | None = None) -> str:
    """The day that a run of the compaction closes, as its task renders it."""
    day = dag.get_template_env().from_string(dag.get_task("compact").application_args[1])
    run = SimpleNamespace(run_after=run_after)
    return day.render(
        params={"date": date}, partition_key=partition_key, dag_run=run, macros=SimpleNamespace(timedelta=timedelta)
    )


def test_a_run_is_of_the_day_before_it_is_due_unless_a_person_names_another(dag_bag):
    from airflow.serialization.serialized_objects import DagSerialization

    source = dag_bag.dags["compact_positions"]
    dag = DagSerialization.from_dict(DagSerialization.to_dict(source))
    due = dag.next_dagrun_info(last_automated_run_info=None)
    run_id = dag.timetable.generate_run_id(
        run_type=DagRunType.SCHEDULED, run_after=due.run_after, data_interval=None, partition_key=due.partition_key
    )

    assert due.partition_key == (due.run_after - timedelta(days=1)).strftime("%Y-%m-%d")
    # The web UI's list of runs cuts off what comes later in a name.
    assert run_id.startswith(f"scheduled__{due.partition_key}__")
    just_after_midnight = datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)
    assert day_of_run(source, just_after_midnight, None) == "2026-02-28"
    assert day_of_run(source, just_after_midnight, "2026-02-20") == "2026-02-20"
    assert day_of_run(source, just_after_midnight, "2026-02-20", "2026-02-10") == "2026-02-10"


def test_assets_say_what_they_hold_where_it_lies_and_where_its_columns_stand(dag_bag):
    assets = {asset.name: asset for dag in dag_bag.dags.values() for task in dag.tasks for asset in task.outlets}

    for name, asset in assets.items():
        assert asset.extra["path"].startswith(asset.uri + "/")
        table = TABLES.get(name.removeprefix("live_"))
        if table:
            assert asset.extra["description"] == table.meaning
            assert asset.extra["columns"] == f"docs/tables.md#{table.name}"


def test_spark_tasks_give_driver_and_executors_the_same_python_and_leave_cores_to_others(dag_bag):
    tasks = [dag_bag.dags["stream_positions"].get_task("stream"), dag_bag.dags["compact_positions"].get_task("compact")]

    for task in tasks:
        assert isinstance(task, SparkSubmitOperator)
        assert Path(task.application).is_file()
        assert task.env_vars["PYTHONPATH"] == task.conf["spark.executorEnv.PYTHONPATH"] == str(CHECKOUT / "plugins")
        assert task.conf["spark.pyspark.python"] == sys.executable
        assert int(task.conf["spark.cores.max"]) <= 2


def test_spark_tasks_tell_their_jobs_to_end_with_them(dag_bag):
    from orbitlake.endings import VARIABLE

    for dag_id in ("stream_positions", "compact_positions"):
        (task,) = (each for each in dag_bag.dags[dag_id].tasks if isinstance(each, SparkSubmitOperator))

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


def test_the_audit_runs_when_an_issue_a_closed_day_or_raw_records_are_new(dag_bag):
    dag = dag_bag.dags["audit_positions"]
    any_of = dag.timetable.asset_condition

    assert type(any_of).__name__ == "AssetAny"
    assert {asset.name for asset in any_of.objects} == {"oem_issues", "positions", "raw_open_notify"}
    for made_of_it in ("prediction_error_summary", "prediction_bands"):
        assert dag.get_task(made_of_it).upstream_task_ids == {"prediction_error"}


def test_passes_are_predicted_when_the_path_or_the_bounds_of_its_errors_are_new(dag_bag):
    dag = dag_bag.dags["predict_passes"]
    any_of = dag.timetable.asset_condition

    assert type(any_of).__name__ == "AssetAny"
    assert {asset.name for asset in any_of.objects} == {"trajectory", "prediction_bands"}
    # A site that the form adds is there before anything is predicted.
    for made_of_it in ("approaches", "passes"):
        assert "sites" in dag.get_task(made_of_it).get_flat_relative_ids(upstream=True)


def test_a_conflict_is_asked_once_apart_from_the_ingestion_and_holds_up_nothing(dag_bag):
    ingest = dag_bag.dags["ingest_oem"]
    ask = ingest.get_task("ask")

    assert ask.upstream_task_ids == {"conflicts"}
    assert ask.downstream_task_ids == set()
    assert ask.partial_kwargs["trigger_dag_id"] == "settle_conflict"
    assert ask.partial_kwargs["skip_when_already_exists"] is True
    assert not ask.partial_kwargs.get("wait_for_completion")
    # A file that is rejected does not keep a person from being asked about another.
    assert ingest.get_task("conflicts").upstream_task_ids == {"tabulate"}


def test_a_question_waits_for_whoever_may_trigger_its_dag_however_long(dag_bag):
    from orbitlake.oem.ingest import questions

    dag = dag_bag.dags["settle_conflict"]
    decide = dag.get_task("decide")

    assert tuple(decide.options) == questions.OPTIONS
    assert decide.execution_timeout is None
    assert decide.response_timeout is None
    assert decide.defaults is None
    assert decide.assigned_users is None
    assert decide.upstream_task_ids == {"compare"}
    assert dag.get_task("settle").upstream_task_ids == {"compare", "decide"}
    assert not dag.is_paused_upon_creation
    assert dag.dagrun_timeout is None


SCHEDULED = """
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
dag = DagBag(dag_folder="{folder}/publish_lake.py").dags["publish_lake"]
DagSerialization.from_dict(DagSerialization.to_dict(dag))
print(type(dag.timetable).__name__, sorted(asset.name for asset in dag.timetable.asset_condition.objects))
"""


def test_the_lake_is_published_by_itself_only_where_a_store_is_named(dag_bag, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "AIRFLOW_HOME": str(tmp_path)}
    outcome = subprocess.run(
        [sys.executable, "-c", SCHEDULED.format(folder=CHECKOUT / "dags")],
        env={**environment, "ORBITLAKE_PUBLISH_URL": "s3://bucket/prefix"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert type(dag_bag.dags["publish_lake"].timetable).__name__ == "NullTimetable"
    assert outcome.stdout.strip().splitlines()[-1] == (
        "AssetOrTimeSchedule ['approaches', 'oem_issues', 'passes', 'positions', 'positions_filled', "
        "'prediction_bands', 'trajectory']"
    )
