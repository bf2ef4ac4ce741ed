"""What is a gap, and what it is put down to: one trouble at a time."""

from datetime import datetime, timedelta

import pytest
from tests.audit.gaps import coverage_of, gaps_of
from tests.audit.patterns import ISS, MIDNIGHT, line, put

from orbitlake.audit import update

NOON = MIDNIGHT + timedelta(hours=12)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def polls(*seconds: float, **other) -> list[bytes]:
    return [line(at(second), **other) for second in seconds]


def every(interval: float, begin: float, end: float, **other) -> list[bytes]:
    """Polls from `begin` on, before `end`, in seconds after noon."""
    count = round((end - begin) / interval)
    return polls(*(begin + interval * number for number in range(count)), **other)


def failed(*seconds: float, error="timeout: no answer within 5.0 s", **other) -> list[bytes]:
    nothing = dict.fromkeys(("latitude", "longitude", "timestamp", "http_status"))
    return polls(*seconds, error=error, **(nothing | other))


def audited(lake, lines: list[bytes], now: datetime | None = None) -> list[tuple]:
    """Put lines into the lake; return begin and end in seconds after noon, and cause, of each gap."""
    put(lake, {f"date={MIDNIGHT.date()}/20260311T000000.000000Z-c0ffee00.jsonl": b"".join(lines)})
    update(lake, ISS, now or at(600))
    return [
        (
            (gap["start_time"] - NOON).total_seconds(),
            gap["end_time"] and (gap["end_time"] - NOON).total_seconds(),
            gap["cause"],
        )
        for gap in gaps_of(lake)
    ]


def test_three_missed_polls_are_a_gap_two_are_none(lake):
    lines = [*every(5, 0, 200), *every(5, 210, 605)]

    assert audited(lake, lines) == []
    del lines[40]
    assert audited(lake, lines) == [(195, 215, "collector not running")]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("timeout: no answer within 5.0 s", "timeout"),
        ("http 429: Too Many Requests", "http 429"),
        ("http 502", "http 502"),
        ("not JSON: Expecting value", "not JSON"),
        ("clock: no number to compare", "clock"),
        ("<urlopen error [Errno -2]>", "other"),
    ],
)
def test_failed_polls_put_a_gap_down_to_the_kind_that_their_error_begins_with(lake, error, cause):
    lines = [*every(5, 0, 300), *failed(300, 305, 310, error=error), *every(5, 315, 605)]

    assert audited(lake, lines) == [(295, 315, cause)]


def test_a_gap_is_put_down_to_what_most_of_it_was(lake):
    lines = [*every(5, 0, 300), *failed(300, 305), *failed(310, 315, 320, error="http 500"), *every(5, 325, 605)]

    assert audited(lake, lines) == [(295, 325, "http 500")]
    (gap,) = gaps_of(lake)
    assert (gap["duration_s"], gap["cause_s"], gap["polls_made"], gap["interval_s"]) == (30, 20, 5, 5)


@pytest.mark.parametrize("repeated", [{"latitude": 1.5, "longitude": 2.5}, {"timestamp": 1773230700}])
def test_answers_that_repeat_stamp_or_position_are_frozen_from_the_first_of_them_on(lake, repeated):
    lines = [*every(5, 0, 300), *every(5, 300, 400, **repeated), *every(5, 400, 605)]

    assert audited(lake, lines) == [(300, 400, "frozen")]


def test_stamps_that_lag_behind_are_late_whether_the_collector_refused_them_or_not(lake):
    def lagging(second, **other):
        return polls(second, timestamp=int(at(second).timestamp()) - 400, **other)

    refused = {"error": "clock: the position is 400 s behind now"}
    lines = [*every(5, 0, 300), *lagging(300), *lagging(305), *lagging(310, **refused), *every(5, 315, 605)]

    assert audited(lake, lines) == [(295, 315, "late")]


def test_an_hour_without_polls_after_429_is_the_feeds_and_a_longer_one_the_collectors(lake):
    asked = failed(300, error="http 429: Too Many Requests")

    assert audited(lake, [*every(5, 0, 300), *asked, *every(5, 3900, 4000)], at(4000)) == [(295, 3900, "http 429")]
    assert audited(lake, [*every(5, 0, 300), *asked, *every(5, 4500, 4600)], at(4600)) == [
        (295, 4500, "collector not running")
    ]


def test_a_fallback_that_is_not_asked_is_not_missed_and_one_that_fails_too_has_gaps(lake):
    lines = [*every(5, 0, 600)]
    lines = [each for each in lines if not any(stamp in each for stamp in (b":05:0", b":05:1", b":05:2"))]
    for second in range(300, 330, 5):
        lines += failed(second + 1)
        other = {"source": "wheretheiss", "latency_ms": 900.0}
        lines += failed(second + 2, **other) if second < 320 else polls(second + 2, **other)
    lines += [*failed(451), *polls(452, source="wheretheiss", latency_ms=900.0)]

    found = audited(lake, lines)
    assert found == [(295, 330, "timeout"), (302, 322, "timeout")]
    assert [gap["source"] for gap in gaps_of(lake)] == ["open_notify", "wheretheiss"]
    (theirs,) = [row for row in coverage_of(lake) if row["source"] == "wheretheiss"]
    assert (theirs["polls_expected"], theirs["polls_made"], theirs["polls_answered"]) == (7, 7, 3)


@pytest.mark.parametrize("phase", [0.02, 0.8, 1.5, 2.5])
def test_two_collectors_at_once_miss_nothing_until_both_are_silent(lake, phase):
    one = [*every(5, 0, 300), *every(5, 400, 901)]
    lines = [*one, *every(5, 100 + phase, 700 + phase)]

    assert audited(lake, lines, at(900)) == []
    both = [*every(5, 0, 300), *every(5, 100 + phase, 300 + phase), *every(5, 340, 605)]
    assert audited(lake, both) == [(295 + phase, 340, "collector not running")]


def test_three_collectors_that_take_turns_miss_nothing(lake):
    lines = [each for phase in (0.0, 0.1, 0.3) for each in every(5, phase, 605 + phase)]

    assert audited(lake, lines) == []


@pytest.mark.parametrize(("slow", "fast"), [(60, 5), (30, 1), (10, 2)])
def test_a_change_of_the_interval_is_no_gap(lake, slow, fast):
    lines = [*every(slow, 0, 20 * slow), *every(fast, 20 * slow, 40 * slow), *every(slow, 40 * slow, 60 * slow + 1)]

    assert audited(lake, lines, at(60 * slow)) == []


def test_slow_answers_are_no_gap_and_no_missed_poll(lake):
    lines = [line(at(5 * number + wait), latency_ms=1000.0 * wait) for number in range(120) for wait in [number % 5]]

    assert audited(lake, lines) == []
    (hour,) = coverage_of(lake)
    assert (hour["polls_expected"], hour["polls_made"], hour["completeness"], hour["interval_s"]) == (120, 120, 1, 5)


def test_polls_that_wait_for_their_whole_interval_and_let_the_next_one_pass_do_not_hide_it(lake):
    lines = [*every(5, 0, 300), *every(5, 1500, 3600)]
    lines += [each for second in range(300, 1500, 10) for each in failed(second + 5, latency_ms=5001.0)]

    assert audited(lake, lines, at(3600)) == [(295, 1500, "timeout")]
    (hour,) = coverage_of(lake)
    assert (hour["polls_made"], hour["polls_expected"], hour["polls_answered"]) == (600, 720, 480)


def test_a_clock_that_is_set_back_or_on_makes_up_no_more_than_the_step_itself(lake):
    back = [*every(5, 0, 300), *every(5, 201, 500)]
    assert audited(lake, back, at(500)) == []

    on = [
        *every(5, 0, 300),
        *[line(at(second + 45), timestamp=int(at(second).timestamp())) for second in range(300, 600, 5)],
    ]
    assert audited(lake, on, at(640)) == [(295, 345, "collector not running")]


def test_records_without_zone_or_source_count_by_the_stamp_of_the_feed(lake):
    older = {"source": None, "object_id": None, "fetch_time": "2026-03-11T13:00:00", "error": None}
    lines = [*every(5, 0, 300, **older), *every(5, 400, 501, **older)]

    assert audited(lake, lines, at(500)) == [(295, 400, "collector not running")]


def test_a_silence_at_the_end_is_an_open_gap_once_three_polls_are_missed(lake):
    lines = every(5, 0, 305)

    assert audited(lake, lines, at(316)) == []
    assert audited(lake, lines, at(317)) == [(300, None, "collector not running")]
    assert audited(lake, [*lines, *failed(305, 310, 315, 320)], at(320)) == [(300, None, "timeout")]
    assert audited(lake, [*lines, *failed(305, 310, 315, 320), *polls(325)], at(326)) == [(300, 325, "timeout")]


def test_what_is_no_record_is_no_poll(lake):
    lines = [*every(5, 0, 300), b"{}\n", b"torn", b"\n", *every(5, 305, 605), line(at(700))[:40]]

    assert audited(lake, lines) == []
    (hour,) = coverage_of(lake)
    assert (hour["polls_made"], hour["polls_expected"]) == (120, 121)


def test_coverage_counts_polls_that_were_due_made_answered_and_new(lake):
    lines = [*every(5, 0, 1000), *failed(1000, 1005, 1010), *every(5, 1100, 3600), *polls(3599, latitude=1.0)]
    lines += polls(3600, 3605, 3610, latitude=1.0, longitude=2.0, timestamp=1773234000)
    audited(lake, [*lines, lines[7], lines[8]], at(3610))

    first, second = coverage_of(lake)
    assert first["hour_start"] == NOON
    assert first["polls_expected"] == 721
    assert first["polls_made"] == 704
    assert (first["polls_answered"], first["distinct_fixes"]) == (701, 701)
    assert first["completeness"] == pytest.approx(701 / 721, abs=1e-6)
    assert (second["polls_expected"], second["polls_answered"], second["distinct_fixes"]) == (3, 3, 1)
