"""The page in use: keys and buttons, a finger on a phone, a network that goes away, a session that ends."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.page.browser import CHROMIUM, LAPTOP, NO_CHROMIUM, PHONE, await_panels, launched, served
from tests.page.conftest import FIX, NOW, rows_of
from tests.page.test_liveness import land, log_batch
from tests.published import publish

from orbitlake.alerts import Board, Condition
from orbitlake.lake import Lake
from orbitlake.page.app import create_app
from orbitlake.tables import OEM_ISSUES, POSITIONS

CHECKOUT = Path(__file__).resolve().parents[2]
ANSWER_MS = 30_000
SOON_S, OFTEN_S, SELDOM_S = 5, 15, 60
"""How often the page asks for what changes fast, for most of the rest (an answer is too old then), and for tables."""
LEAST_TARGET_PX = 24
LEAST_TOUCH_PX = 44
SIZES = """() => [...document.querySelectorAll('button, select, summary, input, a:not(.skip)')]
  .filter((each) => each.checkVisibility({ visibilityProperty: true }))
  .map((each) => [each.id || each.textContent, each.getBoundingClientRect()])
  .map(([name, box]) => [name, box.width, box.height])"""

pytestmark = pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # A question is asked each 5 s, some each minute.
    expect.set_options(timeout=ANSWER_MS)
    with launched() as browser:
        yield browser


@pytest.fixture
def address(filled: Lake) -> Iterator[str]:
    """A lake of which all is well."""
    for s in (12, 8, 4):
        land(filled, NOW - timedelta(seconds=s))
    log_batch(filled, NOW - timedelta(seconds=3))
    with served(create_app(lambda: None, filled.root, lambda: NOW)) as address:
        yield address


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens the page in a window of its own; an error on its console fails the test."""
    contexts, errors = [], []

    def opened(*, wait: bool = True, may_fail: bool = False, **window: Any) -> Page:
        contexts.append(browser.new_context(**(LAPTOP | window)))
        page = contexts[-1].new_page()
        page.clock.install()
        page.set_default_timeout(ANSWER_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        if not may_fail:
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        if wait:
            await_panels(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def pass_time(page: Page, seconds: int) -> None:
    """Let that much time pass for the page at once: what it does at intervals is done, and answers grow old."""
    page.clock.fast_forward(seconds * 1000)


def view_of(page: Page) -> list[float]:
    return [float(number) for number in page.locator("#map").get_attribute("viewBox").split()]


def test_map_zooms_and_moves_by_buttons_and_by_keys_and_never_leaves_the_world(open_page):
    page = open_page()
    assert view_of(page) == [-180, -90, 360, 180]
    assert page.locator("#west").is_disabled()

    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Move east").click()
    by_button = view_of(page)
    page.get_by_role("button", name="Whole world").click()
    page.locator("#map-box").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")

    assert view_of(page) == by_button
    assert by_button[2] == pytest.approx(225)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    west, north, width, height = view_of(page)
    assert (west + width, north + height) == pytest.approx((180, 90))
    page.keyboard.press("0")
    assert view_of(page) == [-180, -90, 360, 180]


def test_map_is_moved_by_a_pointer_and_keeps_the_place_below_it(open_page):
    page = open_page()
    page.locator("#zoom-in").click()
    page.locator("#zoom-in").click()
    box = page.locator("#map").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = view_of(page)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1] + 20)
    page.mouse.up()
    after = view_of(page)

    degrees_a_pixel = before[2] / box["width"]
    assert after[0] == pytest.approx(before[0] - 50 * degrees_a_pixel, abs=0.1)
    assert after[1] == pytest.approx(before[1] - 20 * degrees_a_pixel, abs=0.1)


def test_time_of_the_map_is_scrubbed_by_keys_and_buttons_and_goes_back_to_now(open_page):
    page = open_page()
    night = page.locator("#map .night").get_attribute("d")
    expect(page.locator("#scrub-time")).to_have_text("now")
    page.locator("#scrub").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#scrub-time")).to_have_text(
        re.compile(r"^2026-03-05 12:01 UTC: \d+\.\d° [NS], \d+\.\d° [EW]$")
    )
    page.get_by_role("button", name="+10 min").click()
    expect(page.locator("#scrub-time")).to_contain_text("2026-03-05 12:11 UTC")
    spot = page.locator("#map .expected").get_attribute("cx")
    page.get_by_role("button", name="−10 min").click()

    assert page.locator("#map .expected").get_attribute("cx") != spot
    assert page.locator("#map .night").get_attribute("d") != night
    assert page.locator("#scrub").get_attribute("aria-valuetext").startswith("2026-03-05 12:01 UTC, ")
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.locator("#scrub-time")).to_have_text("now")


def test_track_of_a_chosen_day_is_drawn_and_scrubbed_with_its_query(open_page):
    page = open_page()
    page.locator("#track-day").select_option("2026-03-05")
    expect(page.locator("#day-note")).to_contain_text("100 fixes of 2026-03-05")
    expect(page.locator("#scrub-time")).to_contain_text("2026-03-05 11:59 UTC: 10.5° N, 20.3° W")
    path = page.locator("#map .track.day").get_attribute("d")
    for _ in range(8):
        page.get_by_role("button", name="−10 min").click()

    assert path.count("M") == 2, "the line breaks where 20 minutes were not seen"
    expect(page.locator("#scrub-time")).to_contain_text("2026-03-05 10:39 UTC: no fix in this minute")
    assert "QUALIFY" in page.locator("#day-query code").text_content()
    page.get_by_role("button", name="Now", exact=True).click()
    assert page.locator("#map .track.day").get_attribute("d") == ""
    expect(page.locator("#track-day")).to_have_value("")


def test_map_stays_drawn_and_moves_without_a_network(open_page):
    page = open_page(may_fail=True)
    page.context.set_offline(True)
    pass_time(page, SOON_S)
    expect(page.locator("#connection")).to_be_visible()
    land_before = page.locator("#map .land path").count()
    page.locator("#zoom-in").click()
    page.locator("#later").click()

    assert land_before == 3
    assert page.locator("#map .next").get_attribute("d")
    assert view_of(page)[2] == pytest.approx(225)
    expect(page.locator("#scrub-time")).to_contain_text("UTC: ")


def test_coastline_that_did_not_come_is_asked_for_again(browser: Browser, address: str):
    page = browser.new_context(**LAPTOP).new_page()
    refused: list[str] = []

    def once(route: Route) -> None:
        if len(refused) < 2:
            refused.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    page.route("**/coastline.json", once)
    page.clock.install()
    with page.expect_event("requestfailed"):
        page.goto(address)
    with page.expect_event("requestfailed"):
        pass_time(page, SOON_S)
    pass_time(page, SOON_S)
    page.locator("#map .land path").first.wait_for(state="attached")

    assert len(refused) == 2
    page.context.close()


@pytest.mark.parametrize("chart", ["speed", "windows", "altitude"])
def test_values_of_a_chart_are_read_by_keys(open_page, chart: str):
    page = open_page()
    slider = page.locator(f"#{chart}")
    slider.focus()
    page.keyboard.press("End")
    last = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")

    assert re.match(r"2026-03-0\d \d\d:\d\d:\d\d UTC: ", last)
    assert slider.get_attribute("aria-valuetext") != last
    expect(slider.locator(".reading")).to_have_text(slider.get_attribute("aria-valuetext"))
    expect(slider.locator(".cursor")).to_be_visible()
    page.keyboard.press("Escape")
    expect(slider.locator(".reading")).to_have_text("")


def test_minute_still_filling_is_drawn_apart_and_no_line_runs_to_it(filled: Lake, browser: Browser):
    """At 11:59:40 the last minute has 20 s to go."""
    now = NOW - timedelta(seconds=30)
    with served(create_app(lambda: None, filled.root, lambda: now)) as address:
        page = browser.new_context(**LAPTOP).new_page()
        page.goto(address)
        await_panels(page)

        assert page.locator("#windows .bars.filling").get_attribute("d").count("M") == 1
        expect(page.locator("#windows-words")).to_contain_text("99 whole minutes in the last 6 hours")
        page.locator("#windows").focus()
        page.keyboard.press("End")
        expect(page.locator("#windows .reading")).to_contain_text("11:59:00 UTC: still filling, 2 fixes so far")
        page.context.close()


def test_line_of_a_chart_breaks_where_nothing_was_seen(open_page):
    page = open_page()

    assert page.locator("#windows .line").get_attribute("d").count("M") == 2


def test_every_chart_has_a_legend(open_page):
    page = open_page()

    for chart in ("speed", "windows", "altitude"):
        expect(page.locator(f"#{chart} + .legend")).to_be_visible()
        assert page.locator(f"#{chart} + .legend li").count() >= 2


@pytest.mark.parametrize("width_px", [390, 1280])
def test_query_that_is_opened_leaves_the_chart_above_it_as_it_was(open_page, width_px: int):
    page = open_page(viewport={"width": width_px, "height": 900})
    for chart, answer in (("speed", "fixes"), ("windows", "windows"), ("altitude", "altitude")):
        before = page.locator(f"#{chart}").bounding_box()
        page.locator(f".query[data-answer={answer}] summary").click()
        page.locator(f".query[data-answer={answer}] pre").first.wait_for()
        after = page.locator(f"#{chart}").bounding_box()

        assert (after["width"], after["height"]) == (before["width"], before["height"]), chart
        assert page.locator(f"#{chart} svg").bounding_box()["width"] <= after["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == width_px


def test_query_box_says_where_to_run_it_and_its_command_runs(open_page, filled: Lake):
    page = open_page()
    page.locator(".query[data-answer=days] summary").click()
    box = page.locator(".query[data-answer=days]")
    command = box.locator("pre[aria-label=Command]").text_content()
    sql = box.locator("code").text_content()
    done = subprocess.run(
        ["bash", "-c", command.replace(" python ", f" {sys.executable} ")],
        input=sql, env={"ORBITLAKE_DATA": str(filled.root), "PATH": "/usr/bin:/bin"}, cwd=CHECKOUT,
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "orbitlake.query.connect().sql(…)" in box.text_content()
    assert done.stdout.count("2026-03-0") >= 3


def test_track_says_that_it_is_interpolated_and_by_which_call(open_page):
    page = open_page()

    assert "The page interpolates" in page.locator(".query[data-answer=track]").text_content()
    assert "read_track('1998-067A'" in page.locator(".query[data-answer=track] .call").text_content()


@pytest.mark.parametrize(("window", "least_px"), [(LAPTOP, LEAST_TARGET_PX), (PHONE, LEAST_TOUCH_PX)])
def test_what_is_clicked_is_large_enough(open_page, window: dict, least_px: int):
    page = open_page(**window)
    page.locator("#track-day").select_option("2026-03-05")
    page.locator(".query[data-answer=fixes] summary").click()
    sizes = page.evaluate(SIZES)

    assert len(sizes) > 20
    assert [size for size in sizes if min(size[1:]) < least_px] == []


@pytest.mark.parametrize("width_px", [360, 390])
def test_no_table_is_cut_on_a_phone(open_page, width_px: int):
    page = open_page(**(PHONE | {"viewport": {"width": width_px, "height": 800}}))

    for table in page.locator(".table").all():
        assert table.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    assert page.locator("#days [data-column=last_event_time]").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width_px


def fail_with(page: Page, status: int, body: Any = None, only: str = "*") -> None:
    page.route(
        f"**/api/{only}?*",
        lambda route: route.fulfill(status=status, content_type="application/json", body=json.dumps(body or {})),
    )


LEVELS = "[...document.querySelectorAll('#states li')].map((each) => each.dataset.level)"


SIGNED_OUT = (
    r"^You have been signed out \(noticed at \d\d:\d\d:\d\d UTC\): sign in again; "
    r"until then this page shows what it last knew\.$"
)
FORBIDDEN = (
    r"^You may not read this page's data: ask an administrator for the right to read assets, "
    r"or sign in again as someone who may\.$"
)
BROKEN = (
    r"^The server has answered with an error since \d\d:\d\d:\d\d UTC "
    r"\(500 to \w+: b\.parquet: positions of version 9\): "
    r"its log tells more; this page keeps asking and shows what it last knew\.$"
)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, {"detail": "Not authenticated"}, SIGNED_OUT),
        (403, {"detail": "Forbidden"}, FORBIDDEN),
        (500, {"detail": "b.parquet: positions of version 9"}, BROKEN),
    ],
)
def test_page_that_is_refused_says_so_in_one_sentence_and_calls_nothing_wrong(open_page, status, body, sentence: str):
    page = open_page(may_fail=True)
    assert page.evaluate(LEVELS) == ["ok", "ok", "ok"]
    fail_with(page, status, body)
    pass_time(page, OFTEN_S + 1)

    expect(page.locator("#connection")).to_have_text(re.compile(sentence))
    expect(page.locator("#states")).to_contain_text(re.compile(r"Feed: unknown since 12:00:\d\d UTC"))
    assert page.evaluate(LEVELS) == ["unknown"] * 3
    assert page.locator("#states [data-level=wrong]").count() == 0
    assert "wrong" not in page.locator("#causes").inner_html()

    page.unroute("**/api/*?*")
    pass_time(page, OFTEN_S)
    expect(page.locator("#connection")).to_be_hidden()
    assert page.evaluate(LEVELS) == ["ok", "ok", "ok"]


def test_page_without_a_network_says_so_in_one_sentence(open_page):
    page = open_page(may_fail=True)
    page.context.set_offline(True)
    pass_time(page, OFTEN_S + 1)

    expect(page.locator("#connection")).to_have_text(
        re.compile(
            r"^The server has not answered since \d\d:\d\d:\d\d UTC: check your network, and whether Airflow runs; "
        )
    )
    expect(page.locator("#states")).to_contain_text("Stream: unknown since 12:00:")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden()


def test_page_that_never_had_an_answer_knows_nothing(browser: Browser, address: str):
    page = browser.new_context(**LAPTOP).new_page()
    fail_with(page, 500)
    page.goto(address)

    expect(page.locator("#states")).to_contain_text("Feed: unknown")
    assert page.evaluate(LEVELS) == ["unknown"] * 3
    page.context.close()


def test_one_question_that_fails_makes_no_verdict_unknown(open_page):
    page = open_page(may_fail=True)
    fail_with(page, 500, only="track")
    pass_time(page, OFTEN_S)

    expect(page.locator("#connection")).to_contain_text("(500 to track)")
    for _ in range(SOON_S + 1):
        pass_time(page, 1)
    assert page.evaluate(LEVELS) == ["ok", "ok", "ok"]


def test_question_that_failed_is_asked_again_soon_however_seldom_it_is_asked_else(open_page):
    page = open_page(may_fail=True)
    fail_with(page, 500, only="days")
    pass_time(page, SELDOM_S)
    expect(page.locator("#connection")).to_contain_text("(500 to days)")
    page.unroute("**/api/days?*")
    pass_time(page, SOON_S)

    expect(page.locator("#connection")).to_be_hidden(timeout=10_000)


def test_simulated_data_bears_a_badge(open_page, filled: Lake):
    (filled.root / "upstream.json").write_text('{"upstream": "simulator"}')

    expect(open_page().locator("#upstream")).to_have_text("Simulated data")


def test_replayed_data_bears_a_badge(open_page, filled: Lake):
    (filled.root / "upstream.json").write_text('{"upstream": "replay of /data/<b>x</b>"}')
    page = open_page()

    expect(page.locator("#upstream")).to_have_text("Replayed data")
    assert page.locator("#upstream").get_attribute("title").endswith("replay of /data/<b>x</b>")


def test_real_data_bears_none(open_page):
    expect(open_page().locator("#upstream")).to_be_hidden()


def test_alert_that_stands_is_shown_with_since_when_and_what_clears_it(open_page, filled: Lake):
    board = Board(filled, (), lambda *_: None)
    board.heed(Condition("failed-compact_positions-2026-03-03", "the disk <img src=x> is full", is_wrong=True,
                         clears="a success of compact_positions for 2026-03-03"), NOW)  # fmt: skip
    page = open_page()

    expect(page.locator("#alerts")).to_be_visible()
    expect(page.locator("#alert-list li")).to_have_count(1)
    expect(page.locator("#alert-list")).to_contain_text(
        "failed-compact_positions-2026-03-03 since 2026-03-05 12:00:10 UTC"
    )
    expect(page.locator("#alert-list")).to_contain_text("the disk <img src=x> is full")
    expect(page.locator("#alert-list")).to_contain_text("Cleared by a success of compact_positions for 2026-03-03.")
    board.heed(Condition("failed-compact_positions-2026-03-03", "", is_wrong=False), NOW)
    pass_time(page, SOON_S)
    expect(page.locator("#alerts")).to_be_hidden()


def test_names_of_any_characters_are_shown_as_they_are(open_page, filled: Lake):
    from tests.page.conftest import ISSUE, NEWER

    name = "SL-16 R/B <b onmouseover=alert(1)>&amp;"
    span = {"start_time": NOW - timedelta(hours=12), "stop_time": NOW + timedelta(hours=12)}
    row = ISSUE | span | {"creation_date": NEWER, "state_count": 1, "object_name": name}
    publish(rows_of(OEM_ISSUES, [row]), OEM_ISSUES, filled.issue(OEM_ISSUES, "1998-067A", NEWER), filled.staging)
    fix = FIX | {"event_time": NOW, "source": "a/b <i>"}
    publish(
        rows_of(POSITIONS, [fix]),
        POSITIONS,
        filled.live(POSITIONS) / "date=2026-03-05" / "2359-0.parquet",
        filled.staging,
    )
    page = open_page()

    expect(page.locator("#object")).to_have_text(f"{name} · 1998-067A")
    expect(page.locator("#facts [data-column=object_id]")).to_have_text(f"{name} 1998-067A")
    expect(page.locator("#fix [data-column=source]")).to_have_text("a/b <i>")


def test_one_minute_is_one_minute(browser: Browser, filled: Lake):
    now = NOW - timedelta(hours=1, minutes=58, seconds=10)
    with served(create_app(lambda: None, filled.root, lambda: now)) as address:
        page = browser.new_context(**LAPTOP).new_page()
        page.goto(address)

        expect(page.locator("#windows-words")).to_contain_text("1 whole minute in the last 6 hours: ")
        page.context.close()
