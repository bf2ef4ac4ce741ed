"""The lines of an OEM in keyword = value notation: what stands where, and where it departs from the standard."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from orbitlake.oem.reader import states
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.message import MAX_COMMENTS, Section
from orbitlake.oem.reader.states import States

ASSIGNMENT: Final = re.compile(r"[ \t]*([A-Za-z][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)", re.ASCII)
COMMENT: Final = re.compile(r"COMMENT(?:[ \t]|$)", re.ASCII | re.IGNORECASE)
COMMENT_LINE: Final = re.compile(rb"^[ \t]*(COMMENT(?:[ \t][^\n]*)?)$", re.IGNORECASE | re.MULTILINE)
PRINTABLE: Final = re.compile(r"[\t -~]*")
BLANKS: Final = re.compile(rb"[ \t]+")
EMPTY_LINES: Final = re.compile(rb"[ \t\n]*")
STATE_UNITS: Final = {"[km]": range(1, 4), "[km/s]": range(4, 7), "[km/s**2]": range(7, 10)}
"""Units in the notation that the standard has for other messages, and the fields of a state that are in them."""
AFTER_STATES: Final = (b"META_START", b"COVARIANCE_START")


class Line(NamedTuple):
    """One line without the blanks around it; `start` is the offset of its first letter."""

    number: int
    start: int
    text: str


class Reader:
    """Walks over the lines of a file that hold anything; a block of states is passed over whole."""

    def __init__(self, content: bytes, path: str) -> None:
        self.content = content
        self.path = path
        self.comments: list[str] = []
        self.warnings: list[str] = []
        self._position = 0
        self._number = 0
        self._ahead: Line | None = None
        self._warned_of_small_letters = False

    def peek(self) -> Line | None:
        """Return the next line that is not blank and leave it there; None at the end of the file."""
        if self._ahead is None and self._position < len(self.content):
            filled = EMPTY_LINES.match(self.content, self._position).end()  # type: ignore[union-attr]  # it may be empty
            self._number += self.content.count(b"\n", self._position, filled)
            if filled < len(self.content):
                end = self.content.find(b"\n", filled)
                end = len(self.content) if end < 0 else end
                self._number += 1
                self._ahead = Line(
                    self._number, filled, self._decoded(self.content[filled:end].rstrip(b" \t"), self._number)
                )
                filled = end + 1
            self._position = filled
        return self._ahead

    def take(self, expected: str) -> Line:
        """Return the next line that is not blank and pass it. Raises OemError at the end of the file."""
        line = self.peek()
        if line is None:
            raise OemError(self.path, self._number, f"file ends where {expected} should follow")
        self._ahead = None
        return line

    def take_marker(self, marker: str) -> Line:
        """Pass a line that holds `marker` and nothing else. Raises OemError for any other."""
        line = self.take(marker)
        if not is_marker(line, marker):
            raise OemError(self.path, line.number, f"expected {marker}, not {line.text[:40]!r}")
        self._expect_capitals(line.text, line.number)
        return line

    def take_comments(self, misplaced: str | None = None) -> None:
        """Pass the comments that come next; `misplaced` says where, if that is not the beginning of a section."""
        first = self.peek()
        while (line := self.peek()) and COMMENT.match(line.text):
            if line is first and misplaced:
                self.warnings.append(
                    f"line {line.number}: comment {misplaced}: the beginning of a section is its place"
                )
            self._add_comment(line.text, line.number)
            self._ahead = None

    def take_section(self, section: Section, end: str) -> None:
        """Pass the assignments of a section, up to the marker that ends it. Raises OemError for anything else."""
        self.take_comments()
        while (ahead := self.peek()) and not is_marker(ahead, end):
            if COMMENT.match(ahead.text):
                self.take_comments("among keywords")
            else:
                section.add(*self.take_assignment(f"a {section.name} keyword or {end}"))

    def take_assignment(self, expected: str) -> tuple[str, str, int]:
        """Pass a line KEYWORD = value; return keyword, value and line. Raises OemError for any other."""
        line = self.take(expected)
        match = ASSIGNMENT.fullmatch(line.text)
        if match is None:
            misplaced = " (comments stand at the beginning of a section)" if line.text.startswith("COMMENT") else ""
            reason = f"expected {expected} as KEYWORD = value, not {line.text[:40]!r}{misplaced}"
            raise OemError(self.path, line.number, reason)
        self._expect_capitals(match[1], line.number)
        return match[1].upper(), match[2], line.number

    def take_states(self) -> States:
        """Pass the block of states that comes next and return it. Raises OemError for a line that is no state."""
        first = self.take("a state")
        if not first.text[:1].isdigit():
            raise OemError(self.path, first.number, f"expected a state, not {first.text[:40]!r}")
        end = self._end_of_states(first.start)
        block: bytes | memoryview = memoryview(self.content)[first.start : end]
        read = states.read_block(block, lambda nth: _line_of(block, first.number, nth))
        if read is None:
            block = self._without_comments(bytes(block), first.number)
            read = states.read_block(_evened(block), lambda nth: _line_of(block, first.number, nth))
        if read is None:
            read = states.read_rows(self._fields(bytes(block), first.number), self.path)
        if end < len(self.content):
            self._number += self.content.count(b"\n", self._position, end)
        self._position = end
        return read

    def _without_comments(self, block: bytes, line: int) -> bytes:
        """Return a block of states with its comments blanked out, and keep them, with a warning."""
        position = 0
        for nth, match in enumerate(COMMENT_LINE.finditer(block)):
            line += block.count(b"\n", position, match.start())
            position = match.start()
            if nth == 0:
                self.warnings.append(f"line {line}: comment after a state: comments stand before the first")
            self._add_comment(self._decoded(match[1].rstrip(b" \t"), line), line)
        return COMMENT_LINE.sub(b"", block) if position else block

    def _fields(self, block: bytes, first: int) -> Iterator[tuple[int, list[str]]]:
        """Yield line and fields of every state. Units in brackets are left out where they are those of an OEM."""
        warned = False
        for line, row in _rows(block, first):
            fields: list[str] = []
            for field in (str(field, "latin-1") for field in BLANKS.split(row)):
                if not field.startswith("["):
                    fields.append(field)
                    continue
                if len(fields) - 1 not in STATE_UNITS.get(field, ()):
                    raise OemError(self.path, line, f"{field[:40]!r} is not the unit of what stands before it")
                if not warned:
                    self.warnings.append(f"line {line}: units in brackets: states have none in an OEM")
                warned = True
            yield line, fields

    def _add_comment(self, text: str, line: int) -> None:
        if len(self.comments) >= MAX_COMMENTS:
            raise OemError(self.path, line, f"more than {MAX_COMMENTS} comments")
        self._expect_capitals(text[: len("COMMENT")], line)
        self.comments.append(text[len("COMMENT") :].removeprefix(" "))

    def _expect_capitals(self, keyword: str, line: int) -> None:
        if not keyword.isupper() and not self._warned_of_small_letters:
            self.warnings.append(f"line {line}: {keyword[:40]} in small letters: keywords are in capitals")
            self._warned_of_small_letters = True

    def _end_of_states(self, start: int) -> int:
        """Return where the line of the next marker begins, or the end of the file.

        A state holds no underscore: where one stands in any other line but a comment, that line is wrong and ends the
        block.
        """
        position = self.content.find(b"_", start)
        while position >= 0:
            begin = max(start, self.content.rfind(b"\n", start, position) + 1)
            end = self.content.find(b"\n", position)
            end = len(self.content) if end < 0 else end
            line = self.content[begin:end]
            if not COMMENT_LINE.match(line):
                return begin if line.strip(b" \t").upper() in AFTER_STATES else end
            position = self.content.find(b"_", end)
        return len(self.content)

    def _decoded(self, text: bytes, number: int) -> str:
        line = text.decode("utf-8", "replace")
        if PRINTABLE.fullmatch(line):
            return line
        if not COMMENT.match(line):
            raise OemError(self.path, number, f"{line[:40]!r} holds more than printable ASCII")
        self.warnings.append(f"line {number}: comment holds more than printable ASCII")
        return printable(line)


def printable(line: str) -> str:
    """Return a line with a sign of replacement for what cannot be printed; tabs can, beside plain ASCII."""
    if PRINTABLE.fullmatch(line):
        return line
    return "".join(character if character.isprintable() else "\ufffd" for character in line)


def is_marker(line: Line, marker: str) -> bool:
    """Return whether a line holds a marker and nothing else."""
    return line.text.upper() == marker


def _rows(block: bytes | memoryview, line: int) -> Iterator[tuple[int, bytes]]:
    """Yield line and text of every line of a block that is not blank; `line` is that of the first."""
    content = bytes(block)
    position = 0
    while position < len(content):
        stop = content.find(b"\n", position)
        stop = len(content) if stop < 0 else stop
        if text := content[position:stop].strip(b" \t"):
            yield line, text
        position, line = stop + 1, line + 1


def _line_of(block: bytes | memoryview, first: int, nth: int) -> int:
    return next(line for index, (line, _) in enumerate(_rows(block, first)) if index == nth)


def _evened(block: bytes) -> bytes:
    """Return rows with one blank between fields and none around them."""
    block = block.replace(b"\t", b" ")
    while b"  " in block:
        block = block.replace(b"  ", b" ")
    return block.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
