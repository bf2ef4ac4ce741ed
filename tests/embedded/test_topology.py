"""Starting and stopping: clear refusals, and nothing left behind however it ends."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.embedded.interruptions import Interruptions, digests
from tests.embedded.strangers import checkout_at, command, plain_environment, ports

from orbitlake.embedded import topology as embedded
from orbitlake.embedded.demo import clear
from orbitlake.embedded.roots import TopologyError, locked
from orbitlake.embedded.supervisor import MARK
from orbitlake.embedded.topology import PORTS, Topology
from orbitlake.settings import CHECKOUT, SettingError, from_environment
from orbitlake.upstream import MARKER, claim, held_by

ENDS_WITHIN_S = 180


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


@pytest.mark.parametrize(("content", "word"), [(None, "gone"), ('{"fernet', "damaged")])
def test_keys_that_are_lost_are_not_made_anew_for_a_database_that_needs_them(tmp_path: Path, content, word):
    one = make(tmp_path)
    one.environment()
    kept, database = one.run / "secrets.json", one.run / "database"
    database.mkdir()
    kept.unlink()
    if content:
        kept.write_text(content)

    with pytest.raises(TopologyError, match=rf"^{kept} is {word}, .*: rm -r {database} "):
        one.environment()
    assert (kept.read_text() if content else kept.exists()) == (content or False)
    database.rmdir()
    assert one.environment()["AIRFLOW__CORE__FERNET_KEY"]


def test_down_finds_a_process_that_left_its_parent_and_its_session(tmp_path: Path):
    one = make(tmp_path)
    orphaning = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True)"
    subprocess.run([sys.executable, "-c", orphaning], env={**os.environ, MARK: str(one.run)}, check=True)
    assert one.is_running()

    stopped = one.down()

    assert stopped == 1
    assert not one.is_running()


def await_that(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The data root of an earlier demo."""
    data = tmp_path / "data"
    (data / "lake").mkdir(parents=True)
    (data / "lake" / "rows").write_text("of an earlier demo")
    (data / MARKER).write_text('{"upstream": "simulator"}')
    return data


def call(tmp_path: Path, *words: str, checkout: Path = CHECKOUT, **more: str) -> subprocess.CompletedProcess:
    environment = plain_environment(tmp_path / "data", ports()) | more
    words = (*words, "--run", str(tmp_path / "run")) if "--run" not in words else words
    called = command(checkout, *words)
    return subprocess.run(called, env=environment, cwd=checkout, capture_output=True, text=True, check=False)


def test_data_root_in_use_is_refused_and_left_as_it_was(tmp_path: Path, filled: Path):
    (filled / "topology.lock").write_text("another topology")
    before = digests(filled)
    with locked(filled, "never mind"):
        done = call(tmp_path, "demo")

    assert done.returncode == 1
    assert f"{filled} is in use by another topology" in done.stderr
    assert "set ORBITLAKE_DATA" in done.stderr
    assert digests(filled) == before
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", [("demo",), ("up",), ("demo", "--replay", "/nonexistent")])
def test_second_command_on_a_run_folder_is_refused_and_stops_nothing(tmp_path: Path, filled: Path, words):
    run = tmp_path / "run" / ("demo" if words[0] == "demo" else ".")
    kept = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(run.resolve())})
    try:
        with locked(run, "never mind"):
            before = digests(filled)
            done = call(tmp_path, *words, ORBITLAKE_UPSTREAM="simulator")
            assert kept.poll() is None
    finally:
        kept.kill()
        kept.wait()

    assert done.returncode == 1
    assert "is in use by" in done.stderr or "is not a folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert digests(filled) == before


def test_port_in_use_is_refused_before_a_data_root_is_emptied(tmp_path: Path, filled: Path):
    before = digests(filled)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = call(tmp_path, "demo", ORBITLAKE_SPARK_PORT=str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "wanted for the Spark master" in done.stderr
    assert digests(filled) == before
    assert not (tmp_path / "run").exists()


def test_demo_refuses_real_tables_and_leaves_no_trace(tmp_path: Path, filled: Path):
    (filled / MARKER).unlink()
    before = digests(filled)

    done = call(tmp_path, "demo")

    assert done.returncode == 1
    assert "holds real tables" in done.stderr
    assert digests(filled) == before
    assert not (tmp_path / "run").exists()


def test_home_that_nobody_has_is_refused_by_name(tmp_path: Path):
    done = call(tmp_path, "up", ORBITLAKE_DATA="~no-such-user/data")

    assert done.returncode == 1
    assert "ORBITLAKE_DATA is '~no-such-user/data'" in done.stderr


@pytest.mark.parametrize("name", ["100%", "a:b", "$HOME", "line\nbreak"])
def test_path_that_java_or_airflow_would_take_apart_is_refused_by_name(tmp_path: Path, name: str):
    checkout = checkout_at(tmp_path / name)

    done = call(tmp_path, "up", "--run", str(checkout / ".run"), checkout=checkout)

    assert done.returncode == 1
    assert "cannot be" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (checkout / ".run").exists()


def test_file_where_a_folder_should_be_is_named_in_one_line(tmp_path: Path):
    (tmp_path / "run").write_text("no folder")

    done = call(tmp_path, "up")

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path / "run") in done.stderr


def test_database_of_an_earlier_version_is_left_alone_and_said_so(tmp_path: Path):
    one = make(tmp_path)
    earlier = one.run / "airflow" / "airflow.db"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("SQLite")
    said: list[str] = []

    one._make_folders(said.append)
    again: list[str] = []
    one._make_folders(again.append)

    assert any(f"{earlier} (SQLite) is not read any more" in line for line in said)
    assert not any("SQLite" in line for line in again)
    assert earlier.read_text() == "SQLite"


def test_master_knows_its_applications_after_a_restart_and_those_of_an_earlier_topology_no_more(tmp_path: Path):
    topology = make(tmp_path)
    (topology.master_memory / "app_of_an_earlier_topology").mkdir(parents=True)
    database = topology._make_folders(lambda _: None)
    (master,) = [part for part in topology.parts(database) if part.name == "spark-master"]

    assert f"-Dspark.deploy.recoveryDirectory={topology.master_memory}" in master.command
    assert "-Dspark.deploy.recoveryMode=FILESYSTEM" in master.command
    assert not topology.master_memory.exists()


def test_process_that_asks_and_its_parents_are_never_taken_for_the_topologys(tmp_path: Path):
    (tmp_path / "run").mkdir()
    done = call(tmp_path, "down", **{MARK: str(tmp_path / "run")})

    assert done.returncode == 0
    assert done.stdout == done.stderr == ""


def test_up_stops_what_a_crash_left_rather_than_call_it_running(tmp_path: Path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "status.json").write_text('{"state": "running"}')
    left = subprocess.Popen(["sleep", "600"], env={**os.environ, MARK: str(run.resolve())})
    with socket.socket() as taken:
        # It goes no further than the ports.
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = call(tmp_path, "up", ORBITLAKE_SPARK_PORT=str(taken.getsockname()[1]))

    assert "stopping 1 processes that an earlier run left behind" in done.stdout
    assert "wanted for the Spark master" in done.stderr
    assert left.wait(ENDS_WITHIN_S) == -signal.SIGTERM


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("up", signal.SIGTERM),
        ("demo", signal.SIGINT),
        *(
            pytest.param(name, number, marks=pytest.mark.long)
            for name, number in (
                ("up", signal.SIGINT),
                ("up", signal.SIGHUP),
                ("demo", signal.SIGTERM),
                ("demo", signal.SIGHUP),
            )
        ),
    ],
)
def test_signal_during_the_start_ends_in_one_line_and_an_orderly_stop(tmp_path: Path, name: str, number):
    one = Interruptions(tmp_path, random.Random(1))
    process = one.start(name, tmp_path / "data")
    assert any("waiting for" in line for line in process.stdout)
    # At once: on a busy machine the start may be over while what ends by itself is waited for.
    await_that(lambda: len(one.processes()) > len(("supervisor", "database")))

    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=ENDS_WITHIN_S)

    assert process.returncode == 128 + number, output
    assert output.strip().splitlines()[-1] == f"{name}: interrupted by {number.name}: what it had started is stopped"
    assert "Traceback" not in output
    assert one.left() == 0


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_killed_demo_takes_all_that_it_started_with_it(tmp_path: Path):
    one = Interruptions(tmp_path, random.Random(1))
    process = one.start("demo", tmp_path / "data")
    assert any("waiting for" in line for line in process.stdout)

    process.kill()
    process.communicate()

    topology = Topology(run=one.run / "demo", settings=from_environment({}))
    await_that(lambda: not topology.is_running())


@pytest.mark.long
@pytest.mark.e2e
@pytest.mark.timeout(1800)
def test_interruptions_leave_nothing_without_a_word(tmp_path: Path):
    # Of this seed the first three are one of each command by one of each signal.
    many = Interruptions(tmp_path, random.Random(21))
    try:
        many.run_all(int(os.environ.get("ORBITLAKE_INTERRUPTIONS") or 3))
    finally:
        many.settle()

    assert many.found == []
