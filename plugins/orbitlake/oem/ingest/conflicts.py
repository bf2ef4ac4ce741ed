"""A conflicting file in `quarantine/`: its bytes as they came, and the issues in it that contradict the lake."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.quarantine import DECISION, REASON
from orbitlake.oem.ingest.archive import contradiction, finish, place_of
from orbitlake.oem.ingest.outcome import RefusedError
from orbitlake.oem.ingest.raw_files import Receipt
from orbitlake.oem.ingest.stored_issue import StoredIssue
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import issues_in

ENTRY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
"""What the bytes of an entry of `quarantine/` are called."""


class SettleError(Exception):
    """What was asked cannot be decided: no such file, none in conflict, or not the files that were shown."""


class Conflict(NamedTuple):
    """An issue of a quarantined file that contradicts the lake: how, and where both are."""

    issue: Issue
    receipt: Receipt
    stored: StoredIssue
    reason: str


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file in `quarantine/` whose bytes are those that its reason was written for; `text` is unpacked."""

    entry: Path
    note: dict[str, Any]
    text: bytes
    issues: Sequence[Issue | OemError]

    @classmethod
    def read(cls, entry: Path) -> Self:
        """Read an entry of `quarantine/`. Raises SettleError."""
        try:
            content = entry.read_bytes()
            note = json.loads(entry.with_name(entry.name + REASON).read_bytes())
        except (OSError, ValueError):
            raise SettleError(f"quarantine/ holds no {entry.name} with its reason") from None
        if "sha256" not in note:
            raise SettleError(f"{entry.name} is in no conflict: {note.get('reason')}")
        if hashlib.sha256(content).hexdigest() != note["sha256"]:
            raise SettleError(f"{entry.name} is not the file that was quarantined: its bytes have changed since")
        try:
            text = unpacking.unpack(content, entry.name)
            return cls(entry, note, text, issues_in(text, entry.name))
        except OemError as error:
            raise SettleError(f"{entry.name} is in no conflict: it cannot be read: {error}") from None

    @property
    def content_sha256(self) -> str:
        """The digest of the unpacked bytes, by which tables and decisions know the file."""
        return hashlib.sha256(self.text).hexdigest()

    def conflicts(self, lake: Lake) -> list[Conflict]:
        """Return the issues that contradict what the lake holds now; what a kill left half-published is published.

        Raises SettleError where the lake's issue cannot be read, or the issue has no place there.
        """
        try:
            return list(self._conflicts(lake))
        except (RefusedError, LakeError) as error:
            raise SettleError(f"{self.entry.name}: {error}") from error

    def _conflicts(self, lake: Lake) -> Iterator[Conflict]:
        for number, issue in enumerate(self.issues):
            if isinstance(issue, OemError):
                continue
            stored = place_of(issue, self.entry.name, lake)
            # Asking alone makes no folder of an issue that the lake does not hold.
            if not stored.is_listed and not stored.committed_folder.exists():
                continue
            with stored.locked():
                finish(stored)
                if reason := contradiction(stored, issue):
                    yield Conflict(issue, self.receipt(number), stored, reason)

    def receipt(self, message: int) -> Receipt:
        """Return when and whence the file came, as far as that was noted."""
        return Receipt(
            source_url=self.note.get("source_url"), retrieved_at=self.note.get("retrieved_at"), message=message
        )


def entry_named(name: str, lake: Lake) -> Path:
    """Return the place in `quarantine/` of a name, or of a path that leads there. Raises SettleError."""
    path = Path(name)
    is_name = ENTRY_NAME.fullmatch(path.name) and not path.name.endswith((REASON, DECISION))
    if is_name and (path.name == name or path.parent.resolve() == lake.quarantine.resolve()):
        return lake.quarantine / path.name
    raise SettleError(f"{name[:200]!r} names no file in {lake.quarantine}")


def shown_of(file: QuarantinedFile, conflicts: Sequence[Conflict]) -> list[str]:
    """Return what tells later whether the files are still those that a person compared."""
    return [file.content_sha256, *(conflict.stored.row()["content_sha256"] for conflict in conflicts)]
