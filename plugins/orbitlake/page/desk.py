"""Where questions are asked: each over no more days, issues and tables than it names."""

from datetime import date
from typing import Any

import duckdb

from orbitlake.lake import Lake
from orbitlake.page.answers import RowT
from orbitlake.page.live import LiveRows
from orbitlake.page.newest import newest_day
from orbitlake.query import connect
from orbitlake.tables import POSITION_TABLES, TABLES


class Desk:
    """Where the API asks its questions of one lake."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.live = LiveRows(lake)
        # Its cache of files tells a replaced file by a time that may be too coarse.
        self.duckdb = duckdb.connect(config={"enable_external_file_cache": "false"})

    def look(self) -> None:
        """Read the open days already that the first answers will be about."""
        for table in POSITION_TABLES:
            if day := newest_day(self.lake, table):
                self.live.since(table, day)

    def ask(self, sql: str, row: type[RowT], *, since: date | None = None, issue: str | None = None) -> list[RowT]:
        """Return the rows of a query over the days from `since` on and over one issue, where those are given."""
        return [row(**values) for values in self.ask_plainly(sql, since=since, issue=issue)]

    def ask_plainly(self, sql: str, *, since: date | None = None, issue: str | None = None) -> list[dict[str, Any]]:
        """The same as plain values by column name."""
        try:
            return self._ask(sql, since, issue)
        except (duckdb.IOException, FileNotFoundError):
            # Between the listing and the reading a day was closed and its live files removed: a new look tells.
            return self._ask(sql, since, issue)

    def _ask(self, sql: str, since: date | None, issue: str | None) -> list[dict[str, Any]]:
        tables = [table for table in TABLES.values() if table.name in sql]
        live = {table.name: self.live.since(table, since) for table in tables if since and table in POSITION_TABLES}
        with connect(
            self.lake.root, since=since, issue=issue, tables=tables, live=live, beside=self.duckdb
        ) as connection:
            result = connection.execute(sql)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
