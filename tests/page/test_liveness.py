"""A silent feed says so, and what to look at first, by a clock that the test holds."""

import json
from datetime import datetime, timedelta

import pytest
from tests.page.conftest import NOW, client_of

from orbitlake.lake import Lake

NEWEST_FIX = NOW - timedelta(seconds=40)
FRESH, SILENT = NEWEST_FIX + timedelta(seconds=25), NEWEST_FIX + timedelta(seconds=26)


def log_batch(lake: Lake, finished_at: datetime, torn: str = "") -> None:
    lake.stream_progress.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"batch": number, "finished_at": finished_at.isoformat()}) for number in range(200)]
    lake.stream_progress.write_text("\n".join(lines) + "\n" + torn)


def told(lake: Lake, now: datetime) -> dict:
    return client_of(lake, now).get("/api/freshness").json()


def test_feed_within_its_time_is_not_stale_whatever_the_stream_does(filled: Lake):
    log_batch(filled, FRESH - timedelta(hours=1))

    answer = told(filled, FRESH)

    assert (answer["stale"], answer["reason"]) == (False, None)
    assert answer["stream_age_s"] == 3600.0


def test_stream_that_stands_still_is_named(filled: Lake):
    log_batch(filled, SILENT - timedelta(seconds=26))

    answer = told(filled, SILENT)

    assert answer["stale"] is True
    assert answer["reason"] == "no micro-batch for 26 s: stream_positions or collect_positions has stopped"


def test_feed_that_gives_nothing_to_a_stream_at_work_is_named(filled: Lake):
    log_batch(filled, SILENT - timedelta(seconds=4))

    assert told(filled, SILENT)["reason"] == "the stream is at work, but the feed gives no new fix"


def test_stream_without_a_log_is_told_as_such(filled: Lake):
    answer = told(filled, SILENT)

    assert answer["stream_age_s"] is None
    assert answer["reason"] == "no micro-batch of stream_positions is on record"


def test_lake_without_a_fix_is_stale(lake: Lake):
    assert told(lake, NOW)["stale"] is True


@pytest.mark.parametrize("torn", ["", '{"batch": 200, "finished', '{"batch": 200'])
def test_line_that_is_still_being_written_is_left_out(filled: Lake, torn: str):
    log_batch(filled, SILENT - timedelta(seconds=4), torn)

    assert told(filled, SILENT)["stream_age_s"] == 4.0
