"""A folder of small JSON files, one a thing that is remembered: written whole, read back, changed by one at a time."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orbitlake.lake.files import write_file
from orbitlake.lake.locks import lock_folder
from orbitlake.lake.paths import safe_name

SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class JsonFolder:
    """Files by their names without the suffix; `staging` is on the same file system."""

    folder: Path
    staging: Path

    def file(self, name: str) -> Path:
        """Return where a thing of that name lies."""
        return self.folder / f"{name}{SUFFIX}"

    def names(self) -> list[str]:
        """Return the names of all, in order."""
        return sorted(file.name.removesuffix(SUFFIX) for file in self.folder.glob(f"*{SUFFIX}"))

    def read(self, name: str) -> dict[str, Any] | None:
        """Return what a file holds; None where there is none, or no JSON object in it."""
        try:
            values = json.loads(self.file(name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return values if isinstance(values, dict) else None

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Put values at a name, whole and durably. Raises LakeError where it cannot name a file."""
        write_file(self.file(safe_name(name)), json.dumps(values, indent=2).encode(), self.staging)

    def remove(self, name: str) -> None:
        """Let a name go, where it is there."""
        self.file(name).unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one process at a time read and write; a killed one lets go by itself."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock_folder(self.folder):
            yield
