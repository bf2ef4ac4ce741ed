"""Segments of days that are over -> one `.jsonl.gz` a day, by the stream's driver between two runs.

A day is sealed once all of it is read and no collector writes to it. The name of the file bears a mark: the query that
read it, and its batch by then. So the offset forgets a day with its segments, and a new checkpoint, or an older one
from a backup, knows that it has not read the file.
"""

import json
import os
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.merging import finish_all, merge
from orbitlake.positions.raw.segments import (
    MOST_NAME_BYTES,
    SEALED,
    SEGMENT,
    end_last_line,
    is_held,
    landed_by,
    raw_files,
)

GRACE: Final = timedelta(hours=1)
"""How long after midnight UTC a day is left alone: a collector may have a record of it in hand."""
MARKED: Final = re.compile(rf"(.*)\.([0-9a-f]{{8}})-([0-9]+){re.escape(SEALED)}", re.DOTALL)
SEGMENTS: Final = "segments"
"""The key of Spark's offset: bytes read by segment."""
NO_OFFSET: Final = "-"
"""What stands in Spark's log for a source that had nothing yet."""


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a stream has come by Spark's own files: its query, its last committed batch, the bytes read by then."""

    query: str
    batch: int
    bytes_read: Mapping[str, int]

    @classmethod
    def of(cls, spark: Path) -> Self | None:
        """Return what is committed by a checkpoint, None where nothing is."""
        batch = last_batch(spark)
        if batch is None:
            return None
        bytes_read = json.loads(last_committed(spark, 0) or "{}").get(SEGMENTS, {})
        return cls(query_of(spark) or "", batch, bytes_read)

    def has_read(self, name: str) -> bool:
        """Whether the name of a sealed file bears a mark of this query, of now or before."""
        marked = MARKED.fullmatch(name)
        return marked is not None and marked[2] == self.query and int(marked[3]) <= self.batch


def query_of(spark: Path) -> str | None:
    """Return the short id of a checkpoint's query, None of one that never began."""
    try:
        return str(json.loads((spark / "metadata").read_text())["id"][:8])
    except FileNotFoundError:
        return None


def last_batch(spark: Path) -> int | None:
    """Return the number of the last committed batch of a checkpoint, None where there is none."""
    return max((int(file.name) for file in (spark / "commits").glob("[0-9]*") if file.name.isdigit()), default=None)


def last_committed(spark: Path, source: int) -> str | None:
    """Return the offset of one source of a query by its last committed batch; None where it had nothing yet."""
    batch = last_batch(spark)
    if batch is None:
        return None
    # A version, a line about the batch, then a line for each source.
    _, _, *offsets = (spark / "offsets" / str(batch)).read_text().splitlines()
    return offsets[source] if source < len(offsets) and offsets[source] != NO_OFFSET else None


def unmark_later(lake: Lake, committed: Committed) -> None:
    """Take the mark off sealed files of later batches than the last: the checkpoint has come out of a backup."""
    for folder in days_in(lake.raw_open_notify).values():
        for name in raw_files(folder):
            marked = MARKED.fullmatch(name)
            if marked and marked[2] == committed.query and not committed.has_read(name):
                (folder / name).rename(folder / f"{marked[1]}.{marked[2]}_{marked[3]}{SEALED}")


def seal_closed_days(
    lake: Lake,
    spark: Path,
    now: datetime,
    is_enough: Callable[[], bool] = lambda: False,
    unfinished: Container[str] = (),
) -> list[date]:
    """Seal the days closed at `now` of which all is committed; return them.

    The query must have ended and the checkpoint be held. `is_enough` is asked after each day. `unfinished` names the
    segments that a batch which is to be done again landed in.
    """
    finish_all(lake)
    committed = Committed.of(spark)
    sealed: list[date] = []
    for day, folder in days_in(lake.raw_open_notify).items():
        if committed is None or day >= (now.astimezone(UTC) - GRACE).date() or (sealed and is_enough()):
            break
        segments = [folder / name for name in raw_files(folder) if name.endswith(SEGMENT)]
        # Each is asked, since asking ends its torn line.
        are_done = [is_done(path, committed) and path.name not in unfinished for path in segments]
        if segments and all(are_done):
            stem = os.fsdecode(os.fsencode(segments[0].stem)[:MOST_NAME_BYTES])
            merge(lake, folder / f"{stem}.{committed.query}-{committed.batch}{SEALED}", segments)
            sealed.append(day)
    return sealed


def is_done(segment: Path, committed: Committed) -> bool:
    """Whether nobody appends to a segment and all of it is read; a torn last line is ended, for the next run to read.

    So it is judged like any other line: it counts where it lacks its newline alone, and else goes to quarantine.
    """
    if is_held(segment):
        return False
    end_last_line(segment)
    if landed_by(segment.name) == committed.query:
        return True
    return committed.bytes_read.get(f"{segment.parent.name}/{segment.name}", 0) == segment.stat().st_size
