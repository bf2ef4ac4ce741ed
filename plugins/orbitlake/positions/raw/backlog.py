"""What of the raw folder is not read yet, and how much of it the next batch takes: by bytes, so that any backlog fits.

An offset is bytes read by file. A batch ends anywhere in a file: a line is read by whoever reads its first byte.
"""

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from orbitlake.lake import Lake
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.inbox import SETTLED_S, Inbox, gather_older
from orbitlake.positions.raw.merging import finish_all
from orbitlake.positions.raw.reading import DAMAGE, Packed, Piece, RawFileError, undamaged
from orbitlake.positions.raw.sealing import PACKED, SEGMENTS, Committed, unmark_later
from orbitlake.positions.raw.segments import SEALED, raw_files

LEAST_BYTES_A_TASK: Final = 256 * 2**10
COPIED_S: Final = 60.0
"""How long nobody must have written to a sealed file that somebody put there: half a copy looks damaged."""

Offset = dict[str, dict[str, Any]]


def nothing_read() -> Offset:
    """Return the offset of before the first batch."""
    return {PACKED: {}, SEGMENTS: {}}


class Backlog:
    """The files of a raw folder as the driver of one query sees them."""

    def __init__(self, lake: Lake, checkpoint: Path):
        self.lake, self.root = lake, lake.raw_open_notify
        self.inbox = Inbox(lake)
        self.committed = Committed.of(checkpoint)
        self.bound: dict[str, int] | None = None
        """All that a query over what is there will read, files and sizes; None where it goes on for ever."""
        self.insides: dict[str, Packed] = {}
        finish_all(lake)
        if self.committed:
            unmark_later(lake, self.committed)

    def look(self) -> dict[str, int]:
        """Return the segments and the sealed files without this query's mark, by path below the root, with their bytes.

        What people brought is made a segment first.
        """
        self.inbox.take()
        found = {}
        for day, folder in days_in(self.root).items():
            names, older = raw_files(folder)
            if older:
                gather_older(self.lake, day, older)
                names, _ = raw_files(folder)
            for name in names:
                # Taken away meanwhile.
                with suppress(FileNotFoundError):
                    if not (self.committed and self.committed.has_read(name)):
                        found[f"{folder.name}/{name}"] = (folder / name).stat().st_size
        return found

    def bind(self) -> None:
        """Take what is there now for all that there is, the inbox included once its files are settled."""
        found, has_taken, idle_rounds = self.look(), False, 0
        # More than one look takes may be there; and a file that grows on and on is not waited for.
        while (self.inbox.seen or has_taken) and idle_rounds < 2:
            before = self.inbox.taken
            time.sleep(SETTLED_S)
            found = self.look()
            has_taken = self.inbox.taken > before
            idle_rounds = 0 if has_taken else idle_rounds + 1
        self.bound = found

    def next_offset(self, start: Offset, max_bytes: int) -> Offset:
        """Return where the next batch ends, `start` where nothing is to be read. Files that are gone are forgotten."""
        found = self.look() if self.bound is None else self.bound
        end, room = nothing_read(), max_bytes
        for name, size in sorted(found.items()):
            if name.endswith(SEALED):
                begin, whole = start[PACKED].get(name) or (0, self.unpacked_size(name) if room else 0)
            else:
                begin = start[SEGMENTS].get(name, 0)
                whole = end_of_lines(self.root / name, begin, size)
            upto = max(begin, min(whole, begin + room))
            room -= upto - begin
            if upto and name.endswith(SEALED):
                end[PACKED][name] = [upto, whole]
            elif upto:
                end[SEGMENTS][name] = upto
        return start if room == max_bytes else end

    def unpacked_size(self, name: str) -> int:
        """Return the unpacked bytes of a sealed file; 0 while it is copied, and of a damaged one, then moved away."""
        path = self.root / name
        # Taken away meanwhile.
        with suppress(FileNotFoundError):
            is_copied = not 0 <= time.time() - path.stat().st_mtime < COPIED_S
            if is_copied and (inside := self.insides.get(name) or undamaged(self.lake, path)):
                self.insides[name] = inside
                return inside.size
        return 0

    def pieces(self, start: Offset, end: Offset, tasks: int) -> list[list[Piece]]:
        """Return what lies between two offsets in even shares, one a task. Raises RawFileError where a file is gone."""
        before = bytes_read(start)
        spans = [(name, before.get(name, 0), upto) for name, upto in bytes_read(end).items()]
        share = max(LEAST_BYTES_A_TASK, math.ceil(sum(upto - begin for _, begin, upto in spans) / tasks))
        shares: list[list[Piece]] = []
        room = 0
        for name, begin, upto in spans:
            while begin < upto:
                if not room:
                    shares.append([])
                    room = share
                cut = min(upto, begin + room)
                shares[-1].append(self.piece(name, begin, cut))
                room -= cut - begin
                begin = cut
        return shares

    def piece(self, name: str, begin: int, end: int) -> Piece:
        """Return a part of a file, with the place to unpack from."""
        if not name.endswith(SEALED):
            return Piece(name, begin, end)
        try:
            inside = self.insides[name] = self.insides.get(name) or Packed.of(self.root / name)
        except (OSError, *DAMAGE) as error:
            raise RawFileError.of(self.root / name, error) from error
        return Piece(name, begin, end, inside.member_before(max(begin - 1, 0)))


def bytes_read(offset: Offset) -> dict[str, int]:
    """Return the bytes read of each file, of sealed ones first."""
    return {name: upto for name, (upto, _) in offset[PACKED].items()} | offset[SEGMENTS]
