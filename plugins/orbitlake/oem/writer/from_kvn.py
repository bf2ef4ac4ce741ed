"""An OEM in keyword = value notation -> its words. The file has been read before: its rules are kept."""

from collections.abc import Iterator

from orbitlake.oem.reader.kvn_lines import ASSIGNMENT, COMMENT, printable
from orbitlake.oem.writer.printed import PrintedCovariance, PrintedOem, PrintedSegment

TRIANGLE = 21


def printed_kvn(content: bytes) -> PrintedOem:
    """Return the words of a sound file, without a byte order mark."""
    lines = _lines(content)
    words = _Words(PrintedOem(version=_assignment(next(lines))[1]))
    for line in lines:
        words.take(line)
    return words.message


def _lines(content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return (stripped for line in text.split("\n") if (stripped := line.strip(" \t")))


def _assignment(line: str) -> tuple[str, str]:
    match = ASSIGNMENT.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:40]!r} assigns nothing")
    return match[1].upper(), match[2]


class _Words:
    """Puts each line where it belongs; comments go to the beginning of the section that they stand in."""

    def __init__(self, message: PrintedOem) -> None:
        self.message = message
        self._comments = message.header_comments
        self._assignments: dict[str, str] | None = message.header
        self._covariance: PrintedCovariance | None = None
        self._waiting: list[str] = []

    def take(self, line: str) -> None:
        if COMMENT.match(line):
            self._comments.append(printable(line)[len("COMMENT") :].removeprefix(" "))
        elif line.upper() in ("META_START", "META_STOP", "COVARIANCE_START", "COVARIANCE_STOP"):
            self._pass_marker(line.upper())
        elif self._assignments is not None:
            keyword, value = _assignment(line)
            self._assignments[keyword] = value
        elif "=" in line:
            self._begin_covariance(*_assignment(line))
        elif self._covariance is not None:
            self._covariance.triangle += tuple(line.split())
            if len(self._covariance.triangle) == TRIANGLE:
                # What comes next before an EPOCH stands in front of the next matrix.
                self._comments = self._waiting = []
        else:
            fields = tuple(word for word in line.split() if not word.startswith("["))
            self.message.segments[-1].states.append(fields)

    def _pass_marker(self, marker: str) -> None:
        if marker == "META_START":
            self.message.segments.append(PrintedSegment())
            self._covariance = None
        segment = self.message.segments[-1]
        if marker == "META_START":
            self._assignments, self._comments = segment.metadata, segment.metadata_comments
        elif marker == "META_STOP":
            self._assignments, self._comments = None, segment.comments
        elif marker == "COVARIANCE_START":
            self._comments = self._waiting = []
        elif self._covariance is not None:
            self._covariance.comments += self._waiting
            self._comments = self._covariance.comments

    def _begin_covariance(self, keyword: str, value: str) -> None:
        if keyword == "EPOCH":
            self._covariance = PrintedCovariance(value, None, (), comments=self._waiting)
            self._comments, self._waiting = self._covariance.comments, []
            self.message.segments[-1].covariances.append(self._covariance)
        elif self._covariance is not None:
            self._covariance.frame = value or None
