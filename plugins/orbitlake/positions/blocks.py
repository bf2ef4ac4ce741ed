"""Rows on their way through Spark in blocks: fixes to the executors that derive the parts of a day, records back.

Spark moves blocks of thousands of rows, each one value of a binary column: a row costs the JVM next to nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from orbitlake.lake import errors_in_utf8, open_checked
from orbitlake.positions.track import BASE_COLUMNS, OF_OBJECT, object_numbers
from orbitlake.tables import POSITIONS

ROWS_A_BLOCK: Final = 50_000
ROWS_AT_ONCE: Final = 500_000
"""An executor derives whole objects, as many at a time as come to so many rows."""
SHARES_A_CORE: Final = 4
"""Files differ in size: they are dealt out to more tasks than there are cores."""
BASE_SCHEMA: Final = pa.schema([POSITIONS.schema.field(name) for name in BASE_COLUMNS])
EVENT_TIME: Final = POSITIONS.column_names.index("event_time")


def spread(spark: SparkSession, files: Sequence[Path], since: datetime, parts: int) -> DataFrame:
    """Return the fixes of published positions from `since` on as blocks (part, block), partition i those of part i.

    All fixes of an object are of one part, always the same of so many. Raises LakeError on a file of another schema.
    """
    shares = min(len(files), SHARES_A_CORE * spark.sparkContext.defaultParallelism)
    dealt = spark.range(0, shares, 1, shares)
    blocks = dealt.mapInArrow(block_reader(files, shares, since, parts), "part int, block binary")
    return blocks.repartitionById(parts, "part")


def block_reader(
    files: Sequence[Path], shares: int, since: datetime, parts: int
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that reads, on an executor, the files of the shares whose numbers it is given."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with errors_in_utf8():
            numbers = (number for batch in batches for number in batch.column(0).to_pylist())
            of_files = (
                fixes for number in numbers for file in files[number::shares] for fixes in fixes_in(file, since)
            )
            gathered: list[list[pa.RecordBatch]] = [[] for _ in range(parts)]
            rows = [0] * parts
            for fixes in of_files:
                for part, of_part in enumerate(split(fixes, parts)):
                    gathered[part].append(of_part)
                    rows[part] += of_part.num_rows
                    if rows[part] >= ROWS_A_BLOCK:
                        yield block(part, gathered[part])
                        gathered[part], rows[part] = [], 0
            yield from (block(part, rest) for part, rest in enumerate(gathered) if rest)

    return read


def fixes_in(file: Path, since: datetime) -> Iterator[pa.RecordBatch]:
    """Yield the fixes of published positions from `since` on; what its footer says is older is not even read."""
    with open_checked(file, POSITIONS) as opened:
        newest = [
            opened.metadata.row_group(group).column(EVENT_TIME).statistics.max
            for group in range(opened.metadata.num_row_groups)
        ]
        groups = [group for group, time in enumerate(newest) if time >= since]
        for batch in opened.iter_batches(ROWS_A_BLOCK, groups, list(BASE_COLUMNS), use_threads=False):
            yield batch.filter(pc.greater_equal(batch.column("event_time"), pa.scalar(since)))


def split(fixes: pa.RecordBatch, parts: int) -> list[pa.RecordBatch]:
    """Return the rows of each part."""
    if parts == 1:
        return [fixes]
    objects = fixes.column("object_id").dictionary_encode()
    of_objects = np.array([crc32(object_id.encode()) % parts for object_id in objects.dictionary.to_pylist()])
    of_rows = of_objects[objects.indices.to_numpy()]
    return [fixes.filter(pa.array(of_rows == part)) for part in range(parts)]


def block(part: int, gathered: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return one row: the part and its fixes, encoded."""
    fixes = pa.Table.from_batches(gathered).combine_chunks()
    for name in OF_OBJECT:
        fixes = fixes.set_column(fixes.column_names.index(name), name, fixes.column(name).dictionary_encode())
    values = [pa.array([part], pa.int32()), pa.array([block_of(fixes)], pa.binary())]
    return pa.RecordBatch.from_arrays(values, names=["part", "block"])


def block_of(rows: pa.Table) -> bytes:
    """Return rows as the bytes of a block."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


def rows_of(block: pa.BinaryScalar) -> pa.Table:
    """Return the rows of a block; none is copied."""
    return pa.ipc.open_stream(block.as_buffer()).read_all()


def by_objects(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield the fixes of all blocks, in the order of their objects, those of an object together."""
    blocks = [block for batch in batches for block in batch.column("block")]
    if not blocks:
        return
    fixes = pa.concat_tables(map(rows_of, blocks)).unify_dictionaries()
    numbers = object_numbers(fixes)
    rows_before = np.cumsum(np.bincount(numbers)) - np.bincount(numbers)
    turns = (rows_before // ROWS_AT_ONCE)[numbers]
    for turn in np.unique(rows_before // ROWS_AT_ONCE):
        yield fixes.filter(pa.array(turns == turn)).cast(BASE_SCHEMA)
