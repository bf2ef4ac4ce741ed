"""Settles a conflict: a person says which of two files of one issue holds, and the lake follows.

The decision is written beside the quarantined file before anything changes: a settling that is killed and done again
ends in the same bytes, with the name and time of the first attempt. Taking publishes the tables as an ingestion does;
then the raw files that they were made of before move to quarantine, with a reason that names who decided, and when.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.locks import lock_folder
from orbitlake.lake.quarantine import REASON, quarantine
from orbitlake.oem.ingest.archive import check_issue, contradiction, finish, place_of
from orbitlake.oem.ingest.conflicts import QuarantinedFile, SettleError, entry_named, shown_of
from orbitlake.oem.ingest.decisions import REPLACED, Choice, Decision
from orbitlake.oem.ingest.outcome import Outcome, RefusedError, outcome_of
from orbitlake.oem.ingest.raw_files import read_raw, receipt_in, receipt_of
from orbitlake.oem.ingest.staged_issue import StagedIssue
from orbitlake.oem.ingest.stored_issue import StoredIssue
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue

Shown = Sequence[str]
"""SHA-256 of the files that a person compared: the quarantined one, and those in the lake, an issue each."""


def settle(
    lake: Lake, name: str, choice: Choice, decided_by: str, decided_at: datetime, shown: Shown | None = None
) -> list[Outcome]:
    """Let the file in the lake hold, or `name` of `quarantine/`; return an outcome an issue, `kept` or `taken`.

    Doing it again changes nothing. Raises SettleError where there is nothing to decide, where files are no longer those
    that were `shown`, or where the new one fails a check; nothing has changed then.
    """
    entry = entry_named(name, lake)
    if not lake.quarantine.is_dir():
        raise SettleError(f"there is no {lake.quarantine}")
    try:
        with lock_folder(lake.quarantine):
            before = Decision.beside(entry)
            if not entry.exists() and before and before.choice == "take":
                return _taken_before(lake, entry, before, choice)
            file = QuarantinedFile.read(entry)
            _check_shown(lake, file, shown)
            at = decided_at.astimezone(UTC).isoformat(timespec="seconds")
            decision = Decision(choice, decided_by, at, file.content_sha256)
            if before and before.choice == choice:
                # The first one stands, so that whoever does it again ends in the same bytes.
                decision = before
            return (_keep if choice == "keep" else _take)(lake, file, decision)
    except (RefusedError, LakeError) as error:
        raise SettleError(str(error)) from error


def _check_shown(lake: Lake, file: QuarantinedFile, shown: Shown | None) -> None:
    """Raise SettleError where a file is neither one that was shown, nor the new one, taken already."""
    if shown is None:
        return
    now = shown_of(file, file.conflicts(lake))
    if now[0] != shown[0] or not set(now) <= set(shown):
        raise SettleError(f"{file.entry.name}: the files have changed since they were compared: look at them again")


def _keep(lake: Lake, file: QuarantinedFile, decision: Decision) -> list[Outcome]:
    conflicts = file.conflicts(lake)
    if not conflicts:
        raise SettleError(f"{file.entry.name} contradicts nothing in the lake: there is nothing to decide")
    decision.write(file.entry, lake)
    return [_outcome(file.entry, "kept", conflict.issue, decision) for conflict in conflicts]


def _take(lake: Lake, file: QuarantinedFile, decision: Decision) -> list[Outcome]:
    if not decision.raw_paths:
        paths = [_raw_path(conflict.stored, conflict.issue) for conflict in file.conflicts(lake)]
        decision = replace(decision, raw_paths=tuple(dict.fromkeys(paths)))
    issues = [
        (number, issue, stored)
        for number, issue in enumerate(file.issues)
        if isinstance(issue, Issue)
        and _raw_path(stored := place_of(issue, file.entry.name, lake), issue) in decision.raw_paths
    ]
    if not issues:
        raise SettleError(f"{file.entry.name} contradicts nothing in the lake: there is nothing to decide")
    if len(issues) != len(decision.raw_paths):
        raise SettleError(f"{file.entry.name} holds two messages of one issue that contradict each other: take one out")
    for _, issue, _ in issues:
        check_issue(issue, file.entry.name, None)
    decision.write(file.entry, lake)
    for number, issue, stored in issues:
        _replace(stored, issue, file, number, decision)
    _forget(file.entry)
    return _taken(lake, file.entry, decision)


def _raw_path(stored: StoredIssue, issue: Issue) -> str:
    """Return where the bytes of an issue belong, relative to the data root."""
    return str(stored.raw_file(issue).relative_to(stored.lake.root))


def _replace(stored: StoredIssue, issue: Issue, file: QuarantinedFile, number: int, decision: Decision) -> None:
    """Publish an issue in place of the one that the lake holds, and move what that was made of to quarantine."""
    raw = stored.raw_file(issue)
    with stored.locked(), ExitStack() as stack:
        finish(stored)
        if contradiction(stored, issue):
            staged = stack.enter_context(StagedIssue.write(issue, stored.lake))
            check_issue(issue, file.entry.name, staged)
            receipt = receipt_in(raw) if raw.exists() else file.receipt(number)
            if not raw.exists():
                staged.add_raw(file.text, receipt)
            raw_path = _raw_path(stored, issue)
            stored.publish(staged.commit(issue, receipt, raw_path, stored.committed_folder))
        for other in stored.raw_files():
            if other != raw and _says_otherwise(stored, other):
                _move_to_quarantine(stored.lake, other, file.entry, decision)


def _says_otherwise(stored: StoredIssue, raw: Path) -> bool:
    """Whether a raw file contradicts the tables; one that can no longer be read is left to a rebuild."""
    try:
        return contradiction(stored, read_raw(raw)) is not None
    except OemError:
        return False


def _move_to_quarantine(lake: Lake, raw: Path, entry: Path, decision: Decision) -> None:
    reason = f"{decision} that {entry.name} holds in its place"
    content, receipt = raw.read_bytes(), receipt_in(raw)
    facts = {"source_url": receipt["source_url"], "retrieved_at": receipt["retrieved_at"]}
    kept = quarantine(lake, raw.name, content, reason, outcome=REPLACED, **facts)
    digest = hashlib.sha256(unpacking.unpack(content, raw.name)).hexdigest()
    Decision(REPLACED, decision.decided_by, decision.decided_at, digest).write(kept, lake)
    # The receipt first: one alone would be found by no later run.
    receipt_of(raw).unlink(missing_ok=True)
    raw.unlink()


def _forget(entry: Path) -> None:
    """Remove from quarantine what lies in raw/oem now; the decision stays."""
    entry.unlink(missing_ok=True)
    entry.with_name(entry.name + REASON).unlink(missing_ok=True)


def _taken_before(lake: Lake, entry: Path, decision: Decision, choice: Choice) -> list[Outcome]:
    """Return the outcomes of a file that was taken. Raises SettleError where that is not what is asked for now."""
    is_there = all((lake.root / path).exists() for path in decision.raw_paths)
    if choice != "take" or not is_there:
        raise SettleError(
            f"{entry.name} was taken: {decision}. To undo that, take the file that it replaced, which quarantine/ holds"
        )
    _forget(entry)
    return _taken(lake, entry, decision)


def _taken(lake: Lake, entry: Path, decision: Decision) -> list[Outcome]:
    return [_outcome(entry, "taken", read_raw(lake.root / path), decision) for path in decision.raw_paths]


def _outcome(entry: Path, label: str, issue: Issue, decision: Decision) -> Outcome:
    return outcome_of(str(entry), label, issue, str(decision))
