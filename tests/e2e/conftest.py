"""One running topology for all of the end-to-end tests: starting and stopping it costs more than most of them."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from orbitlake.embedded.airflow_api import Airflow
from orbitlake.embedded.topology import PORTS, Topology
from orbitlake.settings import from_environment

HERE = Path(__file__).parent
COLLECT_S = 15
WITHIN_S = 300
POLL_S = 1.0
PACE = {
    "ORBITLAKE_COLLECT_INTERVAL_S": "1",
    "ORBITLAKE_COLLECT_DURATION_S": str(COLLECT_S),
    "ORBITLAKE_STREAM_TRIGGER": "available-now",
    # A stream that is killed is to be told of while a test waits for it.
    "ORBITLAKE_ALERT_STREAM_MINUTES": "0.3",
}
YESTERDAY_NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
ONE_TRY = """
def task_policy(task):
    if task.dag_id == "compact_positions":
        task.retries = 0
"""
"""Airflow's cluster policy, as an operator would set it: the compaction that fails on purpose fails at once."""


LAST = (
    *("test_failed_day_of_a_backfill", "test_no_click_fails", "test_killed_process_is_back"),
    *("test_up_after_a_crash", "test_down_leaves_no_process"),
)
"""The topology is shared: what leaves runs behind, kills its parts and stops it comes last, in this order."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(LAST, start=1) if item.name.startswith(name)), 0)

    # Among the tests of this folder alone: after the last of them the topology stops, and leaves the machine to others.
    slots = [slot for slot, item in enumerate(items) if item.path.is_relative_to(HERE)]
    for slot, item in zip(slots, sorted((items[slot] for slot in slots), key=place), strict=True):
        items[slot] = item


def await_owed_run(airflow: Airflow, dag_id: str) -> None:
    """Let a daily DAG do the one run that its schedule owes once it is unpaused, and pause it again; once for all."""
    if airflow.succeeded(dag_id):
        return
    deadline = time.monotonic() + WITHIN_S
    airflow.unpause(dag_id)
    while not airflow.succeeded(dag_id):
        assert time.monotonic() < deadline, airflow.tasks(dag_id)
        time.sleep(POLL_S)
    airflow.pause(dag_id)


def free_ports() -> dict[str, int]:
    probes = {name: socket.socket() for name in PORTS}
    for probe in probes.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: probe.getsockname()[1] for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return ports


@pytest.fixture(scope="package")
def topology(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    folder = tmp_path_factory.mktemp("e2e")
    settings = replace(from_environment({"ORBITLAKE_UPSTREAM": "simulator"}), data=folder / "data")
    whole = Topology(run=folder / "run", settings=settings, overrides=PACE, ports=free_ports())
    policies = whole.run / "airflow" / "config" / "airflow_local_settings.py"
    policies.parent.mkdir(parents=True)
    policies.write_text(ONE_TRY)
    try:
        whole.up()
        requests.put(f"{whole.simulator_url}/clock", json={"now": YESTERDAY_NOON.isoformat()}, timeout=10)
        yield whole
    finally:
        whole.down()


@pytest.fixture(scope="package")
def airflow(topology: Topology) -> Airflow:
    session = Airflow(topology.airflow_url, "admin", topology.password)
    session.log_in()
    return session
