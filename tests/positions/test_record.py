"""Raw records of both forms, and everything that is not one."""

import json
import random
import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from tests.positions.samples import ISS, fix, line

from orbitlake.positions.record import MAX_LINE_BYTES, RawRecord, RecordError, read_record

OLDER = {
    "latitude": 47.6153, "longitude": -60.4797, "timestamp": 1766320531,
    "fetch_time": "2025-12-21T13:35:30.588242", "altitude_km": 408.0, "velocity_km_s": 0.0,
}  # fmt: skip
BASE = json.loads(line(fix()))


def read(**changes):
    return read_record(json.dumps(BASE | changes).encode(), ISS)


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
    back = read_record(written, ISS)

    assert written.endswith(b"}\n")
    assert json.loads(written)["fetch_time"] == "2026-11-21T07:00:00.000250Z"
    assert (back.object_id, back.source) == ("2000-001A", "open_notify")
    assert back.fetch_time == record.fetch_time
    assert back.timestamp == 1766320531
    assert (back.latitude, back.longitude, back.altitude_km) == (47.6153, -60.4797, 408.5)
    assert back.is_fix


def test_a_record_of_the_older_form_gives_no_more_than_was_observed():
    fix = read_record(json.dumps(OLDER).encode(), ISS)

    assert (fix.object_id, fix.source) == (ISS, "open_notify")
    assert (fix.latitude, fix.longitude, fix.timestamp) == (47.6153, -60.4797, 1766320531)
    assert fix.altitude_km is None
    assert fix.fetch_time is None


def test_coordinates_may_be_strings():
    back = read(latitude="47.6153", longitude="-60.4797", timestamp="1766320531")

    assert (back.latitude, back.longitude, back.timestamp) == (47.6153, -60.4797, 1766320531)


def test_a_byte_order_mark_and_a_carriage_return_do_no_harm():
    text = line(fix())

    assert read_record(f"\ufeff{text}\r".encode(), ISS) == read_record(text.encode(), ISS)


@pytest.mark.parametrize(
    "changes",
    [
        {"error": "timeout"},
        {"error": "", "latitude": "nowhere"},
        {"error": 0},
        {"latitude": None, "longitude": None, "timestamp": None},
    ],
)
def test_a_failed_poll_is_no_fix(changes):
    assert not read(**changes).is_fix


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"latitude": 90.0001}, "`float` <= 90.0 - at `$.latitude`"),
        ({"longitude": "-180.5"}, "`float` >= -180.0 - at `$.longitude`"),
        ({"latitude": None}, "without latitude"),
        ({"latitude": True}, "got `bool` - at `$.latitude`"),
        ({"longitude": "east"}, "got `str` - at `$.longitude`"),
        ({"longitude": "nan"}, "at `$.longitude`"),
        ({"altitude_km": "Infinity"}, "at `$.altitude_km`"),
        ({"timestamp": 1766320531000}, "`float` < 4102444800.0 - at `$.timestamp`"),
        ({"timestamp": None}, "without timestamp"),
        ({"object_id": "../../etc"}, "at `$.object_id`"),
        ({"object_id": None}, "without object_id"),
        ({"fetch_time": "yesterday"}, "at `$.fetch_time`"),
        ({"fetch_time": "2026-02-30T00:00:00Z"}, "at `$.fetch_time`"),
        ({"source": "a\n"}, "at `$.source`"),
    ],
)
def test_a_bad_field_is_named(changes, reason):
    with pytest.raises(RecordError, match=re.escape(reason)):
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
        read_record(text.encode(), ISS)


def test_a_line_has_a_greatest_length_and_is_utf_8():
    read_record(line(fix()).encode().ljust(MAX_LINE_BYTES), ISS)
    with pytest.raises(RecordError, match="longer than 65536 bytes"):
        read_record(line(fix()).encode().ljust(MAX_LINE_BYTES + 1), ISS)
    with pytest.raises(RecordError, match="not JSON: "):
        read_record(line(fix()).encode().replace(b"open_notify", b"open\xffnotify"), ISS)


def test_mutilated_lines_are_records_or_refused_and_a_fix_is_within_its_bounds():
    chance = random.Random(4)
    fixes = 0
    for _ in range(3000):
        text = list(line(fix(chance.randrange(100))))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(1, len(text) - 2)
            text[at : at + chance.randint(0, 2)] = chance.choices(',:"0123456789.eE+- nulltrue', k=chance.randint(0, 2))
        with suppress(RecordError):
            record = read_record("".join(text).encode(), ISS)
            if record.is_fix:
                fixes += 1
                assert abs(record.latitude) <= 90
                assert abs(record.longitude) <= 180
                assert 0 < record.timestamp < 4_102_444_800

    assert 300 < fixes < 3000
