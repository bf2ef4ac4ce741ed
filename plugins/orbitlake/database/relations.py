"""Tables of the lake as PostgreSQL has them: columns, key and comments, all of them made of tables.py."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, LiteralString

from psycopg import sql

from orbitlake.tables import (
    COUNT,
    COVERAGE,
    FLAG,
    GAPS,
    LABEL,
    POSITION_AUDIT,
    POSITIONS,
    POSITIONS_FILLED,
    REAL,
    SMALL,
    STATE_VECTORS,
    TAI_MICROSECONDS,
    TEXT,
    TEXTS,
    TRAJECTORY,
    UTC_MICROSECONDS,
    WINDOW_STATS,
    Table,
    type_name,
)

TYPES: Final[dict[str, LiteralString]] = {
    str(UTC_MICROSECONDS): "timestamp with time zone",
    str(TAI_MICROSECONDS): "timestamp without time zone",
    str(TEXT): "text",
    str(LABEL): "text",
    str(REAL): "double precision",
    str(COUNT): "bigint",
    str(SMALL): "integer",
    str(FLAG): "boolean",
    str(TEXTS): "text[]",
}
"""PostgreSQL's name of each type of tables.py."""
FOLDER_KEYS: Final[dict[str, tuple[LiteralString, str]]] = {
    "date": ("date", "UTC day, as in the folder of the lake"),
    "issue": ("text", "name of the issue, as in the folder of the lake"),
}
"""Columns that a file of the lake has by its folder alone: type and meaning."""
DAY_COLUMNS: Final = {
    POSITIONS.name: "event_time",
    WINDOW_STATS.name: "window_start",
    STATE_VECTORS.name: "creation_date",
    TRAJECTORY.name: "epoch",
    POSITION_AUDIT.name: "event_time",
    COVERAGE.name: "hour_start",
    GAPS.name: "start_time",
    POSITIONS_FILLED.name: "event_time",
}
"""The time by whose UTC day a table is partitioned; state_vectors, which comes by the issue, has that of the issue.

Any other table is small, or its files are replaced whole: it is one table.
"""


@dataclass(frozen=True)
class Relation:
    """A table of the lake in a schema of the database."""

    table: Table
    schema: str

    @property
    def name(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table.name)

    @property
    def day_column(self) -> str | None:
        """The time that says in which partition a row lies; None for a table that is not partitioned."""
        return DAY_COLUMNS.get(self.table.name)

    @cached_property
    def folder_keys(self) -> tuple[str, ...]:
        """The columns that come from folders, which stand first, as in the views of DuckDB."""
        return self.table.folder_keys

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return self.folder_keys + self.table.column_names

    @cached_property
    def columns(self) -> sql.Composed:
        """The columns as a list."""
        return sql.SQL(", ").join(map(sql.Identifier, self.column_names))

    @cached_property
    def key(self) -> tuple[str, ...]:
        """The key of the table, the issue where folders alone have it, and its time where a partition needs that in it.

        Objects that share an OBJECT_ID, such as UNKNOWN, and a creation date lie apart by the folder of the issue only.
        """
        issue = ("issue",) if "issue" in self.folder_keys else ()
        time = () if self.day_column is None or self.day_column in self.table.key else (self.day_column,)
        return self.table.key + issue + time

    @cached_property
    def primary_key(self) -> sql.Composed:
        return sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, self.key)))

    def creation(self, how: LiteralString = "") -> sql.Composed:
        """Return the statement that makes the table; `how` is what follows its columns."""
        keys = [
            sql.SQL("{} " + FOLDER_KEYS[key][0] + " NOT NULL").format(sql.Identifier(key)) for key in self.folder_keys
        ]
        own = [
            sql.SQL("{} " + TYPES[str(column.type)] + (" NOT NULL" if column.required else "")).format(
                sql.Identifier(column.name)
            )
            for column in self.table.columns
        ]
        body = sql.SQL(",\n  ").join([*keys, *own, self.primary_key])
        return sql.SQL("CREATE TABLE {} (\n  {}\n)" + how).format(self.name, body)

    def comments(self) -> list[sql.Composed]:
        """Return the statements that say of the table and of each column what it means, and in which unit."""
        statements = [
            sql.SQL("COMMENT ON TABLE {} IS {}").format(self.name, sql.Literal(comment_of(self.table))),
        ]
        for name, text in self.meanings().items():
            column = sql.Identifier(self.schema, self.table.name, name)
            statements.append(sql.SQL("COMMENT ON COLUMN {} IS {}").format(column, sql.Literal(text)))
        return statements

    def meanings(self) -> dict[str, str]:
        """Return the comment of each column: meaning, and the unit in brackets behind it."""
        keys = {key: FOLDER_KEYS[key][1] for key in self.folder_keys}
        return keys | {
            column.name: column.meaning + (f" [{column.unit}]" if column.unit else "") for column in self.table.columns
        }

    def shape(self, how: str) -> str:
        """Return what changes where the table has to be made anew; `how` says of what kind its partitions are."""
        types = [(column.name, type_name(column.type), column.required) for column in self.table.columns]
        facts = (self.folder_keys, types, self.key, self.day_column, self.table.version, how)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def wording(self) -> str:
        """Return what changes with any comment."""
        return hashlib.sha256(repr((comment_of(self.table), self.meanings())).encode()).hexdigest()


def comment_of(table: Table) -> str:
    """Return the comment of a table: what a row is, the frame, the version."""
    return f"{table.meaning} Version {table.version}." + (f" Frame: {table.frame}." if table.frame else "")
