"""What every DAG and task does unless it says otherwise: who owns it, how it tries again, who hears of its end."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orbitlake.orchestration.alerting import run_failed, run_succeeded

RETRYING: Final[dict[str, Any]] = {
    "owner": "orbitlake",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "execution_timeout": timedelta(hours=2),
    # The last try of a task knows why it failed.
    "on_failure_callback": run_failed,
}

RETRYING_EACH_MINUTE: Final[dict[str, Any]] = RETRYING | {"retries": 1, "execution_timeout": timedelta(minutes=5)}
"""Of a DAG whose next run comes within a minute anyway."""

TOLD: Final[dict[str, Any]] = {"on_failure_callback": run_failed, "on_success_callback": run_succeeded}
"""How a run as a whole raises and clears the alert of its DAG, in Airflow's DAG processor."""

TAGS: Final = frozenset({"positions", "oem", "spark", "continuous", "daily", "alerts"})
"""What a DAG may be tagged with: the data it serves, the engine, the rhythm."""

FIRST_DAY: Final = datetime(2021, 1, 1, tzinfo=UTC)
"""Earliest day that a backfill may ask for; nothing runs for the past unless a person asks."""
