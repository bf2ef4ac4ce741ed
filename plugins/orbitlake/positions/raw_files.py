"""The files below `raw/open_notify`: their names, in order, and their lines, whole days packed or one poll each."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from orbitlake.positions.record import MAX_LINE_BYTES

LOOSE: Final = ".json"
PACKED: Final = ".jsonl.gz"
HIDDEN: Final = (".", "_")
AT_ONCE_BYTES: Final = 2**20
DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""What unpacking raises where the bytes are at fault."""


class RawFileError(Exception):
    """A raw file that was listed and cannot be read; the message names it."""


def scan(root: Path, below: str = "") -> Iterator[str]:
    """Yield the raw files below a folder, each by its path from `root`, in no order; nothing is asked of a file."""
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith(HIDDEN):
                continue
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_file() and entry.name.endswith((LOOSE, PACKED)):
                yield name
            elif entry.is_dir():
                # Emptied and removed meanwhile: an hour whose files were packed.
                with suppress(FileNotFoundError):
                    yield from scan(root, name)


def is_packed(name: str) -> bool:
    """Whether the file is a packed day."""
    return name.endswith(PACKED)


def damage_of(path: Path) -> str | None:
    """Return what keeps a packed day from being unpacked to its end, None where its bytes do not."""
    try:
        with gzip.open(path) as file:
            while file.read(AT_ONCE_BYTES):
                pass
    except DAMAGE as error:
        return str(error)
    except OSError:
        # It cannot be read at all: who takes it is told so by name.
        return None
    return None


def pieces_of(root: Path, name: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of a raw file in bounded memory: each line with its line feed, a long one in parts.

    Raises RawFileError where the file cannot be read to its end.
    """
    path = root / name
    try:
        with gzip.open(path) if is_packed(name) else path.open("rb") as file:
            while piece := file.readline(MAX_LINE_BYTES + 1):
                yield piece
    except (OSError, *DAMAGE) as error:
        raise RawFileError(
            f"{path} was listed and cannot be read ({error}): put it back, or an empty file of that name"
        ) from error


def lines_of(root: Path, name: str) -> Iterator[bytes]:
    """Yield the lines of a raw file without their line feeds; of one that is too long just so much that this shows."""
    is_rest = False
    for piece in pieces_of(root, name):
        if not is_rest:
            yield piece.removesuffix(b"\n")
        is_rest = not piece.endswith(b"\n")
