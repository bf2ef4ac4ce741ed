"""Passes on the page in use: a site is chosen, a pass looked at, a calendar subscribed to; what is said without."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from playwright.sync_api import Browser, Page, expect
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, PHONE, launched, served
from tests.page.conftest import AGDE, PASSING, people_of
from tests.page.test_passes import change_next_pass

from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.page.calendars import People

ANSWER_MS = 30_000
HOSTILE = '<img src=x onerror="document.title=1">'

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=ANSWER_MS)
    with launched() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of a lake at a moment; an error on its console fails the test."""
    errors: list[str] = []
    with ExitStack() as closing:

        def opened(
            lake: Lake, now: datetime = PASSING, *, query: str = "", people: People | None = None, **window: Any
        ) -> Page:
            address = closing.enter_context(served(create_app(lambda: None, lake.root, lambda: now, people=people)))
            context = browser.new_context(**(LAPTOP | window))
            closing.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(ANSWER_MS)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.goto(f"{address}{query}")
            return page

        yield opened
    assert errors == []


def cells(page: Page, nth: int = 0) -> list[str]:
    """The cells of a pass in the table."""
    return page.locator("#passes tr[data-pass]").nth(nth).locator("td").all_inner_texts()


def test_passes_are_told_in_the_time_of_the_site_and_in_utc(open_page, flown: Lake):
    page = open_page(flown)

    expect(page.locator("#passes-words")).to_have_text(
        "Tonight: 4 passes, 2 to be seen; the best from 17:57, up to 66°, magnitude −3.8."
    )
    expect(page.locator("#passes-zone")).to_contain_text("Europe/Paris (CET)")
    rises, highest, sets, seen, sure, told = cells(page)
    assert rises.split("\n") == ["17:57:58", "16:57:58 UTC", "W 262°"]
    assert highest.split("\n") == ["66° up", "18:01:19", "NNW 346°"]
    assert sets.split("\n") == ["18:04:40", "17:04:40 UTC", "ENE 69°"]
    assert seen.split("\n") == ["visible, −3.8 mag", "17:57:58 to 18:04:05", "up to 66°"]
    assert (sure, told) == ("not known", "told for the first time\nissue of 2026-11-20")
    assert [cells(page, nth)[3] for nth in (2, 4, 5)] == ["no: in the Earth’s shadow", "no: daylight", "no: twilight"]
    expect(page.locator("#passes .day")).to_have_text(
        ["Friday 20 November", "Saturday 21 November", "Sunday 22 November"]
    )
    expect(page.locator("#passes abbr").first).to_have_attribute("title", "west")


def test_site_and_visible_ones_are_kept_in_the_address(open_page, flown: Lake):
    page = open_page(flown)
    expect(page.locator("#passes tr[data-pass]")).to_have_count(10)
    before = cells(page)

    page.locator("#site").select_option(AGDE.name)
    expect(page.locator("#sky-when")).to_contain_text(AGDE.name)
    page.locator("#visible-only").check()
    expect(page.locator("#passes .visible")).to_have_count(10)
    page.reload()
    expect(page.locator("#passes .visible")).to_have_count(10)

    assert re.search(r"\?site=Cap\+d%27Agde&visible=true$", page.url)
    assert page.locator("#site").input_value() == AGDE.name
    assert page.locator("#visible-only").is_checked()
    assert cells(page) != before
    assert "site = 'Cap d''Agde'" in page.locator("[data-answer=passes] code").text_content()


def test_hostile_names_are_words(open_page, flown: Lake):
    page = open_page(flown, query=f"?site={urllib.request.quote(HOSTILE)}")

    expect(page.locator("#site-note")).to_have_text(f"No site is called “{HOSTILE}”: this is Paris.")
    assert page.title() == "Position"
    # It would ask on for a site that is gone.
    page.close()
    (flown.root / "sites.toml").unlink()
    (flown.root / "sites.toml").write_text(f"[[sites]]\nname = '{HOSTILE}'\n")
    page = open_page(flown)
    expect(page.locator("#site-note")).to_contain_text(
        "The file of sites cannot be used: sites.toml:1: site 1: name is"
    )
    expect(page.locator("#site-note img")).to_have_count(0)
    expect(page.locator("#passes-panel")).to_be_hidden()
    assert page.title() == "Position"


def test_sky_chart_shows_the_pass_that_is_chosen_and_says_it_in_words(open_page, flown: Lake):
    page = open_page(flown)
    expect(page.locator("#sky-words")).to_have_text(
        "Rises at 17:57:58 in the west (262°), is highest at 18:01:19 in the north-northwest (346°), 66° up and "
        "458\u202fkm away, sets at 18:04:40 in the east-northeast (69°). "
        "To be seen from 17:57:58 to 18:04:05, up to 66°."
    )
    numbers = [float(number) for number in re.findall(r"-?[0-9.]+", page.locator("#sky .way").first.get_attribute("d"))]
    first, last = numbers[:2], numbers[-2:]
    # West is on the right, as one looks up; 10 degrees high is 8/9 of the way to the edge.
    assert first[0] == pytest.approx(88, abs=1)
    assert first[1] == pytest.approx(12, abs=1)
    assert last[0] < -80
    assert last[1] < -30
    expect(page.locator("#sky .here")).to_be_visible()

    page.locator("#passes .pass").nth(1).click()

    expect(page.locator("#sky-words")).to_contain_text("To be seen from 19:35:05 to 19:37:02, up to 30°.")
    expect(page.locator("#passes .pass[aria-pressed=true]")).to_have_text("19:35:05")
    expect(page.locator("#sky .here")).to_be_hidden()
    whole, seen = (len(page.locator(f"#sky {each}").first.get_attribute("d")) for each in (".way", ".seen"))
    assert 0 < seen < 0.6 * whole
    page.locator("#passes .pass").nth(2).click()
    expect(page.locator("#sky .seen")).to_have_attribute("d", "")
    expect(page.locator("#sky-words")).to_contain_text("Not to be seen: in the Earth’s shadow.")


def test_pass_under_way_is_highlighted_on_the_map_and_no_other(open_page, flown: Lake):
    page = open_page(flown)
    expect(page.locator("#map .pass")).to_have_attribute("d", re.compile("^M-15.51 -45.67L"))
    expect(page.locator("#pass-note")).to_have_text("A pass over Paris is under way: its ground track is highlighted.")

    later = open_page(flown, PASSING + timedelta(minutes=30))

    expect(later.locator("#sky .way").first).to_have_attribute("d", re.compile("^M"))
    expect(later.locator("#map .pass")).to_have_attribute("d", "")
    expect(later.locator("#pass-note")).to_be_hidden()


def test_what_the_last_issue_changed_is_told(open_page, flown: Lake):
    change_next_pass(flown, status="MOVED", revision=2, shift_s=-12.34, time_p90_s=35.4, burn_between=True)
    page = open_page(flown)
    expect(page.locator("#passes tr[data-pass]")).to_have_count(10)

    *_, sure, told = cells(page)

    assert sure.split("\n") == ["± 35 s", "a burn before it"]
    assert told.split("\n") == ["moved by −12.3\u202fs", "revision 2"]
    change_next_pass(flown, status="CANCELLED", revision=3, shift_s=None)
    page = open_page(flown)
    expect(page.locator("#passes tr.cancelled")).to_contain_text("cancelled: it comes no more")
    expect(page.locator("#passes .pass[aria-pressed=true]")).to_have_text("19:35:05")


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (timedelta(days=6), "This prediction is old: the newest issue was created 6.0 days ago"),
        (timedelta(days=14), "NASA’s newest issue ends at 2026-12-05 12:00 UTC: nothing is known of what comes after."),
        (timedelta(days=15), "NASA’s newest issue ended at 2026-12-05 12:00 UTC"),
    ],
    ids=str,
)
def test_old_predictions_and_their_end_are_told(open_page, flown: Lake, later: timedelta, words: str):
    expect(open_page(flown, PASSING + later).locator("#passes-note")).to_contain_text(words)


def test_lake_without_issue_pass_or_site_says_what_is_missing(open_page, flown: Lake, lake: Lake):
    expect(open_page(lake).locator("#passes-note")).to_have_text(
        "No issue of the ephemeris has been ingested yet: ingest_oem brings one each day."
    )
    (flown.root / "sites.toml").unlink()
    (flown.root / "sites.toml").write_text(
        '[[sites]]\nname = "Quito"\nlatitude_deg = -0.2\nlongitude_deg = -78.5\ntime_zone = "America/Guayaquil"\n'
    )
    expect(open_page(flown).locator("#passes-note")).to_contain_text("No pass over Quito has been predicted yet")
    (flown.root / "sites.toml").write_text("")
    page = open_page(flown)
    expect(page.locator("#site-note")).to_have_text(
        "sites.toml names no site: add one with the form of the DAG predict_passes."
    )
    expect(page.locator("#calendar")).to_be_hidden()


def status_of(link: str) -> int:
    try:
        with urllib.request.urlopen(link) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_calendar_is_subscribed_to_by_a_link_until_it_is_revoked(open_page, flown: Lake):
    page = open_page(flown, people=people_of("ada"))
    page.locator("#calendar-elevation").fill("40")
    page.locator("#calendar-make").click()
    expect(page.locator("#calendar-state")).to_contain_text("This link is a secret")
    link = page.locator("#calendar-link").input_value()

    with urllib.request.urlopen(link) as answer:
        events = Calendar.from_ical(answer.read()).walk("VEVENT")
    assert events
    with page.expect_download() as download:
        page.locator("#calendar-download").click()
    assert download.value.suggested_filename == "passes_1998-067A_Paris.ics"
    assert len(Calendar.from_ical(download.value.path().read_bytes()).walk("VEVENT")) == len(events)
    page.locator("#calendar-visible").uncheck()
    expect(page.locator("#calendar-made")).to_be_hidden()
    assert status_of(link) == 200
    page.locator("#calendar-revoke").click()
    expect(page.locator("#calendar-state")).to_have_text("All calendar links that you made are void now.")
    assert status_of(link) == 403


def test_login_that_cannot_vouch_offers_the_download_alone(browser: Browser, flown: Lake):
    with served(create_app(lambda: None, flown.root, lambda: PASSING)) as address:
        page = browser.new_context(**LAPTOP).new_page()
        page.goto(address)
        page.locator("#calendar-make").click()

        expect(page.locator("#calendar-state")).to_contain_text("Links are not offered here")
        expect(page.locator("#calendar-made")).to_be_hidden()
        expect(page.locator("#calendar-download")).to_be_visible()
        page.context.close()


def test_nothing_is_wider_than_a_phone(open_page, flown: Lake):
    page = open_page(flown, people=people_of("ada"), **PHONE)
    expect(page.locator("#passes tr[data-pass]")).to_have_count(10)
    page.locator("#calendar-make").click()
    expect(page.locator("#calendar-made")).to_be_visible()
    page.locator("#commands summary").click()

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
    # The chart stands above the table: a pass that is chosen further down brings it into view.
    page.locator("#passes .pass").nth(8).click()
    expect(page.locator("#sky")).to_be_in_viewport()
