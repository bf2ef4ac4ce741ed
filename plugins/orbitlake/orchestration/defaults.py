"""What every task does unless it says otherwise: who owns it, and how it tries again."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

RETRYING: Final[dict[str, Any]] = {
    "owner": "orbitlake",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}

FIRST_DAY: Final = datetime(2021, 1, 1, tzinfo=UTC)
"""Earliest day that a backfill may ask for; nothing runs for the past unless a person asks."""
