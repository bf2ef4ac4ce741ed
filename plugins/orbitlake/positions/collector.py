"""A public position feed -> raw records: polled at absolute ticks, every outcome kept, failures too."""

import math
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from orbitlake.lake import Lake, safe_name, write_file
from orbitlake.positions.feeds import FEEDS, AnswerError
from orbitlake.positions.record import OPEN_NOTIFY, RawRecord
from orbitlake.settings import from_environment

SHORTEST_INTERVAL_S: Final = 1.0
"""Open Notify's position moves once a second; asking more often repeats it and burdens a free service."""
MAX_BODY_BYTES: Final = 65_536
MAX_RETRY_AFTER_S: Final = 3_600.0
RETRIED_STATUS: Final = (429, 500, 502, 503, 504)
RETRIES: Final = 3
BACKOFF_S: Final = 0.25
JITTER_S: Final = 0.25
CHUNK_BYTES: Final = 8_192


class BudgetedRetry(Retry):
    """Retries with exponential back-off, jitter and Retry-After, but none beyond `deadline` (monotonic)."""

    deadline: float = float("inf")

    def new(self, **kwargs: Any) -> Self:
        again = super().new(**kwargs)
        again.deadline = self.deadline
        return again

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        *rest: Any,
        **named: Any,
    ) -> Self:
        again = super().increment(method, url, response, *rest, **named)
        wait_s = (response and again.get_retry_after(response)) or again.get_backoff_time()
        if time.monotonic() + wait_s >= self.deadline:
            raise MaxRetryError(named["_pool"], url or "", named.get("error"))
        return again


@dataclass(slots=True)
class Summary:
    """How a run of polls went."""

    fixes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    skipped_ticks: int = 0
    duration_s: float = 0.0

    def as_json(self) -> dict[str, object]:
        """The closing summary: fixes, failures by kind, and fixes a minute."""
        rate = round(60 * self.fixes / self.duration_s, 1) if self.duration_s > 0 else None
        return {
            "fixes": self.fixes,
            "failures": dict(sorted(self.failures.items())),
            "skipped_ticks": self.skipped_ticks,
            "duration_s": round(self.duration_s, 1),
            "fixes_per_minute": rate,
        }


@dataclass(slots=True)
class Poller:
    """One feed, asked one question at a time. Times in seconds."""

    url: str
    object_id: str
    source: str
    timeout_s: float
    clock_tolerance_s: float | None
    session: requests.Session = field(default_factory=requests.Session)
    not_before: float = 0.0
    """Monotonic time before which the server asked not to be polled again."""

    def poll(self, budget_s: float) -> tuple[RawRecord, str | None]:
        """Ask once, retries within the budget included; return the record and the kind of failure, None for a fix."""
        began = time.monotonic()
        blank = RawRecord(self.object_id, self.source, datetime.now(UTC), 0.0)
        status = None
        try:
            status, body = self.ask(began + budget_s)
            position = FEEDS[self.source](body)
        except AnswerError as error:
            return settled(blank, began, error=str(error), http_status=error.http_status or status), error.kind
        record = settled(
            blank, began, http_status=status, latitude=position.latitude, longitude=position.longitude,
            timestamp=position.timestamp, altitude_km=position.altitude_km,
        )  # fmt: skip
        behind_s = record.fetch_time.timestamp() - position.timestamp
        if self.clock_tolerance_s is not None and abs(behind_s) > self.clock_tolerance_s:
            return replace(record, error=f"clock: the position is {behind_s:.0f} s behind now"), "clock"
        return record, None

    def ask(self, deadline: float) -> tuple[int, bytes]:
        """Return status and body of a 200. Raises AnswerError where there is none before `deadline` (monotonic)."""
        retries = BudgetedRetry(
            total=RETRIES, backoff_factor=BACKOFF_S, backoff_jitter=JITTER_S, status_forcelist=RETRIED_STATUS,
            raise_on_status=False, respect_retry_after_header=True,
        )  # fmt: skip
        retries.deadline = deadline
        adapter = HTTPAdapter(max_retries=retries)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)
        patience_s = min(self.timeout_s, max(0.1, deadline - time.monotonic()))
        try:
            with self.session.get(self.url, timeout=patience_s, stream=True) as response:
                if response.status_code != requests.codes.ok:
                    self.heed(response)
                    raise AnswerError(f"http {response.status_code}", response.reason or "", response.status_code)
                return response.status_code, body_of(response, deadline)
        except requests.Timeout:
            raise AnswerError("timeout", f"no answer within {patience_s:.1f} s") from None
        except requests.RequestException as error:
            raise AnswerError(kind_of(error), str(error)[:200]) from None

    def heed(self, response: requests.Response) -> None:
        """Remember a Retry-After that reaches beyond this poll."""
        wait_s = Retry().parse_retry_after(response.headers["Retry-After"]) if "Retry-After" in response.headers else 0
        self.not_before = time.monotonic() + min(wait_s, MAX_RETRY_AFTER_S)


def kind_of(error: requests.RequestException) -> str:
    """Tell a time limit that the retries wrapped up from a server that cannot be reached."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, ReadTimeoutError | ConnectTimeoutError):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "truncated"
    return "unreachable"


def body_of(response: requests.Response, deadline: float) -> bytes:
    """Read a body that is small and comes in time; a server that trickles or floods is a failure, not a hang."""
    body = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise AnswerError("too large", f"more than {MAX_BODY_BYTES} bytes", response.status_code)
        if time.monotonic() > deadline:
            raise AnswerError("timeout", "the body came too slowly", response.status_code)
    return bytes(body)


def settled(blank: RawRecord, began: float, **facts: Any) -> RawRecord:
    """Return the record with its time of arrival and what was learnt."""
    latency_ms = round((time.monotonic() - began) * 1000, 3)
    return replace(blank, fetch_time=datetime.now(UTC), latency_ms=latency_ms, **facts)


def collect(
    poller: Poller, lake: Lake, interval_s: float, duration_s: float, stop: Event, show: Callable[[str], None] = print
) -> Summary:
    """Poll each `interval_s` (at least 1 s) for `duration_s`, or until `stop`, and write one raw record a poll.

    Ticks are counted from the start, so that slow answers do not add up; one that is missed is left out, not caught up.
    `show` gets a line a poll.
    """
    interval_s = max(interval_s, SHORTEST_INTERVAL_S)
    summary = Summary()
    began = time.monotonic()
    tick = 0
    while tick * interval_s < duration_s and not stop.is_set():
        budget_s = began + (tick + 1) * interval_s - time.monotonic()
        if time.monotonic() < poller.not_before:
            summary.skipped_ticks += 1
        else:
            record, failure = poller.poll(budget_s)
            keep(record, lake)
            summary.fixes += failure is None
            if failure:
                summary.failures[failure] += 1
            show(line_of(record))
        next_tick = max(tick + 1, math.ceil((time.monotonic() - began) / interval_s))
        summary.skipped_ticks += next_tick - tick - 1
        tick = next_tick
        if tick * interval_s < duration_s:
            stop.wait(max(0.0, began + tick * interval_s - time.monotonic()))
    summary.duration_s = time.monotonic() - began
    return summary


def run(
    interval_s: float,
    duration_s: float,
    url: str | None = None,
    source: str = OPEN_NOTIFY,
    object_id: str | None = None,
    show: Callable[[str], None] = print,
) -> dict[str, object]:
    """Collect into the lake of the settings and return the closing summary; what is not given comes from the settings.

    SIGTERM and SIGINT end it after the record in hand.
    """
    settings = from_environment()
    poller = Poller(
        url or settings.open_notify_url,
        object_id or settings.object_id,
        source,
        settings.http_timeout_s,
        settings.clock_tolerance_s,
    )
    stop = Event()
    before = {each: signal.signal(each, lambda *_: stop.set()) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        return collect(poller, Lake(settings.data), interval_s, duration_s, stop, show).as_json()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def keep(record: RawRecord, lake: Lake) -> Path:
    """Write the record as one file whose name sorts by time and is its own."""
    fetched = record.fetch_time.astimezone(UTC)
    stem = (
        f"{fetched:%Y%m%dT%H%M%S.%fZ}-{safe_name(record.object_id)}-{safe_name(record.source)}-{uuid.uuid4().hex[:8]}"
    )
    target = lake.raw_open_notify / f"date={fetched:%Y-%m-%d}" / f"hour={fetched:%H}" / f"{stem}.json"
    write_file(target, record.to_json(), lake.staging)
    return target


def line_of(record: RawRecord) -> str:
    """One line for a person to watch."""
    fetched = record.fetch_time.astimezone(UTC).strftime("%H:%M:%S")
    if record.error is not None:
        return f"{fetched}  {record.object_id}  {record.error}"
    return (
        f"{fetched}  {record.object_id}  {record.latitude:9.4f} {record.longitude:10.4f}  "
        f"timestamp {record.timestamp}  {record.latency_ms:.0f} ms"
    )
