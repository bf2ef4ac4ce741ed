"""The main job once through: every DAG on a topology of its own, then what the tables hold."""

import gzip
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import requests

from orbitlake import query
from orbitlake.embedded import interruption, report
from orbitlake.embedded.airflow_api import Airflow, RunError
from orbitlake.embedded.environment import OURS, for_airflow
from orbitlake.embedded.history import write_history
from orbitlake.embedded.kafka import with_kafka
from orbitlake.embedded.roots import FOLDERS, TopologyError
from orbitlake.embedded.running import Running
from orbitlake.embedded.topology import PORTS, Topology, loopback
from orbitlake.lake import Lake
from orbitlake.lake.paths import DAY_PREFIX
from orbitlake.settings import Settings, from_environment
from orbitlake.simulator.station import station
from orbitlake.upstream import MARKER, claim, held_by

DAGS: Final = (
    "alert_passes",
    "audit_positions",
    "collect_positions",
    "compact_positions",
    "ingest_oem",
    "predict_passes",
    "publish_lake",
    "settle_conflict",
    "stream_positions",
    "watch_freshness",
)
REPLAY_PACE: Final = {
    "ORBITLAKE_COLLECT_INTERVAL_S": "0.5",
    "ORBITLAKE_COLLECT_DURATION_S": "120",
    "ORBITLAKE_STREAM_MAX_RUNTIME_S": "600",
}
"""A recording is polled as fast as may be, under one stream: starting a driver costs a small machine half a minute."""
HISTORY_INTERVAL_S: Final = 5.0
"""Between the polls of the simulated past, as the collector polls the present."""
WITHIN_S: Final = 420
SAY_EVERY_S: Final = 5
BROKEN: Final = frozenset({"failed", "up_for_retry", "upstream_failed"})


class Demo:
    """One run of the demo; `run_folder` holds its logs and Airflow's state, made anew each time."""

    def __init__(self, run_folder: Path, replay: Path | None, *, keep: bool, kafka: bool = False) -> None:
        # Its story is fixed: of the caller's settings only places count, and what is meant for Airflow.
        given = {name: value for name, value in os.environ.items() if not name.startswith(OURS) or is_place(name)}
        self.settings: Settings = from_environment(given | {"ORBITLAKE_UPSTREAM": "simulator"})
        self.replay = replay
        self.keep = keep
        self.step = "prepare"
        self.begun = time.monotonic()
        self.said_at = 0.0
        arguments = ("--replay", str(self.replay)) if self.replay else ()
        self.topology = Topology(
            run=run_folder,
            settings=self.settings,
            simulator_args=arguments,
            overrides=REPLAY_PACE if self.replay else {},
            given=given,
        )
        if kafka:
            # Always a broker of its own: in another's topic would lie what is no part of the story.
            self.topology = with_kafka(self.topology, lambda line: print(line, flush=True))
            self.settings = self.topology.settings
        self.http = loopback()
        self.airflow: Airflow
        self.running: Running | None = None

    def run(self) -> int:
        """Run every step; returns 0, or 1 with the step and its log named. Raises Interrupted once all is stopped."""
        kept = False
        try:
            self._prepare()
            self._flow()
            self._report()
            if self.keep and self.running:
                self.running.tell("detach")
                kept = True
        except (TopologyError, RunError, requests.RequestException, OSError, duckdb.Error) as error:
            # What a library made of the interruption tells nothing.
            interruption.check()
            print(f"\ndemo: step '{self.step}' failed: {self._cause(error)}", file=sys.stderr)
            return 1
        finally:
            if not kept and self.running:
                stopped = self.running.stop()
                if stopped and not interruption.received():
                    print(f"stopped {stopped} processes")
        return 0

    def _cause(self, error: Exception) -> str:
        """Why a step failed: what ended, where something did, rather than what nobody answered any more."""
        if isinstance(error, TopologyError):
            return str(error)
        try:
            if self.running:
                self.running.check()
        except TopologyError as ended:
            return str(ended)
        return f"{error}\n  logs: {self.topology.logs}"

    def _prepare(self) -> None:
        self._begin("prepare", f"the data root is {self.settings.data}")
        if self.replay and not self.replay.is_dir():
            raise TopologyError(f"REPLAY={self.replay} is not a folder")
        self.running = self.topology.up(lambda line: self._say(line, at_once=True), self._make_room, keep=False)
        self.airflow = Airflow(self.topology.airflow_url, "admin", self.topology.password)
        self.airflow.log_in()

    def _make_room(self) -> None:
        """Empty the data root and the run folder of an earlier demo. Raises TopologyError where real tables lie."""
        held = held_by(self.settings.data)
        if held == "live":
            raise TopologyError(f"{self.settings.data} holds real tables: set ORBITLAKE_DATA to another folder")
        if held is not None:
            clear(self.settings.data)
        self.topology.empty()
        claim(self.settings, f"replay of {self.replay}" if self.replay else "simulator")
        self._begin("start", "Spark master and two workers, Airflow, the simulator")

    def _flow(self) -> None:
        self._begin("find the DAGs", ", ".join(DAGS))
        self._await_dags()
        if self.replay:
            self._flow_of_recording()
        else:
            self._flow_of_simulation()

    def _flow_of_simulation(self) -> None:
        """Yesterday and today up to now were polled already; then the present goes on, and yesterday is closed."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.closed_day = (midnight - timedelta(days=1)).date()
        self._begin("history", f"simulated polls since {self.closed_day} -> raw/open_notify")
        raw, until = Lake(self.settings.data).raw_open_notify, datetime.now(UTC)
        start = midnight - timedelta(days=1)
        polls = write_history(raw, station(), self.settings.object_id, start, until, HISTORY_INTERVAL_S)
        self._say(f"{polls:,} polls, the last of {until:%H:%M:%S} UTC", at_once=True)
        self._begin(
            "collect and stream", "polls -> raw/open_notify -> live tables, until past and present have arrived"
        )
        at_once = ("collect_positions", "stream_positions", "watch_freshness", "audit_positions", "predict_passes")
        for dag_id in at_once:
            self.airflow.unpause(dag_id)
        self._begin("ingest_oem", "the newest issue -> raw/oem and its tables")
        self._run("ingest_oem", {})
        self._begin("collect and stream", "until the present has arrived")
        self._await("streamed", lambda: self._newest_fix() > until)
        self._begin("compact_positions", f"the run that its schedule owes closes {self.closed_day} -> lake")
        self.airflow.unpause("compact_positions")
        self._await("closed", lambda: self.airflow.succeeded("compact_positions") > 0)
        self._audited()

    def _flow_of_recording(self) -> None:
        # They go on while all else begins.
        self._begin("collect", "the recorded polls, two a second -> raw/open_notify")
        self.airflow.unpause("collect_positions")
        self._begin("ingest_oem", "the recorded issue -> raw/oem and its tables")
        # Unpausing a daily DAG starts the run that its schedule owes. For compact_positions that is yesterday's, which
        # has nothing to do: done now, it does not stand in the way of the run that the demo triggers later.
        for dag_id in ("stream_positions", "compact_positions", "audit_positions", "predict_passes"):
            self.airflow.unpause(dag_id)
        self._run("ingest_oem", {})
        self._await("yesterday compacted", lambda: self.airflow.succeeded("compact_positions") > 0)
        self._begin("collect and stream", "polls -> raw/open_notify -> live tables, until every fix has arrived")
        self._await("polled", self._is_polled)
        self.airflow.pause("collect_positions")
        wanted = len(self._raw_fixes())
        self._await("streamed", lambda: count(query.connect(self.settings.data), "positions") >= wanted)
        self.closed_day = self._last_closed_day()
        self._begin("compact_positions", f"the closed day {self.closed_day} -> lake")
        self._run("compact_positions", {"date": self.closed_day.isoformat()})
        self._audited()

    def _audited(self) -> None:
        """Wait for the run of audit_positions that the new issue started, and that of predict_passes after it."""
        self._begin("audit_positions", "the run that follows the issue -> trajectory and what is made beside it")
        self._await("audited", lambda: self.airflow.succeeded("audit_positions") > 0)
        self._begin("predict_passes", "the run that follows the trajectory -> passes over Paris")
        self._await("predicted", lambda: self.airflow.succeeded("predict_passes") > 0)

    def _newest_fix(self) -> datetime:
        """The time of the newest fix in the tables; long ago where there is none."""
        row = query.connect(self.settings.data).execute("SELECT max(event_time) FROM positions").fetchone()
        return row[0] if row and row[0] else datetime.fromtimestamp(0, UTC)

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
        progress = self.http.get(f"{self.topology.simulator_url}/replay", timeout=10).json()
        return bool(progress["served"] == progress["total"])

    def _raw_fixes(self) -> set[tuple[Any, ...]]:
        """The distinct fixes of the raw records, counted independently of the stream."""
        records = [json.loads(line) for path in self._raw_files() for line in self._lines_of(path)]
        return {(r["timestamp"], r["latitude"], r["longitude"]) for r in records if r["latitude"] is not None}

    def _raw_files(self) -> list[Path]:
        return list(Lake(self.settings.data).raw_open_notify.glob(f"{DAY_PREFIX}*/*.jsonl*"))

    def _lines_of(self, path: Path) -> list[bytes]:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()

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
        tables = query.connect(self.settings.data)
        held = {name: count(tables, name) for name in ("positions", "window_stats", "state_vectors")}
        return ", ".join(f"{rows:,} {name}" for name, rows in held.items())

    def _last_closed_day(self) -> date:
        latest = query.connect(self.settings.data).sql(
            "SELECT max(date) FROM positions WHERE date < (current_timestamp AT TIME ZONE 'UTC')::DATE"
        )
        row = latest.fetchone()
        if not row or row[0] is None:
            raise RunError("no fix of a closed day arrived")
        return date.fromisoformat(str(row[0]))

    def _report(self) -> None:
        self._begin("report", "what the tables hold, a glance at each\n")
        tables = query.connect(self.settings.data)
        for heading, rows in report.glances(tables):
            print(heading)
            show(rows)
        print(f"\na query, from the checkout:\n{report.command(self.settings.data)}\n")
        show(tables.sql(report.SAMPLE))
        print()
        for line in report.headlines(tables, self.closed_day):
            print(line)
        if self.keep:
            at_work = [dag_id for dag_id in DAGS if not self.airflow.is_paused(dag_id)]
            for line in report.places(
                self.settings.data,
                self.topology.airflow_url,
                self.topology.spark_ui_url,
                self.topology.password,
                at_work,
            ):
                print(line)
            print("stop     make down")
        else:
            print(f"tables   {self.settings.data}")
            print(
                "look     make demo KEEP=1 leaves all of it running: the position page, Airflow, the present streaming"
            )
            print("stop     nothing to do: the demo stops what it started")
        print(f"done in {time.monotonic() - self.begun:.0f} s")

    def _begin(self, step: str, what: str) -> None:
        self.step = step
        self._say(f"{step}: {what}", at_once=True)

    def _say(self, line: str, *, at_once: bool = False) -> None:
        # Every wait passes here: what has ended, or was asked to, is not waited for.
        interruption.check()
        if self.running:
            self.running.check()
        now = time.monotonic()
        if at_once or now - self.said_at >= SAY_EVERY_S:
            self.said_at = now
            print(f"[{now - self.begun:4.0f} s] {line}", flush=True)


def cause_in(logs: Path) -> str:
    """The first error that the newest log of a task gives, and where that log lies."""
    for log in sorted(logs.glob("*.log"), reverse=True):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("level") in ("error", "critical"):
                    details = [f"{d['exc_type']}: {d['exc_value']}" for d in entry.get("error_detail") or []]
                    return f"{'; '.join(details) or entry.get('event')}\n  log: {log}"
    return f"no error in its log\n  log: {logs}"


def clear(data: Path) -> None:
    """Empty a data root that a demo filled: the folders of the lake's layout and the mark, nothing else."""
    for folder in FOLDERS:
        if (data / folder).exists():
            shutil.rmtree(data / folder)
    (data / MARKER).unlink(missing_ok=True)


def is_place(name: str) -> bool:
    """Whether a setting of ours says where something is, or is meant for Airflow."""
    return name in PORTS or name == "ORBITLAKE_DATA" or bool(for_airflow({name: ""}))


def count(tables: Any, name: str) -> int:
    """The number of rows of a view; a file that is replaced while it is counted is simply counted again."""
    return int(tables.table(name).count("*").fetchone()[0])


def show(rows: Any) -> None:
    """Print a result as DuckDB lays it out, within the columns that every terminal has."""
    rows.show(max_width=report.WIDTH, max_col_width=40)
