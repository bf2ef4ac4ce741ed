"""raw/oem -> the OEM tables, rebuilt: after a change of their versions, or of how folders are named.

Every raw file is read again with the receipt of its first arrival, those of one issue in the order in which they came.
A raw file whose folder or name is no longer that of its issue is copied to its new place, and the tables made there,
before the old tables and then the old file are removed: a kill between any two lines is made good by the next run.
"""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.files import write_file
from orbitlake.lake.parquet import check_file
from orbitlake.lake.paths import partition_pattern
from orbitlake.lake.quarantine import quarantine
from orbitlake.oem.ingest.archive import check_issue, contradiction, finish_all, place_of
from orbitlake.oem.ingest.outcome import Outcome, RefusedError, outcome_of, rejected
from orbitlake.oem.ingest.raw_files import RAW_NAME, in_order_of_arrival, read_raw, receipt_in, receipt_of
from orbitlake.oem.ingest.staged_issue import StagedIssue
from orbitlake.oem.ingest.stored_issue import IN_ORDER_OF_PUBLICATION
from orbitlake.oem.reader.errors import OemError
from orbitlake.tables import OEM_ISSUES, OEM_TABLES, Table


class Place(NamedTuple):
    """The two folders of an issue below each table, as the names of its raw files and their folder give them."""

    object_folder: str
    issue_folder: str

    def file(self, lake: Lake, table: Table) -> Path:
        """The issue's file in a table."""
        return lake.issue_file(table, self.object_folder, self.issue_folder)

    def is_current(self, lake: Lake) -> bool:
        """Whether the issue's tables, as many as there are, are of this program's versions."""
        files = {self.file(lake, table): table for table in OEM_TABLES}
        try:
            for file, table in files.items():
                if file.exists():
                    check_file(file, table)
        except LakeError:
            return False
        return any(file.exists() for file in files)


def rebuild(lake: Lake) -> Iterator[Outcome]:
    """Rebuild the tables of every issue from its raw files; yield an outcome an issue, and one a file that makes none.

    What a kill left committed in staging is published first, so that its raw file is among them.
    """
    list(finish_all(lake))
    found: dict[Place, list[Path]] = {}
    for raw in sorted(lake.raw_oem_root.glob("*/*.gz")):
        if named := RAW_NAME.fullmatch(raw.name):
            found.setdefault(Place(raw.parent.name, named["issue"]), []).append(raw)
        else:
            yield rejected(str(raw), "not the name of a raw file of an issue")
    made: set[Place] = set()
    # Where a file of an old place was delivered again since, the tables made of that delivery are the issue's.
    for place in sorted(found, key=lambda place: not place.is_current(lake)):
        yield from _rebuild_place(lake, place, in_order_of_arrival(found[place], place.file(lake, OEM_ISSUES)), made)
    yield from _without_raw_file(lake, made)


def _rebuild_place(lake: Lake, place: Place, raw_files: list[Path], made: set[Place]) -> list[Outcome]:
    """Rebuild the tables from the raw files of one place, adding the places of their issues to `made`."""
    outcomes: list[Outcome] = []
    leaving: list[Path] = []
    for raw in raw_files:
        try:
            target, outcome = _rebuild_from(lake, raw, made)
        except RefusedError as refused:
            quarantine(lake, raw.name, raw.read_bytes(), refused.reason, outcome=refused.outcome)
            target, outcome = None, outcome_of(str(raw), refused.outcome, refused.issue, refused.reason)
        except LakeError as error:
            # Of the place, not of the file, which stays for the next run.
            target, outcome = raw, rejected(str(raw), str(error))
        if outcome:
            outcomes.append(outcome)
        if target != raw:
            leaving.append(raw)
    if place not in made and leaving == raw_files:
        _remove_tables(lake, place)
    for raw in leaving:
        # The receipt first: one alone would be found by no later run.
        receipt_of(raw).unlink(missing_ok=True)
        raw.unlink()
        _remove_if_empty(raw.parent)
    return outcomes


def _rebuild_from(lake: Lake, raw: Path, made: set[Place]) -> tuple[Path, Outcome | None]:
    """Return the place of a raw file, and the outcome of its issue where it is the first one of it.

    Raises RefusedError where it can no longer be read, or contradicts the first one.
    """
    try:
        issue = read_raw(raw)
    except OemError as error:
        raise RefusedError("rejected", str(error)) from error
    stored = place_of(issue, str(raw), lake)
    target = stored.raw_file(issue)
    place = Place(target.parent.name, stored.folder_name)
    is_first = place not in made
    with ExitStack() as stack:
        staged = stack.enter_context(StagedIssue.write(issue, lake)) if is_first else None
        check_issue(issue, str(raw), staged)
        stack.enter_context(stored.locked())
        stored.publish_committed()
        if not is_first and (reason := contradiction(stored, issue)):
            raise RefusedError("conflict", reason, issue)
        if target != raw and not target.exists():
            if receipt_of(raw).exists():
                write_file(receipt_of(target), receipt_of(raw).read_bytes(), lake.staging)
            write_file(target, raw.read_bytes(), lake.staging)
        if staged:
            raw_path = str(target.relative_to(lake.root))
            stored.publish(staged.commit(issue, receipt_in(target), raw_path, stored.committed_folder))
            made.add(place)
    return target, outcome_of(str(target), "ingested", issue) if is_first else None


def _without_raw_file(lake: Lake, made: set[Place]) -> Iterator[Outcome]:
    """Yield a rejected outcome for each issue of an older version that has no raw file to rebuild it from."""
    for table in OEM_TABLES:
        for file in sorted(lake.closed(table).glob(partition_pattern(table))):
            issue, object_id = (folder.name.partition("=")[2] for folder in (file.parent, file.parent.parent))
            place = Place(object_id, issue)
            if place not in made and not place.is_current(lake):
                made.add(place)
                yield rejected(str(file), "no raw file to rebuild this issue's tables from: move them out of lake/")


def _remove_tables(lake: Lake, place: Place) -> None:
    """Remove an issue from the tables, from oem_issues first."""
    for table in reversed(IN_ORDER_OF_PUBLICATION):
        file = place.file(lake, table)
        file.unlink(missing_ok=True)
        _remove_if_empty(file.parent)
        _remove_if_empty(file.parent.parent)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
