"""Takes ephemeris files in, once each: raw bytes kept, the issue's tables published, contradictions quarantined.

An issue is (object_id, creation_date), and OBJECT_NAME where the id names no object. The first file of an issue makes
its tables; another that says the same, as text or XML, is kept raw and changes nothing else; one that says anything
else is a conflict. A file of several messages holds as many issues, each taken in by itself. A kill between any two
lines is made good by the next delivery: a raw file whose issue is not listed, or listed in tables of an older version,
is completed before anything else happens to it.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NotRequired, TypedDict, final

from orbitlake.lake import Lake, LakeError, quarantine, quarantine_file
from orbitlake.oem.ingest.delivery import Delivery, DeliveryError, is_url, shown
from orbitlake.oem.ingest.holdings import NO_RECEIPT, Holding, Receipt, drop_raw, receipt_in, tables_of
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.ingest.sameness import COMPARED, difference
from orbitlake.oem.ingest.sources import deliver
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.checks import examine
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import issues_in
from orbitlake.settings import Settings
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, OEM_TABLES, STATE_VECTORS, THRUST_EPISODES

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
    """What became of one issue of a source: `ingested`, `unchanged`, `rejected` or `conflict`; a line of JSON."""

    source: str
    outcome: str
    object_id: str | None
    creation_date: str | None
    states: int | None
    thrust_episodes: int | None
    reason: str | None
    object_name: NotRequired[str]
    """OBJECT_NAME, where the object_id names no object, such as UNKNOWN."""
    warnings: NotRequired[list[str]]
    """What of a file is odd but harmless, such as a comment block of an unknown layout: the first MOST_WARNINGS.

    Absent where there is none.
    """


class Archived(TypedDict):
    """An issue between two tasks: its outcome, and the raw file that is to be tabulated, relative to the data root.

    Without a raw file the outcome is final.
    """

    outcome: Outcome
    raw_path: str | None


class CheckError(Exception):
    """An issue that cannot stand: rejected, in conflict, or failing a check; the message gives the reasons."""


class RefusedError(Exception):
    """A message that does not enter the lake: what to call it, and why."""

    def __init__(self, outcome: str, reason: str, issue: Issue | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.issue = issue


def take(source: str, lake: Lake, settings: Settings) -> list[Outcome]:
    """Ingest what is behind a source, a file or a URL; return an outcome an issue.

    A source that gives no file is rejected with the reason.
    """
    try:
        return ingest(deliver(source, lake, settings), lake)
    except DeliveryError as error:
        return [rejected(source, str(error))]


def rejected(source: str, reason: str) -> Outcome:
    """Return the outcome of a source that gave no sound file."""
    return outcome_of(shown(source), "rejected", reason=reason)


def ingest(delivery: Delivery, lake: Lake) -> list[Outcome]:
    """Take one file in: archive and tabulate in one go. A file of the inbox is gone from there afterwards."""
    return [taken["outcome"] for taken in _take(delivery, lake, publish_at_once=True)]


def archive(delivery: Delivery, lake: Lake) -> list[Archived]:
    """Keep the raw bytes of one file, having read and checked it; what is refused has its outcome here already."""
    return _take(delivery, lake, publish_at_once=False)


def tabulate(archived: Archived, lake: Lake) -> Outcome:
    """Publish the tables of an archived issue unless it is listed already."""
    if archived["raw_path"] is None:
        return archived["outcome"]
    raw = lake.root / archived["raw_path"]
    issue = archived_issue(raw)
    holding = Holding.of(lake, issue)
    with holding.locked():
        # Published already where another file of the issue came since: this one still was the first.
        if not holding.is_current:
            holding.publish(issue, raw)
    return archived["outcome"]


def check(outcome: Outcome, lake: Lake) -> dict[str, Any]:
    """Return the figures of an issue as its tables hold it.

    Raises CheckError with the reasons where the source was refused, or where the stored tables fail a check: then the
    issue is withdrawn from the tables and its raw files go to quarantine.
    """
    if outcome["outcome"] not in ("ingested", "unchanged"):
        raise CheckError(f"{outcome['source']}: {outcome['outcome']}: {outcome['reason']}")
    holding = holding_of(outcome, lake)
    with holding.locked():
        missing = [table.name for table in OEM_TABLES if not holding.partition(table).exists()]
        if missing:
            problems: tuple[str, ...] = (f"no {' and no '.join(missing)}",)
        else:
            segments, states, episodes = map(holding.stored, (OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES))
            report = examine(holding.row(), segments.to_pylist(), states, episodes)
            problems = report.problems
        if problems:
            reason = f"check failed: {'; '.join(problems)}"
            holding.withdraw(reason)
            raise CheckError(f"{outcome['source']}: {reason}")
    return {"object_id": outcome["object_id"], "creation_date": outcome["creation_date"], **report.figures}


def holding_of(outcome: Outcome, lake: Lake) -> Holding:
    """Return the place in the lake of an issue that was taken in."""
    created = datetime.fromisoformat(str(outcome["creation_date"]))
    return Holding(lake, str(outcome["object_id"]), created, outcome.get("object_name"))


def _take(delivery: Delivery, lake: Lake, *, publish_at_once: bool) -> list[Archived]:
    source, path = delivery["source"], Path(delivery["path"])
    is_inbox = path.is_relative_to(lake.inbox_oem.absolute()) and ".." not in path.parts
    try:
        if is_inbox:
            _wait_until_written(path)
        content = unpacking.load(path)
    except OSError as error:
        return [Archived(outcome=rejected(source, f"cannot be read: {error.strerror}"), raw_path=None)]
    except OemError as error:
        # Of a link only the link could be moved.
        is_moved = is_inbox and not path.is_symlink()
        left = _leave_inbox(path, partial(quarantine_file, lake, path, error.reason)) if is_moved else None
        return [Archived(outcome=_with_warning(rejected(source, str(error)), left), raw_path=None)]
    taken: list[Archived] = []
    refusals: list[RefusedError] = []
    try:
        text = unpacking.unpack(content, source)
        if is_url(source) and OEM_MARK not in text[:OEM_MARK_WITHIN]:
            # A reader quotes the line that it stumbles over: of a file, not of whatever a server may have answered.
            raise OemError(source, None, f"is no OEM: {OEM_MARK.decode()} is not near its beginning")
        messages = issues_in(text, source)
    except OemError as error:
        text, messages = b"", [error]
    for number, message in enumerate(messages):
        try:
            holding, issue = accept(message, source, lake)
            receipt = Receipt(source_url=delivery["source_url"], retrieved_at=delivery["retrieved_at"], message=number)
            with holding.locked():
                was_listed = holding.is_listed
                raw = _admit(holding, issue, text, receipt)
                label = "unchanged" if was_listed or holding.is_listed else "ingested"
                if publish_at_once and not holding.is_current:
                    holding.publish(issue, raw)
            taken.append(Archived(outcome=outcome_of(source, label, issue), raw_path=str(raw.relative_to(lake.root))))
        except (RefusedError, LakeError) as error:
            refused = error if isinstance(error, RefusedError) else RefusedError("rejected", f"{source}: {error}")
            refusals.append(refused)
            outcome = outcome_of(source, refused.outcome, refused.issue, refused.reason)
            taken.append(Archived(outcome=outcome, raw_path=None))
    if refusals:
        # The bytes once and whole, whatever was refused of them.
        reasons = "; ".join(dict.fromkeys(refused.reason for refused in refusals))
        quarantine(lake, Path(source).name, content, reasons, outcome=refusals[0].outcome)
    if is_inbox and (left := _leave_inbox(path, partial(path.unlink, missing_ok=True))):
        for each in taken:
            each["outcome"] = _with_warning(each["outcome"], left)
    return taken


def _leave_inbox(path: Path, leave: Callable[[], object]) -> str | None:
    """Take a file out of the inbox; return why it stays there where that is not possible."""
    try:
        leave()
    except OSError as error:
        return f"{path} stays in the inbox: {error.strerror}"
    return None


def _wait_until_written(path: Path) -> None:
    while 0.0 <= (age_s := time.time() - path.stat().st_mtime) < SETTLED_S:
        time.sleep(SETTLED_S - age_s)


def accept(message: Issue | OemError, source: str, lake: Lake) -> tuple[Holding, Issue]:
    """Return a sound issue and its place. Raises RefusedError where it was not read, fails a check or has no place."""
    if isinstance(message, OemError):
        raise RefusedError("rejected", str(message)) from message
    row = message.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
    if problems := examine(row, message.segment_table.to_pylist(), message.states, message.episodes).problems:
        raise RefusedError("rejected", f"{source}: check failed: {'; '.join(problems)}", message)
    try:
        return Holding.of(lake, message), message
    except LakeError as error:
        raise RefusedError("rejected", f"{source}: {error}", message) from error


def archived_issue(raw: Path) -> Issue:
    """Return the issue that a raw file was kept for. Raises OemError where it can no longer be read."""
    message = issues_in(unpacking.unpack(unpacking.load(raw), str(raw)), str(raw))[receipt_in(raw)["message"]]
    if isinstance(message, OemError):
        raise message
    return message


def contradiction(holding: Holding, issue: Issue) -> str | None:
    """Return how `issue` differs from the listed one: in the fraction of its creation date, or in what it says."""
    if (held := holding.row()["creation_date"]) != issue.creation_date:
        return f"the lake holds an issue created within the same second, at {held.isoformat()}"
    return difference({table.name: holding.stored(table) for table in COMPARED}, tables_of(issue, NO_RECEIPT))


def _admit(holding: Holding, issue: Issue, text: bytes, receipt: Receipt) -> Path:
    """Return the raw file of `issue`, kept from now on. Raises RefusedError where it contradicts the listed issue."""
    raw = holding.raw_file(issue)
    if not holding.is_current:
        _complete(holding, raw)
    is_own = holding.is_made_of(raw, receipt["message"])
    if holding.is_current and not is_own and (reason := contradiction(holding, issue)):
        raise RefusedError("conflict", reason, issue)
    holding.keep_raw(raw, text, receipt)
    return raw


def _complete(holding: Holding, arrived: Path) -> None:
    """Publish an issue cut off after its raw file, or listed by an older program, from the file that came first.

    One that can no longer be read is set aside. Where `arrived` itself came first there is nothing to do yet.
    """
    raw_files = holding.raw_files()
    if not raw_files and holding.is_listed:
        place = holding.partition(OEM_ISSUES).parent
        raise RefusedError("rejected", f"no raw file to make the tables at {place} anew from: move them away first")
    for raw in raw_files:
        if raw == arrived:
            return
        try:
            holding.publish(archived_issue(raw), raw)
        except OemError as error:
            quarantine(holding.lake, raw.name, raw.read_bytes(), error.reason)
            drop_raw(raw)
        else:
            return


def outcome_of(source: str, label: str, issue: Issue | None = None, reason: str | None = None) -> Outcome:
    """Return an outcome in the words of the job."""
    outcome = Outcome(
        source=source,
        outcome=label,
        object_id=issue.object_id if issue else None,
        creation_date=issue.creation_date.isoformat().replace("+00:00", "Z") if issue else None,
        states=issue.states.num_rows if issue else None,
        thrust_episodes=issue.episodes.num_rows if issue else None,
        reason=reason and reason[:LONGEST_REASON],
    )
    if issue and names_no_object(issue.object_id):
        outcome["object_name"] = issue.header.object_name
    if issue and issue.warnings:
        outcome["warnings"] = _first(issue.warnings)
    return outcome


def _with_warning(outcome: Outcome, warning: str | None) -> Outcome:
    return Outcome(**outcome, warnings=[*outcome.get("warnings", []), warning]) if warning else outcome


def _first(warnings: Sequence[str]) -> list[str]:
    """Return the first warnings, and how many more there are."""
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], *([f"and {more} more"] if more > 0 else [])]
