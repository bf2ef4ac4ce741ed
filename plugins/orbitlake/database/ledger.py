"""What is loaded, in the database itself and in the same transaction as the rows: a row a partition of the lake."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Cursor, sql

from orbitlake.database.lake_files import Sign

LOADED: Final = "loaded"
LOADED_TABLES: Final = "loaded_tables"

MADE: Final = (
    """
    CREATE TABLE IF NOT EXISTS {tables} (
      table_name text PRIMARY KEY,
      shape text NOT NULL,
      wording text NOT NULL,
      upstream text NOT NULL,
      made_at timestamp with time zone NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS {loaded} (
      table_name text NOT NULL REFERENCES {tables} ON DELETE CASCADE,
      partition text NOT NULL,
      files jsonb NOT NULL,
      digest text NOT NULL,
      row_count bigint NOT NULL,
      first_time timestamp with time zone,
      last_time timestamp with time zone,
      loaded_at timestamp with time zone NOT NULL DEFAULT now(),
      PRIMARY KEY (table_name, partition)
    )
    """,
    "COMMENT ON TABLE {tables} IS 'One row a table: the shape it was made with, and whose numbers it holds.'",
    "COMMENT ON TABLE {loaded} IS 'One row a partition of the lake: what was loaded of it, and when.'",
    "COMMENT ON COLUMN {loaded}.partition IS 'folder of the lake below that of the table'",
    "COMMENT ON COLUMN {loaded}.files IS 'name, bytes, time of writing in ns and inode of each file as it was read'",
    "COMMENT ON COLUMN {loaded}.digest IS 'BLAKE2b of the bytes of the files'",
    "COMMENT ON COLUMN {loaded}.row_count IS 'rows of the partition'",
    "COMMENT ON COLUMN {loaded}.first_time IS 'earliest time of its rows, where the table is partitioned by day [UTC]'",
    "COMMENT ON COLUMN {loaded}.last_time IS 'latest one, likewise [UTC]'",
    "COMMENT ON COLUMN {loaded}.loaded_at IS 'when its rows were last replaced [UTC]'",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of a partition."""

    sign: Sign
    digest: str
    rows: int
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """How a table was made: what its columns follow from, its comments, and whose numbers it holds."""

    shape: str
    wording: str
    upstream: str


class Ledger:
    """The two tables of the ledger, in a schema of the database."""

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._names = {
            "loaded": sql.Identifier(schema, LOADED),
            "tables": sql.Identifier(schema, LOADED_TABLES),
        }

    def make(self, cursor: Cursor[Any]) -> None:
        """Make both tables where they are absent."""
        for statement in MADE:
            cursor.execute(sql.SQL(statement).format(**self._names))

    def is_made(self, cursor: Cursor[Any]) -> bool:
        """Whether both tables are there."""
        query = "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = ANY(%s)"
        found = cursor.execute(query, (self._schema, [LOADED, LOADED_TABLES])).fetchone()
        return found == (2,)

    def tables(self, cursor: Cursor[Any]) -> dict[str, Made]:
        """Return how each table was made."""
        self._execute(cursor, "SELECT table_name, shape, wording, upstream FROM {tables}")
        return {name: Made(shape, wording, upstream) for name, shape, wording, upstream in cursor}

    def note_table(self, cursor: Cursor[Any], table: str, made: Made) -> None:
        """Say how a table was made; nothing is loaded into it."""
        self._execute(cursor, "DELETE FROM {tables} WHERE table_name = %s", table)
        insert = "INSERT INTO {tables} (table_name, shape, wording, upstream) VALUES (%s, %s, %s, %s)"
        self._execute(cursor, insert, table, made.shape, made.wording, made.upstream)

    def note_wording(self, cursor: Cursor[Any], table: str, wording: str) -> None:
        """Say that the comments of a table are others now."""
        self._execute(cursor, "UPDATE {tables} SET wording = %s WHERE table_name = %s", wording, table)

    def entries(self, cursor: Cursor[Any], tables: Iterable[str]) -> dict[str, dict[str, Entry]]:
        """Return what is loaded of some tables, by table and partition."""
        found: dict[str, dict[str, Entry]] = {table: {} for table in tables}
        wanted = (
            "SELECT table_name, partition, files, digest, row_count, first_time, last_time FROM {loaded} "
            "WHERE table_name = ANY(%s)"
        )
        self._execute(cursor, wanted, list(found))
        for table, partition, *facts in cursor:
            found[table][partition] = Entry(*facts)
        return found

    def entry(self, cursor: Cursor[Any], table: str, partition: str) -> Entry | None:
        """Return what is loaded of a partition."""
        wanted = (
            "SELECT files, digest, row_count, first_time, last_time FROM {loaded} "
            "WHERE table_name = %s AND partition = %s"
        )
        self._execute(cursor, wanted, table, partition)
        facts = cursor.fetchone()
        return Entry(*facts) if facts else None

    def note(self, cursor: Cursor[Any], table: str, partition: str, entry: Entry) -> None:
        """Say what was loaded of a partition."""
        self.forget(cursor, table, partition)
        insert = (
            "INSERT INTO {loaded} (table_name, partition, files, digest, row_count, first_time, last_time) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)"
        )
        facts = (json.dumps(entry.sign), entry.digest, entry.rows, entry.first, entry.last)
        self._execute(cursor, insert, table, partition, *facts)

    def note_files(self, cursor: Cursor[Any], table: str, partition: str, sign: Sign) -> None:
        """Say that other files hold the rows that are loaded."""
        update = "UPDATE {loaded} SET files = %s WHERE table_name = %s AND partition = %s"
        self._execute(cursor, update, json.dumps(sign), table, partition)

    def forget(self, cursor: Cursor[Any], table: str, partition: str) -> None:
        """Say that nothing is loaded of a partition."""
        self._execute(cursor, "DELETE FROM {loaded} WHERE table_name = %s AND partition = %s", table, partition)

    def _execute(self, cursor: Cursor[Any], statement: Any, *values: Any) -> None:
        cursor.execute(sql.SQL(statement).format(**self._names), values)
