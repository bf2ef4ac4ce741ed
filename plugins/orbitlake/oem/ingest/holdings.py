"""The place of one issue in the lake: its lock, its raw files with their receipts, and its tables."""

import gzip
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path
from typing import Any, Final, Self, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake, LakeError, check_file, issue_folder, issue_name, publish, quarantine, write_file
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.reader.issue import Issue
from orbitlake.tables import OEM_ISSUES, OEM_TABLES, STATE_VECTORS, Table

DIGEST_DIGITS: Final = 12
SUFFIXES: Final = {"KVN": "txt", "XML": "xml"}
RAW_NAME: Final = re.compile(rf"(?P<issue>.+)-(?P<digest>[0-9a-f]{{{DIGEST_DIGITS}}})\.(txt|xml)\.gz", re.DOTALL)


class Receipt(TypedDict):
    """When and whence a raw file came first, and which of its messages is the issue, counted from 0."""

    source_url: str | None
    retrieved_at: str | None
    message: int


NO_RECEIPT: Final = Receipt(source_url=None, retrieved_at=None, message=0)


@dataclass(frozen=True, slots=True)
class Holding:
    """What the lake holds of one issue. Order of writing: receipt, raw file, tables, and oem_issues last of all.

    `object_name` is None where the object_id tells which object it is.
    """

    lake: Lake
    object_id: str
    creation_date: datetime
    object_name: str | None = None

    @classmethod
    def of(cls, lake: Lake, issue: Issue) -> Self:
        """The place of an issue. Raises LakeError where its id or name is too long for a folder."""
        object_name = issue.header.object_name if names_no_object(issue.object_id) else None
        holding = cls(lake, issue.object_id, issue.creation_date, object_name)
        holding.partition(OEM_ISSUES)
        return holding

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process out of this issue; a killed one lets go by itself. Raises LakeError."""
        folder = self.partition(STATE_VECTORS).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise LakeError(f"{folder} must be a folder, and a file has that name: move it away") from error
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flock(descriptor, LOCK_EX)
            yield
        finally:
            # Closing alone would leave the lock to a process forked meanwhile, which inherits the descriptor.
            flock(descriptor, LOCK_UN)
            os.close(descriptor)

    def partition(self, table: Table) -> Path:
        """The issue's file in a table."""
        return self.lake.issue(table, self.object_id, self.creation_date, self.object_name)

    @property
    def is_listed(self) -> bool:
        """Whether oem_issues has the issue, perhaps as an older program wrote it."""
        return self.partition(OEM_ISSUES).exists()

    @property
    def is_current(self) -> bool:
        """Whether every table has the issue, as this program writes it."""
        for table in OEM_TABLES:
            try:
                check_file(self.partition(table), table)
            except (FileNotFoundError, LakeError, pa.ArrowInvalid):
                return False
        return True

    def stored(self, table: Table) -> pa.Table:
        """The issue's rows of a table."""
        # Not read_table: it would take columns from the names of the folders.
        return pq.ParquetFile(self.partition(table)).read()

    def row(self) -> dict[str, Any]:
        """The issue's row of oem_issues."""
        row: dict[str, Any] = self.stored(OEM_ISSUES).to_pylist()[0]
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
        issue = issue_folder(issue_name(self.creation_date, self.object_name))
        return in_order_of_arrival(
            [
                raw
                for raw in self.lake.raw_oem(self.object_id).glob(f"{issue}-*.gz")
                if (named := RAW_NAME.fullmatch(raw.name)) and named["issue"] == issue
            ],
            self.partition(OEM_ISSUES),
        )

    def raw_file(self, issue: Issue) -> Path:
        """Where the bytes of `issue` belong: named by their content, so they are kept once."""
        digest = issue.content_sha256[:DIGEST_DIGITS]
        suffix = SUFFIXES[issue.header.file_format]
        name = issue_folder(issue_name(self.creation_date, self.object_name))
        return self.lake.raw_oem(self.object_id) / f"{name}-{digest}.{suffix}.gz"

    def keep_raw(self, raw: Path, text: bytes, receipt: Receipt) -> None:
        """Keep a file's bytes, gzip without a time stamp, and a receipt of when and whence they came first."""
        if raw.exists():
            return
        write_file(receipt_of(raw), json.dumps(receipt, indent=2).encode(), self.lake.staging)
        write_file(raw, gzip.compress(text, mtime=0), self.lake.staging)

    def publish(self, issue: Issue, raw: Path) -> None:
        """Write the tables of `issue`, whose bytes lie at `raw`; the same bytes whenever it is done again."""
        rows = tables_of(issue, receipt_in(raw), str(raw.relative_to(self.lake.root)))
        for table in sorted(OEM_TABLES, key=lambda table: table is OEM_ISSUES):
            publish(rows[table.name], table, self.partition(table), self.lake.staging)

    def withdraw(self, reason: str) -> None:
        """Take the issue out of the tables and its raw files to quarantine; oem_issues lets go of it first."""
        raw_files = self.raw_files()
        for raw in raw_files:
            quarantine(self.lake, raw.name, raw.read_bytes(), reason, object_id=self.object_id)
        for table in sorted(OEM_TABLES, key=lambda table: table is not OEM_ISSUES):
            self.partition(table).unlink(missing_ok=True)
        for raw in raw_files:
            drop_raw(raw)


def tables_of(issue: Issue, receipt: Receipt, raw_path: str | None = None) -> dict[str, pa.Table]:
    """Return the rows of an issue by the names of OEM_TABLES."""
    return {
        "oem_segments": issue.segment_table,
        "state_vectors": issue.states,
        "trajectory_events": issue.events,
        "thrust_episodes": issue.episodes,
        "oem_covariances": issue.covariances,
        "oem_issues": issue.row(
            source_url=receipt["source_url"],
            retrieved_at=datetime.fromisoformat(at) if (at := receipt["retrieved_at"]) else None,
            raw_path=raw_path,
        ),
    }


def in_order_of_arrival(raw_files: list[Path], listing: Path) -> list[Path]:
    """Return raw files of one issue: the one that its row of oem_issues at `listing` names, then as they came."""
    try:
        # One column alone, which every version of the table has.
        named = pq.ParquetFile(listing).read(columns=["raw_path"]).column(0)[0].as_py()
    except (FileNotFoundError, pa.ArrowInvalid):
        named = None
    first = Path(named or "").name
    return sorted(raw_files, key=lambda raw: (raw.name != first, receipt_in(raw)["retrieved_at"] or "", raw.name))


def receipt_of(raw: Path) -> Path:
    """The small file beside a raw one that says when and whence it came first."""
    return raw.with_name(raw.name.removesuffix(".gz") + ".receipt.json")


def receipt_in(raw: Path) -> Receipt:
    """Return what the receipt of a raw file says: nothing known where it has none, the first message in older ones."""
    try:
        said: Receipt = json.loads(receipt_of(raw).read_bytes())
    except FileNotFoundError:
        return NO_RECEIPT
    return NO_RECEIPT | said


def drop_raw(raw: Path) -> None:
    """Remove a raw file, whose bytes are elsewhere by now, and its receipt."""
    raw.unlink(missing_ok=True)
    receipt_of(raw).unlink(missing_ok=True)
