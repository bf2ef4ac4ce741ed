"""The main job once through: every DAG on a topology of its own, then what the tables hold."""

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from orbitlake import query
from orbitlake.embedded.airflow_api import Airflow, RunError
from orbitlake.embedded.topology import Topology, TopologyError, claim
from orbitlake.settings import MARKER, Settings, from_environment, held_by
from orbitlake.tables import TABLES

DAGS: Final = ("collect_positions", "compact_positions", "ingest_oem", "stream_positions")
PACE: Final = {
    "ORBITLAKE_COLLECT_INTERVAL_S": "1",
    "ORBITLAKE_COLLECT_DURATION_S": "120",
    "ORBITLAKE_STREAM_MAX_RUNTIME_S": "600",
}
"""Polls as fast as may be, and one stream throughout: starting a driver costs a small machine half a minute."""
BEFORE_MIDNIGHT: Final = timedelta(seconds=45)
"""Where the simulated clock starts: the collection sees midnight pass, and a closed day to compact."""
FIXES_AFTER_MIDNIGHT: Final = 10
WITHIN_S: Final = 420
SAY_EVERY_S: Final = 5
BROKEN: Final = frozenset({"failed", "up_for_retry", "upstream_failed"})
EPISODES: Final = """
SELECT thrust_episode, ignition_time, cutoff_time, two_second_rows, round(delta_v_m_s, 3) AS delta_v_m_s,
       event_names, event_delta_v_m_s
FROM thrust_episodes ORDER BY ignition_time"""
SAMPLE: Final = """
SELECT hemisphere_ns, orbit_phase, count(*) AS fixes,
       round(avg(velocity_km_s), 3) AS mean_velocity_km_s, round(min(distance_to_paris_km)) AS nearest_to_paris_km
FROM positions GROUP BY ALL ORDER BY ALL"""


class Demo:
    """One run of the demo; `run_folder` holds its logs and Airflow's state, made anew each time."""

    def __init__(self, run_folder: Path, replay: Path | None, *, keep: bool) -> None:
        settings = replace(from_environment(), upstream="simulator", clock_tolerance_s=None)
        self.settings: Settings = settings
        self.replay = replay.absolute() if replay else None
        self.keep = keep
        self.step = "start"
        self.begun = time.monotonic()
        self.said_at = 0.0
        arguments = ("--replay", str(self.replay)) if self.replay else ()
        self.topology = Topology(run=run_folder, settings=settings, simulator_args=arguments, overrides=PACE)
        self.airflow: Airflow

    def run(self) -> int:
        """Run every step; returns 0, or 1 with the step and its log named."""
        kept = False
        with interruptible():
            try:
                self._prepare()
                self._flow()
                self._report()
                kept = self.keep
            except (TopologyError, RunError, requests.RequestException, OSError) as error:
                print(f"\ndemo: step '{self.step}' failed: {error}\n  logs: {self.topology.logs}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print(f"\ndemo: interrupted in step '{self.step}'", file=sys.stderr)
                return 130
            finally:
                if not kept:
                    self._stop()
        return 0

    def _prepare(self) -> None:
        self._begin("prepare", f"the data root is {self.settings.data}")
        if self.replay and not self.replay.is_dir():
            raise TopologyError(f"REPLAY={self.replay} is not a folder")
        if self.topology.is_running():
            raise TopologyError("a demo is running already: stop it with `make down`")
        label = f"replay of {self.replay}" if self.replay else "simulator"
        held = held_by(self.settings.data)
        if held == "live":
            raise TopologyError(f"{self.settings.data} holds real tables: set ORBITLAKE_DATA to another folder")
        if held is not None:
            clear(self.settings.data)
        shutil.rmtree(self.topology.run, ignore_errors=True)
        claim(self.settings, label)
        self._begin("start", "Spark master and two workers, Airflow, the simulator")
        self.topology.up(progress=lambda line: self._say(line, at_once=True))
        self.airflow = Airflow(self.topology.airflow_url, "admin", self.topology.password)
        self.airflow.log_in()

    def _flow(self) -> None:
        self._begin("find the DAGs", ", ".join(DAGS))
        self._await_dags()
        self._begin("ingest_oem", "the newest issue -> raw/oem and its tables")
        # Unpausing a daily DAG starts the run that its schedule owes. For compact_positions that is yesterday's, which
        # has nothing to do yet: done now, it does not stand in the way of the run that the demo triggers later.
        self.airflow.unpause("compact_positions")
        self._run("ingest_oem", {})
        self._await("yesterday compacted", lambda: self.airflow.succeeded("compact_positions") > 0)
        self._begin("collect and stream", "polls -> raw/open_notify -> live tables, until every fix has arrived")
        self._set_the_scene()
        for dag_id in ("collect_positions", "stream_positions"):
            self.airflow.unpause(dag_id)
        self._await_fixes()
        self.closed_day = self._last_closed_day()
        self._begin("compact_positions", f"the closed day {self.closed_day} -> lake")
        self._run("compact_positions", {"date": self.closed_day.isoformat()})

    def _set_the_scene(self) -> None:
        if self.replay:
            return
        now = {"now": (last_midnight() - BEFORE_MIDNIGHT).isoformat()}
        requests.put(f"{self.topology.simulator_url}/clock", json=now, timeout=10).raise_for_status()

    def _await_fixes(self) -> None:
        """Wait until what was to be polled has been, and every distinct fix of it is in the live tables."""
        self._await("polled", self._is_polled)
        if self.replay:
            self.airflow.pause("collect_positions")
        # The collection goes on meanwhile: what has been polled by now is what has to arrive.
        wanted = len(self._raw_fixes())
        self._await("streamed", lambda: count(query.connect(self.settings.data), "positions") >= wanted)

    def _await(self, what: str, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not is_done():
            for dag_id in DAGS:
                self._refuse_broken(dag_id, "~")
            if time.monotonic() > deadline:
                raise RunError(f"not all {what} after {WITHIN_S} s: {self._counts()}")
            self._say(self._counts())
            time.sleep(1)
        self._say(f"{what}: {self._counts()}", at_once=True)

    def _is_polled(self) -> bool:
        if self.replay:
            progress = requests.get(f"{self.topology.simulator_url}/replay", timeout=10).json()
            return bool(progress["served"] == progress["total"])
        midnight_s = last_midnight().timestamp()
        after = [timestamp for timestamp, *_ in self._raw_fixes() if timestamp >= midnight_s]
        return len(after) >= FIXES_AFTER_MIDNIGHT

    def _raw_fixes(self) -> set[tuple[Any, ...]]:
        """The distinct fixes of the raw records, counted independently of the stream."""
        records = [json.loads(path.read_bytes()) for path in self._raw_files()]
        return {(r["timestamp"], r["latitude"], r["longitude"]) for r in records if r["latitude"] is not None}

    def _raw_files(self) -> list[Path]:
        return list((self.settings.data / "raw" / "open_notify").glob("**/*.json"))

    def _await_dags(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not set(DAGS) <= set(self.airflow.dags()):
            if errors := self.airflow.import_errors():
                raise RunError("; ".join(errors))
            if time.monotonic() > deadline:
                raise RunError(f"Airflow shows only {self.airflow.dags()}")
            time.sleep(1)

    def _run(self, dag_id: str, params: dict[str, Any]) -> None:
        run_id = self.airflow.trigger(dag_id, params)
        self.airflow.unpause(dag_id)
        self._say(f"triggered {dag_id} {params or ''}", at_once=True)
        self.airflow.wait(dag_id, run_id, WITHIN_S, watch=lambda: self._watch(dag_id, run_id))
        self._say(f"{dag_id} succeeded", at_once=True)

    def _watch(self, dag_id: str, run_id: str) -> None:
        self._refuse_broken(dag_id, run_id)
        states = {name.rsplit(".", 1)[1]: state for name, state in self.airflow.tasks(dag_id, run_id).items()}
        self._say(", ".join(f"{task} {state or 'waits'}" for task, state in states.items()))

    def _refuse_broken(self, dag_id: str, run_id: str) -> None:
        """A task that would be tried again in earnest ends a demo: raises RunError with its log and the cause in it."""
        for name, state in self.airflow.tasks(dag_id, run_id).items():
            if state in BROKEN:
                run, task = name.rsplit(".", 1)
                logs = self.topology.logs / "tasks" / f"dag_id={dag_id}" / f"run_id={run}" / f"task_id={task}"
                raise RunError(f"task {task} of {dag_id} is {state}: {cause_in(logs)}")

    def _counts(self) -> str:
        raw = len(self._raw_files())
        tables = query.connect(self.settings.data)
        held = {name: count(tables, name) for name in ("positions", "window_stats", "state_vectors")}
        return f"{raw} raw records, " + ", ".join(f"{rows:,} {name}" for name, rows in held.items())

    def _last_closed_day(self) -> date:
        latest = query.connect(self.settings.data).sql(
            "SELECT max(date) FROM positions WHERE date < (current_timestamp AT TIME ZONE 'UTC')::DATE"
        )
        row = latest.fetchone()
        if not row or row[0] is None:
            raise RunError("no fix of a closed day arrived")
        return date.fromisoformat(str(row[0]))

    def _report(self) -> None:
        self._begin("report", "what the tables hold")
        tables = query.connect(self.settings.data)
        for name in TABLES:
            print(f"\n{name}: {count(tables, name):,} rows")
            show(tables.table(name).limit(3))
        print("\nthrust episodes found")
        show(tables.sql(EPISODES))
        print(f"\nthe closed day {self.closed_day}, one file a table")
        for table in ("positions", "window_stats"):
            for part in sorted((self.settings.data / "lake" / table).glob("**/*.parquet")):
                print(f"  {part.relative_to(self.settings.data)}  {part.stat().st_size:,} bytes")
        print(f"\na query: python -c \"from orbitlake.query import connect; print(connect().sql('''{SAMPLE}'''))\"")
        show(tables.sql(SAMPLE))
        print(f"\nthe tables lie in {self.settings.data}")
        if self.keep:
            print(f"Airflow  {self.topology.airflow_url}  user admin  password {self.topology.password}")
            print(f"Spark    {self.topology.spark_ui_url}")
            print("stop     make down")
        else:
            print(f"Airflow  {self.topology.airflow_url}  (`make demo KEEP=1` leaves it running and prints its login)")
            print("stop     nothing to do: the demo stops what it started")
        print(f"done in {time.monotonic() - self.begun:.0f} s")

    def _stop(self) -> None:
        # A second Ctrl-C must not leave half of the processes behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stopped = self.topology.down()
        if stopped:
            print(f"stopped {stopped} processes")

    def _begin(self, step: str, what: str) -> None:
        self.step = step
        self._say(f"{step}: {what}", at_once=True)

    def _say(self, line: str, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self.said_at >= SAY_EVERY_S:
            self.said_at = now
            print(f"[{now - self.begun:4.0f} s] {line}", flush=True)


def last_midnight() -> datetime:
    """The first instant of the current UTC day."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def cause_in(logs: Path) -> str:
    """The first error that the newest log of a task gives, and where that log lies."""
    for log in sorted(logs.glob("*.log"), reverse=True):
        for line in log.read_text(errors="replace").splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("level") in ("error", "critical"):
                    details = [f"{d['exc_type']}: {d['exc_value']}" for d in entry.get("error_detail") or []]
                    return f"{'; '.join(details) or entry.get('event')}\n  log: {log}"
    return f"no error in its log\n  log: {logs}"


def clear(data: Path) -> None:
    """Empty a data root that a demo filled: the folders of the lake's layout and the mark, nothing else."""
    for folder in ("inbox", "raw", "live", "lake", "quarantine", "staging", "checkpoints", "alerts"):
        shutil.rmtree(data / folder, ignore_errors=True)
    (data / MARKER).unlink(missing_ok=True)


def count(tables: Any, name: str) -> int:
    """The number of rows of a view; a file that is replaced while it is counted is simply counted again."""
    return int(tables.table(name).count("*").fetchone()[0])


def show(rows: Any) -> None:
    """Print a result as DuckDB lays it out, as wide as the terminal allows."""
    width = max(120, shutil.get_terminal_size((160, 40)).columns)
    rows.show(max_width=width, max_col_width=30)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C does, so that both end in the same orderly stop."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
