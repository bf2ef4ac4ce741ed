"""Calendars of passes by the rules of RFC 5545, read back by an independent reader."""

from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest

from orbitlake.exports import calendar, to_calendar

RISE = datetime(2023, 3, 25, 18, 26, 0, 499_000, tzinfo=UTC)
PASS = {
    "object_id": "1998-067A",
    "site": "Paris",
    "pass_id": "20230325T182900Z-20230324T225531Z",
    "rise_time": RISE,
    "culmination_time": RISE + timedelta(seconds=180.5),
    "set_time": RISE + timedelta(seconds=361.2),
    "rise_azimuth_deg": 245.4,
    "culmination_azimuth_deg": 330.0,
    "set_azimuth_deg": 359.9,
    "max_elevation_deg": 67.26,
    "range_km": 451.2,
    "visible_from": RISE + timedelta(seconds=30),
    "visible_until": RISE + timedelta(seconds=200),
    "visible_max_elevation_deg": 67.2,
    "magnitude": -3.24,
    "time_sigma_s": 2.1,
    "time_p90_s": 3.5,
    "burn_between": False,
    "creation_date": datetime(2023, 3, 24, 22, 55, 31, 604_000, tzinfo=UTC),
    "revision": 0,
    "status": "PREDICTED",
    "shift_s": None,
}
UNSEEN = {"visible_from": None, "visible_until": None, "visible_max_elevation_deg": None, "magnitude": None}


def row(**changed: Any) -> dict[str, Any]:
    return PASS | changed


def events(*rows: dict[str, Any], title: str = "ISS over Paris") -> list[icalendar.Event]:
    return list(icalendar.Calendar.from_ical(calendar(rows, title)).walk("VEVENT"))


def test_event_tells_of_its_pass():
    (event,) = events(row())

    assert event["SUMMARY"] == "1998-067A over Paris, 67° high, visible, magnitude -3.2"
    assert event.decoded("DTSTART") == datetime(2023, 3, 25, 18, 26, 0, tzinfo=UTC)
    assert event.decoded("DTEND") == datetime(2023, 3, 25, 18, 32, 2, tzinfo=UTC)
    assert event.decoded("DTSTAMP") == datetime(2023, 3, 24, 22, 55, 32, tzinfo=UTC)
    assert (event["LOCATION"], event["STATUS"], event["TRANSP"]) == ("Paris", "CONFIRMED", "TRANSPARENT")
    assert event["DESCRIPTION"].split("\n") == [
        "Rises 18:26:00 UTC at 245° (WSW)",
        "Highest 18:29:01 UTC at 330° (NNW), 67.3° high, 451 km away",
        "Sets 18:32:02 UTC at 360° (N)",
        "Visible 18:26:30 UTC to 18:29:20 UTC, up to 67°",
        "Times good to 2 s (standard deviation)",
        "Predicted by the ephemeris of 2023-03-24 22:55 UTC",
    ]


def test_what_a_pass_has_not_is_not_told():
    (event,) = events(row(**UNSEEN, time_sigma_s=None, burn_between=True))

    assert event["SUMMARY"] == "1998-067A over Paris, 67° high"
    lines = event["DESCRIPTION"].split("\n")
    assert not any(line.startswith(("Visible", "Times")) for line in lines)
    assert any(line.startswith("A burn is planned before the pass") for line in lines)


def test_calendar_has_what_the_standard_asks_for():
    content = calendar([row(), row(site="Toulouse")], "Passes; of the ISS")
    read = icalendar.Calendar.from_ical(content)

    assert (read["VERSION"], read["METHOD"]) == ("2.0", "PUBLISH")
    assert b"\r\nX-WR-CALNAME:Passes\\; of the ISS\r\n" in content
    assert read["PRODID"]
    assert len(read.walk("VEVENT")) == 2
    assert [(type(error), error) for event in read.walk("VEVENT") for error in event.errors] == []


def test_pass_keeps_its_identity_through_revisions_and_counts_them():
    told = [
        row(),
        row(revision=1, status="MOVED", rise_time=RISE + timedelta(minutes=3)),
        row(revision=2, status="CANCELLED"),
    ]
    found = [events(each)[0] for each in told]

    assert len({event["UID"] for event in found}) == 1
    assert [event["SEQUENCE"] for event in found] == [0, 1, 2]
    assert [event["STATUS"] for event in found] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]


def test_passes_of_other_sites_objects_and_ids_are_other_events():
    told = [row(), row(site="Toulouse"), row(object_id="2021-035A"), row(pass_id="20230326T182900Z-20230324T225531Z")]

    assert len({event["UID"] for event in events(*told)}) == 4


@pytest.mark.parametrize("site", ["L'Île-d'Yeu; Vendée, \\ France", "Ω" * 64, "x" * 200, "two\nlines", "三体" * 30])
def test_any_text_comes_back_and_no_line_is_longer_than_75_octets(site: str):
    content = calendar([row(site=site)], site)
    (event,) = icalendar.Calendar.from_ical(content).walk("VEVENT")
    lines = content.split(b"\r\n")

    assert event["LOCATION"] == site
    assert max(map(len, lines)) <= 75
    assert lines[-1] == b""
    assert b"\n" not in b"".join(lines)
    for line in lines:
        line.decode()


def test_equal_rows_give_equal_bytes():
    assert calendar([row()], "title") == calendar([row()], "title")


def test_names_of_objects_are_shown_where_they_are_known():
    export = to_calendar([row()], "ISS over Paris", {"1998-067A": "ISS"})

    assert b"SUMMARY:ISS over Paris" in bytes(export)
    assert (export.file_name, export.media_type) == ("ISS-over-Paris.ics", "text/calendar; charset=utf-8")
