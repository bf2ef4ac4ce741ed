"""An issue -> an OEM file, word for word: digits, epochs, comments and names stay those that its own file prints.

Tables hold numbers to the bit and no digits: what was printed is in raw/oem, and that is where the words come from.
"""

from collections.abc import Iterable
from typing import Final

from orbitlake.exports.ephemeris import Ephemeris
from orbitlake.exports.export import Export, safe_file_name
from orbitlake.oem.writer.kvn import kvn_lines
from orbitlake.oem.writer.printed import PrintedOem
from orbitlake.oem.writer.xml import DECLARATION, xml_lines

KVN: Final = "kvn"
XML: Final = "xml"
FORMS: Final = (KVN, XML)
MEDIA_TYPES: Final = {KVN: "text/plain; charset=utf-8", XML: "application/xml"}


def to_oem(ephemeris: Ephemeris, form: str = KVN) -> Export:
    """Return the issue as an OEM, `kvn` or `xml`.

    Sections are put into the order of the standard; comments stand at the beginning of theirs. Raises ValueError for a
    value that KVN cannot hold, since it is more than printable ASCII, and OemError where the issue's file has grown
    beyond the reader's bounds.
    """
    name = safe_file_name(ephemeris.object_name, ephemeris.object_id, ephemeris.creation_date, suffix=f"oem.{form}")
    return Export(name, MEDIA_TYPES[form], [oem_bytes(ephemeris.words(), form)])


def oem_bytes(message: PrintedOem, form: str) -> bytes:
    """Return a message as the bytes of a file."""
    return joined(kvn_lines(message) if form == KVN else [DECLARATION, *xml_lines(message)])


def joined(lines: Iterable[str]) -> bytes:
    """Return lines as the bytes of a file."""
    return ("\n".join(lines) + "\n").encode()
