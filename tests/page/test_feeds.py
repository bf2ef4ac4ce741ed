"""Feeds against the ephemeris on the page: the newest fix of each, its verdict in words, on a laptop and a phone."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, PHONE, launched, served
from tests.page.conftest import AUDITED, NEWER, NOW, client_of, publish_comparison, rows_of
from tests.published import publish

from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.tables import POSITION_AUDIT

OFF = {"verdict": "STALE", "error_km": 212.4, "along_track_km": 212.3, "along_track_s": 29.6, "cross_track_km": -1.5}
WORDS = {
    "OK": "OK",
    "STALE": "Stale, as old elements are",
    "FROZEN": "Frozen: it stands still",
    "OFFSET": "Off the track",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip(NO_CHROMIUM)
    with launched() as browser:
        yield browser


def test_the_newest_fix_of_each_feed_is_told_and_of_one_stamp_the_one_furthest_off(filled: Lake):
    second = timedelta(seconds=1)
    rows = [
        AUDITED | {"creation_date": NEWER, "event_time": NOW - age * second, "source": source, "error_km": error_km}
        for age, source, error_km in ((5, "open_notify", 2.0), (5, "open_notify", 9.0), (9, "open_notify", 50.0),
                                      (60, "wheretheiss", 1.0))
    ]  # fmt: skip
    publish(rows_of(POSITION_AUDIT, rows), POSITION_AUDIT, filled.day(POSITION_AUDIT, NOW.date()), filled.staging)

    told = client_of(filled).get("/api/position_audit").json()["rows"]

    assert [(row["source"], row["error_km"], row["age_s"]) for row in told] == [
        ("open_notify", 9.0, 5.0),
        ("wheretheiss", 1.0, 60.0),
    ]


def test_a_lake_in_which_nothing_was_compared_has_no_rows(lake: Lake):
    assert client_of(lake).get("/api/position_audit").json()["rows"] == []


@pytest.mark.parametrize("device", [LAPTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("verdict", WORDS)
def test_a_verdict_is_told_in_words_that_fit_the_screen(browser: Browser, filled: Lake, device: dict, verdict: str):
    publish_comparison(filled, **(OFF | {"verdict": verdict}))
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        page = browser.new_context(**device).new_page()
        page.goto(address)
        row = page.locator("#audit tbody tr").first
        row.wait_for()
        cells = {
            name: row.locator(f"[data-column={name}]") for name in ("verdict", "error_km", "along_track_km", "bound_km")
        }
        texts = {name: cell.inner_text().replace("\u202f", " ") for name, cell in cells.items()}
        boxes = [cell.bounding_box() for cell in cells.values()]
        width = device["viewport"]["width"]
        is_cut = page.evaluate("document.documentElement.scrollWidth") > width
        page.context.close()

    assert texts == {
        "verdict": WORDS[verdict],
        "error_km": "212.4 km",
        "along_track_km": "+212.3 km",
        "bound_km": "17.5 km",
    }
    assert not is_cut
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
