"""Simulated UTC: starts where it is told and runs at its own rate."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

EARLIEST: Final = datetime(2017, 1, 1, tzinfo=UTC)
"""The last leap second so far ended here: after it, a day of the orbit and a day of UTC are the same."""
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
BEFORE_MIDNIGHT: Final = timedelta(minutes=2)


class SimulatedClock:
    """Seconds of `ticks` times `rate`, counted from `start`."""

    def __init__(self, start: datetime, rate: float = 1.0, ticks: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError for a start without zone or outside 2017 to 2099, and for a rate that is not positive."""
        if not 0 < rate <= 1e6:
            raise ValueError(f"rate {rate} is not above 0 and at most 1e6")
        self.rate = rate
        self._ticks = ticks
        self.set(start)

    def set(self, now: datetime) -> None:
        """Let time go on from `now`. Raises ValueError for a moment without zone or outside 2017 to 2099."""
        if now.tzinfo is None:
            raise ValueError(f"start {now} has no time zone")
        if not EARLIEST <= now < LATEST:
            raise ValueError(f"start {now} is outside {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}")
        self._start_utc = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us")
        self._first_tick = self._ticks()

    def now_utc(self) -> np.datetime64:
        """Return the simulated moment, to the microsecond."""
        elapsed_s = (self._ticks() - self._first_tick) * self.rate
        return self._start_utc + np.timedelta64(round(elapsed_s * 1e6), "us")


def start_from_text(text: str, now: datetime) -> datetime:
    """Return the start that `text` names: `now`, `yesterday-end` or a moment of ISO 8601, taken as UTC without a zone.

    `yesterday-end` is two minutes before the UTC day of `now` began, so that a day closes soon. Raises ValueError.
    """
    if text == "now":
        return now
    if text == "yesterday-end":
        return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - BEFORE_MIDNIGHT
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
