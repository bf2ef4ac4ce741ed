"""Bytes of a file, plain or gzip by their content, within limits that a bomb cannot pass."""

import zlib
from pathlib import Path
from typing import Final

from orbitlake.oem.reader.errors import OemError
from orbitlake.settings import MAX_FILE_BYTES, max_file_bytes

MEBIBYTE: Final = 2**20
LIFTED_BY: Final = f"{MAX_FILE_BYTES} lifts the limit"
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
    """Return the bytes of a file as they lie on disk. Raises OemError where they are more than the limit, else OSError.

    The limit, also for `unpack`, is the setting ORBITLAKE_MAX_DOWNLOAD_BYTES.
    """
    limit = max_file_bytes()
    with path.open("rb") as source:
        content = source.read(limit + 1)
    if len(content) > limit:
        raise OemError(str(path), None, f"larger than {_size(limit)}; {LIFTED_BY}")
    return content


def unpack(content: bytes, name: str) -> bytes:
    """Return the text of a file that may be gzip, also of several members. Raises OemError naming `name`."""
    limit = max_file_bytes()
    for beginning, what in FOREIGN.items():
        if content.startswith(beginning):
            raise OemError(name, 1, f"is {what}")
    if not content.startswith(GZIP_MAGIC):
        if len(content) > limit:
            raise OemError(name, None, f"larger than {_size(limit)}; {LIFTED_BY}")
        return content
    parts: list[bytes] = []
    left = limit
    rest = content
    while rest:
        member = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as error:
            raise OemError(name, None, f"gzip stream is damaged: {error}") from error
        left -= len(part)
        if left < 0:
            raise OemError(name, None, f"unpacks to more than {_size(limit)}; {LIFTED_BY}")
        if not member.eof:
            raise OemError(name, None, "gzip stream ends early")
        parts.append(part)
        rest = member.unused_data.lstrip(b"\0")  # zeros pad a stream to whole blocks: gzip(1)
    return b"".join(parts)


def _size(limit: int) -> str:
    return f"{limit // MEBIBYTE} MiB" if limit % MEBIBYTE == 0 else f"{limit} bytes"
