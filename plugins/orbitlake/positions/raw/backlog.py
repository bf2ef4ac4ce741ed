"""What of the raw folder is not read yet, and how much of it the next batch takes: by bytes, so that any backlog fits.

An offset is bytes read by segment. A batch ends anywhere in a segment: a line is read by whoever reads its first byte.
A sealed file that was not read becomes a segment again once nothing else is left to read, a file at a time.
"""

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.inbox import SETTLED_S, gather_into_day, is_settled, take_inbox
from orbitlake.positions.raw.merging import finish_all
from orbitlake.positions.raw.sealing import SEGMENTS, Committed, unmark_later
from orbitlake.positions.raw.segments import SEALED, SEGMENT, Piece, raw_files

LEAST_BYTES_A_PIECE: Final = 256 * 2**10
MOST_BYTES_A_PIECE: Final = 4 * 2**20

Offset = dict[str, dict[str, int]]


def nothing_read() -> Offset:
    """Return the offset of before the first batch."""
    return {SEGMENTS: {}}


class Backlog:
    """The files of a raw folder as the driver of one query sees them."""

    def __init__(self, lake: Lake, checkpoint: Path):
        self.lake, self.root = lake, lake.raw_open_notify
        self.committed = Committed.of(checkpoint)
        self.left_in_inbox = 0
        self.bound: dict[str, int] | None = None
        """All that a query over what is there will read, segments and sizes; None where it goes on for ever."""
        finish_all(lake)
        if self.committed:
            unmark_later(lake, self.committed)

    def look(self) -> dict[str, int]:
        """Return the segments, by path below the root, with their bytes. What people brought is made one first."""
        self.left_in_inbox = take_inbox(self.lake)
        found = {}
        for day, folder in days_in(self.root).items():
            names, older = raw_files(folder)
            if older:
                names.append(gather_into_day(self.lake, day, older).name)
            for path in (folder / name for name in names if name.endswith(SEGMENT)):
                # Taken away meanwhile.
                with suppress(FileNotFoundError):
                    found[f"{folder.name}/{path.name}"] = path.stat().st_size
        return found

    def bind(self) -> None:
        """Take what is there now for all that there is, the inbox included once its files are settled."""
        found, before = self.look(), 0
        # More than one look takes may be there; and a file that grows on and on is not waited for.
        while self.left_in_inbox and self.left_in_inbox != before:
            before = self.left_in_inbox
            # File systems count time in ticks.
            time.sleep(SETTLED_S + 0.1)
            found = self.look()
        self.bound = found

    def next_offset(self, start: Offset, max_bytes: int) -> Offset:
        """Return where the next batch ends, `start` where nothing is to be read. Files that are gone are forgotten."""
        found = self.look() if self.bound is None else self.bound
        end, room = nothing_read(), max_bytes
        for name, size in sorted(found.items()):
            begin = start[SEGMENTS].get(name, 0)
            upto = max(begin, min(end_of_lines(self.root / name, begin, size), begin + room))
            room -= upto - begin
            if upto:
                end[SEGMENTS][name] = upto
        if room < max_bytes:
            return end
        return self.next_offset(start, max_bytes) if self.unseal_next() else start

    def unseal_next(self) -> bool:
        """Make a segment of the first sealed file that this query has not read; return False where there is none."""
        for day, folder in days_in(self.root).items():
            for path in (folder / name for name in sorted(raw_files(folder)[0]) if name.endswith(SEALED)):
                is_read = self.committed is not None and self.committed.has_read(path.name)
                if not is_read and is_settled(self.lake, path):
                    segment = gather_into_day(self.lake, day, [path])
                    if self.bound is not None and segment.exists():
                        self.bound[f"{folder.name}/{segment.name}"] = segment.stat().st_size
                    return True
        return False

    def pieces(self, start: Offset, end: Offset, tasks: int) -> list[list[Piece]]:
        """Return what lies between two offsets in about even shares, one a task."""
        spans = [(name, start[SEGMENTS].get(name, 0), upto) for name, upto in end[SEGMENTS].items()]
        share = math.ceil(sum(upto - begin for _, begin, upto in spans) / tasks)
        most_bytes = min(max(share, LEAST_BYTES_A_PIECE), MOST_BYTES_A_PIECE)
        pieces = [
            Piece(name, cut, min(cut + most_bytes, upto))
            for name, begin, upto in spans
            for cut in range(begin, upto, most_bytes)
        ]
        return [share for share in (pieces[task::tasks] for task in range(tasks)) if share]
