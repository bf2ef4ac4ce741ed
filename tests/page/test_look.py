"""The look at a page finds what a person would call wrong, and finds nothing where all is well."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, launched, served
from tests.page.conftest import NOW
from tests.page.look import complaints_of, look_at
from tests.page.test_liveness import land, log_batch

from orbitlake.alerts import Board, Condition
from orbitlake.lake import Lake
from orbitlake.page.app import create_app

WITHIN_S = 30
GIVES_UP_AFTER_S = 1

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(**LAPTOP)
    yield context.new_page()
    context.close()


def land_well(lake: Lake) -> None:
    for s in (12, 8, 4):
        land(lake, NOW - timedelta(seconds=s))
    log_batch(lake, NOW - timedelta(seconds=3))


def test_page_of_which_all_is_well_has_no_fault(page: Page, filled: Lake):
    land_well(filled)
    complaints = complaints_of(page)
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        page.goto(address)
        seen = look_at(page, WITHIN_S)

    assert (seen.faults, complaints) == ([], [])
    assert seen.states == ["Feed: fresh", "Stream: at work", "Ephemeris: fresh"]


def test_red_state_stale_fix_and_alert_are_faults(page: Page, filled: Lake):
    for s in range(200, -1, -4):
        land(filled, NOW - timedelta(seconds=s))
    log_batch(filled, NOW - timedelta(seconds=190))
    Board(filled, [], lambda *_: None).heed(Condition("stream", "stopped", is_wrong=True, clears="a batch"), NOW)
    with served(create_app(lambda: None, filled.root, lambda: NOW + timedelta(seconds=20))) as address:
        page.goto(address)
        faults = look_at(page, WITHIN_S).faults

    assert [fault.partition(":")[0] for fault in faults] == ["wrong", "age of the fix is red", "standing alert"]


def test_chart_without_a_line_is_a_fault(page: Page, lake: Lake):
    land_well(lake)
    with served(create_app(lambda: None, lake.root, lambda: NOW)) as address:
        page.goto(address)
        faults = look_at(page, GIVES_UP_AFTER_S).faults

    assert [fault for fault in faults if fault.startswith("not drawn")] == [
        *("not drawn: ground speed", "not drawn: minute by minute", "not drawn: altitude"),
        "not drawn: ground track",
    ]
    assert [fault for fault in faults if fault.startswith("empty")] == [
        *("empty chart: speed", "empty chart: windows", "empty chart: altitude"),
    ]


def test_errors_of_the_console_and_exceptions_are_complaints(page: Page, filled: Lake):
    complaints = complaints_of(page)
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        page.goto(address)
        look_at(page, WITHIN_S)
        page.evaluate("fetch('no-such-file')")
        page.evaluate("setTimeout(() => { throw new Error('lost'); })")
        page.wait_for_timeout(500)

    assert sorted(each.partition(":")[0] for each in complaints) == ["console", "exception"]
