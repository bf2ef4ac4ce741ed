"""The Spark task as Airflow runs it, with a spark-submit that only prints: what it says of success and failure."""

import json
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from orbitlake.orchestration import succession
from orbitlake.orchestration.assets import POSITIONS, WINDOW_STATS
from orbitlake.orchestration.outcomes import compacted, of_batches, of_compaction
from orbitlake.orchestration.spark import FIRST_RESULT_WITHIN_S, SparkJob, spark_job
from orbitlake.orchestration.succession import Succession
from orbitlake.settings import CHECKOUT, REFUSED

NOISE = "26/11/20 12:00:00 WARN NativeCodeLoader: Unable to load native-hadoop library"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/opt/jobs/compact_positions.py", line 44, in main',
    "orbitlake.positions.raw.segments.RawFileError: /data/raw/x.jsonl was listed and cannot be read",
]


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the task on a spark-submit that prints these lines and ends with this status."""

    def run(lines: list[str], status: int, context: dict | None = None, **options):
        binary = tmp_path / "spark-submit"
        (tmp_path / "lines").write_text("".join(f"{line}\n" for line in lines))
        binary.write_text(f"#!/bin/sh\ncat {tmp_path}/lines >&2\nexit {status}\n")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv(
            "AIRFLOW_CONN_SPARK_DEFAULT", '{"conn_type": "spark", "host": "spark://127.0.0.1", "port": 7077}'
        )
        return job(**options).execute(context or {})

    return run


def job(**options) -> SparkJob:
    from datetime import timedelta

    return spark_job(
        "compact", "compact_positions.py", ["--date", "2026-11-20"], cores=2, timeout=timedelta(hours=2), **options
    )


def test_the_job_waits_in_the_pool_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    by_default = job().pool
    monkeypatch.setenv("ORBITLAKE_SPARK_POOL", "spark")

    assert (by_default, job().pool) == ("default_pool", "spark")


def test_a_job_that_reads_kafka_has_both_of_javas_compilers_where_kafka_is_set(monkeypatch: pytest.MonkeyPatch):
    def java_options(job: SparkJob) -> set[str]:
        return {job.conf[f"spark.{where}.extraJavaOptions"] for where in ("driver", "executor")}

    by_files = java_options(job(reads_kafka=True))
    monkeypatch.setenv("ORBITLAKE_KAFKA", "127.0.0.1:9092")

    assert by_files == java_options(job()) == {"-XX:+UseSerialGC"}
    assert java_options(job(reads_kafka=True)) == {"-XX:+UseSerialGC -XX:TieredStopAtLevel=4"}


def test_the_last_line_of_json_is_the_result(submitted):
    lines = [
        NOISE,
        json.dumps({"date": "2026-11-19"}),
        json.dumps({"date": "2026-11-20", "positions": 5}),
        "{not json}",
    ]

    assert submitted(lines, 0) == {"date": "2026-11-20", "positions": 5}


def test_the_jobs_own_words_are_the_error_and_noise_after_them_is_not(submitted):
    lines = [
        NOISE,
        "stream_positions: not this job",
        "compact_positions: /data is full",
        "py4j.protocol.Py4JNetworkError: Error while sending",
        NOISE,
    ]

    with pytest.raises(AirflowException, match=r"^/data is full$") as caught:
        submitted(lines, 1)
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.__suppress_context__


def test_a_setting_that_cannot_be_used_is_named(submitted):
    lines = [NOISE, "compact_positions.py: ORBITLAKE_KEEP_LIVE_HOURS is 'x': expected a number"]

    with pytest.raises(AirflowException, match=r"^ORBITLAKE_KEEP_LIVE_HOURS is 'x': expected a number$"):
        submitted(lines, 1)


def test_of_a_crash_the_last_line_of_pythons_print_is_the_error(submitted):
    with pytest.raises(AirflowException, match=r"^orbitlake\.positions\.raw\.segments\.RawFileError: /data/raw/x"):
        submitted([NOISE, *TRACEBACK, NOISE], 1)


def test_what_arrow_cannot_read_is_the_error(submitted):
    with pytest.raises(AirflowException, match=r"^pyarrow\.lib\.ArrowInvalid: Parquet magic bytes not found"):
        submitted([NOISE, "pyarrow.lib.ArrowInvalid: Parquet magic bytes not found in footer.", NOISE], 1)


def test_what_was_refused_is_not_tried_again(submitted):
    with pytest.raises(AirflowFailException, match="is not over in UTC"):
        submitted(["compact_positions: 2026-11-20 is not over in UTC: its fixes are still arriving"], REFUSED)


def test_a_job_that_says_nothing_is_told_by_its_status(submitted):
    with pytest.raises(AirflowException, match=r"^spark-submit gave no reason \(exit status 137\)$"):
        submitted([NOISE], 137)


def test_what_failed_before_anything_was_submitted_speaks_for_itself(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise AirflowException("the connection is no good")

    monkeypatch.setattr(SparkSubmitOperator, "execute", fail)

    with pytest.raises(AirflowException, match="the connection is no good"):
        job().execute({})


def test_the_note_of_the_run_comes_of_all_that_the_job_printed_and_events_of_what_it_wrote(submitted):
    pushed = {}
    context = {
        "ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value})),
        "task": SimpleNamespace(outlets=[POSITIONS, WINDOW_STATS]),
        "outlet_events": {each: SimpleNamespace(extra={}) for each in (POSITIONS, WINDOW_STATS)},
    }
    day = {"positions": 5, "window_stats": 2, "parts": 1}
    lines = [
        json.dumps({"date": "2026-11-20", "replaced": True} | day),
        json.dumps({"date": "2026-11-19", "replaced": False} | day),
    ]
    submitted(lines, 0, context, told=of_compaction, wrote=compacted, outlets=[POSITIONS, WINDOW_STATS])
    assert pushed == {
        "outcome": "2026-11-20: 5 fixes in 2 minutes, written; "
        "2026-11-19: 5 fixes in 2 minutes, closed already, nothing new"
    }
    assert context["task"].outlets == [POSITIONS, WINDOW_STATS]
    assert context["outlet_events"][POSITIONS].extra == {"rows": 5}

    submitted(lines[1:], 0, context, told=of_compaction, wrote=compacted, outlets=[POSITIONS, WINDOW_STATS])
    assert context["task"].outlets == []


def test_the_log_holds_neither_sparks_chatter_nor_a_line_a_batch():
    batches = [
        {"batch": n, "rows": 1, "late": 0, "bad": 0, "lag_s": 2.0 + n, "duration_s": 0.5 * n, "corrected": 0}
        for n in range(3)
    ]
    lines = [
        "26/11/20 12:00:00 INFO SparkContext: Running Spark version 4.2.0",
        NOISE,
        'NOTE: Picked up JDK_JAVA_OPTIONS: "-Djava.io.tmpdir=/srv/tmp"',
        "26/11/20 12:00:01 WARN ProcessingTimeExecutor: Current batch is falling behind. The trigger interval is 5000",
        "26/11/20 12:00:01 WARN TaskSetManager: Lost task 0.0",
        *map(json.dumps, batches),
        json.dumps({"batches": 3, "rows": 3}),
        "stream_positions: done",
    ]
    said = list(job(summary_of=of_batches).condensed(lines))

    assert said == [
        lines[4],
        "stream_positions: done",
        "lag 4.0 s, 3 rows, 0 late, 0 bad; 3 batches, the longest 1.0 s",
    ]
    assert list(job().condensed(lines)) == lines[4:]


@pytest.fixture
def driver():
    """A process that looks like the driver of the task's job."""
    script = str(CHECKOUT / "jobs" / "compact_positions.py")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", script])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def giving_way(monkeypatch: pytest.MonkeyPatch):
    """Return the task at work while so many runs of its DAG wait, the last number for ever."""

    def task(*waiting: int) -> SparkJob:
        left = list(waiting)
        of_this_dag = {"dag_id": "stream_positions", "states": ["queued"]}

        def count(**asked):
            assert asked == of_this_dag
            return left.pop(0) if len(left) > 1 else left[0]

        monkeypatch.setattr(succession, "ASK_EVERY_S", 0.0)
        context = {"dag": SimpleNamespace(dag_id="stream_positions"), "ti": SimpleNamespace(get_dr_count=count)}
        found = job(gives_way=True)
        found.said, found.results, found.began = "", [], time.monotonic()
        found.succession = Succession(context)
        return found

    return task


def test_a_job_gives_way_by_a_signal_to_its_driver_once_another_run_waits(driver, giving_way):
    task = giving_way(0, 0, 1)
    list(task.heard(['{"batch": 0}', "one", "two"]))
    assert not task.succession.given
    list(task.heard(["three"]))

    assert driver.wait(timeout=10) == -signal.SIGTERM


def test_a_job_does_its_first_batch_before_it_gives_way(driver, giving_way):
    task = giving_way(1)
    list(task.heard([NOISE, "one", "two", '{"batch": 0}']))
    assert not task.succession.given
    list(task.heard(["three"]))

    assert driver.wait(timeout=10) == -signal.SIGTERM


def test_a_job_that_finds_nothing_to_do_gives_way_within_a_bound(driver, giving_way):
    task = giving_way(1)
    task.began -= FIRST_RESULT_WITHIN_S
    list(task.heard(["one"]))

    assert driver.wait(timeout=10) == -signal.SIGTERM
