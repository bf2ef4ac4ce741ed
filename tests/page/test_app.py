"""The API: what it says is what its query says, and nothing from outside makes it fail."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter
from tests.page.conftest import (
    BURN,
    FIX,
    GAP,
    NEWER,
    NOW,
    OBJECT_ID,
    OLDER,
    REVISION,
    client_of,
    publish_issue,
    rows_of,
)
from tests.published import publish

from orbitlake.alerts import Board, Condition
from orbitlake.lake import Lake
from orbitlake.page import app, desk
from orbitlake.page.app import OwnFile
from orbitlake.query import connect
from orbitlake.settings import CHECKOUT
from orbitlake.tables import BURN_HISTORY, GAPS, OEM_ISSUES, POSITIONS, STATE_VECTORS, THRUST_EPISODES, WINDOW_STATS

ANSWERS = (
    "/api/latest",
    "/api/fixes",
    "/api/fixes?hours=3&limit=7&offset=5",
    "/api/windows",
    "/api/days",
    "/api/day?date=2026-03-05",
    "/api/freshness",
    "/api/issues",
    "/api/burns",
    "/api/burns?issue=20260301T090000Z",
    "/api/altitude",
    "/api/burn_history",
    "/api/prediction_error",
    "/api/gaps",
    "/api/gaps?count=1",
    "/api/position_audit",
)


def as_json(rows):
    return json.loads(TypeAdapter(list[dict]).dump_json(rows))


@pytest.mark.parametrize("path", ANSWERS)
def test_rows_are_what_the_shown_query_gives_over_the_whole_lake(client, filled: Lake, path: str):
    answer = client.get(path).json()

    result = connect(filled.root).execute(answer["sql"])
    names = [column[0] for column in result.description]
    expected = as_json([dict(zip(names, row, strict=True)) for row in result.fetchall()])

    assert answer["rows"], "an empty answer would equal an empty table"
    assert answer["rows"] == [{name: row[name] for name in answer["rows"][0]} for row in expected]
    assert set(answer["rows"][0]) <= set(names)


def test_states_of_the_track_are_what_the_shown_query_gives(client, filled: Lake):
    answer = client.get("/api/track").json()

    count, first, last = (
        connect(filled.root).execute(f"SELECT count(*), min(epoch), max(epoch) FROM ({answer['sql']})").fetchone()
    )

    assert count > 70
    assert first <= NOW - timedelta(minutes=93)
    assert last >= NOW + timedelta(minutes=186)
    assert len(answer["rows"]) == (93 + 186) * 2


@pytest.mark.parametrize("path", [*ANSWERS, "/api/track"])
def test_lake_without_a_file_answers_without_a_row(lake: Lake, path: str):
    response = client_of(lake).get(path)

    assert response.status_code == 200
    rows = response.json()["rows"]
    assert rows == [] or {row["newest"] for row in rows} == {None}


def test_latest_fix_is_the_newest_with_its_age(client):
    (row,) = client.get("/api/latest").json()["rows"]

    assert row["event_time"] == "2026-03-05T11:59:30Z"
    assert row["age_s"] == 40.0
    assert row["latitude_deg"] == 10.51
    assert row["altitude_km"] is None


def test_latest_fix_is_shown_however_long_the_feed_is_silent(filled: Lake):
    (row,) = client_of(filled, NOW + timedelta(days=200)).get("/api/latest").json()["rows"]

    assert row["event_time"] == "2026-03-05T11:59:30Z"
    assert row["age_s"] == 200 * 86400 + 40.0


def test_fixes_of_another_object_are_not_shown(filled: Lake):
    stranger = FIX | {"object_id": "2000-001A", "event_time": NOW}
    publish(
        rows_of(POSITIONS, [stranger]),
        POSITIONS,
        filled.live(POSITIONS) / "date=2026-03-05" / "2357-0.parquet",
        filled.staging,
    )

    (row,) = client_of(filled).get("/api/latest").json()["rows"]

    assert row["event_time"] == "2026-03-05T11:59:30Z"


def test_pages_together_are_the_whole(client):
    whole = client.get("/api/fixes", params={"hours": 24}).json()["rows"]
    parts, offset = [], 0
    while offset is not None:
        page = client.get("/api/fixes", params={"hours": 24, "limit": 30, "offset": offset}).json()
        parts += page["rows"]
        offset = page["next_offset"]

    assert parts == whole
    assert len(whole) == 200


def test_day_without_a_fix_is_shown_as_such_and_today_counts_only_what_has_passed(client):
    rows = {row["date"]: row for row in client.get("/api/days").json()["rows"]}

    assert list(rows) == ["2026-03-05", "2026-03-04", "2026-03-03"]
    assert rows["2026-03-04"] | {"fixes": 0, "completeness": 0.0} == rows["2026-03-04"]
    assert rows["2026-03-03"]["completeness"] == 120 / 1440
    assert rows["2026-03-05"]["completeness"] == 100 / 721
    assert rows["2026-03-05"]["longest_gap_s"] == 10 * 3600, "from midnight to the first fix"


def at_times(filled: Lake, day: int, *clock: str) -> None:
    """Replace a day of March 2026 by fixes at some times."""
    times = [datetime.fromisoformat(f"2026-03-{day:02d}T{each}Z") for each in clock]
    rows = rows_of(POSITIONS, [FIX | {"event_time": time} for time in times])
    publish(rows, POSITIONS, filled.day(POSITIONS, times[0].date()), filled.staging)


@pytest.mark.parametrize(
    ("clock", "gap_s"),
    [
        (["12:00:00", "12:00:01"], 43_200),
        (["00:00:00", "12:00:00", "23:59:59"], 43_200),
        (["00:00:10", "00:00:11"], 86_389),
        (["23:59:00"], 86_340),
    ],
)
def test_longest_gap_counts_the_ends_of_a_day(filled: Lake, clock: list[str], gap_s: float):
    at_times(filled, 4, *clock)

    rows = {row["date"]: row for row in client_of(filled).get("/api/days").json()["rows"]}

    assert rows["2026-03-04"]["longest_gap_s"] == gap_s


def test_longest_gap_of_today_ends_now_and_of_a_day_without_a_fix_is_the_day(filled: Lake):
    later = NOW + timedelta(hours=11)
    rows = {row["date"]: row for row in client_of(filled, later).get("/api/days").json()["rows"]}

    assert rows["2026-03-05"]["longest_gap_s"] == 11 * 3600 + 40
    assert rows["2026-03-04"]["longest_gap_s"] == 86_400


def test_minute_that_may_still_get_fixes_is_marked(filled: Lake):
    def filling(now: datetime) -> list[str]:
        rows = client_of(filled, now).get("/api/windows").json()["rows"]
        return [row["window_start"] for row in rows if row["is_filling"]]

    last_end = NOW - timedelta(seconds=10)

    assert filling(last_end - timedelta(seconds=20)) == ["2026-03-05T11:59:00Z"]
    assert filling(last_end + timedelta(seconds=14)) == ["2026-03-05T11:59:00Z"]
    assert filling(last_end + timedelta(seconds=15)) == []


def test_track_of_a_day_is_a_fix_a_minute_and_none_of_the_future(filled: Lake):
    rows = client_of(filled).get("/api/day", params={"date": "2026-03-03"}).json()["rows"]
    early = client_of(filled, NOW - timedelta(hours=1)).get("/api/day", params={"date": "2026-03-05"}).json()["rows"]

    assert [row["event_time"] for row in rows][:2] == ["2026-03-03T06:00:00Z", "2026-03-03T06:01:00Z"]
    assert len(rows) == 120
    assert max(row["event_time"] for row in early) <= "2026-03-05T11:00:10Z"


def test_call_beside_the_track_gives_what_the_page_draws(filled: Lake, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_DATA", str(filled.root))
    answer = client_of(filled).get("/api/track").json()
    names: dict = {}
    exec(answer["call"], names)

    assert len(answer["rows"]) == 558
    assert [point.model_dump(mode="json") for point in names["points"]] == answer["rows"]


def test_newest_issue_is_shown_unless_another_is_asked_for(filled: Lake):
    other = BURN | {"creation_date": OLDER, "ignition_time": OLDER, "cutoff_time": NOW, "delta_v_m_s": 9.5}
    publish(
        rows_of(THRUST_EPISODES, [other]),
        THRUST_EPISODES,
        filled.issue(THRUST_EPISODES, OBJECT_ID, OLDER),
        filled.staging,
    )
    client = client_of(filled)

    assert [row["delta_v_m_s"] for row in client.get("/api/burns").json()["rows"]] == [1.125]
    assert [row["delta_v_m_s"] for row in client.get("/api/burns?issue=20260301T090000Z").json()["rows"]] == [9.5]
    assert client.get("/api/burns?issue=20250101T000000Z").json()["rows"] == []
    assert client.get("/api/burns?issue=20261399T996199Z").json()["rows"] == []
    assert client.get("/api/burns?issue=20260301T090000Z-N_A").json()["rows"] == []


def test_burn_tells_mean_altitude_before_and_after(client):
    (row,) = client.get("/api/burns").json()["rows"]

    assert row["mean_altitude_before_km"] == pytest.approx(417.363)
    assert row["mean_altitude_after_km"] == pytest.approx(419.363)
    assert row["rise_km"] == 2.0
    assert row["event_delta_v_m_s"] is None


def test_altitude_leaves_out_orbits_that_the_issue_holds_in_part(client):
    rows = client.get("/api/altitude").json()["rows"]

    assert len(rows) == 15
    assert min(row["states"] for row in rows) >= 23


def test_days_and_issues_out_of_question_are_not_even_opened(filled: Lake):
    for table in (POSITIONS, WINDOW_STATS):
        filled.day(table, NOW.date() - timedelta(days=90)).parent.mkdir()
        filled.day(table, NOW.date() - timedelta(days=90)).write_bytes(b"no Parquet")
    for part in filled.root.glob("lake/*/object_id=*/issue=20260301T090000Z/part-0.parquet"):
        part.write_bytes(b"no Parquet")
    client = client_of(filled)

    for path in ("latest", "fixes", "windows", "days", "freshness", "burns", "altitude", "track"):
        assert client.get(f"/api/{path}").json()["rows"], path


def test_live_file_that_vanishes_while_its_day_is_closed_is_no_error(filled: Lake, monkeypatch):
    asked = []

    def vanishing(*arguments, **options):
        asked.append(arguments)
        if len(asked) == 1:
            raise duckdb.IOException("No files found")
        return connect(*arguments, **options)

    monkeypatch.setattr(desk, "connect", vanishing)

    assert client_of(filled).get("/api/latest").json()["rows"]


@pytest.mark.parametrize(
    "query",
    [
        "fixes?hours=0",
        "fixes?hours=25",
        "fixes?hours=1;DROP VIEW positions",
        "fixes?limit=5001",
        "fixes?limit=-1",
        "fixes?offset=99999999999999999999",
        "windows?hours=NaN",
        "days?count=61",
        "issues?limit=101",
        "burns?issue=20260304",
        "burns?issue=２０２６０３０４T093000Z",
        "burns?issue=../../etc/passwd",
        "burns?issue=20260304T093000Z'--",
        "burns?issue=%00",
        "burns?issue=20260304T093000Z-",
        "day?date=today",
        "day?date=2026-02-30",
        "day",
        "altitude?issue=*",
        "track?past_minutes=1441",
        "track?next_minutes=-1",
    ],
)
def test_hostile_parameter_is_refused(client, query: str):
    assert client.get(f"/api/{query}").status_code == 422


@pytest.mark.parametrize("name", ["app.py", "..%2Fapp.py", "../app.py", "%2e%2e/login.py", "page.css%00", ""])
def test_no_other_file_is_served(client, name: str):
    assert client.get(f"/static/{name}").status_code in (404, 405, 422)


WRITES = {"/api/calendar_link": {"post", "delete"}}
"""What is more than a question: whose calendar links hold."""


def test_page_and_every_file_it_names_are_served(client):
    page = client.get("/")

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in OwnFile:
        assert client.get(f"/static/{name}").status_code == 200, name


def test_page_loads_nothing_from_elsewhere():
    for name in ["index.html", *OwnFile]:
        text = (app.STATIC / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, name
        assert "https:" not in text, name


def test_files_of_the_page_are_those_that_it_may_serve():
    assert {path.name for path in app.STATIC.iterdir()} == {"index.html", "refused.html", *OwnFile}


def test_every_path_is_described_and_typed(client):
    document = client.get("/api/openapi.json").json()

    for path, operations in document["paths"].items():
        assert set(operations) == WRITES.get(path, {"get"})
        for operation in operations.values():
            assert operation["summary"], path
            assert {"401", "403"} <= set(operation["responses"])
    fix = document["components"]["schemas"]["LatestFix"]["properties"]
    assert fix["distance_to_paris_km"]["description"].endswith("(km)")


def test_gap_that_began_long_ago_is_told_until_it_has_ended_and_none_of_before_the_days(filled: Lake):
    begun = GAP | {"start_time": datetime(2026, 3, 2, 10, tzinfo=UTC), "end_time": None, "duration_s": None}
    over = GAP | {"start_time": datetime(2026, 3, 2, 8, tzinfo=UTC), "end_time": datetime(2026, 3, 2, 9, tzinfo=UTC)}
    publish(rows_of(GAPS, [over, begun]), GAPS, filled.day(GAPS, begun["start_time"].date()), filled.staging)

    gaps = client_of(filled).get("/api/gaps?count=2").json()["rows"]

    assert [(gap["start_time"], gap["end_time"]) for gap in gaps] == [
        ("2026-03-05T10:29:30Z", "2026-03-05T10:50:00Z"),
        ("2026-03-02T10:00:00Z", None),
    ]


def test_burns_are_told_latest_first_and_each_from_its_plan_on(filled: Lake):
    earlier = REVISION | {
        "burn_id": "20260224T120010Z-20260220T090000Z",
        "ignition_time": NOW - timedelta(days=9),
        "status": "FLOWN",
    }
    file = filled.object_file(BURN_HISTORY, OBJECT_ID)
    rows = [*pq.read_table(file).to_pylist(), earlier]
    publish(rows_of(BURN_HISTORY, rows), BURN_HISTORY, file, filled.staging)

    told = client_of(filled).get("/api/burn_history").json()["rows"]

    assert [(row["burn_id"], row["status"]) for row in told] == [
        (REVISION["burn_id"], "PLANNED"), (REVISION["burn_id"], "REVISED"), (earlier["burn_id"], "FLOWN"),
    ]  # fmt: skip


def test_issue_ingested_while_the_page_is_open_is_shown(filled: Lake):
    client = client_of(filled)
    before = client.get("/api/issues").json()["rows"]
    publish_issue(filled, NEWER + timedelta(hours=1))

    after = client.get("/api/issues").json()["rows"]

    assert [row["issue"] for row in after] == ["20260304T103000Z", *(row["issue"] for row in before)]


def test_provenance_names_the_coastline_that_is_served():
    import hashlib

    digest = hashlib.sha256((app.STATIC / OwnFile.COASTLINE).read_bytes()).hexdigest()

    assert digest in (CHECKOUT / "tools" / "coastline.py").read_text()


@pytest.mark.parametrize(
    "object_id", ["N/A", "SL-16 R/B", "a'b\"; DROP VIEW positions --", "<b>&amp;</b>", "..", "-5", ""]
)
@pytest.mark.parametrize("path", [*ANSWERS, "/api/track", "/api/alerts"])
def test_object_of_any_name_is_asked_about(filled: Lake, monkeypatch, object_id: str, path: str):
    monkeypatch.setenv("ORBITLAKE_OBJECT_ID", object_id)

    assert client_of(filled).get(path).status_code == 200


def test_fixes_of_an_object_of_any_name_are_its_own(filled: Lake, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_OBJECT_ID", "SL-16 R/B")
    row = FIX | {"object_id": "SL-16 R/B", "event_time": NOW, "source": "it's <b>"}
    publish(
        rows_of(POSITIONS, [row]),
        POSITIONS,
        filled.live(POSITIONS) / "date=2026-03-05" / "2358-0.parquet",
        filled.staging,
    )

    (fix,) = client_of(filled).get("/api/latest").json()["rows"]

    assert (fix["source"], fix["event_time"]) == ("it's <b>", "2026-03-05T12:00:10Z")


@pytest.mark.parametrize("name", ["SL-16 R/B", "N/A", "it's <b>&", "../..", "%2F"])
def test_issue_whose_value_goes_on_behind_its_time_is_found(filled: Lake, name: str):
    for table in (OEM_ISSUES, STATE_VECTORS, THRUST_EPISODES):
        file = filled.issue(table, OBJECT_ID, OLDER)
        named = filled.issue(table, OBJECT_ID, OLDER, name)
        named.parent.mkdir(parents=True)
        file.rename(named)
        file.parent.rmdir()
    client = client_of(filled)

    issues = [row["issue"] for row in client.get("/api/issues").json()["rows"]]
    burns = client.get("/api/burns", params={"issue": issues[1]}).json()

    assert issues == ["20260304T093000Z", f"20260301T090000Z-{name}"]
    assert burns["rows"]
    assert len(connect(filled.root).execute(burns["sql"]).fetchall()) == len(burns["rows"])
    assert client.get("/api/burns", params={"issue": f"{issues[1]}x"}).json()["rows"] == []


def test_alerts_that_stand_are_told_with_since_when_and_what_clears_them(filled: Lake):
    board = Board(filled, (), lambda *_: None)
    board.heed(Condition("feed", "silent: <script>", is_wrong=True, clears="a poll with a fix"), NOW)
    board.heed(Condition("stream", "behind", is_wrong=True), NOW)
    board.heed(Condition("stream", "at work", is_wrong=False), NOW)
    (board.folder / "torn.json").write_text("{")

    answer = client_of(filled).get("/api/alerts").json()

    assert [row["name"] for row in answer["rows"]] == ["feed", "torn"]
    assert answer["rows"][0] == {
        "name": "feed", "text": "silent: <script>", "since": "2026-03-05T12:00:10Z", "clears": "a poll with a fix",
    }  # fmt: skip
    assert answer["folder"] == "alerts/"


@pytest.mark.parametrize(
    ("mark", "upstream"),
    [
        (None, "live"),
        ('{"upstream": "live"}', "live"),
        ('{"upstream": "simulator"}', "simulator"),
        ('{"upstream": "replay of /data/x"}', "replay of /data/x"),
        ("{", "unknown: its mark cannot be read"),
    ],
)
def test_upstream_of_the_data_root_is_told(filled: Lake, mark: str | None, upstream: str):
    if mark is not None:
        (filled.root / "upstream.json").write_text(mark)

    assert client_of(filled).get("/api/freshness").json()["upstream"] == upstream


def test_file_of_another_version_is_named_in_the_answer(filled: Lake):
    foreign = replace(POSITIONS, version=POSITIONS.version + 1)
    publish(
        rows_of(POSITIONS, [FIX | {"event_time": NOW}]),
        foreign,
        filled.live(POSITIONS) / "date=2026-03-05" / "2359-0.parquet",
        filled.staging,
    )

    response = client_of(filled).get("/api/latest")

    assert response.status_code == 500
    assert "2359-0.parquet: positions of version" in response.json()["detail"]
