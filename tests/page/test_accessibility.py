"""What axe-core finds on the page: nothing serious, wide or narrow, light or dark. npm fetches it."""

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, PHONE, await_panels, launched, served
from tests.page.conftest import NOW, PASSING, people_of
from tests.page.test_liveness import land

from orbitlake.alerts import Board, Condition
from orbitlake.lake import Lake
from orbitlake.page.app import create_app

AXE = "axe-core@4.14.1"
# What passes is not gone into: that takes axe-core longer than to find it.
FOUND = """async (of) => (await axe.run({...of, resultTypes: ['violations']})).violations.map(
  ({id, impact, nodes}) => [id, impact, nodes.map((each) => each.html)],
)"""
GRAVE = ("serious", "critical")
WITHOUT_A_NAME = "document.querySelector('#scrub').removeAttribute('aria-label')"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm: install Node.js to have the page's accessibility checked")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--silent", "--no-save", "--prefix", folder, AXE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"npm cannot fetch {AXE}: {(done.stderr or done.stdout).strip()[-200:]}")
    return (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def address(filled: Lake) -> Iterator[str]:
    """A lake with an alert, a cause, a badge."""
    (filled.root / "upstream.json").write_text('{"upstream": "simulator"}')
    board = Board(filled, (), lambda *_: None)
    board.heed(Condition("feed", "silent", is_wrong=True, clears="a poll with a fix"), NOW)
    for s in range(40, -1, -4):
        land(filled, NOW - timedelta(seconds=s), error=None if s > 30 else "http 502")
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def grave(page: Page) -> list:
    return [each for each in page.evaluate(FOUND, {}) if each[1] in GRAVE]


def names(page: Page) -> list[str]:
    """What is found of a field without a name, by that rule alone."""
    return [each[0] for each in page.evaluate(FOUND, {"runOnly": ["label"]})]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["1280", "390"])
def test_page_has_no_serious_fault(browser: Browser, address: str, axe: str, window: dict, scheme: str):
    with browser.new_page(color_scheme=scheme, **window) as page:
        page.goto(address)
        await_panels(page)
        page.locator("#track-day").select_option("2026-03-05")
        page.locator("#day-query code").wait_for(state="attached")
        page.locator("#alert-list li").wait_for()
        page.evaluate(axe)
        as_it_opens = grave(page)
        for summary in page.locator(".query summary").all():
            summary.click()
        page.locator("#speed").focus()
        page.keyboard.press("End")
        opened = grave(page)

        assert as_it_opens == []
        assert opened == []
        page.evaluate(WITHOUT_A_NAME)
        assert names(page) == ["label"], "the check finds what there is"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [LAPTOP, PHONE], ids=["1280", "390"])
def test_passes_sky_chart_and_calendar_have_no_serious_fault(
    browser: Browser, flown: Lake, axe: str, window: dict, scheme: str
):
    people = people_of("ada")
    with (
        served(create_app(lambda: None, flown.root, lambda: PASSING, people=people)) as address,
        browser.new_page(color_scheme=scheme, **window) as page,
    ):
        page.goto(address)
        page.locator("#sky .seen[d^=M]").wait_for(state="attached")
        page.locator("#calendar-make").click()
        page.locator("#calendar-link").wait_for()
        for summary in page.locator("section:has(#passes-title) .query summary").all():
            summary.click()
        page.evaluate(axe)

        assert grave(page) == []
        page.evaluate("document.querySelector('#calendar-link').removeAttribute('aria-label')")
        assert names(page) == ["label"], "the check finds what there is"
