"""What of the raw folder is not read yet, and how much of it the next batch takes: by bytes, so that any backlog fits.

An offset is bytes read by segment. A batch ends anywhere in a segment: a line is read by whoever reads its first byte.
Whatever else people brought becomes a segment once a batch has room for it: files of the inbox, and in the folder of a
day record files of the older layout, and sealed ones that this query has not read.
"""

import math
import os
import stat
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in, warn_of
from orbitlake.lake.paths import day_folder
from orbitlake.positions.raw.merging import finish_all, merge
from orbitlake.positions.raw.sealing import SEGMENTS, Committed, query_of, unmark_later
from orbitlake.positions.raw.segments import HIDDEN, SEALED, SEGMENT, Piece, landed_by

SETTLED_S: Final = 2.0
"""How long nobody must have touched a file that people brought for it to be taken: half a copy looks damaged."""
OF_A_DAY: Final = (SEGMENT, SEALED, ".json")
"""How the names end of what is taken from the folder of a day; `.json` are polls of before there were segments."""
NOT_TAKEN: Final = (
    f"not taken: a link, no file, of another file system, not to be read or moved by this process, or beside segments "
    f"and of another name than *{', *'.join(OF_A_DAY)}"
)
MOST_AT_ONCE: Final = 20_000
"""Files that people brought which become one segment."""
NAMED_AT_ONCE: Final = 20
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
        self.committed, self.query = Committed.of(checkpoint), query_of(checkpoint)
        self.brought: list[tuple[datetime, list[Path]]] = []
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
        self.brought, self.is_waiting = [], False
        segments: dict[str, int] = {}
        places = {self.lake.inbox_open_notify: datetime.now(UTC)}
        for day, folder in days_in(self.root).items():
            places[folder] = datetime(day.year, day.month, day.day, tzinfo=UTC)
        device = self.lake.root.stat().st_dev
        for folder, start in places.items():
            is_day = folder.parent == self.root
            settled = []
            for path, found in files_below(folder, OF_A_DAY if is_day else ("",)):
                is_ours = is_day and path.parent == folder
                if is_ours and self.query and landed_by(path.name) == self.query:
                    continue
                if is_ours and path.name.endswith(SEGMENT):
                    segments[f"{folder.name}/{path.name}"] = found.st_size
                elif is_ours and self.committed and self.committed.has_read(path.name):
                    continue
                elif not is_settled(found, now_ns):
                    self.is_waiting = True
                elif found.st_dev == device and os.access(path, os.R_OK) and os.access(path.parent, os.W_OK):
                    settled.append(path)
                else:
                    warn_of([str(path)], NOT_TAKEN)
            settled.sort()
            self.brought += [(start, settled[at : at + MOST_AT_ONCE]) for at in range(0, len(settled), MOST_AT_ONCE)]
        return segments

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
            if not room or not self.brought:
                return end if room < max_bytes else start
            segment = gather(self.lake, *self.brought.pop(0))
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


def file_clock_ns(lake: Lake) -> int:
    """Return what time it is to the file system of the lake, which may be another machine's."""
    clock = lake.staging / "clock"
    clock.parent.mkdir(parents=True, exist_ok=True)
    clock.touch()
    return clock.stat().st_ctime_ns


def is_settled(found: os.stat_result, now_ns: int) -> bool:
    """Whether nobody has touched a file for SETTLED_S. One from the future was there before the clock was set back."""
    return not 0 <= now_ns - found.st_ctime_ns < SETTLED_S * 1e9


def files_below(folder: Path, endings: tuple[str, ...]) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files below a folder whose names end so, and how they are; any other is named in a warning.

    Hidden ones are passed over: they are still being copied, by our advice.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(HIDDEN)]
        for path in (Path(parent, name) for name in (*folders, *names) if not name.startswith(HIDDEN)):
            # Taken away meanwhile.
            with suppress(FileNotFoundError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and path.name.endswith(endings):
                    yield path, found
                elif not stat.S_ISDIR(found.st_mode):
                    warn_of([str(path)], NOT_TAKEN)


def gather(lake: Lake, start: datetime, files: Sequence[Path]) -> Path:
    """Merge files into a segment that no collector writes; return it. It is not there where nothing was in them.

    Folders that become empty are removed, and those around them.
    """
    name = f"{start:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}{SEGMENT}"
    target = lake.raw_open_notify / day_folder(start.date()) / name
    merge(lake, target, files)
    named = ", ".join(path.name for path in files[:NAMED_AT_ONCE])
    more = f" and {len(files) - NAMED_AT_ONCE} more" if len(files) > NAMED_AT_ONCE else ""
    print(printable(f"{named}{more} -> {target}"), file=sys.stderr, flush=True)
    for folder in {path.parent for path in files}:
        # Not empty, or removed with another.
        with suppress(OSError):
            while folder not in (lake.inbox_open_notify, target.parent):
                folder.rmdir()
                folder = folder.parent
    return target
