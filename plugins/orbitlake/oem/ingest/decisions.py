"""What a person decided about a conflicting file: a small file beside its bytes in `quarantine/`; it outlasts them."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.lake.quarantine import DECISION
from orbitlake.oem.reader.issue import Issue

Choice = Literal["keep", "take"]
"""Which of two files of one issue holds: the one in the lake, or the one in quarantine."""
REPLACED: Final = "replaced"
"""Said of a file that was in the lake, and whose place another took."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a file, who did and when (UTC, ISO 8601).

    `choice` is `keep`, `take` or `replaced`, `raw_paths` where the bytes lie below the data root once they are taken.
    """

    choice: str
    decided_by: str
    decided_at: str
    content_sha256: str
    raw_paths: tuple[str, ...] = ()

    @classmethod
    def beside(cls, entry: Path) -> Self | None:
        """Return what was decided about an entry of `quarantine/`; None where nothing was."""
        return cls.read(decision_of(entry))

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Read a decision; None where there is none, or where somebody has edited it into something else."""
        with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            values = json.loads(file.read_bytes())
            return cls(**values | {"raw_paths": tuple(values["raw_paths"])})
        return None

    def write(self, entry: Path, lake: Lake) -> None:
        """Put the decision beside an entry, unless it stands there already."""
        if Decision.beside(entry) != self:
            write_file(decision_of(entry), json.dumps(asdict(self), indent=2).encode(), lake.staging)

    def __str__(self) -> str:
        return f"{self.decided_by} decided at {self.decided_at}"


def decision_of(entry: Path) -> Path:
    """Return the file beside an entry of `quarantine/` that holds the decision."""
    return entry.with_name(entry.name + DECISION)


def decided_against(issue: Issue, lake: Lake) -> Decision | None:
    """Return the newest decision that the bytes of `issue` do not hold; None where nobody decided so."""
    said = [decision for file in lake.quarantine.glob(f"*{DECISION}") if (decision := Decision.read(file))]
    found = [
        decision
        for decision in said
        if decision.content_sha256 == issue.content_sha256 and decision.choice in ("keep", REPLACED)
    ]
    return max(found, key=lambda decision: decision.decided_at, default=None)
