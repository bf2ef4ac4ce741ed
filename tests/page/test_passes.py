"""What the API says of passes: which come next, why one is not to be seen, and how it goes through the sky."""

from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from tests.page.conftest import OBJECT_ID, PASSING, client_of, rows_of
from tests.published import publish

from orbitlake.lake import Lake
from orbitlake.page.sky import read_sky
from orbitlake.passes import PARIS
from orbitlake.query import connect
from orbitlake.tables import PASSES

DARK, SHADOWED, DAYLIGHT, TWILIGHT = (
    *("2026-11-20T16:57:58.850000Z", "2026-11-20T20:11:57.636000Z"),
    *("2026-11-21T14:34:23.679000Z", "2026-11-21T16:10:19.981000Z"),
)
"""When passes over Paris rise."""


def passes_file(lake: Lake):
    return lake.object_folder(PASSES, OBJECT_ID) / "site=Paris" / "part-0.parquet"


def change_next_pass(lake: Lake, **columns: object) -> None:
    """Give the pass under way other columns, as a later issue might."""
    rows = pq.ParquetFile(passes_file(lake)).read().to_pylist()
    (row,) = [row for row in rows if row["rise_time"] < PASSING < row["set_time"]]
    row |= columns
    publish(rows_of(PASSES, rows), PASSES, passes_file(lake), lake.staging)


@pytest.fixture
def client(flown: Lake) -> TestClient:
    return client_of(flown, PASSING)


def test_next_passes_begin_with_the_one_under_way_and_carry_their_query(client, flown: Lake):
    answer = client.get("/api/passes?site=Paris").json()

    assert len(answer["rows"]) == 10
    assert answer["rows"][0]["rise_time"] < answer["as_of"] < answer["rows"][0]["set_time"]
    told = connect(flown.root).sql(answer["sql"]).fetchall()
    assert [row[2] for row in told] == [row["pass_id"] for row in answer["rows"]]
    assert answer["issue"] == answer["told_by"] == "2026-11-20T16:08:00.740000Z"
    assert answer["issue_until"] == "2026-12-05T12:00:00Z"


def test_pass_that_is_not_visible_says_why(client):
    because = {row["rise_time"]: row["unseen_because"] for row in client.get("/api/passes?site=Paris").json()["rows"]}

    assert [because[rise] for rise in (DARK, SHADOWED, DAYLIGHT, TWILIGHT)] == [None, "shadow", "daylight", "twilight"]


def test_visible_passes_alone_are_those_of_which_something_is_still_to_be_seen(client):
    rows = client.get("/api/passes?site=Paris&count=100&visible=true").json()["rows"]

    assert rows
    assert all(row["visible_until"] > PASSING.isoformat() for row in rows)


def test_nothing_is_told_of_what_comes_after_the_issue(flown: Lake):
    answer = client_of(flown, PASSING + timedelta(days=30)).get("/api/passes?site=Paris").json()

    assert (answer["rows"], answer["issue_until"]) == ([], "2026-12-05T12:00:00Z")


def test_lake_without_an_issue_tells_of_none(lake: Lake):
    answer = client_of(lake).get("/api/passes?site=Paris").json()

    assert (answer["rows"], answer["issue"], answer["issue_until"], answer["told_by"]) == ([], None, None, None)


def test_sites_are_those_of_the_file(client):
    answer = client.get("/api/sites").json()

    assert [(row["name"], row["time_zone"]) for row in answer["rows"]] == [
        ("Paris", "Europe/Paris"),
        ("Cap d'Agde", "Europe/Paris"),
    ]
    assert (answer["file"], answer["problem"]) == ("sites.toml", None)


def test_file_of_sites_that_cannot_be_used_is_told_of_with_its_line_and_without_its_folder(flown: Lake):
    (flown.root / "sites.toml").unlink()
    (flown.root / "sites.toml").write_text('[[sites]]\nname = "X"\nlatitude_deg = 91\n')
    client = client_of(flown, PASSING)

    answer = client.get("/api/sites").json()

    assert answer["rows"] == []
    assert answer["problem"].startswith("sites.toml:1: site 1: latitude_deg is 91")
    assert client.get("/api/passes?site=X").status_code == 404


@pytest.mark.parametrize(
    "path", ["passes?site=", "sky?pass_id=x&site=", "exports/passes.csv?site=", "exports/passes.ics?site="]
)
@pytest.mark.parametrize("site", ["Nowhere", "paris", "../Paris", "' OR 1=1 --", "Paris\0"])
def test_site_that_is_not_in_the_file_is_not_found(client, path: str, site: str):
    path, _, query = path.partition("?")
    parameters = dict(pair.split("=") for pair in query.split("&")) | {"site": site}

    assert client.get(f"/api/{path}", params=parameters).status_code == 404


def test_way_through_the_sky_runs_from_rise_to_set_in_steps_of_10_s(client):
    row = client.get("/api/passes?site=Paris").json()["rows"][0]

    answer = client.get("/api/sky", params={"site": "Paris", "pass_id": row["pass_id"]}).json()

    points = answer["rows"]
    assert (points[0]["time"], points[-1]["time"]) == (row["rise_time"], row["set_time"])
    assert len(points) == pytest.approx(40, abs=5)
    assert max(point["elevation_deg"] for point in points) == pytest.approx(row["max_elevation_deg"], abs=0.001)
    assert points[0]["azimuth_deg"] == pytest.approx(row["rise_azimuth_deg"], abs=0.01)
    highest = max(points, key=lambda point: point["elevation_deg"])
    assert abs(highest["latitude_deg"] - PARIS.latitude_deg) < 3
    assert all(point["is_visible"] == (point["time"] <= row["visible_until"]) for point in points)


def test_call_of_a_way_gives_the_same_points(client, flown: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORBITLAKE_DATA", str(flown.root))
    row = client.get("/api/passes?site=Cap d'Agde").json()["rows"][0]
    answer = client.get("/api/sky", params={"site": "Cap d'Agde", "pass_id": row["pass_id"]}).json()
    told: dict = {}

    exec(answer["call"], told)

    assert [point.model_dump(mode="json") for point in told["points"]] == answer["rows"]
    assert read_sky(OBJECT_ID, "Paris", "none") == []


def test_pass_that_was_cancelled_has_no_way(client, flown: Lake):
    change_next_pass(flown, status="CANCELLED")
    row = client.get("/api/passes?site=Paris").json()["rows"][0]

    answer = client.get("/api/sky", params={"site": "Paris", "pass_id": row["pass_id"]}).json()

    assert (row["status"], answer["rows"]) == ("CANCELLED", [])


def test_ways_are_visible_from_the_first_visible_moment_of_the_table_to_the_last(client):
    rows = client.get("/api/passes?site=Paris&visible=true&count=100").json()["rows"]

    for row in rows:
        points = client.get("/api/sky", params={"site": "Paris", "pass_id": row["pass_id"]}).json()["rows"]
        seen = [point["time"] for point in points if point["is_visible"]]
        assert (seen[0], seen[-1]) == (row["visible_from"], row["visible_until"])
