"""An issue to export: of a file, or of the lake by the raw file that its tables were made of."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.parquet import open_checked
from orbitlake.lake.paths import ISSUE_PREFIX, PART, issue_folder, issue_name
from orbitlake.oem.ingest.raw_files import receipt_in
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import issues_in
from orbitlake.oem.writer.printed import PrintedOem
from orbitlake.oem.writer.words import printed_all
from orbitlake.settings import data_root, from_environment
from orbitlake.tables import OEM_ISSUES
from orbitlake.trajectory.arcs import Arc, arcs_of

COLUMNS: Final = ("creation_date", "object_name", "raw_path")


@dataclass(frozen=True)
class Ephemeris:
    """One issue, derived tables and all, and the words that its file prints."""

    issue: Issue
    words: Callable[[], PrintedOem]

    @classmethod
    def of_file(cls, path: str | Path) -> Self:
        """Return the issue in a file: KVN or XML, plain or gzip. Raises OemError and OSError as orbitlake.oem.read."""
        return cls.of_bytes(unpacking.load(Path(path)), str(path))

    @classmethod
    def of_bytes(cls, content: bytes, name: str, message: int | None = None) -> Self:
        """Return the issue in the bytes of a file; `message` counts from 0 where it holds several. Raises OemError."""
        text = unpacking.unpack(content, name)
        found = issues_in(text, name)
        if message is None and len(found) > 1:
            raise OemError(name, None, f"holds {len(found)} OEM: which one is meant?")
        issue = found[message or 0]
        if isinstance(issue, OemError):
            raise issue
        return cls(issue, lambda: printed_all(text, name)[message or 0])

    @classmethod
    def of_lake(
        cls, object_id: str | None = None, issue: str | datetime | None = None, data: str | Path | None = None
    ) -> Self:
        """Return an issue that the lake holds, of the settings' object and data root where none is named.

        `issue` is its CREATION_DATE, or its name such as 20230324T225531Z; by default it is the newest. Raises
        LookupError where there is none, or where the id names no object and several have it, and OemError where its raw
        file can no longer be read.
        """
        lake = Lake(data_root(str(data), "data") if data else from_environment().data)
        row = _row(lake, object_id or from_environment().object_id, issue)
        raw = lake.root / row["raw_path"]
        return cls.of_bytes(unpacking.load(raw), str(raw), receipt_in(raw)["message"])

    @property
    def object_id(self) -> str:
        """The object's designator, such as 1998-067A."""
        return self.issue.object_id

    @property
    def object_name(self) -> str:
        """The object's name as the file has it."""
        return self.issue.header.object_name

    @property
    def creation_date(self) -> datetime:
        """CREATION_DATE."""
        return self.issue.creation_date

    @cached_property
    def arcs(self) -> list[Arc]:
        """What the issue covers, with the path through its states."""
        return arcs_of(self.issue.segment_table, self.issue.states, self.issue.episodes)


def _row(lake: Lake, object_id: str, issue: str | datetime | None) -> dict[str, Any]:
    """Return creation date, object's name and raw path of an issue, by its row of oem_issues."""
    if isinstance(issue, str):
        with suppress(ValueError):
            issue = datetime.fromisoformat(issue)
    if isinstance(issue, datetime):
        issue = issue_name(issue.replace(tzinfo=UTC) if issue.tzinfo is None else issue)
    files = sorted(lake.object_folder(OEM_ISSUES, object_id).glob(f"{ISSUE_PREFIX}*/{PART}"))
    if issue is not None:
        files = [file for file in files if file.parent.name == f"{ISSUE_PREFIX}{issue_folder(issue)}"]
    rows = [_read(file)[0] for file in files]
    if not rows:
        which = "issue" if issue is None else f"issue {issue}"
        raise LookupError(f"{lake.root} holds no {which} of {object_id}")
    # Only issues whose id names no object have the object's name in their folder's.
    names_none = any("-" in file.parent.name for file in files)
    if issue is None and names_none and len({row["object_name"] for row in rows}) > 1:
        names = ", ".join(unquote(file.parent.name.removeprefix(ISSUE_PREFIX)) for file in files[:20])
        raise LookupError(f"{object_id} names no object: issue must be one of {names}")
    return max(rows, key=lambda row: row["creation_date"])


def _read(file: Path) -> list[dict[str, Any]]:
    with open_checked(file, OEM_ISSUES) as opened:
        table: pa.Table = opened.read(list(COLUMNS))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
