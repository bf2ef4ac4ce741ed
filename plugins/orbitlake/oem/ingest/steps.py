"""The steps of one source: its file is read once, its issues are archived, their tables published and checked."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypedDict

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.parquet import REBUILD
from orbitlake.lake.quarantine import quarantine, quarantine_file
from orbitlake.oem.ingest import inbox
from orbitlake.oem.ingest.archive import archive_issue, finish
from orbitlake.oem.ingest.delivery import Delivery, DeliveryError, is_url
from orbitlake.oem.ingest.outcome import Outcome, RefusedError, outcome_of, rejected, with_warning
from orbitlake.oem.ingest.raw_files import Receipt
from orbitlake.oem.ingest.sources import deliver
from orbitlake.oem.ingest.stored_issue import StoredIssue
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.checks import examine
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import issues_in
from orbitlake.settings import Settings
from orbitlake.tables import OEM_SEGMENTS, OEM_TABLES, STATE_VECTORS, THRUST_EPISODES

OEM_MARK: Final = b"CCSDS_OEM_VERS"
OEM_MARK_WITHIN: Final = 64 * 1024
"""Bytes from the beginning in which every OEM bears its mark, as text and as XML."""


class Archived(TypedDict):
    """An issue between two tasks: its outcome, and its raw file relative to the data root, None where refused."""

    outcome: Outcome
    raw_path: str | None


class CheckError(Exception):
    """Issues that were refused, or whose published tables fail a check; the message gives the reasons."""


def ingest_source(source: str, lake: Lake, settings: Settings) -> list[Outcome]:
    """Ingest what is behind a source, a file or a URL; return an outcome an issue.

    A source that gives no file is rejected with the reason.
    """
    try:
        return ingest(deliver(source, lake, settings), lake)
    except DeliveryError as error:
        return [rejected(source, str(error))]


def ingest(delivery: Delivery, lake: Lake) -> list[Outcome]:
    """Archive and tabulate one file in one go. A file of the inbox is gone from there afterwards."""
    return [archived["outcome"] for archived in archive(delivery, lake, publish_at_once=True)]


def archive(delivery: Delivery, lake: Lake, *, publish_at_once: bool = False) -> list[Archived]:
    """Read one file, write the tables of its issues to staging, check them there and keep the raw bytes of sound ones.

    What is refused has its final outcome here already, and its bytes are in quarantine.
    """
    source, path = delivery["source"], Path(delivery["path"])
    is_inbox = inbox.is_in_inbox(path, lake)
    try:
        if is_inbox:
            inbox.wait_until_written(path)
        content = unpacking.load(path)
    except OSError as error:
        return [Archived(outcome=rejected(source, f"cannot be read: {error.strerror}"), raw_path=None)]
    except OemError as error:
        # Of a link only the link could be moved.
        is_moved = is_inbox and not path.is_symlink()
        warning = inbox.leave(path, partial(quarantine_file, lake, path, error.reason)) if is_moved else None
        return [Archived(outcome=with_warning(rejected(source, str(error)), warning), raw_path=None)]
    text, messages = _messages_in(content, source)
    results: list[Archived] = []
    refusals: list[RefusedError] = []
    for number, message in enumerate(messages):
        receipt = Receipt(source_url=delivery["source_url"], retrieved_at=delivery["retrieved_at"], message=number)
        try:
            if isinstance(message, OemError):
                raise RefusedError("rejected", str(message)) from message
            label, raw, warning = archive_issue(message, source, text, receipt, lake, publish_at_once=publish_at_once)
        except (RefusedError, LakeError) as error:
            refused = error if isinstance(error, RefusedError) else RefusedError("rejected", f"{source}: {error}")
            refusals.append(refused)
            outcome = outcome_of(source, refused.outcome, refused.issue, refused.reason)
            results.append(Archived(outcome=outcome, raw_path=None))
        else:
            outcome = with_warning(outcome_of(source, label, message), warning)
            results.append(Archived(outcome=outcome, raw_path=str(raw.relative_to(lake.root))))
    if refusals:
        # The bytes once and whole, whatever was refused of them.
        reasons = "; ".join(dict.fromkeys(refused.reason for refused in refusals))
        label = "conflict" if any(refused.outcome == "conflict" for refused in refusals) else "rejected"
        facts = {"source_url": delivery["source_url"], "retrieved_at": delivery["retrieved_at"]}
        kept = quarantine(lake, Path(source).name, content, reasons, outcome=label, **facts)
        for result in results:
            if result["outcome"]["outcome"] == "conflict":
                result["outcome"]["quarantined"] = str(kept.relative_to(lake.root))
    if is_inbox and (warning := inbox.leave(path, partial(path.unlink, missing_ok=True))):
        for result in results:
            result["outcome"] = with_warning(result["outcome"], warning)
    return results


def _messages_in(content: bytes, source: str) -> tuple[bytes, Sequence[Issue | OemError]]:
    """Return the unpacked text of a file and its messages: one error where the file as a whole cannot be read."""
    try:
        text = unpacking.unpack(content, source)
        if is_url(source) and OEM_MARK not in text[:OEM_MARK_WITHIN]:
            # A reader quotes the line that it stumbles over: of a file, not of whatever a server may have answered.
            raise OemError(source, None, f"is no OEM: {OEM_MARK.decode()} is not near its beginning")
        return text, issues_in(text, source)
    except OemError as error:
        return b"", [error]


def tabulate(archived: Archived, lake: Lake) -> Outcome:
    """Publish an archived issue by renaming its tables from staging, unless that is done already."""
    if archived["raw_path"] is not None:
        stored = stored_issue(archived["outcome"], lake)
        with stored.locked():
            finish(stored)
    return archived["outcome"]


def check(outcome: Outcome, lake: Lake) -> dict[str, Any]:
    """Return the figures of an issue as its published tables hold it; changes nothing.

    Raises CheckError with the reasons where the source was refused, or where a published table was lost or damaged
    since it was checked in staging.
    """
    if outcome["outcome"] in ("rejected", "conflict"):
        raise CheckError(f"{outcome['source']}: {outcome['outcome']}: {outcome['reason']}")
    stored = stored_issue(outcome, lake)
    with stored.locked():
        if missing := [table.name for table in OEM_TABLES if not stored.file(table).exists()]:
            raise CheckError(f"{outcome['source']}: check failed: no {' and no '.join(missing)}: run `{REBUILD}`")
        segments, states, episodes = map(stored.rows, (OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES))
        report = examine(stored.row(), segments.to_pylist(), states, episodes)
    if report.problems:
        raise CheckError(f"{outcome['source']}: check failed: {'; '.join(report.problems)}: run `{REBUILD}`")
    return {"object_id": outcome["object_id"], "creation_date": outcome["creation_date"], **report.figures}


def stored_issue(outcome: Outcome, lake: Lake) -> StoredIssue:
    """Return the place in the lake of an issue that was ingested."""
    created = datetime.fromisoformat(str(outcome["creation_date"]))
    return StoredIssue(lake, str(outcome["object_id"]), created, outcome.get("object_name"))
