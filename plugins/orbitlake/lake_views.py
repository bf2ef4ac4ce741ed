"""The views of a lake in DuckDB: one a table, closed and live days together, nothing twice."""

import glob
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.errors import DamagedFileError
from orbitlake.lake.listing import days_in, files_of_day, parts_of
from orbitlake.lake.parquet import check_file
from orbitlake.lake.paths import LIVE_NAME, day_of_folder, partition_pattern
from orbitlake.tables import OEM_TABLES, POSITION_TABLES, TABLES, Table

MOST_CHECKED: Final = 100_000
"""Files whose version is remembered, some 300 bytes each."""


class LakeViews:
    """The views of a lake; `is_temporary` where the database has other connections."""

    def __init__(
        self,
        lake: Lake,
        tables: Sequence[Table],
        since: date | None,
        issue: str | None,
        live: Mapping[str, pa.Table],
        *,
        is_temporary: bool,
    ) -> None:
        self._lake, self._tables, self._since, self._issue = lake, tables, since, issue
        self._create = f"CREATE OR REPLACE {'TEMP ' if is_temporary else ''}VIEW"
        self._defined: dict[str, str] = {}
        self._rows = dict(live)
        self._live = {name: f"live_{name}" for name in live}

    def define(self, database: duckdb.DuckDBPyConnection) -> None:
        """Define each view by the files that hold its table now."""
        while self._rows:
            name, rows = self._rows.popitem()
            database.register(self._live[name], rows)
        for table in self._tables:
            # The views' names and paths are ours alone: no user's text gets here.
            sql = view_sql(self._lake, table, since=self._since, issue=self._issue, live=self._live.get(table.name))
            if self._defined.get(table.name) != sql:
                if table in POSITION_TABLES:
                    check_ends(self._lake, table, self._since, with_live=table.name not in self._live)
                else:
                    check_partitions(self._lake, table, self._issue)
                database.execute(f"{self._create} {table.name} AS {sql}")
                self._defined[table.name] = sql


def check_ends(lake: Lake, table: Table, since: date | None, *, with_live: bool) -> None:
    """Raise LakeError where the oldest or newest file of a table by days is of another version than the view.

    DuckDB would name a column that it misses, or say nothing where only a unit differs. Looking into every file would
    take longer than most queries; a program of another version leaves its mark at one of the two ends.
    """
    closed, open_days = standing_days(lake, table, since)
    found = standing_files(closed, open_days if with_live else [])
    for file in {*found[:1], *found[-1:]}:
        # A live file may be gone since; the statement then finds it closed.
        with suppress(FileNotFoundError):
            check_file(Path(file), table)


def is_since(file: Path, since: date) -> bool:
    """Whether a file is of a day from `since` on, or of no day."""
    day = day_of_folder(file.parent.name)
    return day is None or day >= since


def check_partitions(lake: Lake, table: Table, issue: str | None) -> None:
    """Raise LakeError where a file of a table of the lake is of another version than the view.

    Issues of both versions lie side by side until the old ones are made anew, so that each is looked into, once. What
    is made of them is made anew as a whole: first and last tell.
    """
    files = sorted(lake.closed(table).glob(partition_pattern(table, issue)))
    for file in files if table in OEM_TABLES else {*files[:1], *files[-1:]}:
        # One removed meanwhile is none of the table's; a damaged one is named by DuckDB when it is read.
        with suppress(FileNotFoundError, DamagedFileError):
            found = file.stat()
            check_once(str(file), found.st_ino, found.st_mtime_ns, table.name)


@lru_cache(maxsize=MOST_CHECKED)
def check_once(file: str, _inode: int, _mtime_ns: int, table: str) -> None:
    """Raise LakeError as check_file does; a file found right is not opened again until it is another one."""
    check_file(Path(file), TABLES[table])


def view_sql(
    lake: Lake, table: Table, *, since: date | None = None, issue: str | None = None, live: str | None = None
) -> str:
    """The SELECT behind a table's view, its columns in the order of `tables.py`; `live` names its live rows."""
    columns = ", ".join(table.column_names)
    if table not in POSITION_TABLES:
        pattern = partition_pattern(table, issue)
        if not any(lake.closed(table).glob(pattern)):
            return empty(table, table.folder_keys)
        files = reading([f"{glob.escape(str(lake.closed(table)))}/{pattern}"], by_date="date" in table.folder_keys)
        beyond = f" WHERE date >= DATE {quoted(since.isoformat())}" if since and "date" in table.folder_keys else ""
        return f"SELECT {', '.join([*table.folder_keys, columns])} FROM {files}{beyond}"  # noqa: S608
    closed, open_days = standing_days(lake, table, since)
    selected = f"SELECT date, {columns} FROM"
    parts = []
    if closed:
        parts.append(
            f"{selected} {reading([glob.escape(file) for parts in closed.values() for file in parts], by_date=True)}"
        )
    if live is not None:
        names = ", ".join(f"DATE {quoted(day.isoformat())}" for day in closed)
        parts.append(f"{selected} {live}" + (f" WHERE date NOT IN ({names})" if closed else ""))
    elif open_days:
        globs = [pattern for day in open_days for pattern in day.globs()]
        parts.append(f"{selected} {reading(globs, by_date=True)}")
    return " UNION ALL ".join(parts) or empty(table, ["date"])


@dataclass(frozen=True, slots=True)
class OpenDay:
    """The live files of a day that is not closed, and whether one pattern can stand for them and them alone."""

    folder: Path
    names: list[str]
    is_clean: bool

    def files(self) -> list[str]:
        """The files, in order."""
        return [f"{self.folder}/{name}" for name in self.names]

    def globs(self) -> list[str]:
        """Patterns of the files: one, which takes new files too, or one each."""
        return [f"{glob.escape(str(self.folder))}/*.parquet"] if self.is_clean else list(map(glob.escape, self.files()))


def standing_days(lake: Lake, table: Table, since: date | None) -> tuple[dict[date, list[str]], list[OpenDay]]:
    """Return the files of each closed day, and all other days that have live files, from `since` on.

    One look decides for each day. Live files outlast the closing of their day by hours, so that a day seen open here
    can still be read when it has been closed since.
    """
    days = days_in(lake.closed(table), since)
    closed = {day: list(map(str, parts)) for day in days if (parts := parts_of(lake, table, day))}
    open_days = []
    for day, folder in days_in(lake.live(table), since).items():
        if day not in closed:
            found, has_strays = files_of_day(folder, LIVE_NAME)
            if found:
                # Names, not paths: an open day has thousands, and paths take ten times as long to sort.
                # DuckDB takes a backslash in a pattern for a separator, in the name of a file for what it is.
                is_clean = not has_strays and "\\" not in str(folder)
                open_days.append(OpenDay(folder, sorted(entry.name for entry in found), is_clean))
    return closed, open_days


def standing_files(closed: Mapping[date, Sequence[str]], open_days: Sequence[OpenDay]) -> list[str]:
    """Return the files of those days, closed ones first."""
    live = (file for day in open_days for file in day.files())
    return [*(file for parts in closed.values() for file in parts), *live]


def quoted(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def reading(globs: Iterable[str], *, by_date: bool = False) -> str:
    """The table function that reads some files."""
    # `date` of the folder is a date; the folder keys of the OEM tables stay text.
    types = ", hive_types = {'date': DATE}" if by_date else ""
    listed = ", ".join(map(quoted, globs))
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types_autocast = false{types})"


def empty(table: Table, keys: Sequence[str]) -> str:
    """A SELECT without rows but with the table's columns and types, and before them keys of its folders."""
    kinds = [("DATE" if key == "date" else "VARCHAR", key) for key in keys]
    typed = [*kinds, *((sql_type(column.type), column.name) for column in table.columns)]
    return f"SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for kind, name in typed)} WHERE false"


def sql_type(type_: pa.DataType) -> str:
    """DuckDB's name of an Arrow type of ours."""
    if pa.types.is_list(type_):
        return sql_type(type_.value_type) + "[]"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP WITH TIME ZONE" if type_.tz else "TIMESTAMP"
    return {"int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}.get(str(type_), "VARCHAR")
