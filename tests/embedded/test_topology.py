"""Starting and stopping: clear refusals, and nothing left behind however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orbitlake.embedded import topology as embedded
from orbitlake.embedded.demo import clear
from orbitlake.embedded.topology import MARK, MARKER, PORTS, Topology, TopologyError, claim, held_by
from orbitlake.settings import CHECKOUT, SettingError, from_environment

START_WITHIN_S = 120


def make(tmp_path: Path, **ports: int) -> Topology:
    settings = replace(from_environment({"ORBITLAKE_UPSTREAM": "simulator"}), data=tmp_path / "data")
    wanted = {name: 20_000 + place for place, name in enumerate(PORTS)} | ports
    return Topology(run=tmp_path / "run", settings=settings, ports=wanted)


def test_a_port_in_use_is_refused_by_number_purpose_and_setting(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(
            TopologyError, match=rf"port {port}, wanted for the Spark master, .* set ORBITLAKE_SPARK_PORT"
        ):
            make(tmp_path, ORBITLAKE_SPARK_PORT=port).up()

    assert not make(tmp_path).is_running()


@pytest.mark.parametrize("value", ["http", "80", "65536", "-1"])
def test_a_port_that_is_none_is_refused_by_name(monkeypatch, value: str):
    monkeypatch.setenv("ORBITLAKE_AIRFLOW_PORT", value)

    with pytest.raises(SettingError, match="ORBITLAKE_AIRFLOW_PORT"):
        embedded.port_setting("ORBITLAKE_AIRFLOW_PORT")


def test_a_root_of_real_tables_is_not_taken_by_a_simulation(tmp_path: Path):
    live = make(tmp_path).settings
    (live.data / "lake").mkdir(parents=True)

    with pytest.raises(TopologyError, match="holds tables of upstream 'live'"):
        claim(live, "simulator")


def test_what_a_demo_filled_is_known_and_cleared_and_nothing_else(tmp_path: Path):
    settings = make(tmp_path).settings
    (settings.data / "lake" / "positions").mkdir(parents=True)
    (settings.data / "alerts").mkdir()
    (settings.data / MARKER).write_text('{"upstream": "simulator"}')
    claim(settings, "simulator")
    (settings.data / "notes.txt").write_text("mine")
    assert held_by(settings.data) == "simulator"

    clear(settings.data)

    assert [path.name for path in settings.data.iterdir()] == ["notes.txt"]
    assert held_by(settings.data) is None


def test_secrets_are_made_once_and_read_by_their_owner_alone(tmp_path: Path):
    one = make(tmp_path)
    first = one.environment()

    assert one.environment()["AIRFLOW__CORE__FERNET_KEY"] == first["AIRFLOW__CORE__FERNET_KEY"]
    for name in ("secrets.json", "passwords.json"):
        assert (one.run / name).stat().st_mode & 0o777 == 0o600


def test_down_finds_a_process_that_left_its_parent_and_its_session(tmp_path: Path):
    one = make(tmp_path)
    orphaning = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    subprocess.run([sys.executable, "-c", orphaning], env={**os.environ, MARK: str(one.run)}, check=True)
    assert one.is_running()

    stopped = one.down()

    assert stopped == 1
    assert not one.is_running()


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_ctrl_c_in_the_demo_leaves_no_process(tmp_path: Path):
    run = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "ORBITLAKE_DATA": str(tmp_path / "data")}
    environment |= {name: str(21_000 + place) for place, name in enumerate(PORTS)}
    demo = subprocess.Popen(
        [sys.executable, "-m", "orbitlake.embedded", "demo", "--run", str(run)],
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started = Topology(run=run / "demo", settings=from_environment())
    deadline = time.monotonic() + START_WITHIN_S
    while len(started.processes()) < len(PORTS) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(started.processes()) >= len(PORTS)

    os.killpg(demo.pid, signal.SIGINT)
    output, _ = demo.communicate(timeout=60)

    assert demo.returncode == 130, output
    assert "interrupted in step" in output
    assert not started.is_running()
    assert (tmp_path / "data" / MARKER).is_file()
