"""Parquet files of our tables: rows brought into the schema and order of their table, and files checked against it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.lake.errors import DamagedFileError, LakeError
from orbitlake.tables import OEM_TABLES, Table

ROW_GROUP_ROWS: Final = 1_000_000
ROWS_AT_ONCE: Final = 2**17
VERSION_KEY: Final = b"orbitlake.version"
REBUILD: Final = "python jobs/ingest_oem.py --rebuild"
"""What makes the tables of an older version anew, from the raw files."""


def write_table(rows: pa.Table, table: Table, file: Path, notes: Mapping[str, str] | None = None) -> None:
    """Write `rows` as a Parquet file of `table` at a place that nobody reads, and sync it; `notes` go into the footer.

    The columns must be those of the table, in any order; equal rows give equal bytes. Raises LakeError by name.
    """
    sorted_rows = in_order(rows, table)
    with file.open("wb") as sink:
        with pq.ParquetWriter(sink, sorted_rows.schema, compression="zstd", write_page_index=True) as writer:
            writer.write_table(sorted_rows, row_group_size=ROW_GROUP_ROWS)
            if notes:
                writer.add_key_value_metadata(dict(notes))
        sink.flush()
        os.fsync(sink.fileno())


def in_order(rows: pa.Table, table: Table) -> pa.Table:
    """Return `rows` in the table's schema and order. Raises LakeError by name."""
    typed = conform(rows, table)
    # Arrow cannot sort by a dictionary: where a key is one, its values are sorted in its place.
    keys = pa.table(
        {key: column.cast(plain_type(column.type)) for key in table.sort_by for column in [typed.column(key)]}
    )
    return typed.take(pc.sort_indices(keys, [(key, "ascending") for key in table.sort_by]))


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type of a dictionary's values, any other type as it is."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def conform(rows: pa.Table, table: Table) -> pa.Table:
    """Return `rows` in the table's schema; LakeError on a missing, foreign or mistyped column or null."""
    missing = set(table.column_names) - set(rows.column_names)
    foreign = set(rows.column_names) - set(table.column_names)
    if missing or foreign:
        raise LakeError(f"{table.name}: missing columns {sorted(missing)}, foreign columns {sorted(foreign)}")
    try:
        typed = rows.select(table.column_names).cast(table.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise LakeError(f"{table.name}: {error}") from error
    for column in table.columns:
        if column.required and typed.column(column.name).null_count:
            raise LakeError(
                f"{table.name}.{column.name}: {typed.column(column.name).null_count} nulls where none may be"
            )
    return typed


def rows_where(
    file: Path,
    table: Table,
    may_hold: Callable[[pq.RowGroupMetaData], bool],
    wanted: Callable[[pa.Table], pa.Array],
    columns: Sequence[str] | None = None,
) -> Iterator[pa.Table]:
    """Yield the rows of a published file that are `wanted` (a mask of rows), some at a time; some may be none.

    Row groups that by their footer may hold none of them are not read. Raises LakeError as open_checked does.
    """
    with open_checked(file, table) as opened:
        numbers = range(opened.metadata.num_row_groups)
        groups = [number for number in numbers if may_hold(opened.metadata.row_group(number))]
        for batch in opened.iter_batches(ROWS_AT_ONCE, groups, columns, use_threads=False):
            rows = pa.Table.from_batches([batch])
            yield rows.filter(wanted(rows))


def check_file(file: Path, table: Table) -> None:
    """Raise LakeError by name where a published file is of another version or schema than the table, or damaged."""
    open_checked(file, table).close()


def open_checked(file: Path, table: Table, *, at_once: bool = False) -> pq.ParquetFile:
    """Open a published file; `at_once` reads a small one into memory whole.

    Raises LakeError by name where it is of another version or schema than the table here, or damaged.
    """
    try:
        opened = pq.ParquetFile(pa.BufferReader(file.read_bytes()) if at_once else file)
    except pa.ArrowInvalid as error:
        raise DamagedFileError(f"{file} is damaged: {error}") from error
    found = opened.schema_arrow
    version = (found.metadata or {}).get(VERSION_KEY, b"none").decode()
    if version == str(table.version) and found.equals(table.schema):
        return opened
    opened.close()
    if version != str(table.version):
        reason = f"{file}: {table.name} of version {version}, this program knows version {table.version}"
        is_older = not version.isdigit() or int(version) < table.version
        raise LakeError(f"{reason}: run `{REBUILD}`" if is_older and table in OEM_TABLES else reason)
    raise LakeError(f"{file}: not the schema of {table.name} version {table.version}")
