"""Takes ephemeris files in, once each: raw bytes kept, the issue's tables published, contradictions quarantined.

An issue is (object_id, creation_date). The first file of an issue makes its tables; another with the same states, as
text or XML, is kept raw and changes nothing else; one with other states is a conflict. A kill between any two lines is
made good by the next delivery: a raw file whose issue is not listed is completed before anything else happens to it.
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict, final

from orbitlake.lake import Lake, quarantine, quarantine_file
from orbitlake.oem import unpacking
from orbitlake.oem.checks import examine
from orbitlake.oem.delivery import Delivery, DeliveryError, is_url, shown
from orbitlake.oem.errors import OemError
from orbitlake.oem.holdings import Holding
from orbitlake.oem.issue import Issue, issue_of, parse, read
from orbitlake.oem.sources import deliver
from orbitlake.settings import Settings
from orbitlake.tables import OEM_TABLES, STATE_VECTORS, THRUST_EPISODES

SETTLED_S: Final = 2.0
"""A file in the inbox is taken once it has not been written for so long: a copy in progress is no truncated file."""
OEM_MARK: Final = b"CCSDS_OEM_VERS"
OEM_MARK_WITHIN: Final = 64 * 1024
"""Bytes from the beginning in which every OEM bears its mark, as text and as XML."""
LONGEST_REASON: Final = 2000
"""Characters of a reason in an outcome: a hostile file has a value of megabytes that a reader would quote."""
MOST_WARNINGS: Final = 20
"""A hostile file has one a line, and outcomes pass through Airflow's database."""


@final
class Outcome(TypedDict):
    """What became of one source: `ingested`, `unchanged`, `rejected` or `conflict`; the job's line of JSON."""

    source: str
    outcome: str
    object_id: str | None
    creation_date: str | None
    states: int | None
    thrust_episodes: int | None
    reason: str | None
    warnings: NotRequired[list[str]]
    """What of a file is odd but harmless, such as a comment block of an unknown layout: the first MOST_WARNINGS.

    Absent where there is none.
    """


class Archived(TypedDict):
    """A source between two tasks: its outcome, and the raw file that is to be tabulated, relative to the data root.

    Without a raw file the outcome is final.
    """

    outcome: Outcome
    raw_path: str | None


class CheckError(Exception):
    """An issue that cannot stand: rejected, in conflict, or failing a check; the message gives the reasons."""


class _RefusedError(Exception):
    """A file that does not enter the lake: what to call it, and why."""

    def __init__(self, outcome: str, reason: str, issue: Issue | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.issue = issue


def take(source: str, lake: Lake, settings: Settings) -> Outcome:
    """Ingest what is behind a source: a file or a URL. One that gives no file is rejected with the reason."""
    try:
        return ingest(deliver(source, lake, settings), lake)
    except DeliveryError as error:
        return rejected(source, str(error))


def rejected(source: str, reason: str) -> Outcome:
    """Return the outcome of a source that gave no sound file."""
    return _outcome(shown(source), "rejected", reason=reason)


def ingest(delivery: Delivery, lake: Lake) -> Outcome:
    """Take one file in: archive and tabulate in one go. A file of the inbox is gone from there afterwards."""
    return _take(delivery, lake, publish_at_once=True)["outcome"]


def archive(delivery: Delivery, lake: Lake) -> Archived:
    """Keep the raw bytes of one file, having read and checked it; what is refused has its outcome here already."""
    return _take(delivery, lake, publish_at_once=False)


def tabulate(archived: Archived, lake: Lake) -> Outcome:
    """Publish the tables of an archived file unless its issue is listed already."""
    if archived["raw_path"] is None:
        return archived["outcome"]
    raw = lake.root / archived["raw_path"]
    issue = read(raw)
    holding = Holding(lake, issue.object_id, issue.creation_date)
    with holding.locked():
        if not holding.is_listed:
            holding.publish(issue, raw)
            return _outcome(archived["outcome"]["source"], "ingested", issue)
    # Published since by another file of the same issue: this one still was the first.
    return archived["outcome"]


def check(outcome: Outcome, lake: Lake) -> dict[str, Any]:
    """Return the figures of an issue as its tables hold it.

    Raises CheckError with the reasons where the source was refused, or where the stored tables fail a check: then the
    issue is withdrawn from the tables and its raw files go to quarantine.
    """
    if outcome["outcome"] not in ("ingested", "unchanged"):
        raise CheckError(f"{outcome['source']}: {outcome['outcome']}: {outcome['reason']}")
    holding = Holding(lake, str(outcome["object_id"]), datetime.fromisoformat(str(outcome["creation_date"])))
    with holding.locked():
        missing = [table.name for table in OEM_TABLES if not holding.partition(table).exists()]
        if missing:
            problems: tuple[str, ...] = (f"no {' and no '.join(missing)}",)
        else:
            report = examine(holding.row(), holding.stored(STATE_VECTORS), holding.stored(THRUST_EPISODES))
            problems = report.problems
        if problems:
            reason = f"check failed: {'; '.join(problems)}"
            holding.withdraw(reason)
            raise CheckError(f"{outcome['source']}: {reason}")
    return {"object_id": outcome["object_id"], "creation_date": outcome["creation_date"], **report.figures}


def _take(delivery: Delivery, lake: Lake, *, publish_at_once: bool) -> Archived:
    source, path = delivery["source"], Path(delivery["path"])
    is_inbox = path.is_relative_to(lake.inbox_oem.absolute())
    try:
        if is_inbox:
            _wait_until_written(path)
        content = unpacking.load(path)
    except OSError as error:
        return Archived(outcome=_outcome(source, "rejected", reason=f"cannot be read: {error.strerror}"), raw_path=None)
    except OemError as error:
        if is_inbox:
            quarantine_file(lake, path, error.reason)
        return Archived(outcome=_outcome(source, "rejected", reason=str(error)), raw_path=None)
    try:
        text, issue = _read(content, source)
        holding = Holding(lake, issue.object_id, issue.creation_date)
        with holding.locked():
            raw = _admit(holding, issue, text, delivery)
            label = "unchanged" if holding.is_listed else "ingested"
            if publish_at_once and not holding.is_listed:
                holding.publish(issue, raw)
        taken = Archived(outcome=_outcome(source, label, issue), raw_path=str(raw.relative_to(lake.root)))
    except _RefusedError as refused:
        quarantine(lake, Path(source).name, content, refused.reason, outcome=refused.outcome)
        taken = Archived(outcome=_outcome(source, refused.outcome, refused.issue, refused.reason), raw_path=None)
    if is_inbox:
        path.unlink(missing_ok=True)
    return taken


def _wait_until_written(path: Path) -> None:
    while 0.0 <= (age_s := time.time() - path.stat().st_mtime) < SETTLED_S:
        time.sleep(SETTLED_S - age_s)


def _read(content: bytes, source: str) -> tuple[bytes, Issue]:
    """Return the unpacked bytes and their issue. Raises _RefusedError where it cannot be read or fails a check."""
    try:
        text = unpacking.unpack(content, source)
        if is_url(source) and OEM_MARK not in text[:OEM_MARK_WITHIN]:
            # A reader quotes the line that it stumbles over: of a file, not of whatever a server may have answered.
            raise OemError(source, None, f"is no OEM: {OEM_MARK.decode()} is not near its beginning")
        issue = issue_of(parse(text, source), hashlib.sha256(text).hexdigest(), source)
    except OemError as error:
        raise _RefusedError("rejected", str(error)) from error
    row = issue.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
    if problems := examine(row, issue.states, issue.episodes).problems:
        raise _RefusedError("rejected", f"{source}: check failed: {'; '.join(problems)}", issue)
    return text, issue


def _admit(holding: Holding, issue: Issue, text: bytes, delivery: Delivery) -> Path:
    """Return the raw file of `issue`, kept from now on. Raises _RefusedError where it contradicts the listed issue."""
    raw = holding.raw_file(issue)
    if not holding.is_listed:
        for earlier in holding.raw_files():
            if earlier != raw:
                _complete(holding, earlier)
    if holding.is_listed and (contradiction := holding.contradiction(issue)):
        raise _RefusedError("conflict", contradiction, issue)
    holding.keep_raw(raw, text, delivery["source_url"], delivery["retrieved_at"])
    return raw


def _complete(holding: Holding, raw: Path) -> None:
    """Publish an issue whose ingestion was cut off after its raw file; one that can no longer be read is set aside."""
    try:
        holding.publish(read(raw), raw)
    except OemError as error:
        quarantine(holding.lake, raw.name, raw.read_bytes(), error.reason)
        raw.unlink()


def _outcome(source: str, label: str, issue: Issue | None = None, reason: str | None = None) -> Outcome:
    outcome = Outcome(
        source=source,
        outcome=label,
        object_id=issue.object_id if issue else None,
        creation_date=issue.creation_date.isoformat().replace("+00:00", "Z") if issue else None,
        states=issue.states.num_rows if issue else None,
        thrust_episodes=issue.episodes.num_rows if issue else None,
        reason=reason and reason[:LONGEST_REASON],
    )
    if issue and issue.warnings:
        outcome["warnings"] = _first(issue.warnings)
    return outcome


def _first(warnings: Sequence[str]) -> list[str]:
    """Return the first warnings, and how many more there are."""
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], *([f"and {more} more"] if more > 0 else [])]
