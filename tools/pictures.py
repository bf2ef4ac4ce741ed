"""The pictures of README and docs, taken of a running demo: `make demo KEEP=1`, then `make pictures`.

Needs Chromium and tests/requirements.txt.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, sync_playwright

from orbitlake.embedded.__main__ import demo_run
from orbitlake.embedded.topology import Topology
from orbitlake.settings import CHECKOUT, from_environment

ANSWER_MS: Final = 120_000
SETTLED_MS: Final = 5_000
MOST_BYTES: Final = 250_000
LAPTOP: Final = {"width": 1280, "height": 800}
TALL: Final = {"width": 1280, "height": 940}
PHONE: Final = {"width": 390, "height": 844}


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
    page.locator(".react-flow__node").first.wait_for()
    # Nodes out of sight are not drawn.
    page.locator(".react-flow__controls-fitview").click()
    page.locator(".react-flow__node").filter(has_text="raw_open_notify").wait_for()


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
    """Take the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="which pictures; all by default")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "pictures")
    arguments = parser.parse_args()
    topology = Topology(
        run=demo_run(CHECKOUT / ".run"),
        settings=from_environment(dict(os.environ) | {"ORBITLAKE_UPSTREAM": "simulator"}),
    )
    if not topology.is_running():
        print("pictures: no demo is running: `make demo KEEP=1` first", file=sys.stderr)
        return 1
    arguments.out.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-headless-shell"), args=["--no-sandbox"]
        )
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
