"""What of the raw folder is not read yet, and how much of it the next batch takes: by bytes, so that any backlog fits.

An offset is bytes read by segment. A batch ends anywhere in a segment: a line is read by whoever reads its first byte.
Whatever else is there becomes a segment once a batch has room for it: files of the inbox, of the older layout, and
sealed ones that this query has not read.
"""

import math
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.inbox import SETTLED_S, file_clock_ns, files_below, gather, is_settled
from orbitlake.positions.raw.merging import finish_all
from orbitlake.positions.raw.sealing import SEGMENTS, Committed, unmark_later
from orbitlake.positions.raw.segments import SEGMENT, Piece, raw_files

MOST_AT_ONCE: Final = 20_000
"""Files that people brought which become one segment."""
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
        self.others: list[tuple[datetime, list[Path]]] = []
        """What the last look found that is to become segments, and from when on their names say that they are."""
        self.is_waiting = False
        """Whether files that people brought have yet to settle."""
        self.bound: dict[str, int] | None = None
        """All that a query over what is there will read, segments and sizes; None where it goes on for ever."""
        finish_all(lake)
        if self.committed:
            unmark_later(lake, self.committed)

    def look(self) -> dict[str, int]:
        """Return the segments, by path below the root, with their bytes; find what is to become segments, too."""
        now_ns = file_clock_ns(self.lake)
        files = sorted(files_below(self.lake))
        settled = [path for path, found in files if is_settled(found, now_ns)]
        self.is_waiting = len(settled) < len(files)
        starts = range(0, len(settled), MOST_AT_ONCE)
        self.others = [(datetime.now(UTC), settled[start : start + MOST_AT_ONCE]) for start in starts]
        found: dict[str, int] = {}
        for day, folder in days_in(self.root).items():
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            names, older = raw_files(folder)
            self.others += [(midnight, sorted(older))] if older else []
            for path in (folder / name for name in sorted(names)):
                is_read = self.committed is not None and self.committed.has_read(path.name)
                # Taken away meanwhile.
                with suppress(FileNotFoundError):
                    if path.name.endswith(SEGMENT):
                        found[f"{folder.name}/{path.name}"] = path.stat().st_size
                    elif not is_read and is_settled(path.stat(), now_ns):
                        self.others.append((midnight, [path]))
                    elif not is_read:
                        self.is_waiting = True
        return found

    def bind(self) -> None:
        """Take what is there now for all that there is, once what people brought is settled."""
        found = self.look()
        if self.is_waiting:
            # A file that grows on and on is not waited for. File systems count time in ticks.
            time.sleep(SETTLED_S + 0.1)
            found = self.look()
        self.bound = found

    def next_offset(self, start: Offset, max_bytes: int) -> Offset:
        """Return where the next batch ends, `start` where nothing is to be read. Files that are gone are forgotten."""
        found = self.look() if self.bound is None else self.bound
        while True:
            end, room = nothing_read(), max_bytes
            for name, size in sorted(found.items()):
                begin = start[SEGMENTS].get(name, 0)
                upto = max(begin, min(end_of_lines(self.root / name, begin, size), begin + room))
                room -= upto - begin
                if upto:
                    end[SEGMENTS][name] = upto
            if not room or not self.others:
                return end if room < max_bytes else start
            segment = gather(self.lake, *self.others.pop(0))
            if segment.exists():
                found[f"{segment.parent.name}/{segment.name}"] = segment.stat().st_size

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
