"""One issue in `staging/`: a folder of temporary files that are written, checked, and then renamed to their places.

The folder is committed once it is whole and has its second name, that of its issue: what is in it then is to be
published, and a process that finds it there after a kill renames what is left.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake
from orbitlake.lake.files import PARTS_ASIDE, removed_on_error, sync_folder
from orbitlake.lake.parquet import write_table
from orbitlake.oem.ingest.raw_files import NO_RECEIPT, Receipt, raw_bytes, receipt_bytes
from orbitlake.oem.reader.issue import Issue
from orbitlake.tables import (
    OEM_COVARIANCES,
    OEM_ISSUES,
    OEM_SEGMENTS,
    STATE_VECTORS,
    THRUST_EPISODES,
    TRAJECTORY_EVENTS,
    Table,
)

COMMITTED: Final = ".issue"
"""Suffix of the folder of an issue that is to be published: no sweep of `staging/` removes it, however old."""


@dataclass(frozen=True, slots=True)
class StagedIssue:
    """The tables of one issue, and its raw file with the receipt where that is new, before they are published."""

    folder: Path

    @classmethod
    @contextmanager
    def write(cls, issue: Issue, lake: Lake) -> Iterator[Self]:
        """Write the tables of an issue but oem_issues; removed at the end, unless committed."""
        staged = cls(lake.staging / f"{uuid.uuid4().hex}{PARTS_ASIDE}")
        staged.folder.mkdir(parents=True)
        try:
            for table, rows in tables_of(issue).items():
                staged.add_table(table, rows)
            yield staged
        finally:
            staged.remove()

    def file(self, table: Table) -> Path:
        """The rows of a table."""
        return self.folder / f"{table.name}.parquet"

    @property
    def raw(self) -> Path:
        """The raw file, where it is new."""
        return self.folder / "raw.gz"

    @property
    def receipt(self) -> Path:
        """The receipt of the raw file."""
        return self.folder / "receipt.json"

    def rows(self, table: Table) -> pa.Table:
        """The issue's rows of a table, as they were written."""
        return pq.ParquetFile(self.file(table)).read()

    def row(self) -> dict[str, Any] | None:
        """The row of oem_issues; None where that is published already, and so all the others are."""
        try:
            row: dict[str, Any] = self.rows(OEM_ISSUES).to_pylist()[0]
        except FileNotFoundError:
            return None
        return row

    def add_table(self, table: Table, rows: pa.Table) -> None:
        """Write the issue's rows of a table."""
        with removed_on_error(self.file(table)):
            write_table(rows, table, self.file(table))

    def add_raw(self, text: bytes, receipt: Receipt) -> None:
        """Write the raw file and its receipt."""
        for file, content in ((self.receipt, receipt_bytes(receipt)), (self.raw, raw_bytes(text))):
            with removed_on_error(file), file.open("wb") as sink:
                sink.write(content)
                sink.flush()
                os.fsync(sink.fileno())

    def commit(self, issue: Issue, receipt: Receipt, raw_path: str, folder: Path) -> "StagedIssue":
        """Write the row of oem_issues, and give the folder its second name; return it."""
        self.add_table(OEM_ISSUES, row_of(issue, receipt, raw_path))
        sync_folder(self.folder)
        self.folder.rename(folder)
        sync_folder(folder.parent)
        return StagedIssue(folder)

    def remove(self) -> None:
        """Remove the folder and what is left in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def tables_of(issue: Issue) -> dict[Table, pa.Table]:
    """Return the rows of an issue by their tables, but for its row of oem_issues."""
    return {
        OEM_SEGMENTS: issue.segment_table,
        STATE_VECTORS: issue.states,
        TRAJECTORY_EVENTS: issue.events,
        THRUST_EPISODES: issue.episodes,
        OEM_COVARIANCES: issue.covariances,
    }


def row_of(issue: Issue, receipt: Receipt = NO_RECEIPT, raw_path: str | None = None) -> pa.Table:
    """Return the row of oem_issues of an issue; `raw_path` is relative to the data root."""
    return issue.row(
        source_url=receipt["source_url"],
        retrieved_at=datetime.fromisoformat(at) if (at := receipt["retrieved_at"]) else None,
        raw_path=raw_path,
    )
