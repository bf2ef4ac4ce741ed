"""Simulated time: where it starts, how fast it runs, what it refuses."""

from datetime import UTC, datetime

import numpy as np
import pytest

from orbitlake.simulator.clock import SimulatedClock, start_from_text

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_time_runs_at_its_rate_from_its_start():
    ticks = iter([100.0, 100.0, 102.5])
    clock = SimulatedClock(NOON, 60.0, lambda: next(ticks))

    assert clock.now_utc() == np.datetime64("2026-11-21T12:00:00")
    assert clock.now_utc() == np.datetime64("2026-11-21T12:02:30")


@pytest.mark.parametrize(
    ("start", "rate", "reason"),
    [
        (NOON.replace(tzinfo=None), 1.0, "no time zone"),
        (NOON.replace(year=2016), 1.0, "outside"),
        (datetime(2100, 1, 1, tzinfo=UTC), 1.0, "outside"),
        (NOON, 0.0, "rate"),
        (NOON, float("nan"), "rate"),
    ],
)
def test_a_start_or_rate_that_cannot_be_is_refused(start: datetime, rate: float, reason: str):
    with pytest.raises(ValueError, match=reason):
        SimulatedClock(start, rate)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T12:00:00+00:00"),
        ("yesterday-end", "2026-11-20T23:58:00+00:00"),
        ("2023-03-24T18:41:29", "2023-03-24T18:41:29+00:00"),
        ("2023-03-24T20:41:29+02:00", "2023-03-24T18:41:29+00:00"),
    ],
)
def test_a_start_is_named_or_a_moment_in_utc(text: str, expected: str):
    assert start_from_text(text, NOON) == datetime.fromisoformat(expected)


def test_a_start_that_is_no_moment_is_refused():
    with pytest.raises(ValueError, match="tomorrow"):
        start_from_text("tomorrow", NOON)
