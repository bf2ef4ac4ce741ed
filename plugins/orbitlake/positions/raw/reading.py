"""Lines of raw files by their place in bytes: a line is of the piece that its first byte lies in."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from orbitlake.lake.errors import printable
from orbitlake.positions.record import MAX_LINE_BYTES


class RawFileError(Exception):
    """A raw file that was listed and cannot be read; the message names it."""

    @classmethod
    def of(cls, path: Path, error: Exception) -> Self:
        """Return the error about a file."""
        return cls(printable(f"{path} was listed and cannot be read ({error}): put it back as it was"))


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines that begin in [begin, end) of a segment."""

    name: str
    begin: int
    end: int


def read_piece(root: Path, piece: Piece) -> tuple[int, bytes]:
    """Return where the first line of a piece begins, and its lines; of a long last one just so much that this shows.

    Raises RawFileError where the file does not hold what it held when it was listed.
    """
    path, begin = root / piece.name, piece.begin
    try:
        with path.open("rb") as file:
            if begin:
                # The line that the piece before ends in, or only its newline.
                file.seek(begin - 1)
                while (rest := file.readline(MAX_LINE_BYTES)) and rest[-1:] != b"\n" and file.tell() < piece.end:
                    pass
                begin = min(file.tell(), piece.end)
            content = file.read(piece.end - begin)
            if begin + len(content) < piece.end:
                raise EOFError(f"it ends before byte {piece.end}")
            if content and not content.endswith(b"\n"):
                content += file.readline(MAX_LINE_BYTES + 1)
            return begin, content
    except (OSError, EOFError) as error:
        raise RawFileError.of(path, error) from error


def lines_in(content: bytes, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of content that begins at a place, each with its own place; blank lines are none."""
    for line in content.split(b"\n"):
        text = line.removeprefix(BOM_UTF8)
        if text and not text.isspace():
            yield begin, line
        begin += len(line) + 1
