"""The words of an OEM in XML, as CCSDS 505.0-B instantiates it: without a namespace, units on every number."""

from collections.abc import Iterable, Iterator
from typing import Final
from xml.sax.saxutils import escape

from orbitlake.oem.reader.xml import COVARIANCE_UNITS
from orbitlake.oem.reader.xml_runs import STATE_UNITS
from orbitlake.oem.writer.printed import PrintedCovariance, PrintedOem, PrintedSegment

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
SCHEMA: Final = "https://sanaregistry.org/files/ndmxml_unqualified/ndmxml-3.0.0-master-3.0.xsd"
ROOT_ATTRIBUTES: Final = (
    f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="{SCHEMA}"'
)
INDENT: Final = " " * 4


def xml_lines(message: PrintedOem, attributes: str = ROOT_ATTRIBUTES) -> Iterator[str]:
    """Yield the lines of the element <oem> without their ends; `attributes` stand in front of its own."""
    yield f'<oem{attributes} id="CCSDS_OEM_VERS" version="{escape(message.version)}">'
    yield from _indented(_block("header", _section(message.header_comments, message.ordered_header())))
    segments = (line for segment in message.segments for line in _block("segment", _segment_lines(segment)))
    yield from _indented(_block("body", segments))
    yield "</oem>"


def _segment_lines(segment: PrintedSegment) -> Iterator[str]:
    yield from _block("metadata", _section(segment.metadata_comments, segment.ordered_metadata()))
    yield from _block("data", _data_lines(segment))


def _data_lines(segment: PrintedSegment) -> Iterator[str]:
    yield from _section(segment.comments, ())
    for state in segment.states:
        yield from _block("stateVector", _quantities(zip(STATE_UNITS.items(), state, strict=False)))
    for covariance in segment.covariances:
        yield from _block("covarianceMatrix", _covariance_lines(covariance))


def _covariance_lines(covariance: PrintedCovariance) -> Iterator[str]:
    frame = [("COV_REF_FRAME", covariance.frame)] if covariance.frame else []
    yield from _section(covariance.comments, [("EPOCH", covariance.epoch), *frame])
    yield from _quantities(zip(COVARIANCE_UNITS.items(), covariance.triangle, strict=True))


def _section(comments: Iterable[str], assignments: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from (f"<COMMENT>{escape(comment)}</COMMENT>" for comment in comments)
    yield from (f"<{keyword}>{escape(value)}</{keyword}>" for keyword, value in assignments)


def _quantities(words: Iterable[tuple[tuple[str, str | None], str]]) -> Iterator[str]:
    for (name, unit), word in words:
        units = f' units="{unit}"' if unit else ""
        yield f"<{name}{units}>{word}</{name}>"


def _block(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<{name}>"
    yield from _indented(lines)
    yield f"</{name}>"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (INDENT + line for line in lines)
