"""Recordings of the feeds by other people: the holes that are in them come out, and nothing else does."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

import pytest
from tests.audit.gaps import coverage_of, gaps_of
from tests.audit.patterns import ISS, put
from tests.audit.recordings import raw_lines, stamps_of

from orbitlake.audit import update

pytestmark = pytest.mark.real
LATER = "date=2026-11-28/20261128T000000.000000Z-c0ffee00.jsonl"


@pytest.fixture
def audited(lake, real_data):
    """Bring a recording to the lake; return its gaps and the times of its polls."""

    def audit(name: str) -> tuple[list[dict], list[datetime]]:
        lines = raw_lines(real_data / "open_notify" / "recordings" / name)
        put(lake, {LATER: b"".join(lines)})
        polls = stamps_of(lines)
        update(lake, ISS, polls[-1])
        return gaps_of(lake), polls

    return audit


@pytest.mark.parametrize(
    ("name", "start", "hole_s"),
    [
        ("Sonali-Rawat__iss_location_data.csv", datetime(2024, 9, 10, 17, 58, 33, tzinfo=UTC), 1336),
        ("dzweben__iss_positions.csv", datetime(2025, 10, 2, 21, 43, 39, tzinfo=UTC), 175_703),
        ("ArshMalik07__iss_location_data.csv", datetime(2024, 6, 30, 7, 35, 24, tzinfo=UTC), 63),
        ("derekbt96__iss_positions.txt", datetime(2024, 9, 16, 4, 7, 51, 189_000, tzinfo=UTC), 64_728),
    ],
)
def test_the_longest_hole_is_a_gap_with_its_edges(audited, name, start, hole_s):
    found, _ = audited(name)

    longest = max(found, key=lambda gap: gap["duration_s"])
    assert abs(longest["start_time"] - start) < timedelta(seconds=0.5)
    assert longest["duration_s"] == pytest.approx(hole_s, abs=0.5)
    assert longest["cause"] == "collector not running"


@pytest.mark.parametrize(
    "name",
    [
        "GermanPaul12__iss_data.csv",
        "IgorComune__iss.csv",
        "cobranacho__iss.csv",
        "chaitenyachand__iss_location_data.csv",
        "derekbt96__iss_positions_2hour.txt",
        "alyfrancisco__iss_location.csv",
        "sanand0__iss-location.2025.jsonl",
    ],
)
def test_of_a_steady_recording_the_gaps_are_the_steps_above_three_of_its_intervals(audited, lake, name):
    found, polls = audited(name)
    steps_s = [(after - before).total_seconds() for before, after in pairwise(polls)]
    usual_s = max(1.0, median(steps_s))

    expected = [(polls[place], polls[place + 1]) for place, step_s in enumerate(steps_s) if step_s > 3.25 * usual_s]
    assert [(gap["start_time"], gap["end_time"]) for gap in found] == expected
    assert sum(hour["polls_made"] for hour in coverage_of(lake)) >= len(polls)


def test_outages_of_ten_minutes_are_counted_as_polls_that_were_due(audited, lake):
    found, polls = audited("GermanPaul12__iss_data.csv")

    assert len(found) == 24
    assert sum(hour["polls_made"] for hour in coverage_of(lake)) == len(polls) == 1428
    due = 1 + (polls[-1] - polls[0]).total_seconds() / 61.18
    assert sum(hour["polls_expected"] for hour in coverage_of(lake)) == pytest.approx(due, abs=5)
