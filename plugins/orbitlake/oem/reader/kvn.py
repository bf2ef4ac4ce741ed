"""OEM in keyword = value notation: header and metadata line by line, each block of states at once."""

from collections.abc import Iterator
from typing import Final

from orbitlake.oem.reader import epochs, states
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.kvn_lines import Reader, is_marker
from orbitlake.oem.reader.message import (
    HEADER_KEYWORDS,
    METADATA_KEYWORDS,
    Covariance,
    Message,
    Metadata,
    Section,
    Segment,
)
from orbitlake.oem.reader.rules import check_version, header_of, message_of, metadata_of, segment_of

COVARIANCE_ROWS: Final = 6


def parse(content: bytes, path: str) -> Message:
    """Return the message that a text file holds. Raises OemError naming `path`, the line and the reason."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    reader = Reader(content, path)
    keyword, version, line = reader.take_assignment("CCSDS_OEM_VERS")
    if keyword != "CCSDS_OEM_VERS":
        raise OemError(path, line, f"file begins with {keyword[:40]}, not CCSDS_OEM_VERS")
    check_version(version, path, line)
    header_section = Section(path, "header", line, HEADER_KEYWORDS, version)
    reader.take_section(header_section, "META_START")
    header = header_of(header_section, version)
    segments = [_segment(reader, version, None)]
    while reader.peek():
        segments.append(_segment(reader, version, segments[0].metadata))
    warnings = header_section.warnings + reader.warnings
    return message_of("KVN", header, segments, reader.comments, warnings, path)


def _segment(reader: Reader, version: str, first: Metadata | None) -> Segment:
    line = reader.take_marker("META_START").number
    section = Section(reader.path, "metadata", line, METADATA_KEYWORDS, version)
    reader.take_section(section, "META_STOP")
    reader.take_marker("META_STOP")
    metadata = metadata_of(section, first)
    reader.take_comments()
    read = reader.take_states()
    covariances: tuple[Covariance, ...] = ()
    if (ahead := reader.peek()) and is_marker(ahead, "COVARIANCE_START"):
        covariances = tuple(_covariances(reader, metadata.time_system))
        reader.take_comments("after the covariances")
    return segment_of(metadata, read, covariances, version, reader.path)


def _covariances(reader: Reader, time_system: str) -> Iterator[Covariance]:
    reader.take_marker("COVARIANCE_START")
    reader.take_comments()
    while (ahead := reader.peek()) and not is_marker(ahead, "COVARIANCE_STOP"):
        keyword, value, line = reader.take_assignment("EPOCH")
        if keyword != "EPOCH":
            raise OemError(reader.path, line, f"covariance begins with {keyword[:40]}, not EPOCH")
        try:
            epoch_tai_us = epochs.tai_us_of(value, time_system)
        except ValueError as error:
            raise OemError(reader.path, line, str(error)) from None
        reader.take_comments()
        frame = None
        if (ahead := reader.peek()) and "=" in ahead.text:
            keyword, frame, at = reader.take_assignment("COV_REF_FRAME")
            if keyword != "COV_REF_FRAME":
                raise OemError(reader.path, at, f"{keyword[:40]} is no keyword of a covariance")
        reader.take_comments()
        triangle = [value for size in range(1, COVARIANCE_ROWS + 1) for value in _covariance_row(reader, size)]
        yield Covariance(epoch_tai_us, frame or None, tuple(triangle), line)
        reader.take_comments()
    reader.take_marker("COVARIANCE_STOP")


def _covariance_row(reader: Reader, size: int) -> list[float]:
    line = reader.take(f"row {size} of a covariance")
    fields = line.text.split()
    if len(fields) != size:
        raise OemError(reader.path, line.number, f"row {size} of the covariance has {len(fields)} values")
    try:
        return [states.number(field) for field in fields]
    except ValueError as error:
        raise OemError(reader.path, line.number, str(error)) from None
