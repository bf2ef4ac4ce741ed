"""Files of lines: read from their end, and a log of them that stays small."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from orbitlake.lake.files import write_file

BLOCK_BYTES: Final = 64 * 2**10
MOST_LINE_BYTES: Final = 2**20
MOST_LOG_BYTES: Final = 2**20


def end_of_lines(path: Path, begin: int, end: int) -> int:
    """Return where the last whole line in [begin, end) of a file ends, in bytes; `begin` where none ends there."""
    for start, block in blocks_from_end(path, begin, end):
        if (newline := block.rfind(b"\n")) >= 0:
            return start + newline + 1
    return begin


def lines_from_end(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, the last first, none beyond one that is too long; none of no file."""
    with suppress(FileNotFoundError):
        # What follows the last newline is not whole.
        held, is_first = b"", True
        for _, block in blocks_from_end(path, 0, path.stat().st_size):
            held, *lines = (block + held).split(b"\n")
            if len(held) > MOST_LINE_BYTES:
                return
            yield from reversed(lines[:-1] if is_first and lines else lines)
            is_first = is_first and not lines
        if not is_first:
            yield held


def blocks_from_end(path: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the bytes in [begin, end) of a file by blocks, the last first, each with its place."""
    if end <= begin:
        return
    with path.open("rb") as file:
        while end > begin:
            start = max(begin, end - BLOCK_BYTES)
            file.seek(start)
            yield start, file.read(end - start)
            end = start


def append_line(log: Path, line: str, staging: Path) -> None:
    """Add a line to a log, which keeps its last MOST_LOG_BYTES or the half of them."""
    if log.exists() and log.stat().st_size > MOST_LOG_BYTES:
        lines = log.read_text().splitlines(keepends=True)
        write_file(log, "".join(lines[len(lines) // 2 :]).encode(), staging)
    with log.open("a") as sink:
        sink.write(line + "\n")
