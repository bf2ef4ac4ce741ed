"""A second reader of OEM, line by line and element by element, slow and plain: what the first is held against.

It shares no code with the first and enforces no rules: it says which rows a file holds, read in the simplest way.
"""

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from xml.etree import ElementTree

Row = tuple[int, datetime, tuple[float, ...]]
"""Segment, epoch in UTC without zone, and 6 or 9 numbers."""

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
EPOCH = re.compile(r"([0-9T:-]+)(\.[0-9]+)?Z?")
SPACE = " \t\r\n"


class UnreadableError(Exception):
    """The file holds something that this reader has no row for."""


def rows(content: bytes) -> list[Row]:
    """Return every state of a file in UTC, one that repeats the one before once. Raises UnreadableError."""
    text = content.removeprefix(b"\xef\xbb\xbf")
    found = xml_rows(text) if text.lstrip().startswith(b"<") else kvn_rows(text.decode("latin-1"))
    return [row for nth, row in enumerate(found) if nth == 0 or row != found[nth - 1]]


def kvn_rows(text: str) -> list[Row]:
    """Return the states of a text file: what stands between META_STOP and the next marker, comments aside."""
    found: list[Row] = []
    section, segment = "header", -1
    for line in re.split(r"\r\n|\n|\r", text):
        words = [word for word in re.split(r"[ \t]+", line) if word]
        if not words or words[0].upper() == "COMMENT":
            continue
        if words[0].upper() in ("META_START", "META_STOP", "COVARIANCE_START", "COVARIANCE_STOP"):
            section = words[0].upper()
            segment += section == "META_START"
        elif (
            section == "META_START" and words[0].upper().startswith("TIME_SYSTEM") and words[-1].split("=")[-1] != "UTC"
        ):
            raise UnreadableError(f"time system {words[-1]}")
        elif section == "META_STOP":
            found.append((segment, epoch(words[0]), numbers(words[1:])))
    return found


def xml_rows(content: bytes) -> list[Row]:
    """Return the states of an XML file, with whatever namespace."""
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise UnreadableError("document type")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise UnreadableError(str(error)) from error
    found: list[Row] = []
    segments = [element for element in root.iter() if local(element) == "segment"]
    for nth, segment in enumerate(segments):
        for vector in (element for element in segment.iter() if local(element) == "stateVector"):
            epoch_text, *values = [(element.text or "").strip(SPACE) for element in vector]
            found.append((nth, epoch(epoch_text), numbers(values)))
    return found


def local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def epoch(text: str) -> datetime:
    match = EPOCH.fullmatch(text)
    if match is None:
        raise UnreadableError(f"epoch {text!r}")
    try:
        form = "%Y-%jT%H:%M:%S" if match[1].index("T") == 8 else "%Y-%m-%dT%H:%M:%S"
        whole = datetime.strptime(match[1], form)  # noqa: DTZ007
    except ValueError as error:
        raise UnreadableError(f"epoch {text!r}") from error
    microseconds = Decimal(match[2] or 0).scaleb(6).quantize(Decimal(1), ROUND_HALF_UP)
    return whole + timedelta(microseconds=int(microseconds))


def numbers(texts: list[str]) -> tuple[float, ...]:
    if len(texts) not in (6, 9) or not all(NUMBER.fullmatch(text) for text in texts):
        raise UnreadableError(f"numbers {texts}")
    return tuple(float(text) for text in texts)
