"""DuckDB over the published Parquet files: one view a table, closed and live days together, nothing twice."""

from pathlib import Path

import duckdb
import pyarrow as pa

from orbitlake.lake import PART, Lake
from orbitlake.settings import from_environment
from orbitlake.tables import POSITION_TABLES, TABLES, Table


def connect(data: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB with the views; `data` is the root, by default that of the settings.

    A day that has been closed is read from `lake/`, any other from `live/`. The views follow new files by themselves;
    a table that has no file at the time of the call is an empty view until the next call.
    """
    lake = Lake(data or from_environment().data)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in TABLES.values():
        # The views' names and globs are ours alone: no user's text gets here.
        connection.execute(f"CREATE VIEW {table.name} AS {view_sql(lake, table)}")
    return connection


def view_sql(lake: Lake, table: Table) -> str:
    """The SELECT behind a table's view, its columns in the order of `tables.py`."""
    columns = ", ".join(table.column_names)
    closed = glob_of(lake.closed(table), PART)
    if table not in POSITION_TABLES:
        return f"SELECT {columns} FROM {reading(closed)}" if closed else empty_sql(table)  # noqa: S608
    live = glob_of(lake.live(table), "*.parquet")
    parts = []
    if closed:
        parts.append(f"SELECT date, {columns} FROM {reading(closed)}")  # noqa: S608
    if live and closed:
        parts.append(f"SELECT date, {columns} FROM {reading(live)} WHERE date NOT IN (SELECT date FROM {days(closed)})")  # noqa: S608
    elif live:
        parts.append(f"SELECT date, {columns} FROM {reading(live)}")  # noqa: S608
    return " UNION ALL ".join(parts) or empty_sql(table, with_date=True)


def glob_of(folder: Path, name: str) -> str | None:
    """The glob of a table's files, quoted for SQL, or None where there is no file yet."""
    if not any(folder.glob(f"**/{name}")):
        return None
    return "'" + f"{folder}/**/{name}".replace("'", "''") + "'"


def reading(glob: str) -> str:
    """The table function that reads the files of a quoted glob."""
    # `date` of the folder is a date; the folder keys of the OEM tables stay text.
    return f"read_parquet({glob}, hive_partitioning = true, hive_types_autocast = false, hive_types = {{'date': DATE}})"


def days(glob: str) -> str:
    """A subquery with the closed days, read from the folders' names alone."""
    return f"(SELECT CAST(regexp_extract(file, 'date=([0-9-]{{10}})', 1) AS DATE) AS date FROM glob({glob}))"  # noqa: S608


def empty_sql(table: Table, *, with_date: bool = False) -> str:
    """A SELECT without rows but with the table's columns and types."""
    typed = ", ".join(f"CAST(NULL AS {sql_type(column.type)}) AS {column.name}" for column in table.columns)
    return f"SELECT {'CAST(NULL AS DATE) AS date, ' if with_date else ''}{typed} WHERE false"


def sql_type(type_: pa.DataType) -> str:
    """DuckDB's name of an Arrow type of ours."""
    if pa.types.is_list(type_):
        return sql_type(type_.value_type) + "[]"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE"
    return {"int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}.get(str(type_), "VARCHAR")
