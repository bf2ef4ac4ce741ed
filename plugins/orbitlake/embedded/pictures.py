"""The README's pictures, taken of a running demo: `make demo KEEP=1`, then `make pictures`.

Needs Chromium and tests/requirements.txt.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, sync_playwright

from orbitlake.embedded.__main__ import demo_run
from orbitlake.embedded.airflow_api import Airflow
from orbitlake.embedded.topology import Topology
from orbitlake.settings import CHECKOUT, from_environment

PAST: Final = timedelta(hours=6)
CADENCE: Final = timedelta(seconds=15)
WITHIN_S: Final = 600
ANSWER_MS: Final = 120_000
SETTLED_MS: Final = 5_000
MOST_BYTES: Final = 200_000
LAPTOP: Final = {"width": 1280, "height": 800}
TALL: Final = {"width": 1280, "height": 940}
PHONE: Final = {"width": 390, "height": 844}


def land_the_past(topology: Topology, now: datetime) -> int:
    """Poll the simulated feed for the hours before `now`, as the collector would have; returns the raw records."""
    http = requests.Session()
    when = now - PAST
    count = 0
    while when < now:
        set_clock(http, topology, when)
        fix = http.get(f"{topology.simulator_url}/iss-now.json", timeout=10).json()
        record = {
            "object_id": topology.settings.object_id,
            "source": "open_notify",
            "fetch_time": (when + timedelta(seconds=1)).isoformat().replace("+00:00", "Z"),
            "latency_ms": 200.0,
            "http_status": 200,
            "error": None,
            "latitude": float(fix["iss_position"]["latitude"]),
            "longitude": float(fix["iss_position"]["longitude"]),
            "timestamp": fix["timestamp"],
            "altitude_km": None,
        }
        folder = topology.settings.data / "raw" / "open_notify" / f"date={when:%Y-%m-%d}" / f"hour={when:%H}"
        folder.mkdir(parents=True, exist_ok=True)
        aside = topology.settings.data / "staging" / f"past-{count}.json"
        aside.write_text(json.dumps(record))
        aside.rename(folder / f"{when:%Y%m%dT%H%M%S}-past.json")
        when += CADENCE
        count += 1
    set_clock(http, topology, datetime.now(UTC))
    return count


def pause_collecting(airflow: Airflow) -> None:
    """Let the collector end: a poll of its own while the clock is moved about would be of another time."""
    airflow.pause("collect_positions")
    deadline = time.monotonic() + WITHIN_S
    while {"queued", "scheduled", "running"} & set(airflow.tasks("collect_positions").values()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"collect_positions has not ended within {WITHIN_S} s")
        time.sleep(1)


def set_clock(http: requests.Session, topology: Topology, when: datetime) -> None:
    """Let the simulated time go on from a moment."""
    http.put(f"{topology.simulator_url}/clock", json={"now": when.isoformat()}, timeout=10).raise_for_status()


def await_minutes(airflow: Airflow, wanted: int) -> None:
    """Wait until the page has so many minutes to show, and a fresh fix. Raises TimeoutError."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        minutes = ask(airflow, "windows?hours=6")["rows"]
        fresh = not ask(airflow, "freshness")["stale"]
        if len(minutes) >= wanted and fresh:
            return
        time.sleep(2)
    raise TimeoutError(f"the page has not shown {wanted} minutes and a fresh fix within {WITHIN_S} s")


def ask(airflow: Airflow, question: str) -> dict[str, Any]:
    """An answer of the page's API."""
    answer = airflow.http.get(f"{airflow.url}/position/api/{question}", timeout=60)
    answer.raise_for_status()
    return dict(answer.json())


def logged_in(browser: Browser, topology: Topology) -> Any:
    """What a browser keeps of a login."""
    page = browser.new_page()
    page.goto(topology.airflow_url)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(topology.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{topology.airflow_url}/")
    state = page.context.storage_state()
    page.close()
    return state


def dag_list(page: Page, url: str) -> None:
    """The DAGs and their latest runs."""
    page.goto(f"{url}/dags")
    page.get_by_role("link", name="Stream positions").wait_for()


def trigger_form(page: Page, url: str) -> None:
    """The form of a DAG with parameters."""
    page.goto(f"{url}/dags/collect_positions")
    page.get_by_role("button", name="Trigger Dag").click()
    page.get_by_text("How long this run polls").wait_for()


def asset_graph(page: Page, url: str) -> None:
    """What is made of what, from an asset's own page."""
    page.goto(f"{url}/assets")
    page.get_by_role("link", name="live_positions").first.click()
    page.get_by_text("Task Dependencies").click()
    page.locator(".react-flow__node").filter(has_text="raw_open_notify").wait_for()
    page.locator(".react-flow__controls-fitview").click()


def position_page(page: Page, url: str) -> None:
    """The page within Airflow, with every panel drawn."""
    page.goto(f"{url}/plugin/position")
    await_panels(page.frame_locator("iframe"))


def position_alone(page: Page, url: str) -> None:
    """The page by itself, as a phone would open it."""
    page.goto(f"{url}/position/")
    await_panels(page)


def await_panels(page: Page | FrameLocator) -> None:
    """Wait for the slowest of the panels."""
    for drawn in ("#altitude .line", "#windows .line", "#burns tbody tr", "#map .past[d]"):
        page.locator(drawn).first.wait_for(state="attached")


PICTURES: Final[dict[str, tuple[Callable[[Page, str], None], dict[str, Any]]]] = {
    "dags": (dag_list, {"viewport": LAPTOP}),
    "trigger": (trigger_form, {"viewport": TALL}),
    "assets": (asset_graph, {"viewport": LAPTOP}),
    "page": (position_page, {"viewport": TALL}),
    "page-dark": (position_page, {"viewport": TALL, "color_scheme": "dark"}),
    "page-phone": (position_alone, {"viewport": PHONE, "is_mobile": True, "has_touch": True}),
}


def take(browser: Browser, state: Any, url: str, names: Sequence[str], folder: Path) -> None:
    """Take each picture in a window of its own. Raises ValueError for one that is too large."""
    for name in names:
        show, window = PICTURES[name]
        context: BrowserContext = browser.new_context(storage_state=state, **window)
        page = context.new_page()
        page.set_default_timeout(ANSWER_MS)
        show(page, url)
        # Airflow's own fetches and animations settle after what was waited for.
        page.wait_for_timeout(SETTLED_MS)
        target = folder / f"{name}.png"
        page.screenshot(path=target, animations="disabled")
        context.close()
        size = target.stat().st_size
        print(f"{target.name}: {size:,} bytes")
        if size > MOST_BYTES:
            raise ValueError(f"{target} has {size:,} bytes, more than {MOST_BYTES:,}")


def main() -> int:
    """Fill the page with hours, then take the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="which pictures; all by default")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "pictures")
    parser.add_argument("--as-it-is", action="store_true", help="do not fill the hours before now first")
    arguments = parser.parse_args()
    topology = Topology(
        run=demo_run(CHECKOUT / ".run"),
        settings=from_environment(dict(os.environ) | {"ORBITLAKE_UPSTREAM": "simulator"}),
    )
    if not topology.is_running():
        print("pictures: no demo is running: `make demo KEEP=1` first", file=sys.stderr)
        return 1
    airflow = Airflow(topology.airflow_url, "admin", topology.password)
    airflow.log_in()
    if not arguments.as_it_is:
        pause_collecting(airflow)
        print(f"{land_the_past(topology, datetime.now(UTC))} raw records of the hours before now")
        airflow.unpause("collect_positions")
        await_minutes(airflow, int(PAST / timedelta(minutes=1)) - 5)
    arguments.out.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(
            browser,
            logged_in(browser, topology),
            topology.airflow_url,
            arguments.names or list(PICTURES),
            arguments.out,
        )
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
