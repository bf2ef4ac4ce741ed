"""DuckDB over the published Parquet files: one view a table, closed and live days together, nothing twice."""

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from orbitlake.lake import PART, Lake, safe_name
from orbitlake.settings import from_environment
from orbitlake.tables import POSITION_TABLES, TABLES, Table

EVERYWHERE: Final = ("**",)


def connect(
    data: Path | None = None,
    *,
    since: date | None = None,
    issue: str | None = None,
    tables: Iterable[Table] = tuple(TABLES.values()),
    live: Mapping[str, pa.Table] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB with the views; `data` is the root, by default that of the settings.

    `since` leaves out earlier days, `issue` every other issue, such as 20230324T225531Z, `tables` every other table.
    A query that asks for no more gets the same rows, in a time that does not grow with the lake: what is left out is
    not even opened. `live` gives a table's live rows, with their `date`, to be used in place of its live files.

    A day that has been closed is read from `lake/`, any other from `live/`. The views follow new files by themselves;
    a table that has no file at the time of the call is an empty view until the next call.
    """
    lake = Lake(data or from_environment().data)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in tables:
        source = None
        if live and table.name in live:
            source = f"live_{table.name}"
            connection.register(source, live[table.name])
        # The views' names and globs are ours alone: no user's text gets here.
        sql = view_sql(lake, table, since=since, issue=issue, live=source)
        connection.execute(f"CREATE VIEW {table.name} AS {sql}")
    return connection


def view_sql(
    lake: Lake, table: Table, *, since: date | None = None, issue: str | None = None, live: str | None = None
) -> str:
    """The SELECT behind a table's view, its columns in the order of `tables.py`; `live` names its live rows."""
    columns = ", ".join(table.column_names)
    if table not in POSITION_TABLES:
        closed = globs_of(lake.closed(table), PART, (f"object_id=*/issue={safe_name(issue)}",) if issue else EVERYWHERE)
        return f"SELECT {columns} FROM {reading(closed)}" if closed else empty_sql(table)  # noqa: S608
    closed = globs_of(lake.closed(table), PART, day_folders(lake.closed(table), since))
    if live is None:
        files = globs_of(lake.live(table), "*.parquet", day_folders(lake.live(table), since))
        live = reading(files, by_date=True) if files else None
    parts = []
    if closed:
        parts.append(f"SELECT date, {columns} FROM {reading(closed, by_date=True)}")  # noqa: S608
    if live and closed:
        still_open = f"date NOT IN (SELECT date FROM {days(closed)})"  # noqa: S608
        parts.append(f"SELECT date, {columns} FROM {live} WHERE {still_open}")  # noqa: S608
    elif live:
        parts.append(f"SELECT date, {columns} FROM {live}")  # noqa: S608
    return " UNION ALL ".join(parts) or empty_sql(table, with_date=True)


def day_folders(folder: Path, since: date | None) -> Iterable[str]:
    """The names of the day folders from `since` on, or the pattern of them all, present and to come."""
    if since is None:
        return EVERYWHERE
    return sorted(day.name for day in folder.glob("date=*") if day.name >= f"date={since.isoformat()}")


def globs_of(folder: Path, name: str, folders: Iterable[str]) -> str | None:
    """The globs of a table's files in `folders` below it, as a list in SQL, or None where there is no file yet."""
    globs = [f"{folder}/{below}/{name}" for below in folders if any(folder.glob(f"{below}/{name}"))]
    return "[" + ", ".join(quoted(glob) for glob in globs) + "]" if globs else None


def quoted(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def reading(globs: str, *, by_date: bool = False) -> str:
    """The table function that reads the files of quoted globs."""
    # `date` of the folder is a date; the folder keys of the OEM tables stay text.
    types = ", hive_types = {'date': DATE}" if by_date else ""
    return f"read_parquet({globs}, hive_partitioning = true, hive_types_autocast = false{types})"


def days(globs: str) -> str:
    """A subquery with the closed days, read from the folders' names alone."""
    return f"(SELECT CAST(regexp_extract(file, 'date=([0-9-]{{10}})', 1) AS DATE) AS date FROM glob({globs}))"  # noqa: S608


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
