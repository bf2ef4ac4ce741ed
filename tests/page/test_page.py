"""The page in a real browser: what it shows is what the queries beside it give."""

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, await_panels, launched, served
from tests.page.conftest import NOW

from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.query import connect

SETTLED_MS = 4000
"""Virtual time in which every panel has been asked for and drawn."""
HALF_A_UNIT = {3: 0.0005, 2: 0.005, 1: 0.05, 0: 0.5}

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


class Shown(HTMLParser):
    """Collects the text of each element with data-column, by the table or list it is in; queries; what an id holds."""

    def __init__(self) -> None:
        super().__init__()
        self.columns: dict[tuple[str, str], list[str]] = {}
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
            self.columns.setdefault(self.place(attributes), []).append("")

    def place(self, attributes: dict[str, str | None]) -> tuple[str, str]:
        """The id of what holds an element with data-column, and the column."""
        around = [outer["id"] or "" for tag, outer in self.open if tag in ("table", "dl") and "id" in outer]
        return around[-1], attributes["data-column"] or ""

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, attributes in self.open:
            if "data-column" in attributes:
                self.columns[self.place(attributes)][-1] += data
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
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        yield address


def opened(address: str, tmp_path) -> tuple[Shown, str]:
    """The page as it stands after a few seconds, and what the browser wrote to its console."""
    done = subprocess.run(
        [
            str(CHROMIUM),
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
    for (answer, place), digits_of in {
        ("latest", "fix"): {"velocity_km_s": 3, "distance_to_paris_km": 0},
        ("issues", "facts"): {"state_count": 0, "mass_kg": 0},
        ("burns", "burns"): dict.fromkeys(
            ("delta_v_m_s", "mean_altitude_before_km", "mean_altitude_after_km", "rise_km"), 2
        ),
        ("burn_history", "ledger"): {"delta_v_m_s": 2},
        ("days", "days"): {"minutes_seen": 0, "fixes": 0},
        ("position_audit", "audit"): dict.fromkeys(
            ("error_km", "along_track_km", "along_track_s", "cross_track_km", "bound_km"), 1
        ),
    }.items():
        rows = asked(answer)
        for column, digits in digits_of.items():
            texts = shown.columns[place, column]
            assert len(texts) == len(rows) or answer == "issues"
            for text, row in zip(texts, rows, strict=False):
                assert number_in(text) == pytest.approx(row[column], abs=HALF_A_UNIT[digits]), (column, text)
                checked += 1
    (fix,) = asked("latest")

    assert checked == 4 + 4 + 2 + 6 + 5
    assert shown.ids["place"].replace("\u00a0", " ") == f"{fix['latitude_deg']:.4f}° N, {-fix['longitude_deg']:.4f}° W"
    assert shown.columns["fix", "event_time"] == [f"{fix['event_time']:%Y-%m-%d %H:%M:%S}"]
    assert console == ""


def test_every_panel_shows_its_query(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert set(shown.queries) == {
        "latest", "freshness", "fixes", "windows", "days", "issues", "burns", "altitude", "track",
        "burn_history", "prediction_error", "gaps", "position_audit", "passes",
    }  # fmt: skip


def test_charts_and_map_are_drawn_and_told_in_words(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert "119 speeds in the last hour" in shown.ids["speed-words"]
    assert "15 orbits" in shown.ids["altitude-words"]
    assert "kilometres up" in shown.ids["map-words"]
    assert "1.13\u202fm/s" in shown.ids["altitude"] or "1.12\u202fm/s" in shown.ids["altitude"]


def test_lake_that_nothing_was_polled_for_is_told_in_words(address: str, tmp_path):
    shown, _ = opened(address, tmp_path)

    assert "Feed: nothing yet" in shown.ids["states"]
    assert (
        "Feed, nothing yet: nothing was polled yet. It ends with the first poll of collect_positions."
        in shown.ids["causes"]
    )
    assert re.search(r"4\d s ago; feed: nothing yet", shown.ids["age"])


@pytest.mark.parametrize("width_px", [360, 390, 768, 1440])
def test_page_is_as_wide_as_the_window(address: str, width_px: int):
    """Wider, and a phone would show it shrunk."""
    with launched() as browser:
        page = browser.new_context(**(LAPTOP | {"viewport": {"width": width_px, "height": 800}})).new_page()
        page.goto(address)
        await_panels(page)

        assert page.evaluate("document.documentElement.scrollWidth") == width_px
