"""How fast the position page is: ready in a browser beside a month of fixes, and its API beside a year of closed days.

PYTHONPATH=plugins python benchmarks/bench_page.py [--rounds 20]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from queue import Queue

import numpy as np
import pyarrow as pa
import requests
import uvicorn
from bars import Bar, print_machine, scaled, verdict
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from live_days import land_minutes
from playwright.sync_api import sync_playwright

from orbitlake.lake import Lake
from orbitlake.lake.parquet import write_table
from orbitlake.lake.paths import DAY_PREFIX, day_folder
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.page.app import create_app
from orbitlake.passes import Places, update_passes
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import positions_of
from orbitlake.query import connect
from orbitlake.settings import from_environment
from orbitlake.simulator.issues import newest_issues
from orbitlake.simulator.nasa_layout import OemFormat, file_name, write_issue
from orbitlake.simulator.station import station
from orbitlake.tables import POSITIONS, WINDOW_STATS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CADENCE_S = scaled(5, 60)
ISSUES = scaled(20, 2)
FEW_DAYS, MONTH_DAYS, YEAR_DAYS = (scaled(usual, small) for usual, small in ((10, 1), (29, 2), (365, 3)))
PAGES = scaled(7, 1)
"""Closed days; the half of a day that is open comes on top, a file a micro-batch."""
PARAMETERS = {"/api/day": f"/api/day?date={NOW.date() - timedelta(days=1)}"}
PARAMETERS |= {
    path: f"{path}?site=Paris" for path in ("/api/passes", "/api/exports/passes.csv", "/api/exports/passes.ics")
}
RAW_HOURS = 2
"""Of raw records beside the open day, a file a poll: the verdicts look at the newest."""
READY_BAR_S = 1.0
API_BAR_S = 0.3
GROWTH_BAR = 1.5
IS_TOLD = """() => {
  const filled = (selector) => [...document.querySelectorAll(selector)].every((each) => each.textContent.trim());
  return document.querySelectorAll('.query code').length >= 9 && filled('.query code') && filled('#place')
    && document.querySelector('#burns tbody tr') && document.querySelector('#days tbody tr')
    && document.querySelector('#map .land path')?.getAttribute('d')
    && document.querySelector('#map .past')?.getAttribute('d')
    && performance.now();
}"""
"""Numbers, tables and map are there; gives the time since the navigation began (ms)."""
IS_READY = f"""() => document.querySelectorAll('.chart .line').length >= 3 && ({IS_TOLD})()"""
"""The charts are drawn as well."""
HAS_PASSES = "() => document.querySelector('#sky .way')?.getAttribute('d') && performance.now()"
"""The passes are there too, which are asked for when all else is."""
FRAME = """<!doctype html>
<iframe src="/position/" style="border: 0; width: 1440px; height: 900px"></iframe>
<script>
  const page = document.querySelector("iframe").contentWindow;
  const isReady = (document, performance) => (IS_READY)();
  const look = () => {
    const ms = page.document.body && isReady(page.document, page.performance);
    if (ms) fetch(`/told?ms=${ms}`);
    else requestAnimationFrame(look);
  };
  look();
</script>
"""


def fixes_of(day: date, until: datetime) -> pa.Table:
    """A day's fixes of a circular orbit, a fix each `CADENCE_S`, up to a moment."""
    midnight = np.datetime64(day, "us")
    event = np.arange(midnight, midnight + np.timedelta64(1, "D"), np.timedelta64(CADENCE_S, "s"))
    event = event[event <= np.datetime64(until.replace(tzinfo=None), "us")]
    turn = event.astype(np.int64) / 1e6 * 2 * np.pi / 5560
    utc = pa.timestamp("us", "UTC")
    columns = {
        "object_id": pa.array(["1998-067A"] * event.size),
        "source": pa.array(["open_notify"] * event.size),
        "event_time": pa.array(event).cast(pa.timestamp("us")).cast(utc),
        "fetch_time": pa.array(event + np.timedelta64(700, "ms")).cast(pa.timestamp("us")).cast(utc),
        "latitude_deg": pa.array(np.round(51.6 * np.sin(turn), 4)),
        "longitude_deg": pa.array(np.round((np.rad2deg(turn) * 0.93) % 360 - 180, 4)),
        "altitude_km": pa.nulls(event.size, pa.float64()),
    }
    return positions_of(pa.table(columns))


def fill(lake: Lake, issues_from: Path) -> None:
    """A year of closed days, half an open one as the stream leaves it, and the newest issues."""
    for back in range(YEAR_DAYS, 0, -1):
        day = NOW.date() - timedelta(days=back)
        fixes = fixes_of(day, NOW)
        for table, rows in ((POSITIONS, fixes), (WINDOW_STATS, minutes_of(fixes))):
            file = lake.day(table, day)
            file.parent.mkdir(parents=True)
            write_table(rows, table, file)
    today = fixes_of(NOW.date(), NOW)
    land_minutes(lake, {POSITIONS: today, WINDOW_STATS: minutes_of(today)})
    polls(lake)
    for issue in newest_issues(station(), np.datetime64(NOW.replace(tzinfo=None), "us"), ISSUES):
        file = issues_from / file_name(issue, OemFormat.KVN)
        file.write_bytes(write_issue(issue, OemFormat.KVN))
        (outcome,) = ingest_source(str(file), lake, from_environment())
        if outcome["outcome"] != "ingested":
            raise RuntimeError(f"{file.name}: {outcome['reason']}")
    update_passes(lake, Places())
    (pass_id,) = connect(lake.root).sql("SELECT max(pass_id) FROM passes").fetchone()
    PARAMETERS["/api/sky"] = f"/api/sky?site=Paris&pass_id={pass_id}"


def polls(lake: Lake) -> None:
    """The raw records of the last hours, a segment an hour, and a batch of the stream that took them."""
    segments: dict[str, list[dict]] = {}
    for back in range(RAW_HOURS * 3600 // CADENCE_S):
        came = NOW - timedelta(seconds=back * CADENCE_S)
        record = {"latitude": back % 90, "longitude": 1.5, "timestamp": came.timestamp(), "error": None}
        record["fetch_time"] = came.isoformat()
        segments.setdefault(f"{day_folder(came.date())}/{came:%Y%m%dT%H}0000.000000Z-a1b2c3d4.jsonl", []).append(record)
    for name, records in segments.items():
        file = lake.raw_open_notify / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(record) + "\n" for record in reversed(records)))
        os.utime(file, (datetime.fromisoformat(records[0]["fetch_time"]).timestamp(),) * 2)
    lake.stream_progress.parent.mkdir(parents=True)
    lake.stream_progress.write_text(json.dumps({"batch": 1, "finished_at": NOW.isoformat()}) + "\n")


def with_closed_days(whole: Lake, root: Path, days: int) -> Lake:
    """The same lake with its last closed days only; files are shared, not copied."""
    first = NOW.date() - timedelta(days=days)

    def older(_folder: str, names: Sequence[str]) -> list[str]:
        return [name for name in names if name.startswith(DAY_PREFIX) and name < day_folder(first)]

    shutil.copytree(whole.root, root, copy_function=os.link, ignore=older)
    return Lake(root)


def page_of(lake: Lake) -> FastAPI:
    """The page of a lake, its open day read as the plugin does when Airflow's API server starts."""
    app = create_app(lambda: None, lake.root, lambda: NOW)
    app.state.desk.look()
    return app


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application at an address of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def ready_times_s(address: str, rounds: int) -> tuple[list[float], list[float], list[float]]:
    """How long a browser that knows nothing yet takes until all but the charts is there, all, and the passes."""
    told, ready, passes = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for _ in range(rounds):
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(address, wait_until="commit")
            for is_so, times in ((IS_TOLD, told), (IS_READY, ready), (HAS_PASSES, passes)):
                times.append(page.wait_for_function(is_so, polling="raf", timeout=60_000).json_value() / 1e3)
            page.context.close()
        browser.close()
    return told, ready, passes


def ready_times_undriven_s(app: FastAPI, rounds: int) -> list[float]:
    """The same in a browser that nothing drives: the page in a frame, as Airflow shows it, tells the time itself.

    Driving a browser costs it time that nobody else waits for.
    """
    told: Queue[float] = Queue()
    outer = FastAPI()

    @outer.get("/frame", response_class=HTMLResponse)
    def frame() -> str:
        return FRAME.replace("IS_READY", IS_READY)

    @outer.get("/told")
    def tell(ms: float) -> None:
        told.put(ms / 1e3)

    outer.mount("/position", app)
    times = []
    with served(outer) as address:
        for _ in range(rounds):
            # The browser's helpers outlive it by a moment, and write on.
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
                options = ["--headless", "--no-sandbox", "--window-size=1440,900", f"--user-data-dir={profile}"]
                browser = subprocess.Popen([BROWSER, *options, f"{address}/frame"], stderr=subprocess.DEVNULL)
                times.append(told.get(timeout=60))
                browser.terminate()
                browser.wait()
    return times


def answer_times_s(addresses: Sequence[str], rounds: int) -> list[dict[str, list[float]]]:
    """How long each path takes at each address, in turns so that a busy machine slows all alike."""
    session = requests.Session()
    described = create_app(lambda: None).openapi()["paths"]
    paths = [path for path, operations in described.items() if path.startswith("/api/") and "get" in operations]
    times: list[dict[str, list[float]]] = [{path: [] for path in paths} for _ in addresses]
    for number in range(rounds + 1):
        for path in paths:
            for address, measured in zip(addresses, times, strict=True):
                begin = time.perf_counter()
                session.get(address + PARAMETERS.get(path, path), timeout=60).raise_for_status()
                # The first answer of a path sets up what all later ones use.
                if number:
                    measured[path].append(time.perf_counter() - begin)
    return times


def p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95))


def everything(of_paths: dict[str, list[float]]) -> list[float]:
    return [value for values in of_paths.values() for value in values]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=scaled(20, 2), help="requests a path")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = Lake(folder / "year")
        begin = time.perf_counter()
        fill(whole, folder)
        few = with_closed_days(whole, folder / "few", FEW_DAYS)
        month = with_closed_days(whole, folder / "month", MONTH_DAYS)
        print_machine()
        print(f"     lake made in {time.perf_counter() - begin:.0f} s", flush=True)
        bars = []
        if BROWSER:
            with served(page_of(month)) as address:
                told_s, driven_s, passes_s = ready_times_s(address + "/", PAGES)
            undriven_s = ready_times_undriven_s(page_of(month), PAGES)
            print(f"     all but the charts is there after {np.median(told_s):.2f} s (median, driven browser)")
            print(f"     the passes are there after {np.median(passes_s):.2f} s (median, driven browser)")
            for browser, ready_s in (("driven browser", driven_s), ("browser", undriven_s)):
                print(f"     page ready in a {browser}, first time first: " + ", ".join(f"{s:.2f}" for s in ready_s))
                name = f"page ready beside 30 days and 20 issues in a {browser} (s), median"
                bars.append(Bar(name, float(np.median(ready_s)), READY_BAR_S, at_least=False))
        else:
            print("     no chromium: the page is not opened")
        with served(page_of(few)) as one, served(page_of(month)) as two, served(page_of(whole)) as three:
            worked_s = time.process_time()
            times = answer_times_s([one, two, three], arguments.rounds)
            worked_s = (time.process_time() - worked_s) / sum(len(everything(measured)) for measured in times)
        print(f"     {worked_s * 1e3:.0f} ms of processor time an answer, client included, first answers too")
        for path in times[0]:
            of_path = [p95(measured[path]) * 1e3 for measured in times]
            beside = f"beside {FEW_DAYS}, {MONTH_DAYS}, {YEAR_DAYS} closed days"
            print(f"     {path}: p95 {', '.join(f'{ms:.0f}' for ms in of_path)} ms {beside}")
        overall = [p95(everything(measured)) for measured in times]
        bars += [
            Bar("API p95 beside 30 days (s)", overall[1], API_BAR_S, at_least=False),
            Bar(
                "API p95 beside 365 closed days over that beside 10",
                overall[2] / overall[0],
                GROWTH_BAR,
                at_least=False,
            ),
        ]
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
