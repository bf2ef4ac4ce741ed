"""Segments of days that are over -> one `.jsonl.gz` a day, by the stream's driver between two runs.

The name of a sealed file bears a mark: the query that read all that is in it, and its batch by then. So the stream
needs no list of what it has read, which would grow for ever, and a new checkpoint, or an older one from a backup, reads
the file.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from orbitlake.lake import Lake
from orbitlake.lake.lines import end_of_lines
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.merging import finish_all, merge
from orbitlake.positions.raw.segments import (
    MOST_NAME_BYTES,
    SEALED,
    SEGMENT,
    is_held,
    raw_files,
)

GRACE: Final = timedelta(hours=1)
"""How long after midnight UTC a day is left alone: a collector may have a record of it in hand."""
MARKED: Final = re.compile(rf"(.*)\.([0-9a-f]{{8}})-([0-9]+){re.escape(SEALED)}", re.DOTALL)
MOST_TORN_BYTES: Final = 8 * 2**20
SEGMENTS, PACKED = "segments", "sealed"
"""The keys of Spark's offset: bytes read by segment; bytes read, and of how many, by sealed file without our mark."""


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a stream has come by Spark's own files: its query, its last committed batch, the offset after that."""

    query: str
    batch: int
    offset: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, spark: Path) -> Self | None:
        """Return what is committed by a checkpoint, None where nothing is."""
        done = [int(file.name) for file in (spark / "commits").glob("[0-9]*") if file.name.isdigit()]
        if not done:
            return None
        query = json.loads((spark / "metadata").read_text())["id"][:8]
        # A version, a line about the batch, then a line for each source.
        *_, offset = (spark / "offsets" / str(max(done))).read_text().splitlines()
        return cls(query, max(done), json.loads(offset))

    def has_read(self, name: str) -> bool:
        """Whether the name of a sealed file bears a mark of this query, of now or before."""
        marked = MARKED.fullmatch(name)
        return marked is not None and marked[2] == self.query and int(marked[3]) <= self.batch

    def marked(self, stem: str) -> str:
        """Return the name of a sealed file that is read by now."""
        return f"{os.fsdecode(os.fsencode(stem)[:MOST_NAME_BYTES])}.{self.query}-{self.batch}{SEALED}"


def unmark_later(lake: Lake, committed: Committed) -> None:
    """Take the mark off sealed files of later batches than the last: the checkpoint has come out of a backup."""
    for folder in days_in(lake.raw_open_notify).values():
        for name in raw_files(folder)[0]:
            marked = MARKED.fullmatch(name)
            if marked and marked[2] == committed.query and not committed.has_read(name):
                (folder / name).rename(folder / f"{marked[1]}.{marked[2]}_{marked[3]}{SEALED}")


def seal_closed_days(
    lake: Lake, spark: Path, now: datetime, is_enough: Callable[[], bool] = lambda: False
) -> list[date]:
    """Seal what is committed of days closed at `now`; return the days whose files changed.

    The query must have ended and the checkpoint be held. `is_enough` is asked after each day.
    """
    finish_all(lake)
    committed = Committed.of(spark)
    changed = []
    for day, folder in days_in(lake.raw_open_notify).items():
        if committed is None or day >= (now.astimezone(UTC) - GRACE).date():
            break
        if seal_day(lake, folder, committed):
            changed.append(day)
            if is_enough():
                break
    return changed


def seal_day(lake: Lake, folder: Path, committed: Committed) -> bool:
    """Seal the segments of a day that were read and have no collector; mark the sealed files that were read."""
    read: list[tuple[Path, int]] = []
    has_changed = False
    for name in sorted(raw_files(folder)[0]):
        path, key = folder / name, f"{folder.name}/{name}"
        if name.endswith(SEGMENT):
            count, size = committed.offset[SEGMENTS].get(key, 0), path.stat().st_size
            is_read = end_of_lines(path, count, size) == count and size - count <= MOST_TORN_BYTES
            if is_read and not is_held(path):
                read.append((path, count))
        elif (part := committed.offset[PACKED].get(key)) and part[0] == part[1]:
            stem = marked[1] if (marked := MARKED.fullmatch(name)) else name.removesuffix(SEALED)
            target = folder / committed.marked(stem)
            if not target.exists():
                path.rename(target)
                has_changed = True
    if read:
        merge(lake, folder / committed.marked(read[0][0].stem), read)
    return has_changed or bool(read)
