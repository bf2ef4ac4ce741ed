"""One file for another program: its bytes, what they are, and what the file may be called on any system."""

import os
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake.files import publish_file, removed_on_error

UNSAFE: Final = re.compile(r"[^A-Za-z0-9.+-]+")
MOST_NAME_CHARACTERS: Final = 120


@dataclass(frozen=True, slots=True)
class Export:
    """The content of a file, in pieces that are made as they are taken: once, where they come from a query."""

    file_name: str
    media_type: str
    content: Iterable[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.content)

    def __bytes__(self) -> bytes:
        return b"".join(self.content)

    def save(self, to: str | Path) -> Path:
        """Write the file, or into a folder under its own name, and return where it is.

        It is written beside its place and renamed when it is whole; what is no file, such as a pipe, is written to.
        """
        target = Path(to)
        target = (target / self.file_name if target.is_dir() else target).resolve()
        if target.exists() and not target.is_file():
            with target.open("wb") as sink:
                sink.writelines(self.content)
            return target
        temporary = target.with_name(f".{target.name[-64:]}.{uuid.uuid4().hex}")
        with removed_on_error(temporary):
            with temporary.open("wb") as sink:
                sink.writelines(self.content)
                sink.flush()
                os.fsync(sink.fileno())
            publish_file(temporary, target)
        return target


def safe_file_name(*parts: str | datetime, suffix: str) -> str:
    """Return a file name of letters, digits and `. + - _` alone; times stand as 20230324T225531Z."""
    words = [part.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") if isinstance(part, datetime) else part for part in parts]
    stem = "_".join(filter(None, (UNSAFE.sub("-", word).strip("-.") for word in words)))
    return f"{stem[:MOST_NAME_CHARACTERS] or 'export'}.{suffix}"
