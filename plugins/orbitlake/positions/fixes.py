"""Lines of raw files -> fixes, failed polls and bad records: one row a line that is not blank."""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa
from pyspark.sql import DataFrame

from orbitlake.lake import errors_in_utf8, printable
from orbitlake.positions.blocks import block_of, rows_of
from orbitlake.positions.plain import read_plain
from orbitlake.positions.record import MAX_LINE_BYTES, RecordError, read_line, text_of
from orbitlake.positions.track import BASE_COLUMNS
from orbitlake.tables import POSITIONS

FIX: Final = "fix"
FAILED: Final = "failed"
BAD: Final = "bad"
MOST_BAD_BYTES: Final = 8 * 2**20
"""Bad lines that a task hands on whole; of more than so many bytes nobody can make use, and the raw file has them."""
RECORD_SCHEMA: Final = pa.schema(
    [
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("line", pa.binary()),
        ("file_name", pa.string()),
        *((name, POSITIONS.schema.field(name).type) for name in BASE_COLUMNS),
        ("offset", pa.int64()),
    ]
)


def read_records(lines: DataFrame, object_id: str) -> pa.Table:
    """Judge each line of `lines` (value: bytes, file_name, offset); a job of Spark's, and its result in memory.

    Columns: outcome (fix, failed or bad), reason and line (of bad ones), file_name, offset, and the base columns
    of a fix. Of the bad lines of a task the first MOST_BAD_BYTES are there; the line of any further one is null.
    `object_id` is the object of records of the older form, which do not name one.
    """
    place = "offset" if "offset" in lines.columns else "CAST(NULL AS BIGINT) AS offset"
    columns = lines.selectExpr("value", "file_name", place)
    blocks = columns.mapInArrow(reader(object_id), "block binary").toArrow()
    return pa.concat_tables([RECORD_SCHEMA.empty_table(), *map(rows_of, blocks.column("block"))])


def reader(object_id: str) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that judges batches of lines on an executor, as blocks of records."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        bad_bytes = 0
        with errors_in_utf8():
            for batch in batches:
                # Most lines are plain: reading those together takes a fifth of the time.
                is_plain, fixes = read_plain(batch.column(0))
                if fixes.num_rows:
                    yield as_row(of_plain(fixes))
                others = (column.filter(pa.array(~is_plain)).to_pylist() for column in batch.columns)
                rows = []
                for line, file_name, offset in zip(*others, strict=True):
                    if line.removeprefix(BOM_UTF8).strip(b" \t\r\n"):
                        outcome, reason, bad, *fix = judge(line, file_name, object_id)
                        kept = bad if bad_bytes < MOST_BAD_BYTES else None
                        bad_bytes += len(kept or b"")
                        rows.append((outcome, reason, kept, *fix, offset))
                if rows:
                    columns = zip(zip(*rows, strict=True), RECORD_SCHEMA, strict=True)
                    judged = [pa.array(values, type=field.type) for values, field in columns]
                    yield as_row(pa.table(judged, schema=RECORD_SCHEMA))

    return read


def as_row(records: pa.Table) -> pa.RecordBatch:
    """Return records as the one row of a frame of blocks."""
    return pa.RecordBatch.from_arrays([pa.array([block_of(records)], pa.binary())], names=["block"])


def of_plain(fixes: pa.Table) -> pa.Table:
    """Return fixes in rows of RECORD_SCHEMA."""
    given = {"outcome": pa.repeat(FIX, fixes.num_rows)} | {name: fixes.column(name) for name in BASE_COLUMNS}
    columns = [given.get(field.name, pa.nulls(fixes.num_rows, field.type)) for field in RECORD_SCHEMA]
    return pa.table(columns, schema=RECORD_SCHEMA)


def judge(line: bytes, file_name: str, object_id: str) -> tuple[object, ...]:
    """Return one row of RECORD_SCHEMA, but for the place of the line."""
    try:
        fix = read_line(text_of(line), object_id)
    except RecordError as error:
        return (BAD, printable(error), line[:MAX_LINE_BYTES], file_name, *(None for _ in BASE_COLUMNS))
    if fix is None:
        return (FAILED, None, None, file_name, *(None for _ in BASE_COLUMNS))
    return (FIX, None, None, file_name, *(getattr(fix, name) for name in BASE_COLUMNS))
