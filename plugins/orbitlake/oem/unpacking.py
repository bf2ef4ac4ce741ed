"""Bytes of a file, plain or gzip by their content, within limits that a bomb cannot pass."""

import zlib
from pathlib import Path
from typing import Final

from orbitlake.oem.errors import OemError

MEBIBYTE: Final = 2**20
MAX_PACKED_BYTES: Final = 64 * MEBIBYTE
MAX_UNPACKED_BYTES: Final = 64 * MEBIBYTE
"""Half a million states in text: eleven days of powered flight at 2 s; a whole ISS issue takes 0.8."""

GZIP_MAGIC: Final = b"\x1f\x8b"
FOREIGN: Final = {
    b"PK\x03\x04": "a ZIP archive: unpack it first",
    b"BZh": "packed by bzip2: unpack it first, or pack it by gzip",
    b"\xfd7zXZ": "packed by xz: unpack it first, or pack it by gzip",
    b"\xff\xfe": "text in UTF-16: an OEM is in ASCII or UTF-8",
    b"\xfe\xff": "text in UTF-16: an OEM is in ASCII or UTF-8",
}
"""How files begin that are something else, and what to do."""
GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS


def load(path: Path) -> bytes:
    """Return the bytes of a file as they lie on disk. Raises OemError past MAX_PACKED_BYTES, else OSError."""
    with path.open("rb") as source:
        content = source.read(MAX_PACKED_BYTES + 1)
    if len(content) > MAX_PACKED_BYTES:
        raise OemError(str(path), None, f"larger than {MAX_PACKED_BYTES // MEBIBYTE} MiB")
    return content


def unpack(content: bytes, name: str) -> bytes:
    """Return the text of a file that may be gzip, also of several members. Raises OemError naming `name`."""
    for beginning, what in FOREIGN.items():
        if content.startswith(beginning):
            raise OemError(name, 1, f"is {what}")
    if not content.startswith(GZIP_MAGIC):
        if len(content) > MAX_UNPACKED_BYTES:
            raise OemError(name, None, f"larger than {MAX_UNPACKED_BYTES // MEBIBYTE} MiB")
        return content
    parts: list[bytes] = []
    left = MAX_UNPACKED_BYTES
    rest = content
    while rest:
        member = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as error:
            raise OemError(name, None, f"gzip stream is damaged: {error}") from error
        left -= len(part)
        if left < 0:
            raise OemError(name, None, f"unpacks to more than {MAX_UNPACKED_BYTES // MEBIBYTE} MiB")
        if not member.eof:
            raise OemError(name, None, "gzip stream ends early")
        parts.append(part)
        rest = member.unused_data.lstrip(b"\0")  # zeros pad a stream to whole blocks: gzip(1)
    return b"".join(parts)
