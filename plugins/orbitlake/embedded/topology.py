"""What one machine runs: the parts of the embedded topology, how they are started and stopped as one whole."""

import contextlib
import json
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import requests

from orbitlake.embedded import interruption
from orbitlake.embedded.airflow_api import ANSWER_WITHIN_S
from orbitlake.embedded.checks import check_path, check_permits_programs, check_ports
from orbitlake.embedded.database import Database, free_port, prefix
from orbitlake.embedded.environment import for_airflow, passed_on, private
from orbitlake.embedded.java import check_java
from orbitlake.embedded.kafka import KAFKA_PORT, Broker
from orbitlake.embedded.roots import LOCK, TopologyError, locked, sign
from orbitlake.embedded.running import STOP_WITHIN_S, SUPERVISOR, Running, end_leftovers, is_supervisor
from orbitlake.embedded.spark import for_spark, java_with_spark
from orbitlake.embedded.supervisor import (
    LOG,
    MARK,
    Part,
    end,
    marked,
    now,
    send,
    spoken,
)
from orbitlake.settings import CHECKOUT, SettingError, Settings

PORTS: Final = {
    "ORBITLAKE_AIRFLOW_PORT": (8080, "Airflow's web UI"),
    "ORBITLAKE_SPARK_PORT": (7077, "the Spark master"),
    "ORBITLAKE_SPARK_UI_PORT": (8081, "the Spark master's page"),
    "ORBITLAKE_SPARK_WORKER_1_UI_PORT": (8082, "the first Spark worker's page"),
    "ORBITLAKE_SPARK_WORKER_2_UI_PORT": (8083, "the second Spark worker's page"),
    "ORBITLAKE_SIMULATOR_PORT": (8090, "the simulator"),
    KAFKA_PORT: (9092, "Kafka"),
}
SPARK_POOL: Final = ("spark", "2", "Spark jobs at a time: the stream, and one more")
"""Airflow's pool of the Spark tasks: its name, its slots, what for."""
KEPT: Final = (LOCK, "secrets.json", "passwords.json")
"""What a run folder keeps when it is emptied."""
READY_WITHIN_S: Final = 300


@dataclass(frozen=True)
class Topology:
    """One set of processes: its state lies in `run`, its tables in `settings.data`."""

    run: Path
    settings: Settings
    simulator_args: tuple[str, ...] = ()
    overrides: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: {name: port_setting(name) for name in PORTS})
    given: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """The environment of the caller, of which little is passed on."""
    broker: Broker | None = None
    """A broker of its own, by which raw records go."""

    @property
    def logs(self) -> Path:
        return self.run / "logs"

    @property
    def master_memory(self) -> Path:
        """Where Spark's master keeps its workers and applications for a restart."""
        return self.run / "spark" / "master"

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
        return str(json.loads((self.run / "passwords.json").read_text(encoding="utf-8"))["admin"])

    def is_running(self) -> bool:
        return bool(self.processes())

    def is_supervised(self) -> bool:
        """Whether its supervisor is there; what a crash left may run without."""
        return any(is_supervisor(process) for process in self.processes())

    def processes(self) -> list[psutil.Process]:
        """Every live process of this topology."""
        return marked(self.run)

    def up(
        self,
        progress: Callable[[str], None] = lambda _: None,
        prepare: Callable[[], None] = lambda: None,
        *,
        keep: bool = True,
    ) -> Running:
        """Start everything and return when all of it answers.

        `prepare` is called once nothing stands in the way any more and before anything is started. Without `keep`,
        everything stops when this process ends, unless its leash is told `detach`. Raises TopologyError that says what
        stands in the way, or what ended with its last words; all that was started is stopped then.
        """
        check_java()
        check_path(self.run, "the run folder")
        check_path(CHECKOUT, "the checkout")
        check_path(Path(sys.prefix), "the virtual environment")
        running: Running | None = None
        try:
            with contextlib.ExitStack() as locks:
                held = [locks.enter_context(lock) for lock in self._locks()]
                if left := self.processes():
                    progress(f"stopping {len(left)} processes that an earlier run left behind")
                    end(left)
                check_ports({name: (self.ports[name], PORTS[name][1]) for name in self.ports if self._wants(name)})
                check_permits_programs(self.run)
                prefix()
                prepare()
                database = self._make_folders(progress)
                # Between the start of the supervisor and the hold on its leash no signal may come.
                with interruption.held_back():
                    running = self._start(held, database)
            self._wait_until_ready(running, progress)
            running.tell("started")
            if keep:
                running.tell("detach")
        except BaseException:
            if running:
                running.stop()
            raise
        return running

    def down(self) -> int:
        """Stop every process of this topology; returns how many there were. Safe at any time, again and again."""
        processes = self.processes()
        supervisors = [process for process in processes if is_supervisor(process)]
        for supervisor in supervisors:
            send(supervisor, signal.SIGTERM)
        psutil.wait_procs(supervisors, timeout=STOP_WITHIN_S)
        end_leftovers(self.run)
        return len(processes)

    def empty(self) -> None:
        """Remove what an earlier run left in the run folder, except its lock, its keys and its password."""
        for place in self.run.iterdir():
            if place.name in KEPT:
                continue
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()

    def parts(self, database: Database) -> list[Part]:
        """Every process, in the order of their start; the table of what runs."""
        python, spark = sys.executable, java_with_spark()
        master = f"spark://127.0.0.1:{self.ports['ORBITLAKE_SPARK_PORT']}"
        simulator = ("--port", str(self.ports["ORBITLAKE_SIMULATOR_PORT"]), *self.simulator_args)

        def worker(name: str, page: str) -> Part:
            size = ("--host", "127.0.0.1", "--cores", "2", "--memory", "3g", "--webui-port", str(self.ports[page]))
            place = ("--work-dir", str(self.run / "spark" / name.removeprefix("spark-")), master)
            main = ("-Dspark.worker.cleanup.enabled=true", "org.apache.spark.deploy.worker.Worker")
            return Part(name, (*spark, *main, *size, *place))

        def airflow(*words: str) -> tuple[str, ...]:
            return (python, "-m", "airflow", *words)

        table = [
            Part("database", database.command, check=database.check, stop_with=signal.SIGINT, last=True),
            Part("simulator", (python, "-m", "orbitlake.simulator", *simulator)),
            Part(
                "spark-master",
                (
                    *(*spark, "-Dspark.master.rest.enabled=false", "-Dspark.deploy.recoveryMode=FILESYSTEM"),
                    # Started again it knows its applications: the executors of an unknown one would be ended.
                    f"-Dspark.deploy.recoveryDirectory={self.master_memory}",
                    "org.apache.spark.deploy.master.Master",
                    *("--host", "127.0.0.1", "--port", str(self.ports["ORBITLAKE_SPARK_PORT"])),
                    *("--webui-port", str(self.ports["ORBITLAKE_SPARK_UI_PORT"])),
                ),
            ),
            worker("spark-worker-1", "ORBITLAKE_SPARK_WORKER_1_UI_PORT"),
            worker("spark-worker-2", "ORBITLAKE_SPARK_WORKER_2_UI_PORT"),
            Part(
                "migration",
                (python, "-m", "orbitlake.embedded.metadata", *SPARK_POOL),
                needs=("database",),
                once=True,
            ),
            Part("api-server", airflow("api-server"), needs=("migration",)),
            # Without its database it schedules nothing any more, and waits for its tasks, which last an hour, to end.
            Part(
                "scheduler",
                airflow("scheduler", "--skip-serve-logs"),
                needs=("migration",),
                ends_with=("database",),
            ),
            Part("dag-processor", airflow("dag-processor"), needs=("migration",)),
            Part("triggerer", airflow("triggerer", "--skip-serve-logs"), needs=("migration",)),
        ]
        if self.broker:
            table.insert(1, Part("kafka", self.broker.command, check=self.broker.check))
        return [part for part in table if part.name != "simulator" or self.settings.uses_simulator]

    def environment(self, database: Database | None = None) -> dict[str, str]:
        """What every process gets: Airflow's and Spark's own variables derived from our few settings."""
        plugins = CHECKOUT / "plugins"
        secret = self._secrets()
        settings = {
            MARK: str(self.run),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), self.given.get("PATH", os.defpath))),
            "PYTHONPATH": str(plugins),
            "ORBITLAKE_DATA": str(self.settings.data),
            "ORBITLAKE_UPSTREAM": self.settings.upstream,
            "ORBITLAKE_SIMULATOR_URL": self.simulator_url,
            "ORBITLAKE_KAFKA": self.settings.kafka,
            "ORBITLAKE_SPARK_POOL": SPARK_POOL[0],
            **{name: str(port) for name, port in self.ports.items()},
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
            # A task that asks again is refused as started twice, and five seconds are short on a busy machine.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(ANSWER_WITHIN_S),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.ports["ORBITLAKE_AIRFLOW_PORT"]),
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secret["api_secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt_secret"],
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs / "tasks"),
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "120",
            # A file that changes is parsed at once all the same, and nothing in ours depends on when it is parsed. The
            # threshold: a DAG is set aside only after two parses that came to nothing, as in a restart of the database.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "300",
            # What a scheduler that was killed left is taken up again within the minute.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__TRIGGERER__CAPACITY": "10",
            "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(
                {"conn_type": "spark", "host": "spark://127.0.0.1", "port": self.ports["ORBITLAKE_SPARK_PORT"]}
            ),
        }
        if database:
            airflow["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database.url
        wanted = for_airflow(self.given) | self.overrides
        return {**passed_on(self.given), **private(self.run), **settings, **for_spark(self.run), **airflow, **wanted}

    def _locks(self) -> Iterator[contextlib.AbstractContextManager[int]]:
        yield locked(self.run, "stop it with `make down`")
        yield locked(self.settings.data, "stop that with `make down`, or set ORBITLAKE_DATA to another folder")

    def _make_folders(self, progress: Callable[[str], None]) -> Database:
        """Make what the processes find in the run folder, the database above all; logs of an earlier run go aside."""
        for folder in ("logs", "tmp", "home", "spark/local", "airflow"):
            (self.run / folder).mkdir(parents=True, exist_ok=True)
        # Those of an earlier topology have ended: the master would wait for them.
        shutil.rmtree(self.master_memory, ignore_errors=True)
        earlier = self.logs / "earlier"
        earlier.mkdir(exist_ok=True)
        for log in self.logs.glob("*.log"):
            log.replace(earlier / log.name)
        if (self.run / "airflow" / "airflow.db").exists() and not (self.run / "database").exists():
            progress(f"{self.run}/airflow/airflow.db (SQLite) is not read any more: Airflow's history begins anew")
        database = Database(self.run / "database", self._secrets()["database_password"], free_port())
        progress("starting PostgreSQL, Spark, Airflow" + (" and the simulator" if self.settings.uses_simulator else ""))
        database.make(self.environment(database), self.logs / "initdb.log")
        if self.broker:
            self.broker.make(self.environment(database), self.logs / "kafka-format.log")
        return database

    def _start(self, held: list[int], database: Database) -> Running:
        """Start the supervisor, which keeps the locks, and tell it what to run."""
        about = {"run": str(self.run), "data": str(self.settings.data), "upstream": self.settings.upstream}
        about |= {"since": now(), "airflow": self.airflow_url, "spark": self.spark_ui_url}
        about |= {"kafka": self.settings.kafka}
        for descriptor in held:
            sign(descriptor, f"the topology with its state in {self.run} (since {about['since']})")
        pipe, leash = os.pipe()
        with (self.logs / LOG).open("ab") as sink, os.fdopen(pipe, "rb") as read_end:
            process = subprocess.Popen(
                [sys.executable, "-m", SUPERVISOR],
                stdin=read_end,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=self.environment(database),
                cwd=self.run / "home",
                start_new_session=True,
                pass_fds=held,
            )
            running = Running(self.run, process, os.fdopen(leash, "wb"))
            running.leash.write(spoken(self.run, self.parts(database), about))
            running.leash.flush()
            return running

    def _secrets(self) -> dict[str, str]:
        """Keys and the password of this topology, made once and readable by their owner alone.

        Raises TopologyError where a database stands whose keys are gone: others would open nothing of it.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        kept, database = self.run / "secrets.json", self.run / "database"
        try:
            found: dict[str, str] = json.loads(kept.read_bytes())
        except (FileNotFoundError, ValueError) as error:
            if database.exists():
                raise TopologyError(
                    f"{kept} is {'gone' if isinstance(error, FileNotFoundError) else 'damaged'}, and without its keys"
                    f" nobody opens Airflow's database: put it back, or begin with an empty history of runs:"
                    f" rm -r {shlex.quote(str(database))} (the tables lie elsewhere and stay)"
                ) from error
            found = {}
        made = {
            "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api_secret_key": secrets.token_urlsafe(32),
            "jwt_secret": secrets.token_urlsafe(64),
            "database_password": secrets.token_urlsafe(32),
        } | found
        if not (self.run / "passwords.json").is_file():
            write_private(self.run / "passwords.json", {"admin": secrets.token_urlsafe(12)})
        if made != found:
            write_private(kept, made)
        return made

    def _wants(self, port: str) -> bool:
        if port == KAFKA_PORT:
            return self.broker is not None
        return port != "ORBITLAKE_SIMULATOR_PORT" or self.settings.uses_simulator

    def _wait_until_ready(self, running: Running, progress: Callable[[str], None]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        waiting_for: list[str] = []
        while time.monotonic() < deadline:
            interruption.check()
            running.check()
            missing = [name for name, answers in self._probes().items() if not answers()]
            if not missing:
                return
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

        def kafka() -> bool:
            return self.broker is None or self.broker.answers()

        return {"the simulator": simulator, "Kafka": kafka, "Spark's two workers": spark, "Airflow": airflow}

    def unwell(self) -> list[str]:
        """What does not answer as it should right now."""
        return [name for name, answers in self._probes().items() if not answers()]


def port_setting(name: str) -> int:
    """Return the port that the environment wants for `name`, or its default. Raises SettingError."""
    raw = os.environ.get(name, "").strip() or str(PORTS[name][0])
    if not raw.isdecimal() or not 1024 <= int(raw) <= 65535:
        raise SettingError(f"{name} is {raw!r}: expected a port from 1024 to 65535")
    return int(raw)


def write_private(target: Path, content: dict[str, str]) -> None:
    """Write `content` as JSON in a file that only its owner can read, from its first byte on, whole or not at all."""
    aside = target.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as sink:
        json.dump(content, sink)
    aside.replace(target)


def loopback() -> requests.Session:
    """A session that uses no proxy and no `~/.netrc`: this machine talks to itself."""
    http = requests.Session()
    http.trust_env = False
    return http


def answer(url: str) -> dict[str, Any] | None:
    """The JSON object behind a loopback URL, or None while nobody answers."""
    try:
        with loopback() as http:
            response = http.get(url, timeout=5)
        body = response.json() if response.ok else None
    except (requests.RequestException, ValueError):
        return None
    return body if isinstance(body, dict) else None
