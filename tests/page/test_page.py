"""The page in a real browser: what it shows is what the queries beside it give."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
import uvicorn
from playwright.sync_api import sync_playwright
from tests.page.conftest import NOW

from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.query import connect

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTLED_MS = 4000
"""Virtual time in which every panel has been asked for and drawn."""
HALF_A_UNIT = {3: 0.0005, 2: 0.005, 1: 0.05, 0: 0.5}

pytestmark = pytest.mark.skipif(not BROWSER, reason="no chromium: apt-get install chromium to run this test")


class Shown(HTMLParser):
    """Collects the text of each element with data-column, the queries, and what an id holds."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: dict[str, list[str]] = {}
        self.queries: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.answer = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "link", "img", "br", "input", "base"):
            return
        attributes = dict(attrs)
        self.open.append((tag, attributes))
        if "data-answer" in attributes:
            self.answer = attributes["data-answer"] or ""
        if "data-column" in attributes:
            self.columns.setdefault(attributes["data-column"] or "", []).append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, attributes in self.open:
            if "data-column" in attributes:
                self.columns[attributes["data-column"] or ""][-1] += data
            if tag == "code":
                self.queries[self.answer] = self.queries.get(self.answer, "") + data
            if "id" in attributes:
                name = attributes["id"] or ""
                self.ids[name] = self.ids.get(name, "") + data


def number_in(text: str) -> float:
    found = re.match(r"[+−-]?[\d,]+(\.\d+)?", text.replace("↗", ""))
    assert found, f"{text!r} shows no number"
    return float(found[0].replace(",", "").replace("−", "-"))


@pytest.fixture
def address(filled: Lake) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(create_app(lambda: None, filled.root, lambda: NOW), host="127.0.0.1", port=0, log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


def opened(address: str, tmp_path) -> tuple[Shown, str]:
    """The page as it stands after a few seconds, and what the browser wrote to its console."""
    done = subprocess.run(
        [
            str(BROWSER),
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--virtual-time-budget={SETTLED_MS}",
            "--dump-dom",
            address,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    shown = Shown()
    shown.feed(done.stdout)
    return shown, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_each_number_is_that_of_the_query_beside_it(address: str, filled: Lake, tmp_path):
    shown, console = opened(address, tmp_path)
    database = connect(filled.root)

    def asked(answer: str) -> list[dict]:
        result = database.execute(shown.queries[answer])
        return [dict(zip([c[0] for c in result.description], row, strict=True)) for row in result.fetchall()]

    checked = 0
    for answer, digits_of in {
        "latest": {"velocity_km_s": 3, "distance_to_paris_km": 0},
        "issues": {"state_count": 0, "mass_kg": 0},
        "burns": {"delta_v_m_s": 2, "mean_altitude_before_km": 2, "mean_altitude_after_km": 2, "rise_km": 2},
        "days": {"minutes_seen": 0, "fixes": 0},
    }.items():
        rows = asked(answer)
        for column, digits in digits_of.items():
            texts = shown.columns[column]
            assert len(texts) == len(rows) or answer == "issues"
            for text, row in zip(texts, rows, strict=False):
                assert number_in(text) == pytest.approx(row[column], abs=HALF_A_UNIT[digits]), (column, text)
                checked += 1
    (fix,) = asked("latest")

    assert checked == 4 + 4 + 6
    assert shown.ids["place"].replace("\u00a0", " ") == f"{fix['latitude_deg']:.4f}° N, {-fix['longitude_deg']:.4f}° W"
    assert shown.columns["event_time"] == [f"{fix['event_time']:%Y-%m-%d %H:%M:%S}"]
    assert console == ""


def test_every_panel_shows_its_query(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert set(shown.queries) == {
        "latest", "freshness", "fixes", "windows", "days", "issues", "burns", "altitude", "track",
    }  # fmt: skip


def test_charts_and_map_are_drawn_and_told_in_words(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert "speeds in the last hour" in shown.ids["speed-words"]
    assert "15 orbits" in shown.ids["altitude-words"]
    assert "kilometres up" in shown.ids["map-words"]
    assert "1.13 m/s" in shown.ids["altitude"] or "1.12 m/s" in shown.ids["altitude"]


def test_silent_feed_is_told_in_words(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert "Live feed: stale" in shown.ids["states"]
    assert "stale. The live feed is silent: no micro-batch" in shown.ids["age"]
    assert "The live feed is silent" in shown.ids["announcement"]


@pytest.mark.parametrize("width_px", [360, 390, 768, 1440])
def test_page_is_as_wide_as_the_window(address: str, width_px: int):
    """Wider, and a phone would show it shrunk."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width_px, "height": 800})
        page.goto(address)
        page.locator("#burns tbody tr").first.wait_for()
        page.locator("#altitude .main-svg").first.wait_for()

        assert page.evaluate("document.documentElement.scrollWidth") == width_px
        browser.close()


SEEN_BY_THE_LIBRARY = """
const seen = () => ["#place", "#burns tbody", "#days tbody", "#states"]
  .map((each) => document.querySelector(each)?.textContent.trim().length ?? 0);
let library;
Object.defineProperty(window, "Plotly", {
  get: () => library,
  set: (made) => { library = made; window.seen = seen(); },
});
"""


def test_what_needs_no_chart_is_shown_before_the_chart_library_holds_the_browser_up(address: str):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(SEEN_BY_THE_LIBRARY)
        # Slow answers: the library alone would be there long before.
        page.route("**/api/**", lambda route: (time.sleep(0.2), route.continue_()))
        page.goto(address)
        page.locator("#altitude .main-svg").first.wait_for()

        assert all(page.evaluate("window.seen"))
        browser.close()
