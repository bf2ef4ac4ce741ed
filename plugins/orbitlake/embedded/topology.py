"""Start and stop every process of the Procfile as one whole, and know from outside whether it is up."""

import contextlib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import requests

from orbitlake.embedded.airflow_api import ANSWER_WITHIN_S
from orbitlake.embedded.java import check_java
from orbitlake.settings import CHECKOUT, MARKER, SettingError, Settings, held_by

PORTS: Final = {
    "ORBITLAKE_AIRFLOW_PORT": (8080, "Airflow's web UI"),
    "ORBITLAKE_SPARK_PORT": (7077, "the Spark master"),
    "ORBITLAKE_SPARK_UI_PORT": (8081, "the Spark master's page"),
    "ORBITLAKE_SPARK_WORKER_1_UI_PORT": (8082, "the first Spark worker's page"),
    "ORBITLAKE_SPARK_WORKER_2_UI_PORT": (8083, "the second Spark worker's page"),
    "ORBITLAKE_SIMULATOR_PORT": (8090, "the simulator"),
}
MARK: Final = "ORBITLAKE_TOPOLOGY"
"""Variable in the environment of every process of a topology: by it the last of them is found, whatever it forked."""
SPARK_POOL: Final = ("spark", "2", "Spark jobs at a time: the stream, and one more")
"""Airflow's pool of the Spark tasks: its name, its slots, what for."""
READY_WITHIN_S: Final = 180
STOP_WITHIN_S: Final = 20
DATABASE_WAIT_S: Final = 60
"""How long a part of Airflow waits for another that writes to SQLite; after the driver's own 5 s the user saw a 500."""


class TopologyError(RuntimeError):
    """The topology cannot start or has stopped; the message says what to do."""


@dataclass(frozen=True)
class Topology:
    """One set of processes: its state lies in `run`, its tables in `settings.data`."""

    run: Path
    settings: Settings
    simulator_args: tuple[str, ...] = ()
    overrides: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: {name: port_setting(name) for name in PORTS})

    @property
    def logs(self) -> Path:
        return self.run / "logs"

    @property
    def metadata(self) -> Path:
        """Airflow's database, a SQLite file."""
        return self.run / "airflow" / "airflow.db"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ORBITLAKE_AIRFLOW_PORT']}"

    @property
    def spark_ui_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ORBITLAKE_SPARK_UI_PORT']}"

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['ORBITLAKE_SIMULATOR_PORT']}"

    @property
    def password(self) -> str:
        """The password of the user `admin`, made at the first start and kept in a file that only its owner reads."""
        return str(json.loads((self.run / "passwords.json").read_text())["admin"])

    def is_running(self) -> bool:
        return bool(self.processes())

    def up(self, progress: Callable[[str], None] = lambda _: None) -> None:
        """Start everything and return when all of it answers. Raises TopologyError with the log to read."""
        if self.is_running():
            raise TopologyError(f"a topology is running already with its state in {self.run}: stop it with `make down`")
        check_java()
        self._check_ports()
        self.logs.mkdir(parents=True, exist_ok=True)
        for earlier in self.logs.glob("*.log"):
            earlier.unlink()
        environment = self.environment()
        progress("preparing Airflow's database")
        self._run("database", ["airflow", "db", "migrate"], environment)
        self._run("database", ["airflow", "pools", "set", *SPARK_POOL], environment)
        progress("starting Spark, Airflow and the upstreams")
        skipped = "" if self.settings.uses_simulator else ",simulator=0"
        with (self.logs / "processes.log").open("ab") as log:
            subprocess.Popen(
                # honcho reads .env unless told otherwise; that file is the compose deployment's.
                [tool("honcho"), "-e", os.devnull, "-f", str(CHECKOUT / "Procfile"), "start", "-c", f"all=1{skipped}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=CHECKOUT,
                start_new_session=True,
            )
        self._wait_until_ready(progress)

    def down(self) -> int:
        """Stop every process of this topology; returns how many there were. Safe at any time, again and again."""
        processes = self.processes()
        for manager in (process for process in processes if is_manager(process)):
            signal_process(manager, signal.SIGTERM)
        _, left = psutil.wait_procs(processes, timeout=STOP_WITHIN_S / 2)
        # What the manager did not know (tasks, drivers, executors) and what was forked meanwhile.
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            left = self.processes()
            for process in left:
                signal_process(process, wanted)
            psutil.wait_procs(left, timeout=STOP_WITHIN_S / 2)
        remaining = self.processes()
        if remaining:
            raise TopologyError(f"these processes would not end: {[process.pid for process in remaining]}")
        return len(processes)

    def environment(self) -> dict[str, str]:
        """What every process gets: Airflow's and Spark's own variables derived from our few settings."""
        plugins = CHECKOUT / "plugins"
        secret = self._secrets()
        data = str(self.settings.data)
        settings = {
            MARK: str(self.run),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
            "PYTHONPATH": str(plugins),
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
            "ORBITLAKE_RUN": str(self.run),
            "ORBITLAKE_LOGS": str(self.logs),
            "ORBITLAKE_DATA": data,
            "ORBITLAKE_UPSTREAM": self.settings.upstream,
            "ORBITLAKE_SIMULATOR_URL": self.simulator_url,
            "ORBITLAKE_SPARK_POOL": SPARK_POOL[0],
            "ORBITLAKE_SIMULATOR_ARGS": shlex.join(
                ("--port", str(self.ports["ORBITLAKE_SIMULATOR_PORT"]), *self.simulator_args)
            ),
            **{name: str(port) for name, port in self.ports.items()},
        }
        spark = {
            # Everything that Spark opens, its pages too, binds to this address.
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "512m",
            "SPARK_NO_DAEMONIZE": "1",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
            "SPARK_WORKER_OPTS": "-Dspark.worker.cleanup.enabled=true",
            "PYSPARK_PYTHON": sys.executable,
        }
        airflow = {
            "AIRFLOW_HOME": str(self.run / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__CORE__FERNET_KEY": secret["fernet_key"],
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.run / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.metadata}?timeout={DATABASE_WAIT_S}",
            # Longer than the database may let an answer wait: a task that asks again is refused as started twice.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(ANSWER_WITHIN_S),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["ORBITLAKE_AIRFLOW_PORT"]),
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secret["api_secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs / "tasks"),
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
            "AIRFLOW__TRIGGERER__CAPACITY": "10",
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(
                {"conn_type": "spark", "host": "spark://127.0.0.1", "port": self.ports["ORBITLAKE_SPARK_PORT"]}
            ),
        }
        return {**os.environ, **settings, **spark, **airflow, **self.overrides}

    def _secrets(self) -> dict[str, str]:
        """Keys and the password of this topology, made once and readable by their owner alone."""
        kept = self.run / "secrets.json"
        if not kept.is_file():
            self.run.mkdir(parents=True, exist_ok=True)
            made = {
                "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "api_secret_key": secrets.token_urlsafe(32),
                "jwt_secret": secrets.token_urlsafe(64),
            }
            write_private(self.run / "passwords.json", {"admin": secrets.token_urlsafe(12)})
            write_private(kept, made)
        return dict(json.loads(kept.read_text()))

    def _check_ports(self) -> None:
        for name, port in self.ports.items():
            if name == "ORBITLAKE_SIMULATOR_PORT" and not self.settings.uses_simulator:
                continue
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise TopologyError(
                        f"port {port}, wanted for {PORTS[name][1]}, is taken ({error.strerror}): free it or set {name}"
                    ) from error

    def _run(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        log = self.logs / f"{name}.log"
        with log.open("ab") as sink:
            outcome = subprocess.run(
                [tool(command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=CHECKOUT,
                check=False,
            )
        if outcome.returncode:
            raise TopologyError(f"`{' '.join(command)}` ended with {outcome.returncode}: read {log}")

    def _wait_until_ready(self, progress: Callable[[str], None]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        waiting_for: list[str] = []
        while time.monotonic() < deadline:
            missing = [name for name, answers in self._probes().items() if not answers()]
            if not missing:
                return
            if not any(is_manager(process) for process in self.processes()):
                self.down()
                raise TopologyError(f"a process ended during the start: read {self.logs / 'processes.log'}")
            if missing != waiting_for:
                progress(f"waiting for {', '.join(missing)}")
                waiting_for = missing
            time.sleep(0.5)
        raise TopologyError(f"{', '.join(waiting_for)} did not answer within {READY_WITHIN_S} s: read {self.logs}")

    def _probes(self) -> dict[str, Callable[[], bool]]:
        def simulator() -> bool:
            return not self.settings.uses_simulator or answer(f"{self.simulator_url}/health") is not None

        def spark() -> bool:
            state = answer(f"{self.spark_ui_url}/json/")
            return state is not None and state.get("aliveworkers") == 2

        def airflow() -> bool:
            health = answer(f"{self.airflow_url}/api/v2/monitor/health") or {}
            parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
            return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

        return {"the simulator": simulator, "Spark's two workers": spark, "Airflow": airflow}

    def processes(self) -> list[psutil.Process]:
        """Every live process that carries this topology's mark, whoever its parent is by now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                ours = process.pid != os.getpid() and process.environ().get(MARK) == str(self.run)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def port_setting(name: str) -> int:
    """Return the port that the environment wants for `name`, or its default. Raises SettingError."""
    raw = os.environ.get(name, "").strip() or str(PORTS[name][0])
    if not raw.isdecimal() or not 1024 <= int(raw) <= 65535:
        raise SettingError(f"{name} is {raw!r}: expected a port from 1024 to 65535")
    return int(raw)


def tool(name: str) -> str:
    """The command of this virtual environment, whatever the PATH says."""
    return str(Path(sys.executable).parent / name)


def write_private(target: Path, content: dict[str, str]) -> None:
    """Write `content` as JSON in a file that only its owner can read, from its first byte on."""
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        json.dump(content, sink)


def answer(url: str) -> dict[str, Any] | None:
    """The JSON object behind a loopback URL, or None while nobody answers."""
    try:
        response = requests.get(url, timeout=5)
        body = response.json() if response.ok else None
    except (requests.RequestException, ValueError):
        return None
    return body if isinstance(body, dict) else None


def is_manager(process: psutil.Process) -> bool:
    """Whether this is honcho itself: the leader of the session that `up` started."""
    with contextlib.suppress(psutil.Error, OSError):
        return os.getsid(process.pid) == process.pid and any("honcho" in word for word in process.cmdline()[:3])
    return False


def signal_process(process: psutil.Process, wanted: signal.Signals) -> None:
    """Send a signal to a process that may have ended meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(wanted)


def claim(settings: Settings, label: str | None = None) -> None:
    """Mark the data root with its upstream, so that simulated and real numbers never share a table.

    `label` says more than live or simulator. Raises TopologyError where the root is marked otherwise.
    """
    wanted = label or settings.upstream
    held = held_by(settings.data)
    if held not in (None, wanted):
        raise TopologyError(
            f"{settings.data} holds tables of upstream {held!r}, not {wanted!r}: set ORBITLAKE_DATA to another folder"
        )
    settings.data.mkdir(parents=True, exist_ok=True)
    (settings.data / MARKER).write_text(json.dumps({"upstream": wanted}) + "\n")
