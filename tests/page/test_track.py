"""The ground track: real states meet the publisher's own node; nothing is drawn beyond what an issue covers."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.page.conftest import NOW, OBJECT_ID, client_of
from tests.published import publish

from orbitlake import oem
from orbitlake.lake import Lake
from orbitlake.page import questions
from orbitlake.page.desk import Desk
from orbitlake.page.track import ground_track, steps
from orbitlake.tables import OEM_ISSUES, STATE_VECTORS

FIFTY_M_DEG = 0.05 / 111.2
TWO_M_KM = 0.002
MEAN_RADIUS_ABOVE_EQUATOR_KM = 6798.0 - 6378.137


@pytest.mark.real
def test_track_of_a_real_issue_crosses_the_equator_where_its_publisher_says(real_data, lake: Lake):
    issue = oem.read(real_data / "oem" / "iss" / "ISS.OEM_J2K_EPH.2023-03-24.txt.gz")
    row = issue.row(source_url=None, retrieved_at=None, raw_path=None)
    for table, rows in ((STATE_VECTORS, issue.states), (OEM_ISSUES, row)):
        publish(rows, table, lake.issue(table, issue.object_id, issue.creation_date), lake.staging)
    (facts,) = row.to_pylist()
    node = facts["last_node_time"]

    (point,) = ground_track(Desk(lake).ask_plainly(questions.track_states(OBJECT_ID, node, node)), [node])

    assert point.latitude_deg == pytest.approx(0.0, abs=FIFTY_M_DEG)
    assert point.longitude_deg == pytest.approx(facts["last_node_longitude_deg"], abs=FIFTY_M_DEG)


def test_point_now_lies_on_the_orbit(client):
    answer = client.get("/api/track").json()

    assert answer["now"]["time"] == answer["as_of"]
    assert answer["now"]["altitude_km"] == pytest.approx(MEAN_RADIUS_ABOVE_EQUATOR_KM, abs=TWO_M_KM)


def test_nothing_is_drawn_where_the_issue_ends(filled: Lake):
    now = NOW + timedelta(hours=11)

    answer = client_of(filled, now).get("/api/track").json()

    assert answer["now"] is not None
    assert max(row["time"] for row in answer["rows"]) <= "2026-03-06T00:00:10Z"


def test_issue_that_does_not_cover_now_gives_no_track(filled: Lake):
    answer = client_of(filled, NOW + timedelta(days=9)).get("/api/track").json()

    assert answer["rows"] == []
    assert answer["now"] is None


def test_nothing_is_drawn_outside_the_usable_span(filled: Lake):
    states = Desk(filled).ask_plainly(questions.track_states(OBJECT_ID, NOW, NOW))
    states = [row | {"useable_from": NOW, "useable_until": NOW + timedelta(minutes=1)} for row in states]

    points = ground_track(states, [NOW + timedelta(seconds=s) for s in (-1, 0, 60, 61)])

    assert [point.time for point in points] == [NOW, NOW + timedelta(minutes=1)]


def test_steps_are_the_same_whenever_they_are_asked_for():
    start = datetime(2026, 3, 5, 12, 0, 13, tzinfo=UTC)

    early, late = (
        steps(start, start + timedelta(minutes=5), 30),
        steps(start + timedelta(seconds=9), start + timedelta(minutes=5), 30),
    )

    assert early == late
    assert early[0] == datetime(2026, 3, 5, 12, 0, 30, tzinfo=UTC)
    assert early[-1] == datetime(2026, 3, 5, 12, 5, tzinfo=UTC)
