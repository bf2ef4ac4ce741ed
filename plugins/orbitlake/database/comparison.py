"""Whether the database holds what the lake does: a hash of the rows of each partition, taken on both sides."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Final, LiteralString

import psycopg
import pyarrow as pa
import pyarrow.csv as pv
from psycopg import sql

from orbitlake.database.connecting import Connection
from orbitlake.database.errors import DatabaseError, words_of
from orbitlake.database.lake_files import Partition, csv_of, partitions_of
from orbitlake.database.relations import Relation
from orbitlake.lake import Lake, LakeError
from orbitlake.lake.parquet import in_order, open_checked
from orbitlake.tables import Table

MICROSECONDS: Final[LiteralString] = "(extract(epoch FROM {0}) * 1000000)::bigint"
READ: Final = pv.ReadOptions(autogenerate_column_names=True)


def differences(connection: Connection, lake: Lake, tables: Iterable[Table], schema: str) -> Iterator[str]:
    """Yield a line for each partition whose rows in the database are not those of the lake, to the bit.

    One for a partition that cannot be read as well. Raises DatabaseError where the database cannot be asked.
    """
    for table in tables:
        for name, partition in partitions_of(lake, table).items():
            try:
                ours = rows_in_lake(partition)
                theirs = rows_in_database(connection, Relation(table, schema), partition)
            except psycopg.Error as error:
                raise DatabaseError(words_of(error)) from error
            except LakeError as error:
                yield str(error)
                continue
            except (OSError, pa.ArrowException) as error:
                yield f"{table.name}/{name}: {error}"
                continue
            if row_hash(ours, table) != row_hash(theirs, table):
                yield f"{table.name}/{name}: {ours.num_rows} rows in the lake, {theirs.num_rows} others in the database"


def row_hash(rows: pa.Table, table: Table) -> str:
    """Return a hash of rows in the order of their table, equal where each value is to the bit."""
    return hashlib.blake2b(csv_of(in_order(rows, table)), digest_size=16).hexdigest()


def rows_in_lake(partition: Partition) -> pa.Table:
    """Return the rows of a partition as its files hold them."""
    parts = []
    for file in partition.parts():
        with open_checked(file, partition.table) as opened:
            parts.append(opened.read())
    return pa.concat_tables(parts) if parts else partition.table.schema.empty_table()


def rows_in_database(connection: Connection, relation: Relation, partition: Partition) -> pa.Table:
    """Return the rows of a partition as the database holds them."""
    where = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(key), sql.Literal(value)) for key, value in partition.values.items()
    )
    fields = list(partition.table.schema)
    columns = sql.SQL(", ").join(sql.SQL(selected(each.type)).format(sql.Identifier(each.name)) for each in fields)
    statement = sql.SQL("COPY (SELECT {} FROM {} WHERE {}) TO STDOUT (FORMAT csv)").format(
        columns, relation.name, where
    )
    with connection.cursor() as cursor, cursor.copy(statement) as source:
        content = b"".join(map(bytes, source))
    if not content:
        return partition.table.schema.empty_table()
    options = pv.ConvertOptions(
        column_types={f"f{place}": printed(each.type) for place, each in enumerate(fields)},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=["t"],
        false_values=["f"],
    )
    newlines = pv.ParseOptions(newlines_in_values=True)
    read = pv.read_csv(pa.BufferReader(content), READ, newlines, options)
    return pa.table(
        [column_of(read.column(place), each.type) for place, each in enumerate(fields)], partition.table.schema
    )


def selected(type_: pa.DataType) -> LiteralString:
    """How a column is selected so that its text reads back to the bit."""
    if pa.types.is_timestamp(type_):
        return MICROSECONDS
    return "to_json({0})" if pa.types.is_list(type_) else "{0}"


def printed(type_: pa.DataType) -> pa.DataType:
    """The type of what is selected for a column."""
    if pa.types.is_timestamp(type_):
        return pa.int64()
    return pa.string() if pa.types.is_list(type_) or pa.types.is_dictionary(type_) else type_


def column_of(values: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Return what was selected for a column in the column's own type."""
    if pa.types.is_list(type_):
        return pa.chunked_array([pa.array([text and json.loads(text) for text in values.to_pylist()], type_)])
    return values.cast(type_)
