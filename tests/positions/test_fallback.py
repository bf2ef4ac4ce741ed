"""Two feeds of the simulator, the first one failing: what the second is asked, and when."""

import json
from threading import Event

import pytest
from tests.positions.samples import ISS

from orbitlake.positions.collect.collector import collect
from orbitlake.positions.collect.poller import Poller
from orbitlake.positions.record import OPEN_NOTIFY, WHERETHEISS, read_record
from orbitlake.settings import SettingError, from_environment
from orbitlake.simulator import create_app, serve
from orbitlake.simulator.faults import Fault, FaultKind
from orbitlake.simulator.server import OPEN_NOTIFY_PATH, WHERE_THE_ISS_PATH

PATHS = {OPEN_NOTIFY: OPEN_NOTIFY_PATH, WHERETHEISS: WHERE_THE_ISS_PATH}


def polled(lake, *faults, ticks=1, tick_s=1, feeds=(OPEN_NOTIFY, WHERETHEISS)):
    """Collect for some ticks; return the records in order of arrival and the summary."""
    with serve(create_app(faults=faults)) as url:
        pollers = [Poller(url + PATHS[feed], ISS, feed, timeout_s=30, clock_tolerance_s=300) for feed in feeds]
        summary = collect(pollers, lake, tick_s, ticks * tick_s, Event(), show=lambda _: None)
    segments = sorted(lake.raw_open_notify.glob("date=*/*.jsonl"))
    lines = [line for segment in segments for line in segment.read_bytes().splitlines()]
    return [json.loads(line) for line in lines], [read_record(line, ISS) for line in lines], summary


def failing(kind, **settings):
    return Fault(kind=kind, path=OPEN_NOTIFY_PATH, **settings)


def test_a_failure_and_the_fix_of_the_fallback_are_two_records_of_one_tick(lake):
    records, (failure, fix), summary = polled(lake, failing(FaultKind.HTML_OK))

    assert [(record["source"], record["error"] is None) for record in records] == [
        (OPEN_NOTIFY, False), (WHERETHEISS, True),
    ]  # fmt: skip
    assert not failure.is_fix
    assert (fix.object_id, fix.source) == (ISS, WHERETHEISS)
    assert 400 < fix.altitude_km < 450
    assert (dict(summary.fixes), dict(summary.failures)) == ({WHERETHEISS: 1}, {"HTML": 1})


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.SERVER_ERROR_XML])
def test_a_feed_that_fails_slowly_leaves_the_fallback_its_share_of_the_tick(lake, kind):
    # Long ticks: on a busy machine an answer may be late by a second.
    records, _, summary = polled(lake, failing(kind), ticks=2, tick_s=4)

    assert [record["source"] for record in records] == [OPEN_NOTIFY, WHERETHEISS] * 2
    assert max(record["latency_ms"] for record in records) < 3500
    assert (dict(summary.fixes), summary.skipped_ticks) == ({WHERETHEISS: 2}, 0)


def test_a_fallback_is_not_asked_while_the_first_feed_answers(lake):
    records, _, _ = polled(lake, ticks=2)

    assert [record["source"] for record in records] == [OPEN_NOTIFY] * 2


def test_a_feed_that_asked_for_patience_is_left_alone_and_the_fallback_polled(lake):
    records, _, summary = polled(lake, failing(FaultKind.RATE_LIMITED, seconds=60), ticks=3)

    assert [record["source"] for record in records] == [OPEN_NOTIFY, WHERETHEISS, WHERETHEISS, WHERETHEISS]
    assert dict(summary.failures) == {"http 429": 1}
    assert summary.skipped_ticks == 0


def test_two_feeds_that_fail_are_two_failures(lake):
    records, fixes, summary = polled(lake, Fault(kind=FaultKind.BAD_GATEWAY_HTML))

    assert [record["source"] for record in records] == [OPEN_NOTIFY, WHERETHEISS]
    assert [fix.is_fix for fix in fixes] == [False, False]
    assert dict(summary.failures) == {"http 502": 2}


def test_a_fallback_of_another_name_is_refused():
    with pytest.raises(SettingError, match="ORBITLAKE_FALLBACK is 'nasa': expected off or wheretheiss"):
        from_environment({"ORBITLAKE_FALLBACK": "nasa"})
