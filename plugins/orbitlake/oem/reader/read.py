"""An OEM file, KVN or XML, plain or gzip -> its issues."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from orbitlake.oem.reader import kvn, unpacking
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue, issue_of
from orbitlake.oem.reader.message import Message
from orbitlake.settings import max_file_bytes

BYTES_A_MARKUP: Final = 32
"""So many bytes of a file at the size limit go to one element or attribute: 2 million at 64 MiB."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read(path: str | Path) -> Issue:
    """Return the issue in a file: KVN or XML, plain or gzip, told apart by content.

    Raises OemError naming file, line and reason, also where the file holds several issues (see `read_all`), and OSError
    where it cannot be read at all.
    """
    return read_bytes(unpacking.load(Path(path)), str(path))


def read_all(path: str | Path) -> tuple[Issue, ...]:
    """Return every issue in a file, in its order: an <ndm> may hold several OEM. Raises as `read` does."""
    return read_all_bytes(unpacking.load(Path(path)), str(path))


def read_bytes(content: bytes, name: str) -> Issue:
    """Return the issue in the bytes of a file; errors call it `name`. Raises OemError."""
    text = unpacking.unpack(content, name)
    content_sha256 = hashlib.sha256(text).hexdigest()
    message = _without_bytes(parse(text, name))
    # A large file need not stay in memory while its columns are derived.
    del content, text
    return issue_of(message, content_sha256, name)


def read_all_bytes(content: bytes, name: str) -> tuple[Issue, ...]:
    """Return every issue in the bytes of a file; errors call it `name`. Raises OemError."""
    found = issues_in(unpacking.unpack(content, name), name)
    for message in found:
        if isinstance(message, OemError):
            raise message
    return tuple(message for message in found if isinstance(message, Issue))


def issues_in(text: bytes, name: str) -> list[Issue | OemError]:
    """Return each message in the unpacked bytes of a file as an issue, or the error that it cannot be read for.

    Raises OemError where the file as a whole cannot be read.
    """
    content_sha256 = hashlib.sha256(text).hexdigest()
    found: list[Issue | OemError] = []
    for message in parse_all(text, name):
        try:
            found.append(message if isinstance(message, OemError) else issue_of(message, content_sha256, name))
        except OemError as error:
            found.append(error)
    return found


def parse(text: bytes, name: str) -> Message:
    """Return the one message in the unpacked bytes of a file. Raises OemError, also where it holds several."""
    messages = parse_all(text, name)
    if len(messages) > 1:
        line = second.line if isinstance(second := messages[1], OemError) else second.header.line
        raise OemError(name, line, f"holds {len(messages)} OEM, each an issue of its own: read_all gives them all")
    if isinstance(messages[0], OemError):
        raise messages[0]
    return messages[0]


def parse_all(text: bytes, name: str) -> tuple[Message | OemError, ...]:
    """Return the messages in the unpacked bytes of a file: XML where it begins with <, else KVN.

    Of several the error of one stands in its place. Raises OemError where the file as a whole cannot be read.
    """
    body = text.removeprefix(BYTE_ORDER_MARK)
    if not is_xml(body):
        return (kvn.parse(body, name),)
    # Most files are text: they need no libxml2.
    from orbitlake.oem.reader import xml

    return xml.parse(body, name, most_markup())


def is_xml(body: bytes) -> bool:
    """Whether the text of a file is XML, without a byte order mark."""
    return body[:256].lstrip().startswith(b"<")


def most_markup() -> int:
    """Return how many elements and attributes a file may hold."""
    return max_file_bytes() // BYTES_A_MARKUP


def _without_bytes(message: Message) -> Message:
    """Return a checked message that no longer holds the bytes of its file, nor knows the line of any state."""
    segments = (replace(segment, states=replace(segment.states, line_of=_line_unknown)) for segment in message.segments)
    return replace(message, segments=tuple(segments))


def _line_unknown(nth: int) -> int:
    raise LookupError(f"the file of state {nth} is no longer in memory")
