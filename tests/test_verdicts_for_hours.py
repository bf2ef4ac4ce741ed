"""Two hours on a clock that the test sets: polls, batches and runs in files of a lake, judged every three seconds."""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from orbitlake.freshness import arrivals, page_limits
from orbitlake.lake import Lake
from orbitlake.positions.stream_run import StreamRun
from orbitlake.settings import from_environment
from orbitlake.verdicts import FEED, STREAM, judged

BEGIN = datetime(2026, 11, 20, 22, 50, tzinfo=UTC)
"""Two hours with midnight UTC in the middle."""
HOURS_S = 7_200
LOOK_EVERY_S = 3
POLL_EVERY_S = 5
RUN_S = 650
"""Eleven runs of the stream in two hours, hence ten hand-overs."""
COLLECTOR_ENDS_S = (1_800, 5_400)
PAUSE_S = 60
"""How long nothing is polled while one run of the collector follows another."""
LIMITS = page_limits(from_environment({}))
FEED_LIMIT_S = int(LIMITS.feed.total_seconds())
STREAM_LIMIT_S = int(LIMITS.stream.total_seconds())
STOPPED_AFTER_S = 120

FAULTS = {
    "errors": (FEED, "silent", FEED_LIMIT_S),
    "frozen": (FEED, "frozen", FEED_LIMIT_S),
    "one stamp": (FEED, "stamp stands still", FEED_LIMIT_S),
    "old stamps": (FEED, "clock behind", 0),
    "stamps ahead": (FEED, "ahead of our clock", 0),
    "no collector": (FEED, "not polled", STOPPED_AFTER_S),
    "no stream": (STREAM, "stopped", STOPPED_AFTER_S),
}
"""What is done, of whom it must be told, in which state, and after how many seconds at the latest (plus a poll)."""


@dataclass(frozen=True)
class Fault:
    kind: str
    start_s: int
    end_s: int

    def holds(self, at_s: float) -> bool:
        return self.start_s <= at_s < self.end_s


@dataclass
class Hours:
    """What has come to pass by a second: the files that collector and stream would have left."""

    lake: Lake
    fault: Fault | None
    seed: int
    rng: random.Random = field(init=False)
    hand_overs: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.lake.stream_progress.parent.mkdir(parents=True)

    def has(self, kind: str, at_s: float) -> bool:
        return self.fault is not None and self.fault.kind == kind and self.fault.holds(at_s)

    def moments(self) -> Iterator[int]:
        """Let the two hours pass, and stop at each moment that is looked at."""
        events = sorted([*self.polls(), *self.stream()], key=lambda event: event[0])
        for at_s in range(0, HOURS_S, LOOK_EVERY_S):
            while events and events[0][0] <= at_s:
                _, write, *what = events.pop(0)
                write(*what)
            yield at_s

    def polls(self) -> Iterator[tuple]:
        last = 0
        for at_s in range(0, HOURS_S, POLL_EVERY_S):
            if self.has("no collector", at_s) or any(0 <= at_s - end_s < PAUSE_S for end_s in COLLECTOR_ENDS_S):
                continue
            stamp = int((BEGIN + timedelta(seconds=at_s)).timestamp())
            record = {"object_id": "1998-067A", "source": "open_notify", "error": None, "timestamp": stamp}
            record |= {"latitude": round(stamp % 5_000 / 100, 4), "longitude": 1.5}
            if self.has("errors", at_s):
                record |= {"latitude": None, "longitude": None, "timestamp": None, "error": "HTTP 500"}
            elif self.has("frozen", at_s):
                record |= {"latitude": 10.0}
            elif self.has("one stamp", at_s):
                record |= {"latitude": 10.0, "timestamp": last}
            elif self.has("old stamps", at_s):
                record |= {"timestamp": stamp - 90}
            elif self.has("stamps ahead", at_s):
                record |= {"timestamp": stamp + 90}
            else:
                last = stamp
            yield at_s + self.rng.random(), self.land, at_s, record

    def stream(self) -> Iterator[tuple]:
        """Batches of 1 to 6 s; a run ends, and the next has its first batch 20 to 75 s later."""
        at_s, run_began = 0.0, 0.0
        yield 0.0, self.run, 0.0, None
        while at_s < HOURS_S:
            at_s += self.rng.uniform(POLL_EVERY_S, POLL_EVERY_S + 4)
            if self.has("no stream", at_s):
                # Killed: it leaves no end, and the next run begins once the fault is over.
                at_s = run_began = float(self.fault.end_s)
                yield at_s, self.run, run_began, None
                continue
            yield at_s, self.batch, at_s
            if at_s - run_began > RUN_S - 80:
                ended, began = at_s + 1, at_s + self.rng.uniform(10, 45)
                self.hand_overs.append((int(ended), int(began)))
                yield ended, self.run, run_began, ended
                yield began, self.run, began, None
                run_began, at_s = began, began + self.rng.uniform(5, 25)

    def land(self, at_s: float, record: dict) -> None:
        came = BEGIN + timedelta(seconds=at_s)
        folder = self.lake.raw_open_notify / f"date={came:%Y-%m-%d}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{came:%Y%m%dT%H0000.000000Z}-x.jsonl").open("a") as segment:
            segment.write(json.dumps(record | {"fetch_time": came.isoformat().replace("+00:00", "Z")}) + "\n")
        os.utime(segment.name, (came.timestamp(), came.timestamp()))

    def batch(self, at_s: float) -> None:
        line = {"batch": 1, "fixes": 1, "bad": 0, "lag_s": 4.0}
        with self.lake.stream_progress.open("a") as sink:
            sink.write(json.dumps(line | {"finished_at": (BEGIN + timedelta(seconds=at_s)).isoformat()}) + "\n")

    def run(self, began_s: float, ended_s: float | None) -> None:
        began, ended = (None if s is None else BEGIN + timedelta(seconds=s) for s in (began_s, ended_s))
        StreamRun(began, ended, 0).write(self.lake)


def told(hours: Hours) -> Iterator[tuple[int, dict[str, tuple[str, str]]]]:
    """Yield each moment with what is said then of feed and stream: state and level."""
    for at_s in hours.moments():
        now = BEGIN + timedelta(seconds=at_s + 1)
        seen = arrivals(hours.lake, "1998-067A", LIMITS, now, is_simulated=False)
        yield at_s, {verdict.subject: (verdict.state, verdict.level) for verdict in judged(seen, LIMITS, now)}


@pytest.mark.parametrize("seed", range(2))
def test_in_two_hours_with_ten_hand_overs_nothing_that_is_well_is_called_wrong(lake: Lake, seed: int):
    hours = Hours(lake, None, seed)

    wrong = {at_s: said for at_s, said in told(hours) if "wrong" in (said[FEED][1], said[STREAM][1])}

    assert not wrong
    assert len(hours.hand_overs) >= 10


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_is_told_in_time_under_its_name_and_no_longer_than_it_lasts(lake: Lake, kind: str):
    subject, state, within_s = FAULTS[kind]
    other = STREAM if subject == FEED else FEED
    fault = Fault(kind, start_s=3_000, end_s=3_400)
    hours = Hours(lake, fault, seed=7)
    a_poll_s = 2 * POLL_EVERY_S

    for at_s, said in told(hours):
        found, level = said[subject]
        if fault.start_s + within_s + a_poll_s <= at_s < fault.end_s:
            assert (found, level) == (state, "wrong"), at_s
        elif not fault.start_s <= at_s < fault.end_s + STREAM_LIMIT_S + a_poll_s:
            assert level != "wrong", (at_s, found)
        assert said[other][1] != "wrong", (at_s, said)
