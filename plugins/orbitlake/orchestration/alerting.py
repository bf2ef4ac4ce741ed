"""Who is told of a failed run or of stale data: the channels of `ORBITLAKE_ALERTS`."""

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orbitlake.orchestration.assets import LIVE_POSITIONS, LIVE_WINDOW_STATS
from orbitlake.orchestration.channels import Letter, send
from orbitlake.orchestration.outcomes import announce, note

# The lake brings Arrow along, which no DAG needs while it is parsed: imported where it is used.
if TYPE_CHECKING:
    from orbitlake.alerts import Alert, Board
    from orbitlake.lake import Lake

LONGEST_CAUSE: Final = 500
FIRST_LOOK_BACK: Final = timedelta(minutes=1)
LONGEST_SUBJECT: Final = 40
SUBJECTS: Final = ("date", "source", "file")
"""The parameters of our DAGs that say what one run is about."""


def board() -> "Board":
    """The alerts of the data root and the channels of the settings."""
    from orbitlake.alerts import Board
    from orbitlake.lake import Lake
    from orbitlake.settings import from_environment

    settings = from_environment()
    return Board(Lake(settings.data), settings.alerts, tell)


def tell(channel: str, alert: "Alert") -> None:
    """Give an alert to a channel. Raises ChannelError."""
    body = {
        "text": headline(alert),
        "alert": alert.name,
        "state": "cleared" if alert.is_over else "raised",
        "since": alert.since,
    } | ({"clears": alert.clears} if alert.clears else {})
    level = logging.INFO if alert.is_over else logging.ERROR
    send(channel, Letter(headline(alert), body, level, "alerts"))


def headline(alert: "Alert") -> str:
    """An alert in one line."""
    return f"{'cleared' if alert.is_over else 'ALERT'} {alert.name}: {in_one_line(alert.text)}"


def in_one_line(text: str) -> str:
    """Return a text without line breaks and control characters: what it quotes of data must forge no line of a log."""
    return "".join(character if character.isprintable() else " " for character in text)


def run_failed(context: Mapping[str, Any]) -> None:
    """Raise the alert of what failed: called by the task that failed, which knows the cause, and by the run as a whole.

    A task that is killed calls nothing; its run does.
    """
    from orbitlake.alerts import Condition

    name = alert_name(context)
    # A name that was mistyped never succeeds.
    params = context.get("params") or {}
    is_named = params.get("source") or params.get("file")
    otherwise = f", or removing alerts/{name}.json" if is_named else ""
    clears = f"a success of {work_of(context)}{otherwise}"
    board().heed(Condition(name, failure_text(context), is_wrong=True, clears=clears))
    if context.get("exception") is not None:
        note(context, f"{context['ti'].task_id}: {failure_cause(context['exception'])}")


def run_succeeded(context: Mapping[str, Any]) -> None:
    """Clear the alert of what succeeded now: of the same day or source, for a DAG that works on one at a time."""
    from orbitlake.alerts import Condition

    text = f"{work_of(context)} succeeded again: {context['run_id']}"
    board().heed(Condition(alert_name(context), text, is_wrong=False))


def alert_name(context: Mapping[str, Any]) -> str:
    """What the alert of a DAG is called, with the day or the source that its run was about, where it was about one."""
    name, what = f"failed-{context['dag'].dag_id}", subject_of(context)
    if what is None:
        return name
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "_", what)
    if plain != what or len(plain) > LONGEST_SUBJECT:
        # Two texts that read alike as a name must not share an alert.
        plain = f"{plain[-LONGEST_SUBJECT:]}-{hashlib.sha256(what.encode()).hexdigest()[:8]}"
    return f"{name}-{plain}"


def work_of(context: Mapping[str, Any]) -> str:
    """A DAG, with what its run was about, in words."""
    what = subject_of(context)
    return str(context["dag"].dag_id) + (f" for {what}" if what else "")


def subject_of(context: Mapping[str, Any]) -> str | None:
    """Return the one day or source that a run was about; None where any later run of its DAG makes a failure good.

    A run of a DAG with parameter `date` is about that day, else that of its partition key or its data interval, else
    the day before it.
    """
    params = context.get("params") or {}
    for name in SUBJECTS:
        if params.get(name):
            return str(params[name])
    if "date" not in params and "date" not in (getattr(context["dag"], "params", None) or {}):
        return None
    run = context.get("dag_run")
    key = context.get("partition_key") or getattr(run, "partition_key", None)
    if key:
        return str(key)
    start = context.get("data_interval_start") or getattr(run, "data_interval_start", None)
    run_after = getattr(run, "run_after", None)
    if start is None and run_after:
        start = run_after - timedelta(days=1)
    return f"{start:%Y-%m-%d}" if start else str(context["run_id"])


def failure_text(context: Mapping[str, Any]) -> str:
    """What failed and, where that is known, the cause."""
    run = f"{context['dag'].dag_id}, run {context['run_id']}"
    error = context.get("exception")
    if error is None:
        return f"{run} failed ({context.get('reason') or 'no reason given'}); its log tells more"
    return f"{run}, task {context['ti'].task_id}: {failure_cause(error)}"


def failure_cause(error: BaseException) -> str:
    """The first line of what an error says, else its name."""
    return (next(iter(str(error).splitlines()), "") or type(error).__name__)[:LONGEST_CAUSE]


def watch(context: Any, feed_minutes: float, stream_minutes: float, issue_days: float) -> dict[str, Any]:
    """Judge what has arrived, raise and clear alerts, and tell what was not taken before; returns what was found.

    What the stream has written since the run before is announced as events of the live tables' assets: its own run ends
    once an hour. Raises ChannelError where a channel cannot be told; the alerts wait for the next call.
    """
    from orbitlake.alerts import ChannelError, Condition
    from orbitlake.freshness import Limits, arrivals
    from orbitlake.orchestration.conflicts import clear_settled
    from orbitlake.settings import from_environment
    from orbitlake.verdicts import judged

    settings = from_environment()
    limits = Limits(timedelta(minutes=feed_minutes), timedelta(minutes=stream_minutes), timedelta(days=issue_days))
    now = datetime.now(UTC)
    all_alerts = board()
    clear_settled(all_alerts)
    seen = arrivals(all_alerts.lake, settings.object_id, limits, now, is_simulated=settings.uses_simulator)
    conditions = [verdict.condition() for verdict in judged(seen, limits, now)]
    for condition in conditions:
        print(f"{'WRONG' if condition.is_wrong else 'well'}  {condition.name}: {in_one_line(condition.text)}")
    dag_id = context["dag"].dag_id
    rows = streamed_since(all_alerts.lake, context.get("prev_start_date_success") or now - FIRST_LOOK_BACK)
    announce(context, {LIVE_POSITIONS: rows, LIVE_WINDOW_STATS: rows})
    own = Condition(f"failed-{dag_id}", f"{dag_id} works again", is_wrong=False)
    for condition in [*conditions, own]:
        # What a channel does not take now, and what it did not take before, is tried below, and fails there.
        with suppress(ChannelError):
            all_alerts.heed(condition, now)
    standing = all_alerts.standing()
    if standing:
        note(context, "; ".join(f"{alert.name} since {alert.since}: {alert.text}" for alert in standing))
    all_alerts.settle_all()
    return {
        "standing": [alert.name for alert in standing],
        **{condition.name: condition.text for condition in conditions},
    }


def streamed_since(lake: "Lake", since: datetime) -> int:
    """Return how many rows the stream's batches have written since a moment, by its log of progress."""
    rows = 0
    for line in lake.stream_progress.read_bytes().splitlines() if lake.stream_progress.exists() else ():
        # A kill may have torn the last line.
        with suppress(ValueError, KeyError):
            batch = json.loads(line)
            if datetime.fromisoformat(batch["finished_at"]) > since:
                rows += batch["rows"] + batch["corrected"]
    return rows
