"""What became of one issue of a source, as a line of JSON says it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NotRequired, TypedDict, final

from orbitlake.oem.ingest.delivery import without_password
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.reader.issue import Issue

LONGEST_REASON: Final = 2000
"""Characters of a reason in an outcome: a hostile file has a value of megabytes that a reader would quote."""
MOST_WARNINGS: Final = 20
"""A hostile file has one a line, and outcomes pass through Airflow's database."""


@final
class Outcome(TypedDict):
    """What became of one issue of a source: `ingested`, `unchanged`, `rejected` or `conflict`.

    Of a conflict that a person settled: `kept` or `taken`.
    """

    source: str
    outcome: str
    object_id: str | None
    creation_date: str | None
    states: int | None
    thrust_episodes: int | None
    reason: str | None
    object_name: NotRequired[str]
    """OBJECT_NAME, where the object_id names no object, such as UNKNOWN."""
    quarantined: NotRequired[str]
    """Where the bytes of a conflict lie, relative to the data root."""
    warnings: NotRequired[list[str]]
    """What of a file is odd but harmless, such as a comment block of an unknown layout: the first MOST_WARNINGS.

    Absent where there is none.
    """


class RefusedError(Exception):
    """A message that does not enter the lake: `rejected` or `conflict`, and why."""

    def __init__(self, outcome: str, reason: str, issue: Issue | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.issue = issue


def rejected(source: str, reason: str) -> Outcome:
    """Return the outcome of a source that gave no sound file."""
    return outcome_of(without_password(source), "rejected", reason=reason)


def outcome_of(source: str, label: str, issue: Issue | None = None, reason: str | None = None) -> Outcome:
    """Return the outcome of a message, which may be too broken to be an issue."""
    outcome = Outcome(
        source=source,
        outcome=label,
        object_id=issue.object_id if issue else None,
        creation_date=iso_utc(issue.creation_date) if issue else None,
        states=issue.states.num_rows if issue else None,
        thrust_episodes=issue.episodes.num_rows if issue else None,
        reason=reason and reason[:LONGEST_REASON],
    )
    if issue and names_no_object(issue.object_id):
        outcome["object_name"] = issue.header.object_name
    if issue and issue.warnings:
        outcome["warnings"] = _first(issue.warnings)
    return outcome


def iso_utc(moment: datetime) -> str:
    """Return a time in UTC as outcomes write it, with Z."""
    return moment.isoformat().replace("+00:00", "Z")


def with_warning(outcome: Outcome, warning: str | None) -> Outcome:
    """Return an outcome with one warning more, if there is one."""
    return Outcome(**outcome | {"warnings": [*outcome.get("warnings", []), warning]}) if warning else outcome


def _first(warnings: Sequence[str]) -> list[str]:
    """Return the first warnings, and how many more there are."""
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], *([f"and {more} more"] if more > 0 else [])]
