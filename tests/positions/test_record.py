"""Raw records of both forms, and everything that is not one."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.positions.samples import ISS, fix, line

from orbitlake.positions.record import MAX_LINE_BYTES, RawRecord, RecordError, read_line, text_of

OLDER = {
    "latitude": 47.6153, "longitude": -60.4797, "timestamp": 1766320531,
    "fetch_time": "2025-12-21T13:35:30.588242", "altitude_km": 408.0, "velocity_km_s": 0.0,
}  # fmt: skip
BASE = json.loads(line(fix()))


def read(**changes):
    return read_line(json.dumps(BASE | changes), ISS)


def test_a_record_is_read_back_as_it_was_written():
    record = RawRecord(
        object_id="2000-001A",
        source="open_notify",
        fetch_time=datetime(2026, 11, 21, 8, 0, 0, 250, timezone(timedelta(hours=1))),
        latency_ms=31.25,
        http_status=200,
        latitude=47.6153,
        longitude=-60.4797,
        timestamp=1766320531,
        altitude_km=408.5,
    )
    written = record.to_json()
    back = read_line(written.decode(), ISS)

    assert written.endswith(b"}\n")
    assert json.loads(written)["fetch_time"] == "2026-11-21T07:00:00.000250Z"
    assert (back.object_id, back.source) == ("2000-001A", "open_notify")
    assert back.fetch_time == record.fetch_time
    assert back.event_time == datetime(2025, 12, 21, 12, 35, 31, tzinfo=UTC)
    assert (back.latitude_deg, back.longitude_deg, back.altitude_km) == (47.6153, -60.4797, 408.5)


def test_a_record_of_the_older_form_gives_no_more_than_was_observed():
    fix = read_line(json.dumps(OLDER), ISS)

    assert (fix.object_id, fix.source) == (ISS, "open_notify")
    assert fix.event_time == datetime(2025, 12, 21, 12, 35, 31, tzinfo=UTC)
    assert (fix.latitude_deg, fix.longitude_deg) == (47.6153, -60.4797)
    assert fix.altitude_km is None
    assert fix.fetch_time is None


def test_coordinates_may_be_strings():
    back = read(latitude="47.6153", longitude="-60.4797", timestamp="1766320531")

    assert (back.latitude_deg, back.longitude_deg) == (47.6153, -60.4797)


def test_a_byte_order_mark_and_a_carriage_return_do_no_harm():
    assert read_line("\ufeff" + line(fix()) + "\r", ISS) == read_line(line(fix()), ISS)


def test_minus_zero_is_zero():
    assert str(read(latitude=-0.0).latitude_deg) == "0.0"


@pytest.mark.parametrize("changes", [{"error": "timeout"}, {"latitude": None, "longitude": None, "timestamp": None}])
def test_a_failed_poll_is_no_fix(changes):
    assert read(**changes) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latitude": 90.0001}, "latitude 90.0001 is out of range"),
        ({"longitude": "-180.5"}, "longitude -180.5 is out of range"),
        ({"latitude": None}, "latitude is 'None'"),
        ({"latitude": True}, "latitude is 'True'"),
        ({"longitude": "east"}, "longitude is 'east'"),
        ({"longitude": "nan"}, "expected a finite number"),
        ({"timestamp": 1766320531000}, "timestamp 1766320531000.0 is out of range"),
        ({"timestamp": None}, "timestamp is 'None'"),
        ({"object_id": "../../etc"}, "object_id is '../../etc'"),
        ({"object_id": None}, "object_id is 'None'"),
        ({"fetch_time": "yesterday"}, "fetch_time is 'yesterday'"),
        ({"fetch_time": 12}, "fetch_time is '12'"),
    ],
)
def test_a_bad_field_is_named(changes, reason):
    with pytest.raises(RecordError, match=reason.replace("(", "[(]")):
        read(**changes)


@pytest.mark.parametrize(
    "text",
    [
        line(fix())[:60],
        line(fix()) + line(fix()),
        "[1]",
        "null",
        "{}",
        "[" * 100_000,
        '{"latitude": NaN}',
    ],
)
def test_what_is_no_record_is_refused(text):
    with pytest.raises(RecordError):
        read_line(text, ISS)


def test_a_line_is_text_up_to_a_length():
    assert text_of(b"\xc3\xa9" * (MAX_LINE_BYTES // 2)) == "é" * (MAX_LINE_BYTES // 2)
    with pytest.raises(RecordError, match="longer than 65536 bytes"):
        text_of(b"x" * (MAX_LINE_BYTES + 1))
    with pytest.raises(RecordError, match=r"not UTF-8: .* position 1"):
        text_of(b"x\xff")
