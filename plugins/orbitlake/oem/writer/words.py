"""The bytes of an OEM file, KVN or XML -> the words of each message in it."""

from orbitlake.oem.reader.read import BYTE_ORDER_MARK, is_xml, most_markup
from orbitlake.oem.writer.from_kvn import printed_kvn
from orbitlake.oem.writer.from_xml import printed_xml
from orbitlake.oem.writer.printed import PrintedOem


def printed_all(text: bytes, name: str) -> tuple[PrintedOem, ...]:
    """Return the words of each message in the unpacked bytes of a file that the reader took. Raises OemError."""
    body = text.removeprefix(BYTE_ORDER_MARK)
    return printed_xml(body, name, most_markup()) if is_xml(body) else (printed_kvn(body),)
