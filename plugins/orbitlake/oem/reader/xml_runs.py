"""Runs of state vectors in the form nearly every file gives them, read by pattern: ten times as fast as a tree."""

import re
from collections.abc import Callable
from typing import Final

from orbitlake.oem.reader import states
from orbitlake.oem.reader.states import States

STATE_UNITS: Final = {
    "EPOCH": None,
    "X": "km",
    "Y": "km",
    "Z": "km",
    "X_DOT": "km/s",
    "Y_DOT": "km/s",
    "Z_DOT": "km/s",
    "X_DDOT": "km/s**2",
    "Y_DDOT": "km/s**2",
    "Z_DDOT": "km/s**2",
}
"""The elements of a state vector, in their order (CCSDS 505.0-B-3, 4.10)."""
SPACE: Final = rb"[ \t\r\n]*"
PLACEHOLDER: Final = "orbitlake-run"
VECTORS_AT_ONCE: Final = 2**15
"""A vector still in parts takes ten times the memory of its numbers."""


def _field_pattern(name: str, unit: str | None) -> bytes:
    attribute = rb'(?: units="%b")?' % re.escape(unit.encode()) if unit else b""
    first = rb"[0-9]" if name == "EPOCH" else rb"[0-9.+-]"
    return rb"%b<%b%b>%b(%b[^<&\s]*)%b</%b>" % (SPACE, name.encode(), attribute, SPACE, first, SPACE, name.encode())


_FIELDS: Final = [_field_pattern(name, unit) for name, unit in STATE_UNITS.items()]
STATE: Final = re.compile(
    rb"%b<stateVector>%b(?:%b)?%b</stateVector>" % (SPACE, b"".join(_FIELDS[:7]), b"".join(_FIELDS[7:]), SPACE)
)


def without_runs(content: bytes) -> tuple[bytes, list[States]]:
    """Return a file without its runs of state vectors, and the runs.

    An empty <stateVector orbitlake-run="n"/> and as many line ends as were taken out mark the place of each. Where a
    run is not of the usual form, the file comes back whole, without any.
    """
    if PLACEHOLDER.encode() in content:
        return content, []
    runs: list[States] = []
    parts: list[bytes] = []
    kept = 0
    matches = STATE.finditer(content)
    match = next(matches, None)
    while match is not None:
        begin, end = match.span()
        width = states.PLAIN_FIELDS if match.groups()[-1] is None else states.FIELDS_WITH_ACCELERATION
        blocks: list[States] = []
        is_run = True
        while is_run:
            rows: list[tuple[bytes, ...]] = []
            while match is not None and (match.start() == end or not (rows or blocks)) and len(rows) < VECTORS_AT_ONCE:
                rows.append(match.groups())
                end = match.end()
                match = next(matches, None)
            if any((row[-1] is None) != (width == states.PLAIN_FIELDS) for row in rows):
                return content, []
            text = b"\n".join([b" ".join(row[:width]) for row in rows])
            block = states.read_block(text, _line_finder(content, begin))
            if block is None:
                return content, []
            blocks.append(block)
            is_run = match is not None and match.start() == end
        read = states.joined(blocks)
        parts += [content[kept:begin], b'<stateVector %b="%d"/>' % (PLACEHOLDER.encode(), len(runs))]
        parts.append(b"\n" * content.count(b"\n", begin, end))
        runs.append(read)
        kept = end
    parts.append(content[kept:])
    return b"".join(parts), runs


def _line_finder(content: bytes, begin: int) -> Callable[[int], int]:
    def line_of(nth: int) -> int:
        position = begin
        for _ in range(nth + 1):
            position = content.index(b"<stateVector>", position) + 1
        return content.count(b"\n", 0, position) + 1

    return line_of
