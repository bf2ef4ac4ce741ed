"""The main job once through: every DAG on a topology of its own, then what the tables hold."""

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from orbitlake import query
from orbitlake.embedded.airflow_api import Airflow, RunError
from orbitlake.embedded.topology import MARKER, Topology, TopologyError, claim, held_by
from orbitlake.settings import Settings, from_environment
from orbitlake.tables import TABLES

DAGS: Final = ("collect_positions", "compact_positions", "ingest_oem", "stream_positions")
INTERVAL_S: Final = 1
COLLECT_S: Final = 60
BEFORE_MIDNIGHT: Final = timedelta(seconds=40)
"""How much of the day before the simulated collection sees: with it the demo has a closed day to compact."""
STREAM_LONGER_S: Final = 20
WITHIN_S: Final = 300
SAY_EVERY_S: Final = 5
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
        self.topology = Topology(run=run_folder, settings=settings, simulator_args=arguments)
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
        self._begin("run", "ingest_oem, collect_positions and stream_positions side by side")
        collect_s = self._set_the_scene()
        ingest = self._trigger("ingest_oem", {})
        collect = self._trigger("collect_positions", {"interval_s": INTERVAL_S, "duration_s": collect_s})
        stream = self._trigger(
            "stream_positions", {"trigger": "5 seconds", "max_runtime_s": collect_s + STREAM_LONGER_S}
        )
        for dag_id, run_id in (("ingest_oem", ingest), ("collect_positions", collect), ("stream_positions", stream)):
            self._await(dag_id, run_id)
        self.closed_day = self._last_closed_day()
        self._begin("compact", f"the closed day {self.closed_day}")
        self._await("compact_positions", self._trigger("compact_positions", {"date": self.closed_day.isoformat()}))

    def _set_the_scene(self) -> int:
        """Set the simulated clock shortly before midnight; returns how long to collect, in seconds."""
        if self.replay:
            recording = requests.get(f"{self.topology.simulator_url}/replay", timeout=10).json()
            return int(recording["total"]) * INTERVAL_S + 2
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        now = {"now": (midnight - BEFORE_MIDNIGHT).isoformat()}
        requests.put(f"{self.topology.simulator_url}/clock", json=now, timeout=10).raise_for_status()
        return COLLECT_S

    def _await_dags(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not set(DAGS) <= set(self.airflow.dags()):
            if errors := self.airflow.import_errors():
                raise RunError("; ".join(errors))
            if time.monotonic() > deadline:
                raise RunError(f"Airflow shows only {self.airflow.dags()}")
            time.sleep(1)

    def _trigger(self, dag_id: str, params: dict[str, Any]) -> str:
        # Triggered first: a continuous DAG that is unpaused without a run starts one with its default params.
        run_id = self.airflow.trigger(dag_id, params)
        self.airflow.unpause(dag_id)
        self._say(f"triggered {dag_id} {params or ''}", at_once=True)
        return run_id

    def _await(self, dag_id: str, run_id: str) -> None:
        self.step = dag_id
        self.airflow.wait(dag_id, run_id, WITHIN_S, watch=lambda: self._say(self._counts()))
        # A continuous DAG would go on with its default params.
        if not self.keep or self.replay:
            self.airflow.pause(dag_id)
        self._say(f"{dag_id} succeeded: {self._counts()}", at_once=True)

    def _counts(self) -> str:
        raw = sum(1 for _ in (self.settings.data / "raw" / "open_notify").glob("**/*.json"))
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
            print(
                "everything is being stopped; `make demo KEEP=1` leaves it running, prints the login of Airflow's web UI at"
            )
            print(f"{self.topology.airflow_url}, and `make down` stops it")
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


def clear(data: Path) -> None:
    """Empty a data root that a demo filled: the folders of the lake's layout and the mark, nothing else."""
    for folder in ("inbox", "raw", "live", "lake", "quarantine", "staging", "checkpoints"):
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
