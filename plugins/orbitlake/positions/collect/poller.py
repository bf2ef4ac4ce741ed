"""One feed, asked one question at a time: retried within its budget, and every way to fail has a kind."""

import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any, Final, Self

import requests
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, MaxRetryError, ReadTimeoutError
from urllib3.util import Retry

from orbitlake.bounded_http import BoundedAdapter, bounded_session, status_text
from orbitlake.destinations import Destinations
from orbitlake.positions.collect.feeds import FEEDS, AnswerError
from orbitlake.positions.record import RawRecord

MAX_BODY_BYTES: Final = 65_536
MAX_RETRY_AFTER_S: Final = 3_600.0
RETRIED_STATUS: Final = (429, 500, 502, 503, 504)
RETRIES: Final = 3
BACKOFF_S: Final = 0.25
JITTER_S: Final = 0.25
CHUNK_BYTES: Final = 4_096
SHORTEST_PATIENCE_S: Final = 0.1


class Clock:
    """The time of this machine. Whoever brings another one, whose `wait` moves it, makes hours pass at once."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def now_utc(self) -> datetime:
        return datetime.now(UTC)

    def wait(self, seconds: float, stop: Event | None = None) -> None:
        """Wait, at most until `stop` is set."""
        (stop or Event()).wait(seconds)


class BudgetedRetry(Retry):
    """Retries with exponential back-off, jitter and Retry-After, but none beyond `deadline` (monotonic)."""

    clock: Clock
    deadline: float
    stop: Event
    wait_s: float = 0.0

    def new(self, **kwargs: Any) -> Self:
        again = super().new(**kwargs)
        again.clock, again.deadline, again.stop = self.clock, self.deadline, self.stop
        return again

    def parse_retry_after(self, retry_after: str) -> float:
        """Return the seconds that a Retry-After asks for, 0 where it says nothing that can be understood."""
        try:
            return super().parse_retry_after(retry_after)
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        *rest: Any,
        **named: Any,
    ) -> Self:
        again = super().increment(method, url, response, *rest, **named)
        again.wait_s = (response and again.get_retry_after(response)) or again.get_backoff_time()
        if self.stop.is_set() or self.clock.monotonic_s() + again.wait_s >= self.deadline:
            raise MaxRetryError(named["_pool"], url or "", named.get("error"))
        return again

    def sleep(self, _response: BaseHTTPResponse | None = None) -> None:
        """Wait as long as `increment` found to fit."""
        self.clock.wait(self.wait_s, self.stop)


@dataclass(slots=True)
class Poller:
    """One feed, asked one question at a time. Times in seconds."""

    url: str
    object_id: str
    source: str
    timeout_s: float
    clock_tolerance_s: float | None
    clock: Clock = field(default_factory=Clock)
    stop: Event = field(default_factory=Event)
    """Set once the poll in hand is to be the last one: nothing is tried again then."""
    not_before: float = float("-inf")
    """Monotonic time before which the server asked not to be polled again."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts to which the feed may redirect although they are not public, as in the settings."""

    @property
    def rests(self) -> bool:
        return self.clock.monotonic_s() < self.not_before

    def poll(self, budget_s: float) -> tuple[RawRecord, str | None]:
        """Ask once, retries within the budget included; return the record and the kind of failure, None for a fix."""
        began = self.clock.monotonic_s()
        status = None
        try:
            status, body = self.ask(began + budget_s)
            position = FEEDS[self.source](body, self.url)
        except AnswerError as error:
            return self.record(began, error=str(error), http_status=error.http_status or status), error.kind
        record = self.record(began, http_status=status, **asdict(position))
        behind_s = record.fetch_time.timestamp() - position.timestamp
        if self.clock_tolerance_s is not None and abs(behind_s) > self.clock_tolerance_s:
            return replace(record, error=f"clock: the position is {behind_s:.0f} s behind now"), "clock"
        return record, None

    def record(self, began: float, **facts: Any) -> RawRecord:
        """Return the record of a poll that ends now, with what was learnt."""
        latency_ms = round((self.clock.monotonic_s() - began) * 1000, 3)
        return RawRecord(self.object_id, self.source, self.clock.now_utc(), latency_ms, **facts)

    def ask(self, deadline: float) -> tuple[int, bytes]:
        """Return status and body of a 200. Raises AnswerError where there is none before `deadline` (monotonic)."""
        retries = BudgetedRetry(
            total=RETRIES, backoff_factor=BACKOFF_S, backoff_jitter=JITTER_S, status_forcelist=RETRIED_STATUS,
            raise_on_status=False, respect_retry_after_header=True,
        )  # fmt: skip
        retries.clock, retries.deadline, retries.stop = self.clock, deadline, self.stop
        adapter = BoundedAdapter(Destinations.of([self.url], self.allowed_hosts), max_retries=retries)
        left_s = max(SHORTEST_PATIENCE_S, deadline - self.clock.monotonic_s())
        patience_s = min(self.timeout_s, left_s)
        status = None
        try:
            with (
                bounded_session(adapter) as session,
                adapter.ends_within(left_s),
                session.get(self.url, timeout=patience_s, stream=True) as response,
            ):
                status = response.status_code
                if status != requests.codes.ok:
                    self.heed(response)
                    raise AnswerError(f"http {status}", status_text(status).partition(" ")[2], status)
                return status, self.body_of(response)
        except requests.Timeout:
            late = f"no answer within {patience_s:.1f} s" if status is None else f"not whole within {left_s:.1f} s"
            raise AnswerError("timeout", late, status) from None
        except AnswerError:
            raise
        except (requests.RequestException, HTTPError, ValueError) as error:
            # A redirect to what is no URL escapes from requests as it is.
            raise AnswerError(kind_of(error), str(error)[:200]) from None

    def body_of(self, response: requests.Response) -> bytes:
        """Read a body that is small; a server that floods is a failure."""
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise AnswerError("too large", f"more than {MAX_BODY_BYTES} bytes", response.status_code)
        return bytes(body)

    def heed(self, response: requests.Response) -> None:
        """Remember a Retry-After that reaches beyond this poll."""
        wait_s = BudgetedRetry().parse_retry_after(response.headers.get("Retry-After", ""))
        self.not_before = self.clock.monotonic_s() + min(wait_s, MAX_RETRY_AFTER_S)


def kind_of(error: Exception) -> str:
    """Tell a time limit that the retries wrapped up from a server that cannot be reached."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, ReadTimeoutError | ConnectTimeoutError):
        return "timeout"
    if isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ContentDecodingError):
        return "truncated"
    return "unreachable"
