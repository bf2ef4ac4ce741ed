"""Lines of raw files by their place: where a line begins in a file, in bytes, once unpacked where it is packed."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.quarantine import quarantine_file
from orbitlake.positions.record import MAX_LINE_BYTES

PACKED_AT_ONCE: Final = 64 * 2**10
"""Unpacks to 64 MiB at most."""
GZIP: Final = 31
"""zlib's name for one gzip member, header and checksum included."""
DAMAGE: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""What unpacking raises where the bytes are at fault."""
BOMB_BYTES: Final = 2**30
BOMB_RATIO: Final = 200
"""Records pack to a tenth or a thirtieth; what packs better than this, and unpacks to more than that, is none."""


class RawFileError(Exception):
    """A raw file that was listed and cannot be read; the message names it."""

    @classmethod
    def of(cls, path: Path, error: Exception) -> "RawFileError":
        """Return the error about a file."""
        return cls(printable(f"{path} was listed and cannot be read ({error}): put it back as it was"))


@dataclass(frozen=True, slots=True)
class Packed:
    """The inside of a packed file: its unpacked size, and where each gzip member begins, packed and unpacked."""

    size: int
    members: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, path: Path) -> "Packed":
        """Unpack a file once, to nowhere. Raises one of DAMAGE where it cannot be, or holds what can be no records."""
        members, packed, size = [], 0, 0
        with path.open("rb") as file:
            data = file.read(PACKED_AT_ONCE)
            while data:
                members.append((packed, size))
                member = zlib.decompressobj(GZIP)
                while not member.eof:
                    if not data:
                        raise EOFError("it ends within a gzip member")
                    size += len(member.decompress(data))
                    packed += len(data) - len(member.unused_data)
                    if size > BOMB_BYTES and size > BOMB_RATIO * packed:
                        raise zlib.error(f"{packed} bytes unpack to {size} and more")
                    data = b"" if member.eof else file.read(PACKED_AT_ONCE)
                rest = member.unused_data or file.read(PACKED_AT_ONCE)
                # Zeros may fill up a file, RFC 1952 says nothing against it.
                while rest and not (data := rest.lstrip(b"\0")):
                    packed += len(rest)
                    rest = file.read(PACKED_AT_ONCE)
                packed += len(rest) - len(data)
        return cls(size, tuple(members))

    def member_before(self, place: int) -> tuple[int, int]:
        """Return where the last member begins that begins at `place` (unpacked) or before, packed and unpacked."""
        return max((member for member in self.members if member[1] <= place), default=(0, 0))


def undamaged(lake: Lake, path: Path) -> Packed | None:
    """Return the inside of a packed file; None of a damaged one, which is moved to quarantine and named."""
    try:
        return Packed.of(path)
    except DAMAGE as error:
        kept = quarantine_file(lake, path, f"damaged, none of its records was taken: {error}")
        print(printable(f"{path} is damaged ({error}): moved to {kept}"), file=sys.stderr, flush=True)
        return None


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines that begin in [begin, end) of a raw file; `member` is where unpacking starts, None for a plain file."""

    name: str
    begin: int
    end: int
    member: tuple[int, int] | None = None


def lines_of(root: Path, piece: Piece) -> Iterator[tuple[int, bytes]]:
    """Yield each line of a piece with the place where it begins; of a long one just so much that this shows.

    Raises RawFileError where the file does not hold what it held when it was listed.
    """
    place = max(piece.begin - 1, 0)
    try:
        with opened(root / piece.name, place, piece.member) as file:
            if piece.begin:
                # The line that the piece before ends in, or only its newline.
                place += rest_of_line(file)
            while place < piece.end:
                line = file.readline(MAX_LINE_BYTES + 1)
                if not line:
                    raise EOFError(f"it ends before byte {piece.end}")
                yield place, line.removesuffix(b"\n")
                place += len(line) + (0 if line.endswith(b"\n") else rest_of_line(file))
    except (OSError, *DAMAGE) as error:
        raise RawFileError.of(root / piece.name, error) from error


@contextmanager
def opened(path: Path, place: int, member: tuple[int, int] | None) -> Iterator[IO[bytes]]:
    """Open a file at a place."""
    with path.open("rb") as file:
        if member is None:
            file.seek(place)
            yield file
        else:
            file.seek(member[0])
            with gzip.GzipFile(fileobj=file) as unpacked:
                unpacked.seek(place - member[1])
                yield unpacked  # type: ignore[misc]


def rest_of_line(file: IO[bytes]) -> int:
    """Read on to the end of the line; return how many bytes that were."""
    count = 0
    while piece := file.readline(MAX_LINE_BYTES + 1):
        count += len(piece)
        if piece.endswith(b"\n"):
            break
    return count
