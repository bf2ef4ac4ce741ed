"""The files below `raw/open_notify`: their names, in order, and their lines, whole days packed or one poll each."""

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from orbitlake.lake import DAY_PREFIX, day_of_folder, is_file, printable
from orbitlake.positions.record import MAX_LINE_BYTES

LOOSE: Final = ".json"
PACKED: Final = ".jsonl.gz"
HIDDEN: Final = (".", "_")
OTHER_ENDING: Final = f"not read: raw records are taken from files that end with {LOOSE} or {PACKED}"
NO_FILE: Final = "not read: neither a file nor a folder; links to folders are not followed"
NO_DAY: Final = f"not read: not the folder of a day ({DAY_PREFIX}YYYY-MM-DD)"
AT_ONCE_BYTES: Final = 2**20
DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""What unpacking raises where the bytes are at fault."""


class RawFileError(Exception):
    """A raw file that was listed and cannot be read; the message names it."""


def scan(root: Path, below: str = "", strays: dict[str, list[str]] | None = None) -> Iterator[str]:
    """Yield the raw files below a folder, each by its path from `root`, in no order; nothing is asked of a file.

    What is neither a raw file nor hidden is left alone; its path is added to `strays`, by the reason why. Links to
    folders are not followed: they may lead round in a circle, or to a day whose records would be packed twice.
    """
    strays = {} if strays is None else strays
    with os.scandir(root / below) as entries:
        for entry in entries:
            if entry.name.startswith(HIDDEN):
                continue
            name = f"{below}/{entry.name}" if below else entry.name
            if is_file(entry):
                if entry.name.endswith((LOOSE, PACKED)):
                    yield name
                else:
                    strays.setdefault(OTHER_ENDING, []).append(entry.path)
            elif not entry.is_dir(follow_symlinks=False):
                strays.setdefault(NO_FILE, []).append(entry.path)
            elif not below and entry.name.startswith(DAY_PREFIX) and day_of_folder(entry.name) is None:
                strays.setdefault(NO_DAY, []).append(entry.path)
            else:
                # Emptied and removed meanwhile: an hour whose files were packed.
                with suppress(FileNotFoundError):
                    yield from scan(root, name, strays)


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
            printable(f"{path} was listed and cannot be read ({error}): put it back, or an empty file of that name")
        ) from error


def lines_of(root: Path, name: str) -> Iterator[bytes]:
    """Yield the lines of a raw file without their line feeds; of one that is too long just so much that this shows."""
    is_rest = False
    for piece in pieces_of(root, name):
        if not is_rest:
            yield piece.removesuffix(b"\n")
        is_rest = not piece.endswith(b"\n")
