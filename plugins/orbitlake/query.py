"""DuckDB over the published Parquet files, here or in a store, and the files that other readers take."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import duckdb
import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.paths import partition_pattern
from orbitlake.lake_views import LakeViews, is_since, standing_days, standing_files
from orbitlake.settings import data_root, from_environment
from orbitlake.tables import POSITION_TABLES, TABLES, Table

if TYPE_CHECKING:
    from orbitlake.publishing import Store

SPARK_GLOB: Final = re.compile(r"[\\{}\[\]*?]")


def connect(
    data: str | Path | None = None,
    *,
    since: date | None = None,
    issue: str | None = None,
    tables: Iterable[Table] = tuple(TABLES.values()),
    live: Mapping[str, pa.Table] | None = None,
    beside: duckdb.DuckDBPyConnection | None = None,
) -> "Connection":
    """Return an in-memory DuckDB with the views; `data` is the root, by default that of the settings.

    Of an `s3://` or other URL of a store it is what `publish_lake` put there, all views as of one publication.

    `since` leaves out earlier days, `issue` every other issue, such as 20230324T225531Z, `tables` every other table.
    Views of tables that are split into days have a column `date` more, those split into issues one `issue`: with
    object_id it is the issue's identity also where the id names no object, such as UNKNOWN, and the issue is
    20230324T225531Z-NAME.
    A query that asks for no more gets the same rows, in a time that does not grow with the lake: what is left out is
    not even opened. `live` gives a table's live rows, with their `date`, to be used in place of its live files.
    `beside` is a DuckDB that goes on: starting one takes longer than most answers. Its other connections see no view.

    A day that has been closed is read from `lake/`, any other from `live/`; which is which is decided once a statement.
    Raises LakeError where the files are of another version than the tables here.
    """
    if is_store(data):
        from orbitlake.publishing.views import PublishedViews

        return Connection(PublishedViews(store_at(str(data)), tuple(tables), since, issue))
    views = LakeViews(lake_at(data), tuple(tables), since, issue, live or {}, is_temporary=beside is not None)
    return Connection(views, beside)


def files(table: str, data: str | Path | None = None, *, since: date | None = None) -> list[str]:
    """Return the files that hold the table's rows now, each row once: for pandas, Polars, Spark and others.

    The rule is that of the views. They are names, not patterns: `for_spark` writes them so that Spark takes them as
    names, and Polars wants `glob=False`. Of a store they are URLs. Raises KeyError for a table that there is not.
    """
    if is_store(data):
        from orbitlake.publishing.views import urls_of

        return urls_of(store_at(str(data)), TABLES[table], since)
    lake = lake_at(data)
    if TABLES[table] not in POSITION_TABLES:
        found = lake.closed(TABLES[table]).glob(partition_pattern(TABLES[table]))
        return sorted(str(file) for file in found if since is None or is_since(file, since))
    return standing_files(*standing_days(lake, TABLES[table], since))


def is_store(data: str | Path | None) -> bool:
    """Whether this is the URL of what is published, not of a data root."""
    return isinstance(data, str) and "://" in data and not data.startswith("file://")


def store_at(url: str) -> "Store":
    """The store at a URL, reached as the settings and the environment say. Raises StoreError."""
    from orbitlake.publishing import Access, Store

    settings = from_environment()
    return Store.open(url.rstrip("/"), Access(settings.publish_endpoint, settings.publish_region))


def lake_at(data: str | Path | None) -> Lake:
    """The lake at a data root, by default that of the settings. Raises SettingError for one that cannot be used."""
    return Lake(data_root(str(data), "data") if data else from_environment().data)


def for_spark(paths: Iterable[str]) -> list[str]:
    """Return paths as Spark's readers want them, which take every path for a pattern: `[2026]` becomes `\\[2026\\]`."""
    return [SPARK_GLOB.sub(r"\\\g<0>", path) for path in paths]


class Views(Protocol):
    """What defines the views of a connection, as they are to be now."""

    def define(self, database: duckdb.DuckDBPyConnection) -> None: ...


class Connection:
    """A DuckDB connection that looks at the tables anew before each use, so that its views follow new and closed days.

    It has all that DuckDB's own connection has.
    """

    def __init__(self, views: Views, beside: duckdb.DuckDBPyConnection | None = None) -> None:
        self._views = views
        self._duckdb = beside.cursor() if beside else duckdb.connect()
        self._duckdb.execute("SET TimeZone = 'UTC'")
        self._views.define(self._duckdb)

    def __getattr__(self, name: str) -> Any:
        self._views.define(self._duckdb)
        return getattr(self._duckdb, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._duckdb.close()
