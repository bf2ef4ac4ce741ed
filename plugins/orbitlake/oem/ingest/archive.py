"""Archives each issue once: written to staging, checked there, and only then published; contradictions are refused.

An issue is (object_id, creation_date), and OBJECT_NAME where the id names no object. The first file of an issue makes
its tables; another that says the same, as text or XML, is kept raw and changes nothing else; one that says anything
else is a conflict. A kill between any two renames is made good by the next run, whatever that ingests: the issue still
lies in staging, committed, and what is left of it is renamed.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.quarantine import quarantine
from orbitlake.oem.ingest.decisions import decided_against
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.ingest.outcome import LONGEST_REASON, Outcome, RefusedError, iso_utc, rejected
from orbitlake.oem.ingest.raw_files import Receipt, keep_raw, read_raw, receipt_in, remove_raw
from orbitlake.oem.ingest.sameness import COMPARED, difference
from orbitlake.oem.ingest.staged_issue import COMMITTED, StagedIssue, row_of, tables_of
from orbitlake.oem.ingest.stored_issue import StoredIssue
from orbitlake.oem.reader.checks import examine
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES


def archive_issue(
    issue: Issue, source: str, text: bytes, receipt: Receipt, lake: Lake, *, publish_at_once: bool
) -> tuple[str, Path, str | None]:
    """Archive one issue of the file `text`, which is kept raw now.

    Returns `ingested` or `unchanged`, its raw file, and a warning where it contradicts the lake and a person decided
    before that the lake holds: the raw file is the lake's then. A new issue is published at once, or left committed in
    staging for `finish`. Raises RefusedError where it fails a check, contradicts what the lake holds, or has no place
    there; nothing of it is in the lake then.
    """
    stored = place_of(issue, source, lake)
    raw, message = stored.raw_file(issue), receipt["message"]
    with ExitStack() as stack:
        # What is held already needs no second copy: it is checked and compared in memory.
        staged = None if stored.is_current else stack.enter_context(StagedIssue.write(issue, lake))
        check_issue(issue, source, staged)
        stack.enter_context(stored.locked())
        was_listed = stored.is_listed
        finish(stored, arriving=(raw, message))
        if stored.is_current:
            is_own = stored.is_made_of(raw, message)
            if not is_own and (reason := contradiction(stored, issue)):
                if decision := decided_against(issue, lake):
                    warning = f"{reason[:LONGEST_REASON]}; {decision} that the lake holds"
                    return "unchanged", lake.root / stored.row()["raw_path"], warning
                raise RefusedError("conflict", reason, issue)
            keep_raw(raw, text, receipt, lake)
            # An issue whose publication was cut off has had no outcome yet.
            return "ingested" if is_own and not was_listed else "unchanged", raw, None
        staged = staged or stack.enter_context(StagedIssue.write(issue, lake))
        if raw.exists():
            receipt = receipt_in(raw)
        else:
            staged.add_raw(text, receipt)
        committed = staged.commit(issue, receipt, str(raw.relative_to(lake.root)), stored.committed_folder)
        if publish_at_once:
            stored.publish(committed)
        else:
            stored.publish_raw(committed)
        return "unchanged" if was_listed else "ingested", raw, None


def place_of(issue: Issue, source: str, lake: Lake) -> StoredIssue:
    """Return the place of an issue in the lake. Raises RefusedError where it can have none."""
    try:
        return StoredIssue.of(lake, issue)
    except LakeError as error:
        raise RefusedError("rejected", f"{source}: {error}", issue) from error


def check_issue(issue: Issue, source: str, staged: StagedIssue | None) -> None:
    """Check an issue: its tables as they lie in staging, or in memory where none do. Raises RefusedError."""
    tables = tables_of(issue)
    segments, states, episodes = (
        staged.rows(table) if staged else tables[table] for table in (OEM_SEGMENTS, STATE_VECTORS, THRUST_EPISODES)
    )
    report = examine(row_of(issue).to_pylist()[0], segments.to_pylist(), states, episodes)
    if report.problems:
        raise RefusedError("rejected", f"{source}: check failed: {'; '.join(report.problems)}", issue)


def contradiction(stored: StoredIssue, issue: Issue) -> str | None:
    """Return how `issue` differs from the listed one: in the fraction of its creation date, or in what it says."""
    if (held := stored.row()["creation_date"]) != issue.creation_date:
        return f"the lake holds an issue created within the same second, at {held.isoformat()}"
    arrived = tables_of(issue) | {OEM_ISSUES: row_of(issue)}
    return difference({table: stored.rows(table) for table in COMPARED}, arrived)


def finish(stored: StoredIssue, arriving: tuple[Path, int] | None = None) -> None:
    """Publish what is left to publish of an issue.

    That is what lies committed in staging or, where tables are missing or of an older version, what its first raw file
    says. A raw file that can no longer be read is quarantined. Nothing is made from raw files where what is `arriving`,
    a raw file and the number of a message in it, is itself the first.
    """
    stored.publish_committed()
    if stored.is_current:
        return
    raw_files = stored.raw_files()
    if not raw_files and stored.is_listed:
        place = stored.file(OEM_ISSUES).parent
        raise RefusedError("rejected", f"no raw file to make the tables at {place} from: move them away first")
    for raw in raw_files:
        if (raw, receipt_in(raw)["message"]) == arriving:
            return
        try:
            publish_again(stored, read_raw(raw), raw)
        except OemError as error:
            quarantine(stored.lake, raw.name, raw.read_bytes(), error.reason)
            remove_raw(raw)
        else:
            return


def publish_again(stored: StoredIssue, issue: Issue, raw: Path) -> None:
    """Publish the tables of an issue whose raw file is kept; the same bytes whenever it is done again."""
    with StagedIssue.write(issue, stored.lake) as staged:
        raw_path = str(raw.relative_to(stored.lake.root))
        stored.publish(staged.commit(issue, receipt_in(raw), raw_path, stored.committed_folder))


def finish_all(lake: Lake) -> Iterator[Outcome]:
    """Publish every issue that a kill left committed in staging; yield an outcome each, its raw file the source."""
    for folder in sorted(lake.staging.glob(f"*{COMMITTED}")):
        staged = StagedIssue(folder)
        row = staged.row()
        if row is None:
            staged.remove()
            continue
        object_name = row["object_name"] if names_no_object(row["object_id"]) else None
        stored = StoredIssue(lake, row["object_id"], row["creation_date"], object_name)
        try:
            with stored.locked():
                if not folder.exists():
                    # Another process was faster.
                    continue
                finish(stored)
                episodes = stored.rows(THRUST_EPISODES).num_rows
        except (RefusedError, LakeError) as error:
            yield rejected(row["raw_path"], str(error))
            continue
        outcome = Outcome(
            source=row["raw_path"],
            outcome="ingested",
            object_id=stored.object_id,
            creation_date=iso_utc(stored.creation_date),
            states=row["state_count"],
            thrust_episodes=episodes,
            reason=None,
        )
        yield Outcome(**outcome, object_name=object_name) if object_name else outcome
