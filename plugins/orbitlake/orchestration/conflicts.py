"""The alert of a conflict that waits for a person: raised with the question, cleared by any answer."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from orbitlake.orchestration.alerting import board

if TYPE_CHECKING:
    from orbitlake.alerts import Board, Condition
    from orbitlake.lake import Lake

PREFIX: Final = "conflict-"
DIGEST_DIGITS: Final = 16
"""How much of the digest of its bytes begins the name of a file in `quarantine/`."""


def raise_question(question: Mapping[str, Any]) -> None:
    """Raise the alert of a conflict that waits for an answer."""
    from orbitlake.alerts import Condition

    clears = f"an answer under Required Actions of settle_conflict, or `--settle {question['file']} keep|take`"
    _heed(board(), Condition(alert_of(question["file"]), question["subject"], is_wrong=True, clears=clears))


def clear_settled(alerts: "Board") -> None:
    """Clear the alerts of conflicts that were settled since, by a person's command as well."""
    for alert in alerts.standing():
        if alert.name.startswith(PREFIX) and not is_open(alert.name, alerts.lake):
            _heed(alerts, _is_over(alert.name))


def alert_of(name: str) -> str:
    """Return what the alert of a file in `quarantine/` is called."""
    return f"{PREFIX}{name[:DIGEST_DIGITS]}"


def is_open(alert: str, lake: "Lake") -> bool:
    """Whether the file of an alert lies in `quarantine/`, and nobody has decided about it."""
    from orbitlake.lake.quarantine import DECISION, REASON

    found = {file.name for file in lake.quarantine.glob(f"{alert.removeprefix(PREFIX)}-*")}
    entries = {name for name in found if not name.endswith((REASON, DECISION))}
    return any(f"{name}{DECISION}" not in found for name in entries)


def _is_over(alert: str) -> "Condition":
    from orbitlake.alerts import Condition

    return Condition(alert, "a person has said which file holds", is_wrong=False)


def _heed(alerts: "Board", condition: "Condition") -> None:
    from orbitlake.alerts import ChannelError

    # watch_freshness tells a channel that does not take it now.
    with suppress(ChannelError):
        alerts.heed(condition)
