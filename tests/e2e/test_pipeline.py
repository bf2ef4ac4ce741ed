"""The whole of it once: Airflow's own components, a Spark master with two workers and the simulator, over real HTTP."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import requests
from tests.e2e.conftest import COLLECT_S, POLL_S, WITHIN_S, YESTERDAY_NOON, await_owed_run

from orbitlake import query
from orbitlake.embedded.airflow_api import Airflow
from orbitlake.embedded.topology import MARK, PORTS, Topology
from orbitlake.lake.paths import day_folder

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LOOK_AGAIN_AFTER_S = 0.5
LOOKS = 4
"""How many times the page shows a newer fix before its delay is judged."""
STALE_WITHIN_S = 30.0
OF_RUNS = "failed-"
"""How alerts of failed runs begin: some tests here let runs fail."""
ON_A_BUSY_MACHINE_S = 60.0
"""Beside other work on two cores; an idle machine shows a fix within 15 s."""


def run(airflow: Airflow, dag_id: str, params: dict) -> str:
    run_id = airflow.trigger(dag_id, params)
    airflow.unpause(dag_id)
    airflow.wait(dag_id, run_id, WITHIN_S)
    airflow.pause(dag_id)
    return run_id


def run_continuous(airflow: Airflow, dag_id: str) -> None:
    """Let a continuous DAG do one more run, and leave it paused with no task at work."""
    before = airflow.tasks(dag_id).keys()
    deadline = time.monotonic() + WITHIN_S
    airflow.unpause(dag_id)
    while not {"running", "success"} & {state for name, state in airflow.tasks(dag_id).items() if name not in before}:
        assert time.monotonic() < deadline, airflow.tasks(dag_id)
        time.sleep(POLL_S)
    # The task goes on. Paused only after its end, the DAG would have begun the next one.
    airflow.pause(dag_id)
    await_idle(airflow, dag_id)


def await_idle(airflow: Airflow, dag_id: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while {"queued", "scheduled", "running"} & set(airflow.tasks(dag_id).values()):
        assert time.monotonic() < deadline, airflow.tasks(dag_id)
        time.sleep(POLL_S)
    assert set(airflow.tasks(dag_id).values()) <= {"success", None}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("**/*"))
        if path.is_file()
    }


def rows(data: Path, sql: str) -> list[tuple]:
    return query.connect(data).sql(sql).fetchall()


def test_ingest_oem_fills_four_tables_and_a_second_run_changes_no_byte(topology: Topology, airflow: Airflow):
    data = topology.settings.data
    run(airflow, "ingest_oem", {})
    first = digests(data / "lake")
    again = run(airflow, "ingest_oem", {})

    issues, states, episodes = rows(
        data,
        "SELECT (SELECT count(*) FROM oem_issues), (SELECT count(*) FROM state_vectors),"
        " (SELECT count(*) FROM thrust_episodes)",
    )[0]
    assert issues == 1
    assert states == rows(data, "SELECT state_count FROM oem_issues")[0][0] > 5000
    assert episodes >= 1
    assert digests(data / "lake") == first
    assert "unchanged" in json.dumps(airflow.result("ingest_oem", again, "tabulate"))
    links = airflow.call("GET", f"dags/ingest_oem/dagRuns/{again}/taskInstances/tabulate/links")["extra_links"]
    assert links == {"Position page": "/plugin/position"}
    assert airflow.call("GET", "pools/spark")["slots"] == 2


def test_a_run_tells_what_it_came_to_and_an_asset_event_how_many_rows(topology: Topology, airflow: Airflow):
    runs = airflow.call("GET", "dags/ingest_oem/dagRuns", params={"order_by": "start_date"})["dag_runs"]
    notes = [run["note"] for run in runs]
    every = airflow.call("GET", "assets/events", params={"limit": 1000})["asset_events"]
    events = [event for event in every if event["source_dag_id"] == "ingest_oem"]
    written = {event["name"]: event["extra"]["rows"] for event in events}

    assert notes[0].startswith("ingested: 1998-067A, issue of ")
    # A test of the web UI has ingested a file that contradicts it, too.
    assert {note.partition(": 1998-067A")[0] for note in notes[1:]} <= {"unchanged", "conflict"}
    assert notes[-1].startswith("unchanged: 1998-067A")
    (states,) = rows(topology.settings.data, "SELECT state_count FROM oem_issues")
    assert written["state_vectors"] == states[0]
    # Only what was written has an event, and the later runs wrote nothing.
    assert len([event for event in events if event["name"] == "oem_issues"]) == written["oem_issues"] == 1


def test_a_form_that_cannot_be_right_is_refused_in_words_before_a_run_exists(airflow: Airflow):
    before = airflow.call("GET", "dags/compact_positions/dagRuns")["total_entries"]
    asked = {"logical_date": None, "conf": {"date": "2999-01-01"}}
    answer = airflow.http.post(f"{airflow.url}/api/v2/dags/compact_positions/dagRuns", json=asked, timeout=60)

    assert answer.status_code == 400
    assert "which is not over in UTC: the newest day that can be compacted is" in answer.json()["detail"]
    assert airflow.call("GET", "dags/compact_positions/dagRuns")["total_entries"] == before


def test_what_trying_again_cannot_mend_fails_at_once_and_a_corrected_run_follows(airflow: Airflow):
    failed = airflow.trigger("ingest_oem", {"source": "no-such-file.txt"})
    corrected = airflow.trigger("ingest_oem", {})
    airflow.unpause("ingest_oem")
    airflow.wait("ingest_oem", corrected, WITHIN_S)
    airflow.pause("ingest_oem")
    tries = airflow.call("GET", f"dags/ingest_oem/dagRuns/{failed}/taskInstances/download")["try_number"]
    note = airflow.call("GET", f"dags/ingest_oem/dagRuns/{failed}")["note"]

    assert airflow.state("ingest_oem", failed) == "failed"
    assert tries == 1
    assert "no-such-file.txt' is neither a URL nor a file" in note


def raw_records(data: Path) -> list[dict]:
    """The records of all segments; none is sealed while its day lasts."""
    segments = (data / "raw" / "open_notify").glob("date=*/*.jsonl")
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]


def test_collected_fixes_reach_the_live_tables_once(topology: Topology, airflow: Airflow):
    data = topology.settings.data
    run_continuous(airflow, "collect_positions")
    fixes = {(r["timestamp"], r["latitude"], r["longitude"]) for r in raw_records(data) if r["latitude"] is not None}

    run_continuous(airflow, "stream_positions")

    held = rows(data, "SELECT epoch(event_time)::BIGINT, latitude_deg, longitude_deg FROM positions")
    assert len(fixes) >= COLLECT_S - 3
    assert sorted(held) == sorted(fixes)
    assert sum(n for (n,) in rows(data, "SELECT data_points FROM window_stats")) == len(fixes)
    assert all(name.endswith(".parquet") for name in digests(data / "live"))


class TestStreamThatPeopleLookAt:
    """The stream runs with a trigger of 5 s while the collector polls; the page is watched from outside."""

    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def stream(topology: Topology, airflow: Airflow) -> Iterator[None]:
        # A feed of yesterday would be stale from the start.
        now = {"now": datetime.now(UTC).isoformat()}
        requests.put(f"{topology.simulator_url}/clock", json=now, timeout=10).raise_for_status()
        end_unfinished_runs(airflow, "stream_positions")
        run_id = airflow.trigger("stream_positions", {"trigger": "5 seconds", "max_runtime_s": 600})
        for dag_id in ("stream_positions", "collect_positions"):
            airflow.unpause(dag_id)
        await_running(airflow, "stream_positions", run_id)
        yield
        for dag_id in ("collect_positions", "stream_positions"):
            airflow.pause(dag_id)
        airflow.call("PATCH", f"dags/stream_positions/dagRuns/{run_id}", json={"state": "success"})
        await_idle(airflow, "collect_positions")
        deadline = time.monotonic() + WITHIN_S
        while drivers(topology):
            assert time.monotonic() < deadline
            time.sleep(POLL_S)

    def test_landed_fix_is_on_the_page_soon(self, topology: Topology, airflow: Airflow):
        shown = watch_page(topology, airflow)
        landed = [
            datetime.fromisoformat(record["fetch_time"])
            for record in raw_records(topology.settings.data)
            if record["latitude"] is not None
        ]
        delays_s = [
            (seen - fetched).total_seconds()
            for (_, before), (seen, newest) in pairwise(shown)
            for fetched in landed
            if before < fetched <= newest
        ]
        print(f"{len(delays_s)} fixes: on the page {min(delays_s):.1f} to {max(delays_s):.1f} s after they landed")

        assert len(delays_s) >= LOOKS
        assert max(delays_s) < ON_A_BUSY_MACHINE_S

    def test_killed_stream_is_stale_on_the_page_and_told_once_until_it_is_back(
        self, topology: Topology, airflow: Airflow
    ):
        data = topology.settings.data
        await_staleness(topology, airflow, stale=False)
        # A paused DAG tries nothing again.
        airflow.pause("stream_positions")
        for driver in drivers(topology):
            driver.kill()
        killed = time.monotonic()
        await_staleness(topology, airflow, stale=True)
        stale_after_s = time.monotonic() - killed
        standing = [told(airflow), told(airflow)]
        files = alert_files(data)

        airflow.unpause("stream_positions")
        await_staleness(topology, airflow, stale=False)
        deadline = time.monotonic() + WITHIN_S
        while told(airflow):
            assert time.monotonic() < deadline
        print(f"stale on the page {stale_after_s:.1f} s after the kill")
        logs = "".join(log.read_text() for log in (topology.logs / "tasks" / "dag_id=watch_freshness").glob("**/*.log"))

        assert stale_after_s < STALE_WITHIN_S
        assert standing == [["stream"]] * 2
        assert files == ["stream.json"]
        assert [logs.count(f"{word} stream: ") for word in ("ALERT", "cleared")] == [1, 1]
        assert alert_files(data) == []


def drivers(topology: Topology) -> list[psutil.Process]:
    """The Python driver of the stream and the JVM beside it."""
    found = []
    for process in topology.processes():
        with suppress(psutil.Error):
            if any(word.endswith("jobs/stream_positions.py") for word in process.cmdline()):
                found.append(process)
    return found


def await_staleness(topology: Topology, airflow: Airflow, *, stale: bool) -> None:
    """Wait until the page says so of the live feed."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = airflow.http.get(f"{topology.airflow_url}/position/api/freshness", timeout=60)
        answer.raise_for_status()
        if answer.json()["stale"] is stale:
            return
        assert time.monotonic() < deadline, answer.json()
        time.sleep(LOOK_AGAIN_AFTER_S)


def told(airflow: Airflow) -> list[str]:
    """Have the freshness judged; return the alerts that stand, but for those of failed runs."""
    standing = airflow.result("watch_freshness", run(airflow, "watch_freshness", {}), "watch")["standing"]
    return [name for name in standing if not name.startswith(OF_RUNS)]


def alert_files(data: Path) -> list[str]:
    """The files of the same alerts."""
    return [file.name for file in (data / "alerts").iterdir() if not file.name.startswith(OF_RUNS)]


def end_unfinished_runs(airflow: Airflow, dag_id: str) -> None:
    """End the run that a continuous schedule made before it was paused: it would come first, with other params."""
    for state in ("queued", "running"):
        for each in airflow.call("GET", f"dags/{dag_id}/dagRuns", params={"state": state})["dag_runs"]:
            airflow.call("PATCH", f"dags/{dag_id}/dagRuns/{each['dag_run_id']}", json={"state": "success"})


def await_running(airflow: Airflow, dag_id: str, run_id: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while "running" not in airflow.tasks(dag_id, run_id).values():
        assert time.monotonic() < deadline, airflow.tasks(dag_id)
        time.sleep(POLL_S)


def watch_page(topology: Topology, airflow: Airflow) -> list[tuple[datetime, datetime]]:
    """When the page's API showed a newer fix, and when that had been fetched."""
    shown: list[tuple[datetime, datetime]] = []
    deadline = time.monotonic() + WITHIN_S
    begun = datetime.now(UTC)
    while len(shown) <= LOOKS:
        assert time.monotonic() < deadline, airflow.tasks("stream_positions")
        answer = airflow.http.get(f"{topology.airflow_url}/position/api/latest", timeout=60)
        answer.raise_for_status()
        fetched = [datetime.fromisoformat(row["fetch_time"]) for row in answer.json()["rows"]]
        if fetched and fetched[0] > max([begun, *(newest for _, newest in shown)]):
            shown.append((datetime.now(UTC), fetched[0]))
        time.sleep(LOOK_AGAIN_AFTER_S)
    return shown


def test_compaction_closes_the_day_into_one_file_a_table_and_again_rewrites_nothing(topology, airflow):
    data = topology.settings.data
    day: date = YESTERDAY_NOON.date()
    before = {table: rows(data, f"SELECT * FROM {table} ORDER BY ALL") for table in ("positions", "window_stats")}
    # The run that the schedule owes is of yesterday.
    await_owed_run(airflow, "compact_positions")
    folders = {table: data / "lake" / table / day_folder(day) for table in before}
    closed = {table: digests(folder) for table, folder in folders.items()}
    run(airflow, "compact_positions", {"date": day.isoformat()})

    for table, expected in before.items():
        assert list(closed[table]) == ["part-0.parquet"]
        assert digests(folders[table]) == closed[table]
        assert rows(data, f"SELECT * FROM {table} ORDER BY ALL") == expected


def test_nothing_listens_beyond_loopback(topology: Topology):
    beyond = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) != str(topology.run):
                continue
            listening = [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        except (psutil.Error, OSError):
            continue
        beyond |= {(process.name(), c.laddr) for c in listening if c.laddr.ip not in ("127.0.0.1", "::ffff:127.0.0.1")}

    assert topology.is_running()
    assert beyond == set()


def test_down_leaves_no_process(topology: Topology):
    stopped = topology.down()

    assert stopped > len(("supervisor", *PORTS))
    assert not topology.is_running()
    assert topology.down() == 0
