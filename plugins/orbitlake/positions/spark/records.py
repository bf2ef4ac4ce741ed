"""Lines of raw files -> blocks of fixes by bucket, bad lines, and a tally: what an executor makes of its lines.

Spark moves blocks of thousands of rows, each one value of a binary column: a row costs the JVM next to nothing.
"""

import json
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa

from orbitlake.lake.errors import errors_in_utf8, printable
from orbitlake.positions.derive.order import BASE_COLUMNS
from orbitlake.positions.plain import read_plain
from orbitlake.positions.record import MAX_LINE_BYTES, Fix, RecordError, read_line, text_of
from orbitlake.positions.store.bad_lines import MOST_BAD_BYTES
from orbitlake.positions.store.closing import compact
from orbitlake.positions.store.minute_files import BASE_SCHEMA, Buckets, hashes_of

FIX, BAD, TALLY = "fix", "bad", "tally"
JUDGED: Final = pa.schema([("part", pa.int32()), ("kind", pa.string()), ("block", pa.binary())])
"""What `judge` yields: the part of the batch that is to do with it, what it is, and a block of rows or JSON."""
BAD_SCHEMA: Final = pa.schema(
    [("reason", pa.string()), ("line", pa.binary()), ("file_name", pa.string()), ("offset", pa.int64())]
)


def judge(object_id: str, buckets: Buckets) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that judges batches of lines (value, file_name, offset) on an executor.

    The tally counts records, fixes and failed polls; blank lines are none. Of the bad lines of a task the first
    MOST_BAD_BYTES are there; the line of any further one is null. `object_id` is the object of records of the older
    form, which do not name one.
    """

    def judged(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        tally: Counter[str] = Counter(records=0, fixes=0, failed_polls=0)
        bad_bytes = 0
        with errors_in_utf8():
            for batch in batches:
                # Most lines are plain: reading those together takes a fifth of the time.
                is_plain, plain = read_plain(batch.column(0))
                others = (column.filter(pa.array(~is_plain)).to_pylist() for column in batch.columns)
                fixes, bad = [], []
                for line, *where in zip(*others, strict=True):
                    if not line.removeprefix(BOM_UTF8).strip(b" \t\r\n"):
                        continue
                    tally["records"] += 1
                    try:
                        fix = read_line(text_of(line), object_id)
                    except RecordError as error:
                        kept = line[:MAX_LINE_BYTES] if bad_bytes < MOST_BAD_BYTES else None
                        bad_bytes += len(kept or b"")
                        bad.append((printable(error), kept, *where))
                        continue
                    if fix is None:
                        tally["failed_polls"] += 1
                    else:
                        fixes.append(fix)
                all_fixes = pa.concat_tables([plain.select(list(BASE_COLUMNS)).cast(BASE_SCHEMA), table_of(fixes)])
                tally["records"] += plain.num_rows
                tally["fixes"] += all_fixes.num_rows
                yield from (
                    row(part, FIX, block_of(compact(of_part)))
                    for part, of_part in enumerate(split(all_fixes.combine_chunks(), buckets.partitions))
                    if of_part.num_rows
                )
                if bad:
                    columns = zip(zip(*bad, strict=True), BAD_SCHEMA, strict=True)
                    arrays = [pa.array(values, field.type) for values, field in columns]
                    yield row(0, BAD, block_of(pa.table(arrays, schema=BAD_SCHEMA)))
            yield row(0, TALLY, json.dumps(tally).encode())

    return judged


def table_of(fixes: list[Fix]) -> pa.Table:
    """Return fixes as a table of their base columns."""
    columns = [[getattr(fix, name) for fix in fixes] for name in BASE_COLUMNS]
    return pa.table([pa.array(*each) for each in zip(columns, BASE_SCHEMA.types, strict=True)], schema=BASE_SCHEMA)


def row(part: int, kind: str, block: bytes) -> pa.RecordBatch:
    """Return one row of JUDGED."""
    return pa.RecordBatch.from_pylist([{"part": part, "kind": kind, "block": block}], schema=JUDGED)


def split(fixes: pa.Table, parts: int) -> list[pa.Table]:
    """Return the rows of each part: all of an object's are of one, always the same of so many."""
    if parts == 1:
        return [fixes]
    of_rows = hashes_of(fixes.column("object_id")) % parts
    return [fixes.filter(pa.array(of_rows == part)) for part in range(parts)]


def block_of(rows: pa.Table) -> bytes:
    """Return rows as the bytes of a block."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def rows_of(block: pa.BinaryScalar) -> pa.Table:
    """Return the rows of a block; none is copied."""
    return pa.ipc.open_stream(block.as_buffer()).read_all()
