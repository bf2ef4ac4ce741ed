"""The collector against a server that answers as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Event

import pytest
from msgspec.structs import replace
from tests.positions.samples import ISS

from orbitlake.positions.collect.collector import collect, run
from orbitlake.positions.collect.poller import MAX_BODY_BYTES, Clock, Poller
from orbitlake.positions.record import RawRecord, read_record

TICK_TOLERANCE_S = 0.25
KEYS = [
    "object_id", "source", "fetch_time", "latency_ms", "http_status", "error",
    "latitude", "longitude", "timestamp", "altitude_km",
]  # fmt: skip


def good(timestamp: float | None = None) -> bytes:
    place = {"latitude": "47.6153", "longitude": "-60.4797"}
    return json.dumps(
        {"message": "success", "timestamp": int(timestamp or time.time()), "iss_position": place}
    ).encode()


class Server(ThreadingHTTPServer):
    """Answers each request with the next of `answers`, which may be functions of the handler; then well."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, bytes, dict[str, str]] | Callable] = []
        self.asked_at: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/iss-now.json"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked_at.append(time.monotonic())
        answer = self.server.answers.pop(0) if self.server.answers else (200, good(), {})
        if callable(answer):
            return answer(self)
        status, body, headers = answer
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def poller(url, **changes):
    return Poller(url, ISS, "open_notify", **({"timeout_s": 0.5, "clock_tolerance_s": 300} | changes))


def polled(server, *answers, budget_s=0.6, **changes):
    server.answers = list(answers)
    return poller(server.url, **changes).poll(budget_s)


def records(lake):
    segments = sorted(lake.raw_open_notify.glob("date=*/*.jsonl"))
    return [json.loads(line) for segment in segments for line in segment.read_text().splitlines()]


def hang(handler):
    time.sleep(1.2)


def drop(handler):
    handler.connection.close()


def truncate(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(good()[:20])


def trickle(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b" " * 9000)
        time.sleep(0.1)


def trickle_headers(handler):
    handler.send_response(200)
    handler.flush_headers()
    for number in range(40):
        handler.send_header(f"X-{number}", "more to come")
        handler.flush_headers()
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        ((429, b"", {"Retry-After": "60"}), "http 429", 429),
        ((404, b"gone", {}), "http 404", 404),
        ((200, b"<html>Service down</html>", {}), "HTML", 200),
        ((200, b'{"message": "succ', {}), "not JSON", 200),
        ((200, b'{"message": "failure"}', {}), "wrong JSON", 200),
        ((200, b" " * (MAX_BODY_BYTES + 1), {}), "too large", 200),
        ((200, good().replace(b"47.6153", b"97.6153"), {}), "out of range", 200),
        ((200, good(1_700_000_000), {}), "clock", 200),
        (hang, "timeout", None),
        (drop, "unreachable", None),
        (truncate, "truncated", 200),
        (trickle, "timeout", 200),
        (trickle_headers, "timeout", 200),
    ],
)
def test_every_failure_is_a_record_with_its_kind_and_status(server, answer, kind, status):
    # Each try that is dropped fails at once: time for all of them, lest the end of the budget cut the last one off.
    record, failure = polled(server, *[answer] * 8, budget_s=10 if answer is drop else 0.6)

    assert failure == kind
    assert record.error.startswith(kind)
    assert record.http_status == status
    assert record.latency_ms > 0
    assert not read_record(record.to_json(), ISS).is_fix


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_asked_again_within_the_budget(server, status):
    record, failure = polled(server, (status, b"<Error/>", {}), budget_s=3)

    assert failure is None
    assert record.http_status == 200
    assert len(server.asked_at) == 2


def test_the_simulator_alone_is_asked_more_often(monkeypatch, server, lake):
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    asked = []
    for upstream in ("simulator", "live"):
        monkeypatch.setenv("ORBITLAKE_UPSTREAM", upstream)
        run(interval_s=0.01, duration_s=1, url=server.url, fallback="off", show=lambda _: None)
        asked.append(len(server.asked_at))

    assert asked == [2, 3]


def test_retries_never_outlast_the_budget(server):
    began = time.monotonic()
    _, failure = polled(server, *[(500, b"", {})] * 9, budget_s=1.0)

    assert failure == "http 500"
    assert len(server.asked_at) > 1
    assert time.monotonic() - began < 1.0 + TICK_TOLERANCE_S


def test_an_old_position_is_a_fix_where_replay_switches_the_clock_check_off(server):
    record, failure = polled(server, (200, good(1_700_000_000), {}), clock_tolerance_s=None)

    assert failure is None
    assert record.timestamp == 1_700_000_000


def test_ticks_are_absolute_and_each_outcome_is_one_line(server, lake):
    server.answers = [(200, good(), {}), lambda handler: (time.sleep(0.4), Handler.do_GET(handler))]
    shown = []
    summary = collect(
        [poller(server.url, timeout_s=5)], lake, interval_s=1, duration_s=3, stop=Event(), show=shown.append
    )
    kept = records(lake)

    assert summary.as_json() | {"duration_s": 0, "fixes_per_minute": 0} == {
        "fixes": 3, "fixes_by_source": {"open_notify": 3}, "failures": {}, "skipped_ticks": 0,
        "duration_s": 0, "fixes_per_minute": 0,
    }  # fmt: skip
    assert len(kept) == len(shown) == 3
    assert [list(record) for record in kept] == [KEYS] * 3
    assert kept[0]["latitude"] == 47.6153
    starts = [server.asked_at[0], server.asked_at[1], server.asked_at[-1]]
    assert all(abs(b - a - 1) < TICK_TOLERANCE_S for a, b in pairwise(starts))
    assert not list(lake.staging.iterdir())


def test_the_feed_is_never_asked_more_than_once_a_second(server, lake):
    collect([poller(server.url)], lake, interval_s=0.01, duration_s=2, stop=Event(), show=lambda _: None)

    assert len(server.asked_at) == 2


def test_a_run_ends_early_once_it_is_relieved_and_tells_failed_polls_apart(server, lake):
    server.answers = [(404, b"gone", {}), (200, good(), {})]
    shown, warned = [], []
    asked = iter([False, False, True])
    summary = collect(
        [poller(server.url)], lake, 1, 60, Event(), shown.append, warn=warned.append, is_relieved=lambda: next(asked)
    )

    assert [len(shown), len(warned), len(records(lake))] == [1, 1, 2]
    assert "http 404" in warned[0]
    assert summary.failures == {"http 404": 1}


def test_retry_after_holds_the_next_ticks_back(server, lake):
    server.answers = [(429, b"", {"Retry-After": "3"})]
    summary = collect([poller(server.url)], lake, interval_s=1, duration_s=6, stop=Event(), show=lambda _: None)

    assert summary.failures == {"http 429": 1}
    assert server.asked_at[1] - server.asked_at[0] > 2.5


class Passing(Clock):
    """Time that passes only while somebody waits, and by 0.04 s a poll."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wait(self, seconds: float, stop: Event | None = None) -> None:  # noqa: ARG002 - the clock's name
        self.now_s += seconds


class Answering:
    """A feed that fails in each `fails_each`-th poll."""

    rests = False

    def __init__(self, clock: Passing, fails_each: int | None) -> None:
        self.clock, self.fails_each, self.polls = clock, fails_each, 0

    def poll(self, _budget_s: float) -> tuple[RawRecord, str | None]:
        self.polls += 1
        self.clock.now_s += 0.04
        is_failure = self.fails_each is not None and self.polls % self.fails_each == 0
        record = RawRecord(ISS, "open_notify", datetime(2026, 11, 20, tzinfo=UTC), 40.0, latitude=1.0, longitude=1.0)
        record = replace(record, timestamp=1.0)
        return (replace(record, error="timeout"), "timeout") if is_failure else (record, None)


@pytest.mark.parametrize(
    ("interval_s", "duration_s", "fails_each", "fixes", "per_minute"),
    [
        (2, 20, None, 10, 30.0),
        (2, 20, 2, 5, 15.0),
        (5, 3600, None, 720, 12.0),
        (5, 3600, 1, 0, 0.0),
        (5, 5, None, 1, None),
        (5, 1, None, 1, None),
        (2, 5, None, 3, 30.0),
    ],
)
def test_summary_counts_intervals_between_polls_and_gives_no_rate_of_a_single_one(
    lake, interval_s: float, duration_s: float, fails_each: int | None, fixes: int, per_minute: float | None
):
    clock = Passing()
    summary = collect(
        [Answering(clock, fails_each)], lake, interval_s, duration_s, Event(), show=lambda _: None, clock=clock
    ).as_json()

    assert (summary["fixes"], summary["duration_s"]) == (fixes, duration_s)
    assert summary["fixes_per_minute"] == per_minute


def test_run_of_no_length_has_neither_a_poll_nor_a_rate(lake):
    summary = collect([], lake, 5, 0, Event(), show=lambda _: None, clock=Passing()).as_json()

    assert (summary["fixes"], summary["duration_s"], summary["fixes_per_minute"]) == (0, 0, None)


def test_a_stop_ends_after_the_record_in_hand(server, lake):
    stop = Event()
    summary = collect([poller(server.url)], lake, interval_s=1, duration_s=60, stop=stop, show=lambda _: stop.set())

    assert summary.fixes.total() == len(records(lake)) == 1
    assert summary.duration_s < 1


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (403, {"Retry-After": "soon"}, "http 403"),
        (429, {"Retry-After": "soon"}, "http 429"),
        (503, {"Retry-After": "-5"}, "http 503"),
        (403, {"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}, "http 403"),
        (403, {"Retry-After": "9" * 5000}, "http 403"),
        (302, {"Location": "http://[::1"}, "unreachable"),
        (302, {"Location": f"http://{'a' * 70}.example/"}, "unreachable"),
        (302, {"Location": "http://.example/"}, "unreachable"),
    ],
)
def test_headers_that_make_no_sense_are_a_failed_poll(server, status, headers, kind):
    record, failure = polled(server, *[(status, b"", headers)] * 5)

    assert failure == kind
    assert record.error


def test_a_body_that_trickles_in_is_a_timeout_at_the_end_of_the_poll(server):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with suppress(OSError):
            for _ in range(20):
                handler.wfile.write(b" ")
                time.sleep(0.1)

    began = time.monotonic()
    _, failure = polled(server, trickle)

    assert failure == "timeout"
    assert time.monotonic() - began < 1.5


def test_a_stop_ends_the_wait_before_another_try(server, lake):
    stop = Event()
    threading.Timer(0.3, stop.set).start()
    server.answers = [(429, b"", {"Retry-After": "5"})] * 4
    began = time.monotonic()
    collect([poller(server.url, stop=stop)], lake, 30, 60, stop, show=lambda _: None)

    assert time.monotonic() - began < 2
    assert len(server.asked_at) <= 2
    assert len(records(lake)) == 1


def test_a_feed_that_redirects_to_a_host_that_is_not_public_gives_no_fix(server):
    with Server() as inner:
        threading.Thread(target=inner.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        record, failure = polled(server, (302, b"", {"Location": inner.url}))
        followed, _ = polled(server, (302, b"", {"Location": inner.url}), allowed_hosts=("127.0.0.1",))
        inner.shutdown()

    assert failure == "unreachable"
    assert (
        record.error
        == "unreachable: 127.0.0.1 is not a public host: it is reached only where ORBITLAKE_ALLOWED_HOSTS names it"
    )
    assert followed.latitude == 47.6153
    assert len(inner.asked_at) == 1


def test_a_servers_own_words_for_a_status_are_not_kept(server):
    def odd(handler):
        handler.wfile.write(b"HTTP/1.1 418 " + b"x" * 1000 + b"\r\nContent-Length: 0\r\n\r\n")

    assert polled(server, odd)[0].error == "http 418: I'm a Teapot"
