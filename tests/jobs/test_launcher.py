"""A stream whose launcher or Java dies by kill -9: nothing of it lives on, and the next one may start."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.positions.samples import lines, orbit

from orbitlake.endings import is_alive
from orbitlake.positions.state import Checkpoint, CheckpointError

CHECKOUT = Path(__file__).resolve().parents[2]
SPARK_SUBMIT = Path(sys.executable).parent / "spark-submit"
STARTS_WITHIN_S = 180
ENDS_WITHIN_S = 60
pytestmark = [pytest.mark.long, pytest.mark.spark]

# Stands for Airflow's task: it starts spark-submit, waits for it, and leads a process group as a task does.
TASK = f"import subprocess, sys; sys.exit(subprocess.run(['{SPARK_SUBMIT}', *sys.argv[1:]]).returncode)"


@pytest.fixture
def task(lake):
    """Start a stream by way of a task; return that once a first batch is done. Nothing of it outlives the test."""
    started = []

    def start(**environment: str) -> psutil.Process:
        folder = lake.raw_open_notify / "date=2025-12-21"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.jsonl").write_text("\n".join(lines(orbit(range(0, 60, 5)))) + "\n")
        job = ["--master", "local[1]", "jobs/stream_positions.py", "--trigger", "1 seconds"]
        process = subprocess.Popen(
            [sys.executable, "-c", TASK, *job],
            cwd=CHECKOUT,
            env=environment_of(lake) | environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        assert happens(lake.stream_progress.exists, STARTS_WITHIN_S)
        return psutil.Process(process.pid)

    yield start
    for process in started:
        process.kill()
        process.wait()
        for left in members(process.pid):
            left.kill()


def environment_of(lake) -> dict[str, str]:
    environment = {name: os.environ[name] for name in ("PATH", "JAVA_HOME", "JDK_JAVA_OPTIONS") if name in os.environ}
    return environment | {
        "PYTHONPATH": "plugins",
        "PYSPARK_PYTHON": sys.executable,
        "ORBITLAKE_DATA": str(lake.root),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def members(group: int) -> list[psutil.Process]:
    """The processes of a process group that run."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) == group and is_alive(process.pid):
                found.append(process)
    return found


def happens(condition, within_s: float) -> bool:
    latest = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > latest:
            return False
        time.sleep(0.1)
    return True


def may_start(lake) -> bool:
    """Say whether another stream would be let in."""
    try:
        with Checkpoint(lake).held():
            return True
    except CheckpointError:
        return False


def second_stream(lake) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "jobs/stream_positions.py"],
        cwd=CHECKOUT,
        env=environment_of(lake),
        capture_output=True,
        text=True,
        check=False,
    )


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def java_and_driver(launcher):
    """The JVM of spark-submit and the Python driver below it; Spark has other Python children too."""
    (java,) = launcher.children()
    (driver,) = filter(is_driver, java.children())
    assert "java" in java.name()
    return java, driver


def is_driver(process):
    # Children come and go, between one look and the next too; one that Java has only just forked has Java's words.
    with suppress(psutil.NoSuchProcess):
        program, *words = process.cmdline() or [""]
        return "python" in Path(program).name and any(word.endswith("stream_positions.py") for word in words)
    return False


def test_a_killed_task_leaves_no_application_and_the_next_stream_starts(lake, task):
    launcher = task(ORBITLAKE_END_WITH_LAUNCHER="1")
    java_and_driver(launcher)
    kill(launcher)

    assert happens(lambda: not members(launcher.pid), ENDS_WITHIN_S), members(launcher.pid)
    assert second_stream(lake).returncode == 0
    (only,) = lake.stream_progress.read_text().splitlines()
    assert json.loads(only)["rows"] == 12


def test_a_stream_started_by_hand_outlives_its_launcher(lake, task):
    launcher = task()
    kill(launcher)
    time.sleep(5)

    assert len(members(launcher.pid)) >= 2
    assert not may_start(lake)


def test_a_driver_whose_java_is_killed_ends_and_the_next_stream_starts(lake, task):
    launcher = task()
    java, driver = java_and_driver(launcher)
    held = not may_start(lake)
    java.send_signal(signal.SIGKILL)

    assert held
    assert happens(lambda: not is_alive(driver.pid), ENDS_WITHIN_S)
    assert happens(lambda: not members(launcher.pid), ENDS_WITHIN_S), members(launcher.pid)
    assert may_start(lake)
