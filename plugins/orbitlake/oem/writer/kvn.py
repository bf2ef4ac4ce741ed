"""The words of an OEM in keyword = value notation, in the layout of NASA's files."""

from collections.abc import Iterable, Iterator
from typing import Final

from orbitlake.oem.reader.kvn_lines import PRINTABLE
from orbitlake.oem.writer.printed import PrintedCovariance, PrintedOem, PrintedSegment

HEADER_WIDTH: Final = 14
METADATA_WIDTH: Final = 20


def kvn_lines(message: PrintedOem) -> Iterator[str]:
    """Yield the lines of a message without their ends. Raises ValueError for a value that this notation cannot hold."""
    yield f"CCSDS_OEM_VERS = {message.version}"
    yield from _comment_lines(message.header_comments)
    yield from _assignment_lines(message.ordered_header(), HEADER_WIDTH)
    for segment in message.segments:
        yield ""
        yield from _segment_lines(segment)


def _segment_lines(segment: PrintedSegment) -> Iterator[str]:
    yield "META_START"
    yield from _comment_lines(segment.metadata_comments)
    yield from _assignment_lines(segment.ordered_metadata(), METADATA_WIDTH)
    yield "META_STOP"
    yield ""
    yield from _comment_lines(segment.comments)
    for state in segment.states:
        yield " ".join(state)
    if segment.covariances:
        yield ""
        yield "COVARIANCE_START"
        for covariance in segment.covariances:
            yield from _covariance_lines(covariance)
        yield "COVARIANCE_STOP"


def _covariance_lines(covariance: PrintedCovariance) -> Iterator[str]:
    yield from _comment_lines(covariance.comments)
    yield from _assignment_lines([("EPOCH", covariance.epoch)], 0)
    if covariance.frame:
        yield from _assignment_lines([("COV_REF_FRAME", covariance.frame)], 0)
    start = 0
    for size in range(1, 7):
        yield " ".join(covariance.triangle[start : start + size])
        start += size


def _comment_lines(comments: Iterable[str]) -> Iterator[str]:
    for comment in comments:
        # A comment of XML may hold line ends, a line of this notation none.
        for line in comment.splitlines() or [""]:
            yield f"COMMENT {line.rstrip()}"


def _assignment_lines(assignments: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    for keyword, value in assignments:
        if not PRINTABLE.fullmatch(value):
            raise ValueError(f"{keyword} {value[:40]!r} holds more than printable ASCII: only XML can hold that")
        yield f"{keyword:<{width}} = {value}"
