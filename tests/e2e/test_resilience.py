"""Clicks at once, killed processes and a killed supervisor: the running topology stands them."""

import os
import signal
import time

import psutil
import pytest
from tests.e2e.clicks import DAG, Clicks
from tests.e2e.conftest import WITHIN_S

from orbitlake.embedded.airflow_api import Airflow
from orbitlake.embedded.running import status
from orbitlake.embedded.supervisor import LOG
from orbitlake.embedded.topology import Topology

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PARTS = (
    *("simulator", "spark-master", "spark-worker-1", "spark-worker-2"),
    *("api-server", "scheduler", "dag-processor", "triggerer", "database"),
)


def parts(topology: Topology) -> dict[str, dict]:
    return status(topology.run)["parts"]


def await_well(topology: Topology) -> None:
    deadline = time.monotonic() + WITHIN_S
    while (unwell := topology.unwell()) or not all(part["pid"] for part in parts(topology).values()):
        assert time.monotonic() < deadline, (unwell, status(topology.run))
        time.sleep(0.5)


def run_once(topology: Topology, airflow: Airflow) -> str:
    """Have a DAG run to its end."""
    airflow.unpause(DAG)
    run_id = airflow.trigger(DAG, {})
    airflow.wait(DAG, run_id, WITHIN_S)
    return run_id


def test_every_process_bears_the_mark(topology: Topology):
    """All in the sessions of the parts, whatever they call themselves, is found again when it is to be stopped."""
    run_folder_sessions = {part["pid"] for part in parts(topology).values()}
    known = {process.pid for process in topology.processes()}
    members = [process for process in psutil.process_iter() if session(process) in run_folder_sessions]

    # PostgreSQL's own children write over their environment, and end with their parent.
    unknown = [process for process in members if process.pid not in known and process.name() != "postgres"]

    assert len(members) > len(PARTS)
    assert unknown == []


def session(process: psutil.Process) -> int | None:
    """The session of a process; None of one that has ended, even where its parent has yet to take notice."""
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (OSError, psutil.Error):
        return None


def test_no_click_fails(topology: Topology, airflow: Airflow):
    clicks = Clicks(topology.airflow_url, topology.password)

    clicks.run(pairs=5, users=3, seconds=10)
    print(clicks.report())

    assert clicks.failed == []
    assert len(clicks.answers) > 10
    assert {code for what, code, _ in clicks.answers if what == "trigger"} <= {200, 409}


@pytest.mark.long
@pytest.mark.parametrize("name", PARTS)
def test_killed_process_is_back(topology: Topology, airflow: Airflow, name: str):
    before = parts(topology)[name]
    log = topology.logs / LOG
    told_before = log.stat().st_size

    os.kill(before["pid"], signal.SIGKILL)
    killed = time.monotonic()
    deadline = killed + WITHIN_S
    while parts(topology)[name]["pid"] in (None, before["pid"]):
        assert time.monotonic() < deadline, status(topology.run)
        time.sleep(0.2)
    await_well(topology)
    answers_s = time.monotonic() - killed
    run_once(topology, airflow)
    again_s = time.monotonic() - killed
    print(f"{name}: all answers {answers_s:.0f} s after the kill, a run has ended {again_s:.0f} s after it")

    told = log.read_text()[told_before:]
    assert parts(topology)[name]["restarts"] > before["restarts"]
    assert f"{name} was ended by SIGKILL" in told
    assert f"{name} started again" in told


@pytest.mark.long
def test_up_after_a_crash_finds_runs_pauses_and_password(topology: Topology, airflow: Airflow):
    assert set(parts(topology)) == set(PARTS)
    run_id = run_once(topology, airflow)
    airflow.pause("ingest_oem")
    password = topology.password

    os.kill(status(topology.run)["pid"], signal.SIGKILL)
    topology.up()
    again = Airflow(topology.airflow_url, "admin", password)
    again.log_in()

    assert topology.password == password
    assert again.state(DAG, run_id) == "success"
    assert not again.call("GET", f"dags/{DAG}")["is_paused"]
    assert again.call("GET", "dags/ingest_oem")["is_paused"]
