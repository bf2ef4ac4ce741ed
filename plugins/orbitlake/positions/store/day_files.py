"""The files of a closed day: one a table, or several of a very large day; each says what it was closed from.

`lake/<table>/date=D/part-<n>.parquet`. The footer holds a digest of the live files that the day was closed from, by
their names and pages. A day is pending, that is to be closed (again), where its live files have another digest now: no
clock has a say in it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.columns import Indices
from orbitlake.lake import Lake
from orbitlake.lake.listing import parts_of
from orbitlake.lake.locks import lock_file
from orbitlake.lake.pages import Revision
from orbitlake.lake.parquet import rows_where
from orbitlake.positions.store.minute_files import day_of, live_days, live_files, minute_starts
from orbitlake.tables import POSITION_TABLES, POSITIONS, Table

CLOSED_FROM: Final = "orbitlake.closed_from"
OBJECT_ID: Final = POSITIONS.column_names.index("object_id")


def closed_rows(lake: Lake, starts_us: Indices, objects: pa.Array) -> pa.Table:
    """Return the positions that closed days hold of some objects in some minutes (starts, microseconds since 1970).

    Row groups of other objects alone, by their least and greatest, are not read. Raises LakeError by name.
    """

    def may_hold(group: pq.RowGroupMetaData) -> bool:
        of_group = group.column(OBJECT_ID).statistics
        is_between = pc.and_(pc.greater_equal(objects, of_group.min), pc.less_equal(objects, of_group.max))
        return bool(pc.any(is_between).as_py())

    def is_wanted(rows: pa.Table) -> pa.Array:
        is_of_minute = np.isin(minute_starts(rows, POSITIONS), starts_us)
        return pc.and_(pc.is_in(rows.column("object_id"), objects), pa.array(is_of_minute))

    parts = [part for day in sorted(set(map(day_of, starts_us))) for part in parts_of(lake, POSITIONS, day)]
    found = (rows for part in parts for rows in rows_where(part, POSITIONS, may_hold, is_wanted))
    return pa.concat_tables([POSITIONS.schema.empty_table(), *found])


@contextmanager
def compaction_lock(lake: Lake) -> Iterator[None]:
    """Wait until no other compaction or retirement is at work on the lake.

    The slower of two compactions would bring back what it read before, and live files are not to go while one reads.
    """
    with lock_file(lake.checkpoints / "compact_positions" / "lock"):
        yield


def live_digest(lake: Lake, day: date) -> str:
    """Return one digest of a day's live positions; empty for no files."""
    return digest_of(page_digests(lake, POSITIONS, day))


def page_digests(lake: Lake, table: Table, day: date) -> dict[Path, str]:
    """Return the digest of the pages of each live file of a day."""
    digests = {}
    for file in live_files(lake, table, day):
        # Retired meanwhile.
        with suppress(FileNotFoundError):
            digests[file] = Revision.of(file).digest
    return digests


def digest_of(digests: Mapping[Path, str]) -> str:
    """Return one digest of files by their names and the digests of their pages; empty for none."""
    lines = sorted(f"{file.name} {digest}\n" for file, digest in digests.items())
    return blake2b("".join(lines).encode(), digest_size=16).hexdigest() if lines else ""


def closed_from(part: Path) -> str:
    """The digest of the live files that a part was made from; empty for one of an earlier version."""
    return Revision.of(part).notes.get(CLOSED_FROM, "")


def is_pending(lake: Lake, day: date, digest: str | None = None) -> bool:
    """Tell whether a day is not closed, or was closed from other live files than it has now (whose digest this is)."""
    digest = live_digest(lake, day) if digest is None else digest
    parts = [parts_of(lake, table, day) for table in POSITION_TABLES]
    return bool(digest) and not (
        all(parts) and all(closed_from(part) == digest for of_table in parts for part in of_table)
    )


def days_before(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that have live files."""
    return [day for day in live_days(lake) if day < limit]


def pending_days(lake: Lake, limit: date) -> list[date]:
    """The days before `limit` that are to be closed: those never closed, and those that fixes came late for."""
    return [day for day in days_before(lake, limit) if is_pending(lake, day)]
