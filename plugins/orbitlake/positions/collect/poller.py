"""One feed, asked one question at a time: retried within its budget, and every way to fail has a kind."""

import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import Event
from typing import Any, Final

import requests
from msgspec.structs import replace
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from orbitlake.bounded_http import BoundedAdapter, RefusedError, bounded_session, status_text
from orbitlake.destinations import Destinations
from orbitlake.positions.collect.feeds import FEEDS, AnswerError
from orbitlake.positions.record import RawRecord

MAX_BODY_BYTES: Final = 65_536
MAX_RETRY_AFTER_S: Final = 3_600.0
RETRIED_STATUS: Final = (429, 500, 502, 503, 504)
RETRIES: Final = 3
BACKOFF_S: Final = 0.25
JITTER_S: Final = 0.25
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
        record = self.record(began, http_status=status, **position)
        behind_s = self.clock.now_utc().timestamp() - position["timestamp"]
        if self.clock_tolerance_s is not None and abs(behind_s) > self.clock_tolerance_s:
            return replace(record, error=f"clock: the position is {behind_s:.0f} s behind now"), "clock"
        return record, None

    def record(self, began: float, **facts: Any) -> RawRecord:
        """Return the record of a poll that ends now, with what was learnt."""
        latency_ms = round((self.clock.monotonic_s() - began) * 1000, 3)
        return RawRecord(self.object_id, self.source, self.clock.now_utc(), latency_ms, **facts)

    def ask(self, deadline: float) -> tuple[int, bytes]:
        """Return status and body of a 200; what may pass is tried again while there is time before `deadline`.

        That is monotonic time. Raises AnswerError.
        """
        for number in count():
            try:
                return self.ask_once(deadline)
            except AnswerError as error:
                wait_s = error.retry_after_s or BACKOFF_S * 2**number + random.uniform(0, JITTER_S)  # noqa: S311
                now_s = self.clock.monotonic_s()
                is_last = number == RETRIES or self.stop.is_set() or now_s + wait_s >= deadline
                if is_last or not error.may_pass:
                    self.not_before = now_s + min(error.retry_after_s, MAX_RETRY_AFTER_S)
                    raise
                self.clock.wait(wait_s, self.stop)
        raise AssertionError

    def ask_once(self, deadline: float) -> tuple[int, bytes]:
        """Return status and body of a 200. Raises AnswerError where there is none before `deadline` (monotonic)."""
        adapter = BoundedAdapter(Destinations.of([self.url], self.allowed_hosts))
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
                if status == requests.codes.ok:
                    body = response.raw.read(MAX_BODY_BYTES + 1, decode_content=True)
                    if len(body) <= MAX_BODY_BYTES:
                        return status, body
                    raise AnswerError("too large", f"more than {MAX_BODY_BYTES} bytes", status)
                failure = AnswerError(f"http {status}", status_text(status).partition(" ")[2], status)
                failure.retry_after_s = retry_after_s(response.headers.get("Retry-After", ""))
                failure.may_pass = status in RETRIED_STATUS
        except requests.Timeout:
            late = f"no answer within {patience_s:.1f} s" if status is None else f"not whole within {left_s:.1f} s"
            failure = AnswerError("timeout", late, status)
            failure.may_pass = True
        except AnswerError:
            raise
        except (requests.RequestException, HTTPError, ValueError) as error:
            # A redirect to what is no URL escapes from requests as it is.
            failure = AnswerError("unreachable" if status is None else "truncated", str(error)[:200], status)
            failure.may_pass = not isinstance(error, RefusedError)
        raise failure


def retry_after_s(header: str) -> float:
    """Return the seconds that a Retry-After asks for, 0 where it says nothing that can be understood."""
    try:
        return Retry().parse_retry_after(header)
    except (InvalidHeader, ValueError, OverflowError):
        return 0.0
