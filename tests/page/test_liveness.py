"""The verdicts as the API gives them, by a clock that the test holds; tests/test_verdicts.py has each of their rows."""

import json
import os
from datetime import datetime, timedelta

import pytest
from tests.page.conftest import NOW, OBJECT_ID, client_of

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file


def log_batch(lake: Lake, finished_at: datetime, torn: str = "") -> None:
    lake.stream_progress.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"batch": number, "finished_at": finished_at.isoformat()}) for number in range(200)]
    lake.stream_progress.write_text("\n".join(lines) + "\n" + torn)


def land(lake: Lake, came: datetime, error: str | None = None) -> None:
    place = None if error else came.second / 2
    record = {
        "object_id": OBJECT_ID,
        "latitude": place,
        "longitude": place,
        "error": error,
        "timestamp": came.timestamp(),
    }
    folder = lake.raw_open_notify / f"date={came:%Y-%m-%d}"
    file = folder / f"{came:%Y%m%dT%H%M%S.%fZ}-x.jsonl"
    write_file(file, json.dumps(record).encode() + b"\n", lake.staging)
    os.utime(file, (came.timestamp(), came.timestamp()))


def told(lake: Lake, now: datetime = NOW) -> dict:
    return client_of(lake, now).get("/api/freshness").json()


def levels(answer: dict) -> dict[str, str]:
    return {verdict["subject"]: verdict["level"] for verdict in answer["verdicts"]}


def test_feed_and_stream_that_are_well_are_told_so(filled: Lake):
    for s in (12, 8, 4):
        land(filled, NOW - timedelta(seconds=s))
    log_batch(filled, NOW - timedelta(seconds=3))

    answer = told(filled)

    assert levels(answer) == {"feed": "ok", "stream": "ok", "issues": "ok"}
    assert (answer["stale"], answer["reason"], answer["stream_age_s"]) == (False, None, 3.0)
    assert answer["verdicts"][0]["since"] == "2026-03-05T12:00:06Z"


def test_feed_is_named_where_the_feed_is_silent(filled: Lake):
    for s in range(40, -1, -4):
        land(filled, NOW - timedelta(seconds=s), error=None if s > 30 else "http 502: Bad Gateway")
    log_batch(filled, NOW - timedelta(seconds=1))

    answer = told(filled)

    assert levels(answer) == {"feed": "wrong", "stream": "ok", "issues": "ok"}
    assert answer["stale"] is True
    assert answer["reason"].startswith("feed silent: no fix since 2026-03-05 11:59:38 UTC")
    assert "http 502: Bad Gateway" in answer["reason"]


def test_stream_is_named_where_the_stream_stands_still(filled: Lake):
    for s in range(200, -1, -4):
        land(filled, NOW - timedelta(seconds=s))
    log_batch(filled, NOW - timedelta(seconds=190))

    answer = told(filled)

    assert levels(answer) == {"feed": "ok", "stream": "wrong", "issues": "ok"}
    assert answer["reason"].startswith("stream stopped: raw records wait")


def test_lake_without_anything_says_that_nothing_has_come_yet(lake: Lake):
    answer = told(lake)

    assert levels(answer) == {"feed": "none", "stream": "none", "issues": "none"}
    assert answer["stale"] is False
    assert answer["stream_age_s"] is None


@pytest.mark.parametrize("torn", ["", '{"batch": 200, "finished', '{"batch": 200'])
def test_line_that_is_still_being_written_is_left_out(filled: Lake, torn: str):
    log_batch(filled, NOW - timedelta(seconds=4), torn)

    assert told(filled)["stream_age_s"] == 4.0
