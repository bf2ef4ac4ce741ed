"""What is stale and what only looks so: judged by arrival, at times that the test sets."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orbitlake.freshness import Limits, arrivals
from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.lake.paths import issue_name
from orbitlake.tables import OEM_ISSUES
from orbitlake.verdicts import FEED, ISSUES, STREAM, judged

ISS = "1998-067A"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LIMITS = Limits(feed=timedelta(minutes=10), stream=timedelta(minutes=5), issue=timedelta(days=5))


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def at(path: Path, arrived: datetime) -> None:
    os.utime(path, (arrived.timestamp(), arrived.timestamp()))


def land(lake: Lake, arrived: datetime, *, latitude: float | None = 47.6, error: str | None = None) -> None:
    """One poll: a fix that moves, years ago as a replay gives it, or a failure."""
    place = None if latitude is None or error else latitude + arrived.timestamp() % 1000 / 1000
    stamp = 1679696000 + int(arrived.timestamp()) % 86400
    record = {"latitude": place, "longitude": place, "timestamp": stamp, "error": error}
    folder = lake.raw_open_notify / f"date={arrived:%Y-%m-%d}"
    file = folder / f"{arrived:%Y%m%dT%H%M%S.%fZ}-x.jsonl"
    write_file(file, json.dumps(record).encode() + b"\n", lake.staging)
    at(file, arrived)


def batch(lake: Lake, ended: datetime, tail: str = "\n") -> None:
    log = lake.checkpoints / "stream_positions" / "progress.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as sink:
        sink.write(json.dumps({"batch": 1, "finished_at": ended.isoformat()}) + tail)


def issue(lake: Lake, created: datetime, arrived: datetime) -> None:
    file = lake.issue(OEM_ISSUES, ISS, created)
    write_file(file, b"", lake.staging)
    at(file, arrived)


def wrong(lake: Lake, now: datetime = NOW, *, is_simulated: bool = True) -> dict[str, str]:
    seen = arrivals(lake, ISS, LIMITS, now, is_simulated=is_simulated)
    return {each.subject: each.text for each in judged(seen, LIMITS, now) if each.level == "wrong"}


def test_of_an_empty_lake_nothing_is_wrong(lake: Lake):
    assert wrong(lake) == {}


def test_while_fixes_arrive_and_are_streamed_nothing_is_wrong_however_old_their_own_times_are(lake: Lake):
    land(lake, ago(days=2))
    for minutes in range(60):
        land(lake, ago(minutes=minutes))
    batch(lake, ago(seconds=5))
    land(lake, ago(seconds=2))

    assert wrong(lake) == {}


def test_a_feed_that_fails_for_longer_than_its_limit_is_silent_and_the_newest_failure_says_why(lake: Lake):
    land(lake, ago(minutes=10, seconds=1))
    for minutes in range(10):
        land(lake, ago(minutes=minutes), error=f"HTTP 50{minutes}")
    batch(lake, NOW)

    assert wrong(lake) == {
        FEED: "no fix since 2026-11-20 11:49:59 UTC; the newest poll, at 2026-11-20 12:00:00 UTC, says: HTTP 500"
    }
    assert wrong(lake, ago(seconds=2)) == {}


def test_one_fix_among_failures_is_enough(lake: Lake):
    for minutes in range(60):
        land(lake, ago(minutes=minutes), error="timeout" if minutes != 9 else None)
    batch(lake, NOW)

    assert wrong(lake) == {}


def test_a_collector_that_does_not_run_is_told_as_such(lake: Lake):
    land(lake, ago(hours=3))
    batch(lake, ago(hours=2))

    assert wrong(lake) == {FEED: "the last poll was at 2026-11-20 09:00:00 UTC: collect_positions does not run"}


def test_a_collector_that_began_on_a_feed_that_is_down_is_given_the_limit_first(lake: Lake):
    for minutes in range(10):
        land(lake, ago(minutes=minutes), error="timeout")
    batch(lake, NOW)

    assert wrong(lake) == {}
    assert list(wrong(lake, NOW + timedelta(minutes=2))) == [FEED]


def test_the_night_over_midnight_is_no_gap(lake: Lake):
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    land(lake, midnight - timedelta(minutes=3))
    batch(lake, midnight)

    assert wrong(lake, midnight + timedelta(minutes=1)) == {}


def test_a_sealed_day_counts_as_a_sign_of_life_and_waits_for_nobody(lake: Lake):
    packed = lake.raw_open_notify / "date=2026-11-19" / "20261119.jsonl.gz"
    write_file(packed, b"", lake.staging)
    at(packed, ago(minutes=9))

    assert wrong(lake) == {}
    assert list(wrong(lake, NOW + timedelta(minutes=2))) == [FEED]


def test_polls_of_one_segment_are_judged_by_their_own_fetch_times_and_its_torn_end_is_passed_over(lake: Lake):
    segment = lake.raw_open_notify / "date=2026-11-20" / "20261120T100000.000000Z-a1b2c3d4.jsonl"
    records = [
        {"object_id": ISS, "fetch_time": ago(minutes=minutes).isoformat(), "latitude": minutes, "longitude": 1.5}
        | {"timestamp": ago(minutes=minutes).timestamp(), "error": None if minutes > 3 else "timeout"}
        for minutes in range(120, 0, -1)
    ]
    content = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    write_file(segment, content + b'{"object_id": "1998-067A", "fe', lake.staging)
    at(segment, ago(minutes=1))
    batch(lake, ago(minutes=2, seconds=30))
    seen = arrivals(lake, ISS, LIMITS, NOW, is_simulated=False)

    assert (seen.newest_poll, seen.newest_fix) == (ago(minutes=1), ago(minutes=4))
    assert (seen.poll_error, seen.waits_since) == ("timeout", ago(minutes=2))
    assert seen.oldest_poll > ago(minutes=12), "no more is read than tells enough"


def test_old_records_that_a_person_brought_do_not_pass_for_the_newest_polls(lake: Lake):
    folder = lake.raw_open_notify / "date=2026-11-20"
    older = {"object_id": ISS, "fetch_time": "2024-01-01T00:00:00Z", "latitude": 1, "longitude": 1, "timestamp": 1.7e9}

    def brought(place: int) -> Path:
        return folder / f"20261120T115900.000000Z-0000000{place}.jsonl"

    for minutes in range(5):
        land(lake, ago(minutes=minutes))
    for place in range(3):
        write_file(brought(place), json.dumps(older | {"latitude": place}).encode() + b"\n", lake.staging)
        at(brought(place), NOW + timedelta(seconds=1))
    batch(lake, NOW)

    assert wrong(lake) == {}


def test_a_stream_that_leaves_records_waiting_is_behind(lake: Lake):
    batch(lake, ago(minutes=6))
    for seconds in range(0, 360, 5):
        land(lake, ago(seconds=seconds))

    assert wrong(lake) == {
        STREAM: "raw records wait at least since 2026-11-20 11:54:05 UTC: "
        "the last batch ended at 2026-11-20 11:54:00 UTC; read stream_positions' log"
    }


def test_a_stream_without_anything_to_do_is_not_behind(lake: Lake):
    batch(lake, ago(hours=6))
    for seconds in range(0, 120, 5):
        land(lake, ago(seconds=seconds))

    assert wrong(lake) == {}


def test_a_stream_that_never_began_is_behind_once_records_wait_for_longer_than_it_may_take_to_begin(lake: Lake):
    for seconds in range(0, 360, 5):
        land(lake, ago(seconds=seconds))

    assert wrong(lake) == {}

    for seconds in range(360, 600, 5):
        land(lake, ago(seconds=seconds))

    assert wrong(lake) == {
        STREAM: "raw records wait at least since 2026-11-20 11:50:05 UTC: no batch has ended yet; "
        "read stream_positions' log"
    }


def test_records_that_waited_for_hours_are_seen_from_the_first_one_beyond_the_limits(lake: Lake):
    batch(lake, ago(hours=5))
    for minutes in range(0, 240, 30):
        land(lake, ago(minutes=minutes))

    assert list(wrong(lake)) == [STREAM]


def test_a_torn_last_line_of_progress_is_passed_over(lake: Lake):
    batch(lake, ago(seconds=30))
    (lake.checkpoints / "stream_positions" / "progress.jsonl").open("a").write('{"batch": 2, "finis')
    land(lake, ago(minutes=6))

    assert wrong(lake) == {}


def test_an_issue_is_old_by_its_creation(lake: Lake):
    issue(lake, created=ago(days=5, seconds=1), arrived=NOW)
    issue(lake, created=ago(days=30), arrived=NOW)

    assert wrong(lake, is_simulated=False) == {
        ISSUES: "the newest issue is of 2026-11-15 11:59:59 UTC, older than 5 days; read ingest_oem's last runs"
    }
    assert issue_name(ago(days=5, seconds=1)) == "20261115T115959Z"


def test_an_issue_of_a_replay_is_judged_by_when_it_came(lake: Lake):
    issue(lake, created=datetime(2023, 3, 24, tzinfo=UTC), arrived=ago(days=4))

    assert wrong(lake) == {}
    assert list(wrong(lake, NOW + timedelta(days=2))) == [ISSUES]


def test_no_more_records_are_opened_than_the_limits_reach_back(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    opened = []
    read = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *mode, **how: opened.append(path.parts) or read(path, *mode, **how))
    for minutes in range(300):
        land(lake, ago(minutes=minutes), error="timeout")
    arrivals(lake, ISS, LIMITS, NOW, is_simulated=False)

    assert 10 <= sum("raw" in parts for parts in opened) <= 12


def test_a_folder_that_is_not_reached_is_not_even_listed(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    for minutes in range(0, 3000, 30):
        land(lake, ago(minutes=minutes))
    batch(lake, NOW)
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(str(folder)) or scandir(folder))
    arrivals(lake, ISS, LIMITS, NOW, is_simulated=False)

    assert [folder.rsplit("/", 1)[1] for folder in listed if "date=" in folder] == [
        "date=2026-11-20",
    ]
