"""The web UI as a newcomer meets it: log in, trigger, look at the page, backfill, find what failed, run it again."""

import gzip
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
import requests
from icalendar import Calendar
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import POLL_S, WITHIN_S, await_owed_run
from tests.page.browser import CHROMIUM, NO_CHROMIUM, launched, log_in
from tests.page.conftest import FIX, rows_of
from tests.published import publish

from orbitlake import query
from orbitlake.embedded.airflow_api import FINAL, Airflow
from orbitlake.embedded.topology import Topology
from orbitlake.lake import Lake
from orbitlake.oem.ingest.settle import settle
from orbitlake.tables import POSITION_TABLES, POSITIONS, TRAJECTORY

ANSWER_MS = 60_000
NOW = datetime.now(UTC)
DAYS = [NOW.date() - timedelta(days=back) for back in (41, 40)]
"""Long enough ago for no other test, and no panel of the page, to look at them."""
STILL = """document.addEventListener('DOMContentLoaded', () => {
  const style = document.createElement('style')
  style.textContent = '*, *::before, *::after { animation: none !important; transition: none !important }'
  document.head.append(style)
})"""
"""Without a GPU the web UI's spinners take a fifth of a processor as long as a run is watched."""
NOWHERE = "about:blank"
RUN_PAGE = re.compile(r"/dags/(\w+)/runs/([^/?]+)")
SITE = "Cap d'Agde"
DAMAGED = DAYS[-1]
"""The last: a day is derived with the last minutes of the day before, so that the next one would fail as well."""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not CHROMIUM, reason=NO_CHROMIUM),
]


@pytest.fixture(scope="module")
def window(topology: Topology) -> Iterator[Page]:
    """One browser window that has logged in through the form."""
    with launched() as browser:
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        page.add_init_script(STILL)
        page.set_default_timeout(ANSWER_MS)
        expect.set_options(timeout=ANSWER_MS)
        log_in(page, topology.airflow_url, topology.password)
        yield page


@pytest.fixture
def page(window: Page, topology: Topology) -> Iterator[Page]:
    """The window at the web UI, which it leaves after each test: shown, a page asks Airflow anew all the time."""
    window.goto(topology.airflow_url)
    yield window
    window.goto(NOWHERE)


@pytest.fixture
def live_days(topology: Topology, airflow: Airflow) -> Iterator[Lake]:
    """Two days of live fixes, one of them in a file that no reader understands; gone again afterwards."""
    lake = Lake(topology.settings.data)
    # Else it would be done beside the backfill, and close its days as well.
    await_owed_run(airflow, "compact_positions")
    for day in DAYS:
        publish(fixes_of(day), POSITIONS, live_file(lake, day), lake.staging)
    live_file(lake, DAMAGED).write_bytes(b"not a Parquet file")
    yield lake
    airflow.pause("compact_positions")
    for table in POSITION_TABLES:
        for day in DAYS:
            for folder in (live_file(lake, day).parent, lake.day(table, day).parent):
                shutil.rmtree(folder, ignore_errors=True)


def live_file(lake: Lake, day: date):
    return lake.live(POSITIONS) / f"date={day}" / "0000-0.parquet"


def fixes_of(day: date):
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return rows_of(POSITIONS, [FIX | {"event_time": noon + timedelta(seconds=s)} for s in (0, 5, 10)])


def open_dag(page: Page, name: str) -> None:
    page.get_by_role("link", name="Dags", exact=True).click()
    page.get_by_role("link", name=name, exact=True).click()
    # Each DAG of the list has such a button, too.
    expect(page.get_by_role("button", name="Trigger Dag")).to_have_count(1)


def state_of_run(page: Page) -> Locator:
    """The state in the head of a run's page."""
    return page.get_by_test_id("state-badge").first


def await_success(page: Page, airflow: Airflow) -> None:
    """Wait until the run that is shown has succeeded, elsewhere meanwhile, and look at it again."""
    shown = page.url
    dag_id, run_id = RUN_PAGE.search(shown).groups()
    page.goto(NOWHERE)
    airflow.wait(dag_id, unquote(run_id), WITHIN_S)
    page.goto(shown)
    expect(state_of_run(page)).to_have_text("Success")


def fill_moment(page: Page, dialog: Locator, which: int, day: date) -> None:
    """Choose midnight of a day in one of the two fields of the backfill's range."""
    field = dialog.get_by_test_id("datetime-input").nth(which)
    field.click()
    picker = page.get_by_placeholder("YYYY/MM/DD").locator("visible=true")
    picker.fill(f"{day:%Y/%m/%d}")
    page.get_by_placeholder("HH:mm").locator("visible=true").fill("00:00")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    # It fades: until it is gone, the next field would find two of them.
    expect(picker).to_have_count(0)
    expect(field).to_contain_text(f"{day:%d}")


def test_issue_ingested_through_the_form_shows_its_burn_on_the_page(page: Page, topology: Topology, airflow: Airflow):
    open_dag(page, "Ingest OEM")
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("URL of an OEM file on a public host")).to_be_visible()
    form.locator("[name='element_source']").fill("/etc/passwd")
    form.get_by_role("button", name="Trigger", exact=True).click()
    expect(form.get_by_text("expected an http or https URL, the name of a file in inbox/oem")).to_be_visible()
    form.locator("[name='element_source']").fill("")
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(re.compile("/dags/ingest_oem/runs/manual__"))
    await_success(page, airflow)

    page.get_by_role("link", name="Position").click()
    position = page.frame_locator("iframe")
    tables = query.connect(topology.settings.data)
    burns = tables.sql("SELECT ignition_time, delta_v_m_s FROM thrust_episodes ORDER BY ignition_time").fetchall()
    (issue,) = tables.sql("SELECT creation_date FROM oem_issues").fetchone()

    assert burns
    expect(position.locator("#burns [data-column=ignition_time]")).to_have_text(
        [f"{ignition:%Y-%m-%d %H:%M:%S}" for ignition, _ in burns]
    )
    expect(position.locator("#burns [data-column=delta_v_m_s]")).to_have_text(
        [re.compile(f"^{delta_v:.2f}") for _, delta_v in burns]
    )
    expect(position.locator("#facts [data-column=creation_date]")).to_have_text(f"{issue:%Y-%m-%d %H:%M:%S}")


def test_site_added_by_the_form_has_its_passes_on_the_page_and_a_calendar_to_subscribe_to(
    page: Page, topology: Topology, airflow: Airflow
):
    """After the test that ingests an issue."""
    open_dag(page, "Predict passes")
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    for name, value in (("new_site", SITE), ("latitude_deg", "43.28"), ("longitude_deg", "3.51")):
        form.locator(f"[name='element_{name}']").fill(value)
    form.locator("[name='element_time_zone']").fill("Europe/Paris")
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(re.compile("/dags/predict_passes/runs/manual__"))
    await_success(page, airflow)

    page.get_by_role("link", name="Position").click()
    position = page.frame_locator("iframe")
    position.locator("#site").select_option(SITE)
    expect(position.locator("#sky-when")).to_contain_text(SITE)
    expect(position.locator("#passes tr[data-pass]")).to_have_count(10)
    expect(position.locator("#sky .way").first).to_have_attribute("d", re.compile("^M.*L"))
    expect(position.locator("#passes-zone")).to_contain_text("Europe/Paris")
    shown = position.locator("#passes tr[data-pass]").evaluate_all("rows => rows.map((row) => row.dataset.pass)")
    tables = query.connect(topology.settings.data)
    held = tables.execute("SELECT pass_id FROM passes WHERE site = $1 ORDER BY rise_time", [SITE]).fetchall()
    held = [pass_id for (pass_id,) in held]
    assert shown == held[held.index(shown[0]) :][:10]

    position.locator("#calendar-visible").uncheck()
    position.locator("#calendar-make").click()
    expect(position.locator("#calendar-link")).to_have_value(re.compile("token="))
    link = position.locator("#calendar-link").input_value()
    told = requests.get(link, timeout=60)
    assert told.status_code == 200, told.text
    events = Calendar.from_ical(told.content).walk("VEVENT")
    assert set(shown) <= {event["UID"].split("/")[0] for event in events}
    assert {str(event["LOCATION"]) for event in events} == {SITE}
    assert (
        requests.get(f"{topology.airflow_url}/position/api/passes", params={"site": SITE}, timeout=60).status_code
        == 401
    )

    position.locator("#calendar-revoke").click()
    expect(position.locator("#calendar-state")).to_contain_text("void")
    assert requests.get(link, timeout=60).status_code == 403
    secret = link.rpartition("token=")[2]
    logs = [log.read_text(errors="replace") for log in topology.logs.glob("**/*.log")]
    assert any("/position/calendar/passes.ics" in log for log in logs), "the check would pass on nothing"
    assert not any(secret in log for log in logs)


HOSTILE = "<img src=x onerror=alert(1)> [go](https://evil.example) www.evil.example {{ 7 * 7 }} | `x`"
TEN_METRES_KM = 0.010


@pytest.fixture
def contradicting(topology: Topology, airflow: Airflow) -> Iterator[tuple[Lake, str, float]]:
    """A lake, and a file in its inbox that says otherwise of the issue held: mass, a comment, and one x_km, given too.

    The file that was held is taken back afterwards.
    """
    lake = Lake(topology.settings.data)
    if not list(lake.raw_oem_root.glob("*/*.txt.gz")):
        await_owed_run(airflow, "ingest_oem")
    held = max(lake.raw_oem_root.glob("*/*.txt.gz"))
    text = gzip.decompress(held.read_bytes()).decode()
    first = re.search(r"^(\d{4}-\S+) (\S+) .*$", text, re.MULTILINE)
    x_km = round(float(first[2]) + TEN_METRES_KM, 9)
    text = text.replace(f"{first[1]} {first[2]} ", f"{first[1]} {x_km} ")
    text = re.sub(r"(?m)^COMMENT MASS=.*$", f"COMMENT {HOSTILE}\nCOMMENT MASS=473999.00", text)
    lake.inbox_oem.mkdir(parents=True, exist_ok=True)
    (lake.inbox_oem / "corrected.txt").write_text(text)
    airflow.unpause("audit_positions")
    yield lake, "corrected.txt", x_km
    airflow.pause("audit_positions")
    for replaced in list(lake.quarantine.glob(f"*-{held.name}")):
        settle(lake, replaced.name, "take", "the test", NOW)


def settled_x_km(lake: Lake, table: str) -> float:
    """The x of the first state that a table holds."""
    ((x_km,),) = query.connect(lake.root).sql(f"SELECT x_km FROM {table} ORDER BY epoch LIMIT 1").fetchall()
    return x_km


def note_of(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """The note of a run."""
    return airflow.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["note"]


def ingest_through_form(page: Page, airflow: Airflow, source: str) -> None:
    """Trigger the ingestion of a source by the form, and wait until the run has succeeded."""
    open_dag(page, "Ingest OEM")
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_text("URL of an OEM file on a public host")).to_be_visible()
    form.locator("[name='element_source']").fill(source)
    form.get_by_role("button", name="Trigger", exact=True).click()
    page.wait_for_url(re.compile("/dags/ingest_oem/runs/manual__"))
    await_success(page, airflow)


def test_a_person_says_in_the_web_ui_which_of_two_conflicting_files_holds(
    page: Page, airflow: Airflow, contradicting: tuple[Lake, str, float]
):
    lake, name, x_km = contradicting
    held_km = settled_x_km(lake, "state_vectors")
    content = (lake.inbox_oem / name).read_bytes()
    ingest_through_form(page, airflow, name)
    first = page.url.rsplit("/", 1)[1]
    (lake.inbox_oem / name).write_bytes(content)
    again = airflow.trigger("ingest_oem", {"source": name})
    airflow.wait("ingest_oem", again, WITHIN_S)
    for run_id, asked in ((first, "success"), (again, "skipped")):
        assert airflow.tasks("ingest_oem", run_id)[f"{run_id}.ask"] == asked
        assert "Settle conflict asks a person which holds" in note_of(airflow, "ingest_oem", run_id)
    assert settled_x_km(lake, "state_vectors") == held_km
    (entry,) = (file.name for file in lake.quarantine.glob(f"*-{name}"))

    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Required Actions").click()
    page.get_by_role("link", name="Which file holds").click()
    expect(page.get_by_test_id("state-badge").filter(has_text="Awaiting Input").first).to_be_visible()
    for text in (f"quarantine/{entry}", "positions by up to 10.000 m", "473999.0", "<img src=x onerror=alert(1)>"):
        expect(page.get_by_text(text).first).to_be_visible()
    assert page.locator("img[src=x], a[href*='evil']").count() == 0
    (question,) = airflow.call("GET", "dags/settle_conflict/dagRuns")["dag_runs"]
    assert question["state"] == "running"

    page.get_by_role("button", name="Take the new one").click()
    expect(page.get_by_text("Response received at")).to_be_visible()
    page.get_by_role("link", name=question["dag_run_id"]).first.click()
    await_success(page, airflow)
    assert "the new file holds: admin decided at" in note_of(airflow, "settle_conflict", question["dag_run_id"])
    assert settled_x_km(lake, "state_vectors") == x_km
    page.get_by_role("link", name="Position").click()
    expect(page.frame_locator("iframe").locator("#facts [data-column=mass_kg]")).to_have_text(re.compile("473,999"))
    page.goto(NOWHERE)
    deadline = time.monotonic() + WITHIN_S
    while not (lake.closed(TRAJECTORY).exists() and settled_x_km(lake, "trajectory") == x_km):
        assert time.monotonic() < deadline, airflow.tasks("audit_positions")
        time.sleep(1)


def test_page_leads_who_is_not_logged_in_to_the_login_and_back_and_says_when_the_session_ends(
    page: Page, topology: Topology
):
    stranger = page.context.browser.new_context().new_page()
    stranger.set_default_timeout(ANSWER_MS)
    stranger.goto(f"{topology.airflow_url}/position/")
    stranger.locator("input[name=username]").fill("admin")
    stranger.locator("input[name=password]").fill(topology.password)
    stranger.get_by_role("button", name="Sign in").click()
    stranger.wait_for_url(f"{topology.airflow_url}/position/")
    expect(stranger.locator("#upstream")).to_have_text("Simulated data")
    stranger.context.clear_cookies()

    expect(stranger.locator("#connection")).to_contain_text("You have been signed out")
    stranger.locator("#connection a").click()
    stranger.wait_for_url("**/auth/login?next=**")
    stranger.context.close()


def await_backfill(airflow: Airflow, dag_id: str, count: int) -> None:
    """Wait until so many runs of backfills have ended."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        runs = airflow.call("GET", f"dags/{dag_id}/dagRuns", params={"run_type": "backfill"})["dag_runs"]
        if sum(run["state"] in FINAL for run in runs) == count:
            return
        assert time.monotonic() < deadline, runs
        time.sleep(POLL_S)


def test_failed_day_of_a_backfill_is_found_and_run_again(page: Page, live_days: Lake, airflow: Airflow):
    open_dag(page, "Compact positions")
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    form.get_by_text("Backfill", exact=True).click()
    fill_moment(page, form, 0, DAYS[0])
    fill_moment(page, form, 1, DAYS[-1])
    expect(form.get_by_text(re.compile(r"2 runs? will be triggered", re.IGNORECASE))).to_be_visible()
    form.get_by_role("button", name="Run Backfill").click()
    expect(form).to_be_hidden()

    shown = page.url
    page.goto(NOWHERE)
    await_backfill(airflow, "compact_positions", len(DAYS))
    page.goto(shown)
    page.get_by_role("link", name="Runs", exact=True).click()
    rows = {day: page.get_by_role("row").filter(has_text=f"backfill__{day}__") for day in DAYS}
    for day in DAYS:
        expect(rows[day]).to_contain_text("Failed" if day == DAMAGED else "Success")

    publish(fixes_of(DAMAGED), POSITIONS, live_file(live_days, DAMAGED), live_days.staging)
    rows[DAMAGED].get_by_role("link").first.click()
    expect(state_of_run(page)).to_have_text("Failed")
    page.get_by_role("button", name="Press shift+c to clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(state_of_run(page)).not_to_have_text("Failed")
    await_success(page, airflow)

    for day in DAYS:
        closed = pq.ParquetFile(live_days.day(POSITIONS, day)).read(columns=["event_time", "latitude_deg"])
        assert closed == fixes_of(day).select(["event_time", "latitude_deg"])
