"""OEM in XML, bare or inside <ndm>: the usual run of state vectors by pattern, everything else through libxml2."""

from itertools import chain
from typing import Final

from lxml import etree

from orbitlake.oem.reader import epochs, states
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.message import (
    HEADER_KEYWORDS,
    MAX_COMMENTS,
    METADATA_KEYWORDS,
    Covariance,
    Message,
    Metadata,
    Section,
    Segment,
)
from orbitlake.oem.reader.rules import check_version, header_of, message_of, metadata_of, segment_of
from orbitlake.oem.reader.states import States
from orbitlake.oem.reader.unpacking import LIFTED_BY
from orbitlake.oem.reader.xml_runs import PLACEHOLDER, STATE_UNITS, without_runs

NAMESPACES: Final = ("urn:ccsds:schema:ndmxml", "urn:ccsds:recommendation:navigation:schema:ndmxml")
"""Of NDM/XML as it is, and of its first edition, which goes with version 2.0 of the OEM."""
FORBIDDEN: Final = (b"<!DOCTYPE", b"<!ENTITY")
AXES: Final = ("X", "Y", "Z", "X_DOT", "Y_DOT", "Z_DOT")
COVARIANCE_UNITS: Final = {
    f"C{row}_{column}": ("km**2", "km**2/s", "km**2/s**2")[("_DOT" in row) + ("_DOT" in column)]
    for nth, row in enumerate(AXES)
    for column in AXES[: nth + 1]
}
"""The lower triangle of a covariance, row by row."""
XML_SPACE: Final = " \t\r\n"


def parse(content: bytes, path: str, most_markup: int) -> tuple[Message | OemError, ...]:
    """Return the messages that an XML file holds. Raises OemError naming `path`, the line and the reason.

    A bare <oem> is one, an <ndm> may hold several: the error of one of several stands in its place. `most_markup`
    bounds what libxml2 is given: elements and attributes, at up to 400 bytes each; runs of states are not among them.

    Neither a document type nor an entity is ever read; comments and processing instructions of XML are passed over.
    """
    _refuse_hostile(content, path)
    skeleton, runs = without_runs(content)
    document = _Document(tree_of(skeleton, path, most_markup), runs, path)
    try:
        messages = document.messages()
    except _MixedStatesError:
        messages = ()
    if not messages or document.runs_used != len(runs):
        # A run of states stood where none belongs, such as in a comment, or beside others: libxml2 shall have it all.
        messages = _Document(tree_of(content, path, most_markup), [], path).messages()
    return messages


def _refuse_hostile(content: bytes, path: str) -> None:
    if b"\0" in content:
        raise OemError(path, content[: content.index(b"\0")].count(b"\n") + 1, "XML holds a NUL: expected UTF-8")
    for declaration in FORBIDDEN:
        position = content.find(declaration)
        if position >= 0:
            line = content.count(b"\n", 0, position) + 1
            raise OemError(path, line, f"XML declares {declaration.decode()[2:]}, which is refused")


def tree_of(content: bytes, path: str, most_markup: int) -> etree._Element:
    """Return the root of a file's elements, without comments of XML. Raises OemError: not well-formed, or too much."""
    quotes = content.count(b'"') + content.count(b"'")
    if content.count(b"<") + quotes // 2 > most_markup:
        reason = f"XML has more than {most_markup} elements and attributes; {LIFTED_BY}"
        raise OemError(path, None, reason)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise OemError(path, error.lineno or None, f"XML is not well-formed: {error.msg}") from None


def _line(element: etree._Element) -> int:
    line: int | None = element.sourceline  # type: ignore[assignment]  # the stubs say Ellipsis
    return line or 1


class _MixedStatesError(Exception):
    """A segment holds state vectors of the usual form and of others."""


class _Document:
    """The elements of one file, walked in the order of the schema; whatever the schema does not know is refused."""

    def __init__(self, root: etree._Element, runs: list[States], path: str) -> None:
        self.root = root
        self.path = path
        self.runs_used = 0
        self._runs = runs
        self._comments: list[str] = []
        self._warnings: list[str] = []

    def messages(self) -> tuple[Message | OemError, ...]:
        """Return the messages, or of several the error of each that has one, naming the line of the first fault.

        Raises OemError for a fault of the only message, or outside of all.
        """
        found = self._oems()
        beside_warnings, beside_comments = self._warnings, self._comments
        messages: list[Message | OemError] = []
        for oem in found:
            self._warnings, self._comments = list(beside_warnings), list(beside_comments)
            try:
                messages.append(self._message(oem))
            except OemError as error:
                if len(found) == 1:
                    raise
                messages.append(error)
        return tuple(messages)

    def _message(self, oem: etree._Element) -> Message:
        line = _line(oem)
        if oem.get("id") != "CCSDS_OEM_VERS":
            raise OemError(self.path, line, f"<oem> has id {oem.get('id')!r}, expected 'CCSDS_OEM_VERS'")
        version = check_version(oem.get("version") or "", self.path, line)
        header_element, body = self._children(oem, ("header", "body"))
        header_section = self._section(header_element, "header", HEADER_KEYWORDS, version)
        header = header_of(header_section, version)
        segments: list[Segment] = []
        for element in self._elements(body, "segment"):
            segments.append(self._segment(element, version, segments[0].metadata if segments else None))
        warnings = header_section.warnings + self._warnings
        return message_of("XML", header, segments, self._comments, warnings, self.path)

    def _oems(self) -> list[etree._Element]:
        name = self._name(self.root)
        if name == "oem":
            return [self.root]
        if name != "ndm":
            raise self._error(self.root, f"root is <{name}>, expected <oem> or <ndm>")
        found = [element for element in self._elements(self.root) if self._name(element) == "oem"]
        if not found:
            raise self._error(self.root, "<ndm> holds no OEM")
        self._warnings += [
            f"line {_line(element)}: <{name[:40]}> beside the OEM is passed over"
            for element in self.root
            if (name := self._name(element)) not in ("oem", "COMMENT", "MESSAGE_ID")
        ]
        for element in self.root:
            if self._name(element) == "COMMENT":
                self._add_comment(element)
        return found

    def _segment(self, element: etree._Element, version: str, first: Metadata | None) -> Segment:
        metadata_element, data = self._children(element, ("metadata", "data"))
        metadata = metadata_of(self._section(metadata_element, "metadata", METADATA_KEYWORDS, version), first)
        children = self._elements(data)
        self._take_comments(children, "after the data")
        names = [self._name(child) for child in children]
        order = ("stateVector", "covarianceMatrix")
        for child, name in zip(children, names, strict=True):
            if name not in order:
                raise self._error(child, f"<{name[:40]}> is no element of data")
        for child, name, before in zip(children[1:], names[1:], names, strict=False):
            if order.index(name) < order.index(before):
                raise self._error(child, f"<{name}> after <{before}>")
        vectors = [child for child, name in zip(children, names, strict=True) if name == "stateVector"]
        covariances = tuple(self._covariance(child, metadata.time_system) for child in children[len(vectors) :])
        return segment_of(metadata, self._states(vectors), covariances, version, self.path)

    def _states(self, vectors: list[etree._Element]) -> States:
        places = [place for vector in vectors if (place := vector.get(PLACEHOLDER))] if self._runs else []
        if places and len(vectors) > 1:
            raise _MixedStatesError
        if places:
            self.runs_used += 1
            return self._runs[int(places[0])]
        return states.read_rows(((_line(vector), self._fields(vector)) for vector in vectors), self.path)

    def _fields(self, vector: etree._Element) -> list[str]:
        names = [self._name(child) for child in vector]
        expected = list(STATE_UNITS)
        if names not in (expected[: states.PLAIN_FIELDS], expected):
            raise self._error(vector, f"state vector holds {', '.join(names)[:200]}, expected {', '.join(expected)}")
        return [self._quantity(child, STATE_UNITS[name]) for child, name in zip(vector, names, strict=True)]

    def _covariance(self, element: etree._Element, time_system: str) -> Covariance:
        children = self._elements(element)
        self._take_comments(children, "in a covariance")
        names = [self._name(child) for child in children]
        framed = "COV_REF_FRAME" in names[1:2]
        expected = ["EPOCH", *(["COV_REF_FRAME"] if framed else []), *COVARIANCE_UNITS]
        if names != expected:
            wrong = next((have for have, want in zip(names, expected, strict=False) if have != want), "its end")
            raise self._error(element, f"covariance is not in the order of its 21 elements at {wrong[:40]}")
        try:
            epoch_tai_us = epochs.tai_us_of(self._text(children[0]), time_system)
            quantities = zip(children[-len(COVARIANCE_UNITS) :], COVARIANCE_UNITS.values(), strict=True)
            triangle = tuple(states.number(self._quantity(child, unit)) for child, unit in quantities)
        except OemError:
            raise
        except ValueError as error:
            raise self._error(element, str(error)) from None
        return Covariance(epoch_tai_us, self._text(children[1]) if framed else None, triangle, _line(element))

    def _section(self, element: etree._Element, name: str, keywords: dict[str, str], version: str) -> Section:
        section = Section(self.path, name, _line(element), keywords, version)
        children = self._elements(element)
        self._take_comments(children, "among keywords")
        for child in children:
            section.add(self._name(child), self._text(child), _line(child))
        return section

    def _take_comments(self, children: list[etree._Element], misplaced: str) -> None:
        """Take the comments out of a section's elements; one that is not in front is a warning, which says where."""
        warned = False
        is_comment = [self._name(child) == "COMMENT" for child in children]
        in_front = is_comment.index(False) if False in is_comment else len(children)
        for nth, child in enumerate(children):
            if not is_comment[nth]:
                continue
            if nth > in_front and not warned:
                line = _line(child)
                self._warnings.append(f"line {line}: comment {misplaced}: the beginning of a section is its place")
                warned = True
            self._add_comment(child)
        children[:] = [child for child, commenting in zip(children, is_comment, strict=True) if not commenting]

    def _add_comment(self, element: etree._Element) -> None:
        if len(self._comments) >= MAX_COMMENTS:
            raise self._error(element, f"more than {MAX_COMMENTS} comments")
        self._comments.append(self._text(element, strip=False).rstrip())

    def _children(self, element: etree._Element, names: tuple[str, ...]) -> list[etree._Element]:
        """Return the children of an element that must be exactly `names`."""
        children = self._elements(element)
        found = tuple(self._name(child) for child in children)
        if found != names:
            expected = " and ".join(f"<{name}>" for name in names)
            raise self._error(element, f"<{self._name(element)}> holds {', '.join(found)[:80]!r}, expected {expected}")
        return children

    def _elements(self, element: etree._Element, only: str | None = None) -> list[etree._Element]:
        """Return the children of an element that holds no text of its own."""
        children = list(element)
        for text in chain([element.text], (child.tail for child in children)):
            if text and text.strip(XML_SPACE):
                raise self._error(
                    element, f"text {text.strip()[:40]!r} between the elements of <{self._name(element)}>"
                )
        for child in children:
            if only is not None and self._name(child) != only:
                raise self._error(child, f"<{self._name(child)[:40]}> where <{only}> is expected")
        return children

    def _quantity(self, element: etree._Element, unit: str | None) -> str:
        for attribute, value in element.attrib.items():
            if attribute != "units":
                raise self._error(element, f"<{self._name(element)}> has a foreign attribute {str(attribute)[:40]!r}")
            if value != unit:
                raise self._error(element, f"{self._name(element)} is in {str(value)[:40]!r}, expected {unit!r}")
        return self._text(element)

    def _text(self, element: etree._Element, *, strip: bool = True) -> str:
        if len(element):
            raise self._error(element[0], f"element inside <{self._name(element)[:40]}>")
        text = element.text or ""
        return text.strip(XML_SPACE) if strip else text

    def _name(self, element: etree._Element) -> str:
        if not isinstance(element.tag, str):
            raise self._error(element, "entity reference")
        namespace, brace, name = element.tag.rpartition("}")
        if brace and namespace[1:] not in NAMESPACES:
            raise self._error(element, f"element of namespace {namespace[1:][:80]!r}")
        return name

    def _error(self, element: etree._Element, reason: str) -> OemError:
        return OemError(self.path, _line(element), reason)
