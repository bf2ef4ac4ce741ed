"""A simulated past: records as the collector would have kept them, that end where the present begins."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from orbitlake.embedded.history import write_history
from orbitlake.positions.record import read_record
from orbitlake.simulator.feeds import Moment, open_notify
from orbitlake.simulator.station import station

ISS = "1998-067A"
START = datetime(2026, 11, 19, 22, 30, tzinfo=UTC)
STOP = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("raw")
    assert write_history(folder, station(), ISS, START, STOP, 5) == 150 * 12
    return folder


def lines(raw) -> list[bytes]:
    return [line for file in sorted(raw.glob("date=*/*.jsonl")) for line in file.read_bytes().splitlines()]


def test_each_hour_is_one_segment_of_its_day_and_nothing_else_is_left(raw):
    files = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())

    assert files == [
        "date=2026-11-19/20261119T223000.000000Z-history.jsonl",
        "date=2026-11-19/20261119T230000.000000Z-history.jsonl",
        "date=2026-11-20/20261120T000000.000000Z-history.jsonl",
    ]


def test_every_record_is_a_fix_to_the_stream_and_the_polls_are_five_seconds_apart(raw):
    fixes = [read_record(line, "another") for line in lines(raw)]

    assert {(fix.object_id, fix.source) for fix in fixes} == {(ISS, "open_notify")}
    assert fixes[0].fetch_time - START < timedelta(seconds=1)
    assert STOP - fixes[-1].fetch_time < timedelta(seconds=5)
    assert all(abs((b.fetch_time - a.fetch_time).total_seconds() - 5) < 0.2 for a, b in pairwise(fixes))
    assert all(
        timedelta(0) <= fix.fetch_time - datetime.fromtimestamp(fix.timestamp, UTC) < timedelta(seconds=1.2)
        for fix in fixes
    )


def test_the_past_is_what_the_feed_would_have_said(raw):
    record = json.loads(lines(raw)[700])
    fetched = datetime.fromisoformat(record["fetch_time"]).replace(tzinfo=None)
    at = np.datetime64(fetched, "us") - np.timedelta64(round(record["latency_ms"] * 500), "us")
    body = json.loads(open_notify(station(), Moment(at, at)))

    assert body["timestamp"] == record["timestamp"]
    assert float(body["iss_position"]["latitude"]) == pytest.approx(record["latitude"], abs=1e-4)
    assert float(body["iss_position"]["longitude"]) == pytest.approx(record["longitude"], abs=1e-4)


def test_a_history_written_twice_is_the_same(raw, tmp_path):
    write_history(tmp_path, station(), ISS, START, STOP, 5)

    assert lines(tmp_path) == lines(raw)


def test_a_moment_without_a_zone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="time zone"):
        write_history(tmp_path, station(), ISS, START.replace(tzinfo=None), STOP, 5)
