"""The place of one issue in the lake: its lock, its raw files, its tables, and how all of them get there."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.files import publish_file
from orbitlake.lake.locks import lock_folder
from orbitlake.lake.parquet import check_file
from orbitlake.lake.paths import issue_folder, issue_name
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.ingest.raw_files import RAW_NAME, in_order_of_arrival, raw_name, receipt_in, receipt_of
from orbitlake.oem.ingest.staged_issue import COMMITTED, StagedIssue
from orbitlake.oem.reader.issue import Issue
from orbitlake.tables import OEM_ISSUES, OEM_TABLES, STATE_VECTORS, Table

IN_ORDER_OF_PUBLICATION: Final = (*(table for table in OEM_TABLES if table is not OEM_ISSUES), OEM_ISSUES)
"""An issue that oem_issues lists has all its rows in the other tables."""


@dataclass(frozen=True, slots=True)
class StoredIssue:
    """What the lake holds of one issue. `object_name` is None where the object_id tells which object it is."""

    lake: Lake
    object_id: str
    creation_date: datetime
    object_name: str | None = None

    @classmethod
    def of(cls, lake: Lake, issue: Issue) -> Self:
        """The place of an issue. Raises LakeError where its id or name is too long for a folder."""
        object_name = issue.header.object_name if names_no_object(issue.object_id) else None
        stored = cls(lake, issue.object_id, issue.creation_date, object_name)
        stored.file(OEM_ISSUES)
        return stored

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process out of this issue; a killed one lets go by itself. Raises LakeError."""
        folder = self.file(STATE_VECTORS).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise LakeError(f"{folder} must be a folder, and a file has that name: move it away") from error
        with lock_folder(folder):
            yield

    def file(self, table: Table) -> Path:
        """The issue's file in a table."""
        return self.lake.issue(table, self.object_id, self.creation_date, self.object_name)

    @property
    def folder_name(self) -> str:
        """The issue's part of the names of its folders and raw files."""
        return issue_folder(issue_name(self.creation_date, self.object_name))

    @property
    def is_listed(self) -> bool:
        """Whether oem_issues has the issue, perhaps as an older program wrote it."""
        return self.file(OEM_ISSUES).exists()

    @property
    def is_current(self) -> bool:
        """Whether every table has the issue, as this program writes it."""
        for table in OEM_TABLES:
            try:
                check_file(self.file(table), table)
            except (FileNotFoundError, LakeError):
                return False
        return True

    def rows(self, table: Table) -> pa.Table:
        """The issue's rows of a table."""
        # Not read_table: it would take columns from the names of the folders.
        return pq.ParquetFile(self.file(table)).read()

    def row(self) -> dict[str, Any]:
        """The issue's row of oem_issues."""
        row: dict[str, Any] = self.rows(OEM_ISSUES).to_pylist()[0]
        return row

    def is_made_of(self, raw: Path, message: int) -> bool:
        """Whether the tables are made of that message of a raw file: the same bytes again say nothing new."""
        return (
            self.is_listed
            and self.row()["raw_path"] == str(raw.relative_to(self.lake.root))
            and receipt_in(raw)["message"] == message
        )

    def raw_files(self) -> list[Path]:
        """The raw files of the issue, the one that its tables are made of first, as far as that is known."""
        return in_order_of_arrival(
            [
                raw
                for raw in self.lake.raw_oem(self.object_id).glob(f"{self.folder_name}-*.gz")
                if (named := RAW_NAME.fullmatch(raw.name)) and named["issue"] == self.folder_name
            ],
            self.file(OEM_ISSUES),
        )

    def raw_file(self, issue: Issue) -> Path:
        """Where the bytes of `issue` belong."""
        return self.lake.raw_oem(self.object_id) / raw_name(self.folder_name, issue)

    @property
    def committed_folder(self) -> Path:
        """Where the issue lies in `staging/` between being committed and being published; one at a time."""
        place = self.file(OEM_ISSUES).relative_to(self.lake.root)
        return self.lake.staging / f"{hashlib.sha256(bytes(place)).hexdigest()[:32]}{COMMITTED}"

    def publish_raw(self, staged: StagedIssue) -> None:
        """Rename the receipt and the raw file of a committed issue to their places, where that is not done."""
        if row := staged.row():
            raw = self.lake.root / row["raw_path"]
            _rename_if_there(staged.receipt, receipt_of(raw))
            _rename_if_there(staged.raw, raw)

    def publish(self, staged: StagedIssue) -> None:
        """Rename what is left of a committed issue to its place: receipt, raw file, tables, and oem_issues last.

        Done again after a kill it goes on where that one stopped.
        """
        self.publish_raw(staged)
        for table in IN_ORDER_OF_PUBLICATION:
            _rename_if_there(staged.file(table), self.file(table))
        staged.remove()

    def publish_committed(self) -> None:
        """Publish the issue where it lies committed in staging: a task before this one, or a killed one, left it."""
        if self.committed_folder.exists():
            self.publish(StagedIssue(self.committed_folder))


def _rename_if_there(temporary: Path, target: Path) -> None:
    if temporary.exists():
        publish_file(temporary, target)
