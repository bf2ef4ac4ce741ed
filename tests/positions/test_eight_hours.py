"""Eight hours of polling at once, through every fault of the simulator: no fix lost, every fault under its kind.

Time is the test's: a wait of the collector moves it, and the simulator's clock with it; all else is real, the HTTP too.
`ORBITLAKE_SIMULATED_HOURS` shortens the run.
"""

import json
import math
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event

import numpy as np
import pytest
import requests
from tests.positions.samples import ISS

from orbitlake.positions.collect.collector import collect
from orbitlake.positions.collect.poller import Clock, Poller
from orbitlake.positions.record import OPEN_NOTIFY, read_record
from orbitlake.simulator import create_app, serve
from orbitlake.simulator.faults import FaultKind
from orbitlake.simulator.server import OPEN_NOTIFY_PATH
from orbitlake.simulator.station import station

HOURS = float(os.environ.get("ORBITLAKE_SIMULATED_HOURS") or 8)
INTERVAL_S = 5
TICKS = round(HOURS * 3600 / INTERVAL_S)
START = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)  # midnight falls into the run
SEED = 20261120
STRETCH_TICKS = (5, 20)
CLOCK_TOLERANCE_S = 300
PATIENCE_S = 20.0  # of this machine, where no answer is held back
LAST_DECIMAL_DEG = 0.5e-4 + 1e-9
pytestmark = pytest.mark.long
STATUS = {
    "http 429": 429,
    "http 500": 500,
    "http 502": 502,
    "HTML": 200,
    "clock": 200,
    "timeout": None,
    "truncated": 200,
}


@dataclass(frozen=True)
class Case:
    """A fault and what has to become of a poll: a failure of kind `error`, or a fix where that is None.

    Orders for a number of requests are given anew each tick: these are the faults that retries get over.
    """

    kind: FaultKind
    order: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    rests_s: float = 0.0
    """How long after the tick the server wants to be left alone, once the poll has failed."""
    patience_s: float = PATIENCE_S
    longest_ticks: int = STRETCH_TICKS[1]

    @property
    def each_tick(self) -> bool:
        return "requests" in self.order


CASES = [
    Case(FaultKind.RATE_LIMITED, {"seconds": 60}, "http 429", rests_s=60),
    Case(FaultKind.RATE_LIMITED, {"seconds": 2}, "http 429", rests_s=4 + 2),  # asked at 0, 2 and 4 s
    Case(FaultKind.RATE_LIMITED, {"seconds": 2, "requests": 1}),
    Case(FaultKind.SERVER_ERROR_XML, {}, "http 500"),
    Case(FaultKind.SERVER_ERROR_XML, {"requests": 3}),
    Case(FaultKind.BAD_GATEWAY_HTML, {}, "http 502"),
    Case(FaultKind.BAD_GATEWAY_HTML, {"requests": 1}),
    Case(FaultKind.HTML_OK, {}, "HTML"),
    Case(FaultKind.TIMEOUT, {}, "timeout", patience_s=0.03, longest_ticks=2),
    Case(FaultKind.TIMEOUT, {"requests": 1}, patience_s=0.5, longest_ticks=1),
    Case(FaultKind.TRUNCATED_BODY, {}, "truncated"),
    # Answers like any other: what is published is kept, and shows in the records as what it is.
    Case(FaultKind.FROZEN_POSITION),
    Case(FaultKind.STALE_ORBIT, {"seconds": 1800}),
    Case(FaultKind.CLOCK_SKEW, {"seconds": -120}),
    Case(FaultKind.CLOCK_SKEW, {"seconds": 3600}, "clock"),
]


def plan() -> list[Case | None]:
    """The fault of each tick: all of them in turn, for stretches of chance, with stretches of health between."""
    chance = random.Random(SEED)
    ticks: list[Case | None] = []
    while len(ticks) < TICKS:
        for case in chance.sample(CASES, len(CASES)):
            ticks += [None] * chance.randint(*STRETCH_TICKS)
            ticks += [case] * min(chance.randint(*STRETCH_TICKS), case.longest_ticks)
    return ticks[:TICKS]


class Drill(Clock):
    """Time that passes when the collector waits, and an upstream that fails as is planned for the tick reached."""

    def __init__(self, faults: list[Case | None]) -> None:
        self.now_s = 0.0
        self.faults = faults
        self.tick = -1

    def begin(self, url: str, poller: Poller) -> None:
        self.board, self.poller = f"{url}/faults", poller
        self.session = requests.Session()
        self.obey_plan()

    def monotonic_s(self) -> float:
        return self.now_s

    def now_utc(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def wait(self, seconds: float, _stop: Event | None = None) -> None:
        self.now_s = round(self.now_s + seconds, 6)
        self.obey_plan()

    def obey_plan(self) -> None:
        before, self.tick = self.tick, int(self.now_s // INTERVAL_S)
        if self.tick in (before, len(self.faults)):
            return
        case = self.faults[self.tick]
        if before >= 0 and case is self.faults[before] and not (case and case.each_tick):
            return
        orders = [{"kind": case.kind, **case.order}] if case else []
        self.session.put(self.board, json=orders, timeout=PATIENCE_S).raise_for_status()
        self.poller.timeout_s = case.patience_s if case else PATIENCE_S


def polled_ticks(faults: list[Case | None]) -> list[int]:
    """The ticks that are not left out for a server that asked for patience."""
    polled, rests_until_s = [], 0.0
    for tick, case in enumerate(faults):
        if tick * INTERVAL_S >= rests_until_s:
            polled.append(tick)
            rests_until_s = tick * INTERVAL_S + (case.rests_s if case else 0.0)
    return polled


def tick_of(record: dict) -> int:
    return (datetime.fromisoformat(record["fetch_time"]) - START) // timedelta(seconds=INTERVAL_S)


def published(records: list[dict], faults: list[Case | None]) -> list[tuple[int, float, float]]:
    """What the station's orbit says was served with each of `records`: Unix time, latitude and longitude in degrees."""
    moments, timestamps = [], []
    frozen: datetime | None = None
    for record in records:
        fetched = datetime.fromisoformat(record["fetch_time"])
        case = faults[tick_of(record)]
        kind = case.kind if case else None
        shift = timedelta(seconds=case.order.get("seconds", 0)) if case else timedelta()
        frozen = (frozen or fetched) if kind is FaultKind.FROZEN_POSITION else None
        lag = shift if kind is FaultKind.STALE_ORBIT else timedelta()
        skew = shift if kind is FaultKind.CLOCK_SKEW else timedelta()
        moments.append((frozen or fetched) - lag)
        timestamps.append(math.floor((fetched + skew).timestamp()))
    x, y, z = station().itrs_states(np.array([each.replace(tzinfo=None) for each in moments], "datetime64[us]"))[0].T
    latitude_deg, longitude_deg = np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))
    return list(zip(timestamps, latitude_deg, longitude_deg, strict=True))


def is_served(record: dict, served: tuple[int, float, float]) -> bool:
    timestamp, latitude_deg, longitude_deg = served
    return (
        record["timestamp"] == timestamp
        and abs(record["latitude"] - latitude_deg) < LAST_DECIMAL_DEG
        and abs(record["longitude"] - longitude_deg) < LAST_DECIMAL_DEG
    )


@pytest.fixture(scope="module")
def drill(tmp_path_factory):
    """The whole run: the plan, the raw lines in order of arrival, and the collector's summary."""
    from orbitlake.lake import Lake

    faults, lake = plan(), Lake(tmp_path_factory.mktemp("eight_hours"))
    clock = Drill(faults)
    with serve(create_app(start=START, ticks=clock.monotonic_s)) as url:
        poller = Poller(url + OPEN_NOTIFY_PATH, ISS, OPEN_NOTIFY, PATIENCE_S, CLOCK_TOLERANCE_S, clock)
        clock.begin(url, poller)
        summary = collect([poller], lake, INTERVAL_S, TICKS * INTERVAL_S, Event(), lambda _: None, clock)
    segments = sorted(lake.raw_open_notify.glob("date=*/*.jsonl"))
    lines = [line for segment in segments for line in segment.read_bytes().splitlines()]
    return faults, lines, summary


def test_the_plan_meets_every_fault_of_the_simulator(drill):
    faults, _, _ = drill

    assert {case.kind for case in CASES} == set(FaultKind)
    assert {case.kind for case in faults if case} == set(FaultKind)
    assert len(faults) == TICKS


def test_every_tick_that_is_polled_leaves_one_record_and_no_other_does(drill):
    faults, lines, summary = drill

    assert [tick_of(json.loads(line)) for line in lines] == polled_ticks(faults)
    assert summary.skipped_ticks == TICKS - len(lines)


def test_every_fix_is_what_the_simulator_served_and_none_is_lost(drill):
    faults, lines, summary = drill
    records = [json.loads(line) for line in lines]
    due = [record for record in records if not (case := faults[tick_of(record)]) or case.error is None]
    fixes = [record for record in records if record["error"] is None]

    assert fixes == due
    assert [
        record for record, served in zip(fixes, published(fixes, faults), strict=True) if not is_served(record, served)
    ] == []
    assert [read_record(line, ISS).is_fix for line in lines] == [record["error"] is None for record in records]
    assert dict(summary.fixes) == {OPEN_NOTIFY: len(due)}


def test_every_failure_is_recorded_under_the_kind_of_its_fault(drill):
    faults, lines, summary = drill
    failures = [record for line in lines if (record := json.loads(line))["error"] is not None]
    expected = [case.error if (case := faults[tick_of(record)]) else None for record in failures]

    assert [record["error"].split(":")[0] for record in failures] == expected
    assert [record["http_status"] for record in failures] == [STATUS[error] for error in expected]
    assert dict(summary.failures) == Counter(expected)
    assert set(expected) == set(STATUS)


def test_a_failure_brings_no_position_but_the_one_whose_time_is_off(drill):
    faults, lines, _ = drill
    failures = [record for line in lines if (record := json.loads(line))["error"] is not None]
    late = [record for record in failures if record["error"].startswith("clock")]
    blank = dict.fromkeys(("latitude", "longitude", "timestamp", "altitude_km"))

    assert all(record | blank == record for record in failures if record not in late)
    assert all(is_served(record, served) for record, served in zip(late, published(late, faults), strict=True))


def test_a_frozen_position_shows_as_one_place_with_many_times(drill):
    faults, lines, _ = drill
    records = [json.loads(line) for line in lines]
    frozen = [r for r in records if (case := faults[tick_of(r)]) and case.kind is FaultKind.FROZEN_POSITION]
    places = {(record["latitude"], record["longitude"]) for record in frozen}
    stretches = sum(
        1
        for before, now in zip([None, *faults], faults, strict=False)
        if now is not before and now and now.kind is FaultKind.FROZEN_POSITION
    )

    assert len({record["timestamp"] for record in frozen}) == len(frozen) > len(places) == stretches
