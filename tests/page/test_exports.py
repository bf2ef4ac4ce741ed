"""Files to download behind the login: they are what the exports make, under safe names, and made once."""

import json
import re

import ccsds_ndm
import pyarrow.csv
import pytest
from icalendar import Calendar
from tests.page.conftest import AGDE, PASSING, client_of

from orbitlake.exports import Ephemeris, to_oem
from orbitlake.lake import Lake
from orbitlake.page import exports
from orbitlake.tables import PASSES

SAFE = re.compile(r'attachment; filename="[A-Za-z0-9.+_-]+"')


def test_newest_issue_comes_word_for_word(flown: Lake):
    answer = client_of(flown, PASSING).get("/api/exports/oem")

    assert answer.content == bytes(to_oem(Ephemeris.of_lake("1998-067A", None, flown.root)))
    assert answer.headers["content-disposition"] == 'attachment; filename="ISS_1998-067A_20261120T160800Z.oem.kvn"'


def test_elements_and_path_are_read_by_their_readers(flown: Lake):
    client = client_of(flown, PASSING)

    omm = ccsds_ndm.from_str(client.get("/api/exports/omm").text)

    assert omm.segment.metadata.object_id == "1998-067A"
    assert json.loads(client.get("/api/exports/czml").content)[1]["id"] == "1998-067A"


def test_passes_come_as_csv_with_the_columns_of_the_table(flown: Lake):
    import io

    answer = client_of(flown, PASSING).get("/api/exports/passes.csv", params={"site": AGDE.name})

    rows = pyarrow.csv.read_csv(io.BytesIO(answer.content))
    assert rows.column_names == list(PASSES.column_names)
    assert set(rows.column("site").to_pylist()) == {AGDE.name}


def test_calendar_holds_the_passes_that_are_wanted(flown: Lake):
    client = client_of(flown, PASSING)
    asked = {"site": "Paris", "visible": True, "min_elevation_deg": 40}

    calendar = Calendar.from_ical(client.get("/api/exports/passes.ics", params=asked).content)

    rows = client.get("/api/passes?site=Paris&visible=true&count=100").json()["rows"]
    wanted = [row for row in rows if row["visible_max_elevation_deg"] >= 40]
    assert 0 < len(wanted) < len(rows)
    assert [event["UID"].split("/")[0] for event in calendar.walk("VEVENT")] == [row["pass_id"] for row in wanted]
    assert calendar.walk("VEVENT")[0]["SUMMARY"].startswith("ISS over Paris, ")


@pytest.mark.parametrize("path", ["oem", "omm", "czml", "passes.csv?site=Cap d'Agde", "passes.ics?site=Cap d'Agde"])
def test_name_of_a_file_is_safe_anywhere(flown: Lake, path: str):
    headers = client_of(flown, PASSING).get(f"/api/exports/{path}").headers

    assert SAFE.fullmatch(headers["content-disposition"])
    assert headers["x-content-type-options"] == "nosniff"


def test_issue_is_exported_once(flown: Lake, monkeypatch: pytest.MonkeyPatch):
    made = []
    monkeypatch.setattr(exports, "to_oem", lambda ephemeris: made.append(1) or to_oem(ephemeris))
    client = client_of(flown, PASSING)

    assert len({client.get("/api/exports/oem").content for _ in range(3)}) == 1
    assert made == [1]


def test_export_that_has_to_wait_too_long_is_refused_for_now(flown: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "WAIT_S", 0.01)
    answers = []

    def while_one_is_made(ephemeris: Ephemeris):
        answers.append(client.get("/api/exports/omm"))
        return to_oem(ephemeris)

    monkeypatch.setattr(exports, "to_oem", while_one_is_made)
    client = client_of(flown, PASSING)

    assert client.get("/api/exports/oem").status_code == 200
    assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "10")]


def test_export_larger_than_the_bound_is_refused(flown: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exports, "MOST_BYTES", 1000)

    assert client_of(flown, PASSING).get("/api/exports/oem").status_code == 409


def test_lake_without_an_issue_has_nothing_to_export(lake: Lake):
    assert client_of(lake).get("/api/exports/oem").status_code == 404
