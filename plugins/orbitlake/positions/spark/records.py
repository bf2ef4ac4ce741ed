"""Pieces of raw files -> blocks of fixes by bucket, bad lines, and a tally: what an executor makes of its lines.

Spark moves blocks of thousands of rows, each one value of a binary column: a row costs the JVM next to nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from orbitlake.lake.errors import errors_in_utf8, printable
from orbitlake.positions.raw.segments import lines_in
from orbitlake.positions.record import MAX_LINE_BYTES, RawRecord, RecordError, read_record
from orbitlake.positions.store.bad_lines import MOST_BAD_BYTES
from orbitlake.positions.store.minute_files import BASE_SCHEMA, Buckets, hashes_of
from orbitlake.tables import UTC_MICROSECONDS

FIX, BAD, TOLD, LANDED = "fix", "bad", "told", "landed"
BLOCK_SCHEMA: Final = pa.schema([("part", pa.int32()), ("kind", pa.string()), ("block", pa.binary())])
"""What executors yield: the part of the batch that is to do with it, what it is, and rows, or what is told in JSON."""
BLOCKS: Final = "part int, kind string, block binary"
"""The same for Spark."""
BAD_SCHEMA: Final = pa.schema(
    [("reason", pa.string()), ("line", pa.binary()), ("file_name", pa.string()), ("offset", pa.int64())]
)


class RowReader(Protocol):
    """Takes the rows of one task apart into pieces, whose lines are judged."""

    def pieces(self, batch: pa.RecordBatch) -> Iterable[tuple[Iterable[tuple[int, bytes]], str]]:
        """Yield the lines of each piece, each line with its place, and where the piece comes from."""

    def told(self) -> Sequence[dict[str, Any]]:
        """Return what the driver is to know at the task's end."""


class PieceReader:
    """Rows that are pieces of raw files (value, file_name, offset)."""

    def pieces(self, batch: pa.RecordBatch) -> Iterator[tuple[Iterable[tuple[int, bytes]], str]]:
        for content, file_name, begin in (row.values() for row in batch.to_pylist()):
            yield lines_in(content, begin), file_name

    def told(self) -> Sequence[dict[str, Any]]:
        return ()


def judge(
    object_id: str, buckets: Buckets, open_reader: Callable[[], RowReader] = PieceReader
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that judges raw records on an executor, of the rows that a reader takes apart.

    The tally counts records, fixes and failed polls; blank lines are none. Of the bad lines of a task the first
    MOST_BAD_BYTES are there; the line of any further one is null. `object_id` is the object of records of the older
    form, which do not name one.
    """

    def judged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tally: Counter[str] = Counter(records=0, fixes=0, failed_polls=0)
        bad_bytes = 0
        with errors_in_utf8():
            reader = open_reader()
            for lines, file_name in (piece for batch in batches for piece in reader.pieces(batch)):
                fixes, bad = [], []
                for offset, line in lines:
                    tally["records"] += 1
                    try:
                        record = read_record(line, object_id)
                    except RecordError as error:
                        kept = line[:MAX_LINE_BYTES] if bad_bytes < MOST_BAD_BYTES else None
                        bad_bytes += len(kept or b"")
                        where = {"file_name": file_name, "offset": offset}
                        bad.append({"reason": printable(error), "line": kept} | where)
                        continue
                    if record.is_fix:
                        fixes.append(record)
                    else:
                        tally["failed_polls"] += 1
                tally["fixes"] += len(fixes)
                rows = table_of(fixes)
                parts = hashes_of(rows.column("object_id")) % buckets.partitions
                for part in np.unique(parts):
                    yield row(part, FIX, block_of(rows.filter(pa.array(parts == part))))
                if bad:
                    yield row(0, BAD, block_of(pa.Table.from_pylist(bad, BAD_SCHEMA)))
            yield row(0, TOLD, json.dumps(tally).encode())
            for told in reader.told():
                yield row(0, LANDED, json.dumps(told).encode())

    return judged


def table_of(fixes: Sequence[RawRecord]) -> pa.Table:
    """Return fixes as a table of their base columns."""
    timestamps = np.array([fix.timestamp for fix in fixes], np.float64)
    columns = [
        pa.array([fix.object_id for fix in fixes], pa.string()),
        pa.array([fix.source for fix in fixes], pa.string()),
        pa.array(np.rint(timestamps * 1_000_000).astype(np.int64)).cast(UTC_MICROSECONDS),
        pa.array([fix.fetch_time for fix in fixes], UTC_MICROSECONDS),
        # -0.0 and 0.0 are one place, and must be one key.
        pa.array(np.array([fix.latitude for fix in fixes], np.float64) + 0.0),
        pa.array(np.array([fix.longitude for fix in fixes], np.float64) + 0.0),
        pa.array([fix.altitude_km for fix in fixes], pa.float64()),
    ]
    return pa.table(columns, schema=BASE_SCHEMA)


def row(part: int, kind: str, block: bytes) -> pa.RecordBatch:
    """Return one row of BLOCK_SCHEMA."""
    return pa.RecordBatch.from_pylist([{"part": part, "kind": kind, "block": block}], schema=BLOCK_SCHEMA)


def block_of(rows: pa.Table) -> bytes:
    """Return rows as the bytes of a block."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def rows_of(block: bytes) -> pa.Table:
    """Return the rows of a block; none is copied."""
    return pa.ipc.open_stream(block).read_all()
