"""Each row of the table of states, produced by files of a lake with times that the test sets, by both users' limits."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orbitlake.alerts import Condition
from orbitlake.freshness import HAND_OVER, Limits, arrivals, page_limits
from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.lake.paths import issue_name
from orbitlake.positions.stream_run import StreamRun, on_record
from orbitlake.settings import from_environment
from orbitlake.tables import OEM_ISSUES
from orbitlake.verdicts import FEED, ISSUES, RULES, STREAM, Verdict, judged

ISS = "1998-067A"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WATCH = Limits(feed=timedelta(minutes=10), stream=timedelta(minutes=5), issue=timedelta(days=5))
PAGE = page_limits(from_environment({}))
REFUSED_ANSWER = "clock: the position is 400 s behind now"


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def set_time(path: Path, arrived: datetime) -> None:
    os.utime(path, (arrived.timestamp(), arrived.timestamp()))


def land(lake: Lake, arrived: datetime, **values: Any) -> None:
    """One poll: by default a fix whose time is now and whose place moves from second to second."""
    stamp = int(arrived.timestamp())
    record = {"object_id": ISS, "source": "open_notify", "timestamp": stamp, "error": None} | {
        "latitude": round(stamp % 5000 / 100, 4),
        "longitude": 1.5,
    }
    record |= values
    if values.get("error") and not {"latitude", "timestamp"} & values.keys():
        record |= {"latitude": None, "longitude": None, "timestamp": None}
    folder = lake.raw_open_notify / f"date={arrived:%Y-%m-%d}"
    file = folder / f"{arrived:%Y%m%dT%H%M%S.%fZ}-x.jsonl"
    write_file(file, json.dumps(record).encode() + b"\n", lake.staging)
    set_time(file, arrived)


def poll(lake: Lake, since_s: float, until_s: float = 0, step_s: float = 5, **values: Any) -> None:
    """Polls from `since_s` to `until_s` seconds ago, the older first."""
    at_s = since_s
    while at_s >= until_s:
        land(lake, ago(seconds=at_s), **values)
        at_s -= step_s


def batch(lake: Lake, ended: datetime, **values: Any) -> None:
    lake.stream_progress.parent.mkdir(parents=True, exist_ok=True)
    line = {"batch": 1, "fixes": 1, "bad": 0, "lag_s": 2.5, "finished_at": ended.isoformat()} | values
    with lake.stream_progress.open("a") as sink:
        sink.write(json.dumps(line) + "\n")


def run(lake: Lake, started: datetime, ended: datetime | None = None, tries: int = 0) -> None:
    StreamRun(started, ended, tries).write(lake)


def issue(lake: Lake, created: datetime, arrived: datetime) -> None:
    file = lake.issue(OEM_ISSUES, ISS, created)
    write_file(file, b"", lake.staging)
    set_time(file, arrived)


def verdicts(
    lake: Lake, limits: Limits = PAGE, now: datetime = NOW, *, is_simulated: bool = False
) -> dict[str, Verdict]:
    seen = arrivals(lake, ISS, limits, now, is_simulated=is_simulated)
    return {verdict.subject: verdict for verdict in judged(seen, limits, now)}


def feed_fresh(lake: Lake) -> None:
    poll(lake, 60)


def feed_not_polled(lake: Lake) -> None:
    poll(lake, 300, until_s=121)


def feed_changing_runs(lake: Lake) -> None:
    poll(lake, 300, until_s=26)


def feed_with_one_stamp(lake: Lake) -> None:
    poll(lake, 60, timestamp=int(ago(seconds=61).timestamp()), latitude=10.0)


def feed_refused_for_its_one_stamp(lake: Lake) -> None:
    poll(lake, 60, timestamp=int(ago(seconds=500).timestamp()), latitude=10.0, error=REFUSED_ANSWER)


def feed_frozen(lake: Lake) -> None:
    poll(lake, 60, latitude=10.0)


def feed_from_the_future(lake: Lake) -> None:
    for s in range(60, -1, -5):
        land(lake, ago(seconds=s), timestamp=int(ago(seconds=s - 90).timestamp()))


def feed_from_the_future_refused(lake: Lake) -> None:
    for s in range(60, -1, -5):
        land(lake, ago(seconds=s), timestamp=int(ago(seconds=s - 900).timestamp()), error="clock: -900 s behind now")


def feed_of_long_ago(lake: Lake) -> None:
    for s in range(60, -1, -5):
        land(lake, ago(seconds=s), timestamp=int(ago(seconds=s + 90).timestamp()))


def feed_of_yesterday_refused(lake: Lake) -> None:
    for s in range(60, -1, -5):
        land(lake, ago(seconds=s), timestamp=int(ago(seconds=s, days=1).timestamp()), error=REFUSED_ANSWER)


def feed_silent(lake: Lake) -> None:
    poll(lake, 60, until_s=30)
    poll(lake, 25, error="http 502: Bad Gateway")


def feed_begun(lake: Lake) -> None:
    poll(lake, 20, error="timeout: no answer within 5.0 s")


def stream_handing_over(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=45))
    run(lake, ago(hours=1), ago(seconds=40))


def stream_starting(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=45))
    run(lake, ago(seconds=8))


def stream_starting_for_the_first_time(lake: Lake) -> None:
    feed_fresh(lake)
    run(lake, ago(seconds=8))


def stream_starting_after_a_long_pause(lake: Lake) -> None:
    poll(lake, 5000, until_s=4990)
    feed_fresh(lake)
    batch(lake, ago(seconds=5005))
    run(lake, ago(seconds=8), tries=1)


def stream_ended_for_good(lake: Lake) -> None:
    poll(lake, 300)
    batch(lake, ago(seconds=130))
    run(lake, ago(hours=1), ago(seconds=125))


def stream_killed_long_ago(lake: Lake) -> None:
    poll(lake, 300)
    batch(lake, ago(seconds=125))
    run(lake, ago(hours=1))


def stream_that_fails_at_each_start(lake: Lake) -> None:
    """Airflow tries again and again: a new end each time, and never a batch."""
    poll(lake, 300)
    batch(lake, ago(minutes=20))
    run(lake, ago(seconds=30), ago(seconds=10))


def stream_that_failed_and_starts_again(lake: Lake) -> None:
    poll(lake, 300)
    batch(lake, ago(minutes=20))
    run(lake, ago(seconds=10), tries=2)


def stream_killed_just_now(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=30))
    run(lake, ago(hours=1))


def stream_never_begun(lake: Lake) -> None:
    poll(lake, 200)


def stream_on_its_way(lake: Lake) -> None:
    """The first start of all: records come, Spark does not run yet."""
    feed_fresh(lake)


def stream_on_its_way_after_a_night(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(hours=6))
    run(lake, ago(hours=7), ago(hours=6))


def stream_gone_since_a_night(lake: Lake) -> None:
    poll(lake, 200)
    batch(lake, ago(hours=6))
    run(lake, ago(hours=7), ago(hours=6))


def stream_slow(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, NOW, lag_s=300.5)
    run(lake, ago(hours=1))


def stream_that_has_just_taken_over(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=1), lag_s=46.0)
    run(lake, ago(seconds=40))


def stream_refusing(lake: Lake) -> None:
    poll(lake, 60, latitude=123.0)
    batch(lake, NOW, fixes=0, bad=3, lag_s=None)
    run(lake, ago(hours=1))


def stream_idle(lake: Lake) -> None:
    batch(lake, ago(hours=6))
    run(lake, ago(hours=7), ago(hours=6))


def stream_at_work(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=3))
    run(lake, ago(hours=1))


def stream_between_runs_with_nothing_late(lake: Lake) -> None:
    feed_fresh(lake)
    batch(lake, ago(seconds=6))
    run(lake, ago(hours=1), ago(seconds=4))


def issue_old(lake: Lake) -> None:
    issue(lake, ago(days=5, seconds=1), NOW)


def issue_fresh(lake: Lake) -> None:
    issue(lake, ago(days=4), NOW)


def nothing(lake: Lake) -> None:
    """An empty lake."""


PRODUCED: list[tuple[str, str, Callable[[Lake], None], str]] = [
    (FEED, "nothing yet", nothing, "nothing was polled yet"),
    (FEED, "not polled", feed_not_polled, "last poll was at 2026-11-20 11:57:55 UTC: collect_positions does not run"),
    (FEED, "changing runs", feed_changing_runs, "last poll was at 2026-11-20 11:59:30 UTC: the next run"),
    (FEED, "stamp stands still", feed_with_one_stamp, "one answer, with one time stamp, since 2026-11-20 11:59:00 UTC"),
    (FEED, "stamp stands still", feed_refused_for_its_one_stamp, "one time stamp, since 2026-11-20 11:59:00 UTC"),
    (FEED, "frozen", feed_frozen, "one position under new time stamps since 2026-11-20 11:59:00 UTC"),
    (FEED, "ahead of our clock", feed_from_the_future, "90 s from the future: compare this machine's clock"),
    (FEED, "ahead of our clock", feed_from_the_future_refused, "15 min from the future"),
    (FEED, "clock behind", feed_of_long_ago, "positions of 2026-11-20 11:58:30 UTC, 90 s ago"),
    (FEED, "clock behind", feed_of_yesterday_refused, "positions of 2026-11-19 12:00:00 UTC, 24 h ago"),
    (FEED, "silent", feed_silent, "no fix since 2026-11-20 11:59:30 UTC; the newest poll, at 2026-11-20 12:00:00 UTC, "
     "says: http 502: Bad Gateway"),
    (FEED, "no fix yet", feed_begun, "polled since 2026-11-20 11:59:40 UTC, no fix yet: timeout"),
    (FEED, "fresh", feed_fresh, "the newest fix arrived at 2026-11-20 12:00:00 UTC"),
    (STREAM, "nothing yet", nothing, "has not begun yet"),
    (STREAM, "handing over", stream_handing_over, "ended at 2026-11-20 11:59:20 UTC, the next one takes over"),
    (STREAM, "starting", stream_starting, "started at 2026-11-20 11:59:52 UTC"),
    (STREAM, "starting", stream_starting_for_the_first_time, "started at 2026-11-20 11:59:52 UTC"),
    (STREAM, "starting", stream_starting_after_a_long_pause, "started at 2026-11-20 11:59:52 UTC"),
    (STREAM, "waking", stream_on_its_way, "wait since 2026-11-20 11:59:00 UTC, the first after a pause"),
    (STREAM, "waking", stream_on_its_way_after_a_night, "the first after a pause; a run of stream_positions is"),
    (STREAM, "stopped", stream_gone_since_a_night, "the last run at 2026-11-20 06:00:00 UTC"),
    (STREAM, "stopped", stream_ended_for_good, "the last run at 2026-11-20 11:57:55 UTC; read stream_positions' log"),
    (STREAM, "stopped", stream_killed_long_ago, "the last batch ended at 2026-11-20 11:57:55 UTC"),
    (STREAM, "behind", stream_that_fails_at_each_start, "the last batch ended at 2026-11-20 11:40:00 UTC"),
    (STREAM, "behind", stream_that_failed_and_starts_again, "the last batch ended at 2026-11-20 11:40:00 UTC"),
    (STREAM, "behind", stream_killed_just_now, "raw records wait since 2026-11-20 11:59:35 UTC"),
    (STREAM, "stopped", stream_never_begun, "no batch has ended yet"),
    (STREAM, "behind", stream_slow, "was 300 s old when it became visible"),
    (STREAM, "at work", stream_that_has_just_taken_over, "the last batch ended at 2026-11-20 11:59:59 UTC"),
    (STREAM, "refusing", stream_refusing, "put 3 raw records into quarantine"),
    (STREAM, "idle", stream_idle, "no raw record waits: the last batch ended at 2026-11-20 06:00:00 UTC"),
    (STREAM, "at work", stream_at_work, "the last batch ended at 2026-11-20 11:59:57 UTC"),
    (STREAM, "at work", stream_between_runs_with_nothing_late, "the last batch ended at 2026-11-20 11:59:54 UTC"),
    (ISSUES, "nothing yet", nothing, "no issue was ingested yet"),
    (ISSUES, "old", issue_old, "2026-11-15 11:59:59 UTC, older than 5 days; read ingest_oem's last runs"),
    (ISSUES, "fresh", issue_fresh, "the newest issue is of 2026-11-16 12:00:00 UTC"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "state", "produce", "words"), PRODUCED, ids=lambda each: getattr(each, "__name__", None)
)
def test_state_is_told_with_its_cause(
    lake: Lake, subject: str, state: str, produce: Callable[[Lake], None], words: str
):
    produce(lake)

    verdict = verdicts(lake)[subject]

    assert verdict.state == state
    assert words in verdict.text


def test_simulated_time_is_told_as_such_and_is_no_fault(lake: Lake):
    feed_of_long_ago(lake)

    assert verdicts(lake)[FEED].level == "wrong"
    simulated = verdicts(lake, is_simulated=True)[FEED]
    assert (simulated.state, simulated.level) == ("simulated time", "ok")
    assert "2026-11-20 11:58:30 UTC" in simulated.text


def test_every_row_of_the_table_is_produced_here():
    produced = {(subject, state) for subject, state, _, _ in PRODUCED} | {(FEED, "simulated time")}

    assert produced == {(rule.subject, rule.state) for rule in RULES}


def test_each_subject_always_has_a_verdict_and_each_that_is_not_well_says_what_ends_it():
    for subject in (FEED, STREAM, ISSUES):
        assert [rule for rule in RULES if rule.subject == subject][-1].level == "ok"
    for rule in RULES:
        assert bool(rule.clears) == (rule.level != "ok"), rule.state


@pytest.mark.parametrize("second", range(0, 60, 3))
def test_at_no_moment_of_a_hand_over_is_feed_or_stream_called_wrong(lake: Lake, second: int):
    """The old run ends 60 s ago, the new one starts 35 s later and has its first batch 15 s after that."""
    now = ago(seconds=60 - second)
    for s in range(180, 60 - second - 1, -5):
        land(lake, ago(seconds=s))
    batch(lake, ago(seconds=62))
    run(lake, ago(hours=1), ago(seconds=60))
    if second >= 35:
        run(lake, ago(seconds=25))
    if second >= 50:
        batch(lake, ago(seconds=10))

    found = verdicts(lake, now=now)

    assert {found[FEED].level, found[STREAM].level} <= {"ok", "wait"}
    assert found[FEED].state == "fresh"


def test_feed_is_fresh_while_the_stream_is_dead(lake: Lake):
    stream_killed_long_ago(lake)

    assert verdicts(lake)[FEED].state == "fresh"


def test_failed_polls_between_equal_answers_do_not_hide_that_the_feed_is_frozen(lake: Lake):
    for s in range(120, -1, -5):
        land(lake, ago(seconds=s), **({"error": "timeout"} if s % 15 else {"latitude": 10.0}))

    assert verdicts(lake)[FEED].state == "frozen"


def test_polls_of_another_object_are_none_of_this_feed(lake: Lake):
    poll(lake, 300, until_s=130)
    poll(lake, 60, object_id="2000-001A")

    assert verdicts(lake)[FEED].state == "not polled"


def test_answer_that_fails_in_one_feed_and_comes_from_the_fallback_is_fresh(lake: Lake):
    for s in range(60, -1, -5):
        land(lake, ago(seconds=s + 0.5), error="http 502")
        land(lake, ago(seconds=s), source="wheretheiss")

    assert verdicts(lake)[FEED].state == "fresh"


def test_watch_judges_by_the_same_table_with_longer_limits(lake: Lake):
    poll(lake, 900, until_s=300, step_s=20)
    poll(lake, 299, step_s=20, error="http 500")
    batch(lake, NOW)

    assert verdicts(lake, PAGE)[FEED].state == "silent"
    assert verdicts(lake, WATCH)[FEED].state == "fresh"
    assert verdicts(lake, WATCH, NOW + timedelta(minutes=6))[FEED].level == "wrong"


def test_condition_of_a_verdict_names_the_subject_the_state_and_what_ends_it(lake: Lake):
    feed_silent(lake)

    condition = verdicts(lake)[FEED].condition()

    assert condition == Condition(FEED, condition.text, is_wrong=True, clears="a poll with a fix")
    assert condition.text.startswith("silent: no fix since")


def test_limits_of_the_page_follow_the_pace_of_the_settings():
    slow = page_limits(from_environment({"ORBITLAKE_COLLECT_INTERVAL_S": "60", "ORBITLAKE_STREAM_TRIGGER": "1 minute"}))

    assert (PAGE.feed.total_seconds(), PAGE.stream.total_seconds()) == (25, 20)
    assert (slow.feed.total_seconds(), slow.stream.total_seconds()) == (180, 130)
    assert page_limits(from_environment({"ORBITLAKE_STREAM_TRIGGER": "available-now"})).stream == PAGE.stream


def test_issue_of_simulated_data_is_judged_by_its_arrival(lake: Lake):
    issue(lake, created=datetime(2023, 3, 24, tzinfo=UTC), arrived=ago(days=4))

    assert verdicts(lake)[ISSUES].state == "old"
    assert verdicts(lake, is_simulated=True)[ISSUES].state == "fresh"


def test_name_of_an_issue_may_go_on_behind_its_time(lake: Lake):
    file = lake.issue(OEM_ISSUES, ISS, ago(days=1))
    longer = file.parent.with_name(f"issue={issue_name(ago(days=1))}-SL-16_R_B") / file.name
    write_file(longer, b"", lake.staging)

    assert verdicts(lake)[ISSUES].text == "the newest issue is of 2026-11-19 12:00:00 UTC"


@pytest.mark.parametrize(
    "name", ["issue=copy", "issue=", "issue=20269999T000000Z", "issue=29991231T000000", "issue=zz-2"]
)
def test_folder_beside_the_issues_that_is_none_is_left_alone(lake: Lake, name: str):
    issue_fresh(lake)
    file = lake.issue(OEM_ISSUES, ISS, NOW)
    write_file(file.parent.with_name(name) / file.name, b"", lake.staging)

    assert verdicts(lake)[ISSUES].text == "the newest issue is of 2026-11-16 12:00:00 UTC"


def test_runs_of_the_stream_in_a_row_without_a_batch_are_counted(lake: Lake):
    counts = []
    for batches in (0, 0, 2, 0):
        with on_record(lake) as had_batch:
            counts.append(StreamRun.read(lake).tries)
            for _ in range(batches):
                had_batch()
        counts.append(StreamRun.read(lake).tries)

    assert counts == [1, 1, 2, 2, 3, 0, 1, 1]


def test_run_of_the_stream_leaves_its_start_and_its_end(lake: Lake):
    with on_record(lake):
        begun = StreamRun.read(lake)
    with pytest.raises(KeyboardInterrupt), on_record(lake):
        raise KeyboardInterrupt
    ended = StreamRun.read(lake)

    assert begun is not None
    assert begun.ended_at is None
    assert ended is not None
    assert ended.ended_at is not None
    assert ended.started_at <= ended.ended_at


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"started_at": 3, "ended_at": null}', b"\xff"])
def test_damaged_record_of_a_run_is_passed_over(lake: Lake, content: bytes):
    stream_at_work(lake)
    lake.stream_progress.with_name("run.json").write_bytes(content)

    assert StreamRun.read(lake) is None
    assert verdicts(lake)[STREAM].state == "at work"


@pytest.mark.parametrize("content", [b"", b"not JSON", b"[1]", b'"x"', b'{"latitude": [], "longitude": {}}', b"\xff"])
def test_record_that_is_none_is_a_poll_without_a_fix(lake: Lake, content: bytes):
    feed_silent(lake)
    folder = lake.raw_open_notify / f"date={NOW:%Y-%m-%d}"
    write_file(folder / f"{NOW:%Y%m%dT%H%M%S.%fZ}-y.jsonl", content + b"\n", lake.staging)
    set_time(folder / f"{NOW:%Y%m%dT%H%M%S.%fZ}-y.jsonl", NOW)

    assert verdicts(lake)[FEED].level in ("wrong", "ok")


def test_hand_over_has_a_bound():
    assert timedelta(seconds=30) < HAND_OVER < timedelta(minutes=5)
