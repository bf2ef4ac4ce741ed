"""How a table is split into days, natively or by TimescaleDB, and how the rows of a partition are put into it.

Both go one way: rows are copied aside, what differs is replaced, all in the transaction of the caller. Two things only
are not the same: how a table is made, and that a new day of a native one is copied into what becomes its partition.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

import pyarrow as pa
from psycopg import Cursor, sql

from orbitlake.database.lake_files import Days, one_ahead
from orbitlake.database.relations import Relation

STAGED: Final = sql.Identifier("pg_temp", "orbitlake_staged")
CHANGES: Final = sql.Identifier("pg_temp", "orbitlake_changes")
LARGE_JOIN: Final = "SET LOCAL work_mem = '128MB'"
LARGE_INDEX: Final = "SET LOCAL maintenance_work_mem = '128MB'"
"""A day of a million rows is sorted in memory, in the order that it has in the file already."""
SEGMENTS: Final = ("object_id", "source", "segment")
"""Columns by which TimescaleDB groups rows that it compresses, where a table has them."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The rows that a partition is to have: as CSV, with the keys of its folder, and between which times they lie.

    `first` and `last` enclose the rows held so far as well; None for a table that is not split into days.
    """

    relation: Relation
    keys: Mapping[str, str | date]
    rows: Iterator[pa.Buffer]
    days: Days | None = None
    first: datetime | None = None
    last: datetime | None = None


class Partitioning(Protocol):
    """One of the two ways."""

    kind: str

    def create(self, cursor: Cursor[Any], relation: Relation, column: str) -> None:
        """Make a table that is split into the UTC days of a column."""

    def place(self, cursor: Cursor[Any], replacement: Replacement) -> int:
        """Put rows in place of those held; return how many they are."""


class NativePartitions:
    """PostgreSQL's own partitions, a table a UTC day."""

    kind = "native"

    def create(self, cursor: Cursor[Any], relation: Relation, column: str) -> None:
        """Make a table that is split into the UTC days of a column."""
        by_day = sql.SQL(" PARTITION BY RANGE ({})").format(sql.Identifier(column))
        cursor.execute(relation.creation() + by_day)

    def place(self, cursor: Cursor[Any], replacement: Replacement) -> int:
        """Put rows in place of those held; return how many they are.

        A day that is not there yet is copied into a table of its own, which then becomes its partition.
        """
        relation, days = replacement.relation, replacement.days
        if days is None:
            return merge(cursor, replacement)
        absent = [day for day in days.days if not self.has(cursor, relation, day)]
        if len(days.days) == 1 and absent:
            return self.adopt(cursor, replacement, absent[0])
        for day in absent:
            self.make_day(cursor, relation, day)
            self.attach(cursor, relation, day)
        return merge(cursor, replacement)

    def adopt(self, cursor: Cursor[Any], replacement: Replacement, day: date) -> int:
        """Copy the rows of a new day into what becomes its partition."""
        relation = replacement.relation
        aside = self.make_day(cursor, relation, day)
        count = copy(cursor, aside, relation, replacement.rows)
        # After the rows: one sort in place of a search a row.
        cursor.execute(LARGE_INDEX)
        cursor.execute(sql.SQL("ALTER TABLE {} ADD {}").format(aside, relation.primary_key))
        # Late rows may come before the server looks at the day by itself, and its plan for them is bad till then.
        cursor.execute(sql.SQL("ANALYZE {}").format(aside))
        self.attach(cursor, relation, day)
        return count

    @staticmethod
    def name(relation: Relation, day: date) -> str:
        """The name of a day's table, such as positions_20261120."""
        return f"{relation.table.name}_{day.isoformat().replace('-', '')}"

    def has(self, cursor: Cursor[Any], relation: Relation, day: date) -> bool:
        """Whether the table of a day is there."""
        query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = %s AND tablename = %s)"
        found = cursor.execute(query, (relation.schema, self.name(relation, day))).fetchone()
        return found == (True,)

    def make_day(self, cursor: Cursor[Any], relation: Relation, day: date) -> sql.Identifier:
        """Make the table of a day, which nobody sees before it is attached."""
        aside = sql.Identifier(relation.schema, self.name(relation, day))
        cursor.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(aside, relation.name))
        return aside

    def attach(self, cursor: Cursor[Any], relation: Relation, day: date) -> None:
        """Make the table of a day a partition: readers go on meanwhile, as they would not beside CREATE or DROP."""
        begin = midnight(day)
        statement = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            relation.name,
            sql.Identifier(relation.schema, self.name(relation, day)),
            sql.Literal(begin.isoformat()),
            sql.Literal((begin + timedelta(days=1)).isoformat()),
        )
        cursor.execute(statement)


class Hypertables:
    """TimescaleDB's hypertables, a chunk a UTC day; old ones are compressed by its own background job."""

    kind = "timescaledb"

    def __init__(self, compress_after_days: int | None) -> None:
        self.compress_after_days = compress_after_days

    def create(self, cursor: Cursor[Any], relation: Relation, column: str) -> None:
        """Make a table that is split into the UTC days of a column."""
        cursor.execute(relation.creation())
        hypertable = (
            "SELECT create_hypertable(%s::regclass, by_range(%s, INTERVAL '1 day'), create_default_indexes => false)"
        )
        quoted = relation.name.as_string(cursor)
        cursor.execute(hypertable, (quoted, column))
        if self.compress_after_days is None:
            return
        segments = [name for name in SEGMENTS if name in relation.key]
        order = [name for name in relation.key if name not in segments]
        compressed = sql.SQL(
            "ALTER TABLE {} SET (timescaledb.compress, timescaledb.compress_segmentby = {}, "
            "timescaledb.compress_orderby = {})"
        ).format(relation.name, sql.Literal(", ".join(segments)), sql.Literal(", ".join(order)))
        cursor.execute(compressed)
        policy = "SELECT add_compression_policy(%s::regclass, compress_after => make_interval(days => %s))"
        cursor.execute(policy, (quoted, self.compress_after_days))

    def place(self, cursor: Cursor[Any], replacement: Replacement) -> int:
        """Put rows in place of those held; return how many they are."""
        return merge(cursor, replacement)


def partitioning_of(cursor: Cursor[Any]) -> Partitioning:
    """Return hypertables where the database has TimescaleDB, else native partitions.

    Its edition under the Apache licence does not compress.
    """
    found = cursor.execute(
        "SELECT current_setting('timescaledb.license', true) FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    if found is None:
        return NativePartitions()
    return Hypertables(COMPRESS_AFTER_DAYS if found[0] == "timescale" else None)


COMPRESS_AFTER_DAYS: Final = 7
"""Late rows hardly come after so many days; where they do, TimescaleDB unpacks what they touch."""


def merge(cursor: Cursor[Any], replacement: Replacement) -> int:
    """Copy rows aside and replace what differs from them; return how many they are.

    Rows that are the same to the bit stay untouched, as REFRESH MATERIALIZED VIEW CONCURRENTLY leaves them: late rows
    cost what they change, not what their day holds.
    """
    relation = replacement.relation
    cursor.execute(sql.SQL("CREATE TEMPORARY TABLE orbitlake_staged (LIKE {}) ON COMMIT DROP").format(relation.name))
    count = copy(cursor, STAGED, relation, replacement.rows)
    cursor.execute(LARGE_JOIN)
    find_changes(cursor, replacement)
    remove_others(cursor, replacement)
    insert_missing(cursor, replacement)
    cursor.execute(sql.SQL("DROP TABLE {}, {}").format(STAGED, CHANGES))
    return count


def copy(cursor: Cursor[Any], target: sql.Identifier, relation: Relation, rows: Iterator[pa.Buffer]) -> int:
    """Copy rows into a table by COPY; return how many they are."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(target, relation.columns)
    with cursor.copy(statement) as sink:
        for chunk in one_ahead(rows):
            sink.write(memoryview(chunk))
    return cursor.rowcount


def find_changes(cursor: Cursor[Any], replacement: Replacement) -> None:
    """Note, by one join, where the rows copied aside are that are not held, and the keys of those held that go."""
    relation = replacement.relation
    where, values = within(replacement)
    first = sql.Identifier(relation.key[0])
    keys = sql.SQL(", ").join(sql.SQL("held.{}").format(sql.Identifier(name)) for name in relation.key)
    cursor.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE orbitlake_changes ON COMMIT DROP AS "
            "SELECT staged.ctid AS new_row, {} FROM {} AS staged "
            "FULL JOIN (SELECT * FROM {} AS held WHERE {}) AS held ON {} AND staged.* OPERATOR(pg_catalog.*=) held.* "
            "WHERE staged.{} IS NULL OR held.{} IS NULL"
        ).format(keys, STAGED, relation.name, where, same_key(relation, sql.Identifier("staged")), first, first),
        values,
    )


def remove_others(cursor: Cursor[Any], replacement: Replacement) -> None:
    """Delete the rows held of a partition that are not, or not so, among those copied aside."""
    where, values = within(replacement)
    statement = sql.SQL(
        "DELETE FROM {} AS held USING {} AS changes WHERE {} AND changes.new_row IS NULL AND {}"
    ).format(replacement.relation.name, CHANGES, where, same_key(replacement.relation, sql.Identifier("changes")))
    cursor.execute(statement, values)


def insert_missing(cursor: Cursor[Any], replacement: Replacement) -> None:
    """Insert the rows copied aside that are not held."""
    relation = replacement.relation
    statement = sql.SQL(
        "INSERT INTO {} ({}) SELECT {} FROM {} AS staged WHERE staged.ctid IN (SELECT new_row FROM {})"
    ).format(relation.name, relation.columns, relation.columns, STAGED, CHANGES)
    cursor.execute(statement)


def remove(cursor: Cursor[Any], replacement: Replacement) -> int:
    """Delete the rows held of a partition; return how many they were."""
    where, values = within(replacement)
    cursor.execute(sql.SQL("DELETE FROM {} AS held WHERE {}").format(replacement.relation.name, where), values)
    return cursor.rowcount


def within(replacement: Replacement) -> tuple[sql.Composed, list[Any]]:
    """Return the condition that a row held is of the partition, with its values; times narrow it to a few days."""
    conditions = [sql.SQL("held.{} = %s").format(sql.Identifier(key)) for key in replacement.keys]
    values: list[Any] = list(replacement.keys.values())
    if replacement.first is not None and replacement.last is not None and replacement.relation.day_column is not None:
        # Whole days: what somebody moved within them is found as well.
        column = sql.Identifier(replacement.relation.day_column)
        conditions.append(sql.SQL("held.{0} >= %s AND held.{0} < %s").format(column))
        values += [midnight(replacement.first), midnight(replacement.last) + timedelta(days=1)]
    return sql.SQL(" AND ").join(conditions), values


def midnight(day: date) -> datetime:
    """The first instant of a UTC day, or of that of a time in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def same_key(relation: Relation, other: sql.Identifier) -> sql.Composed:
    """Return the condition that a row held has the key of another one."""
    return sql.SQL(" AND ").join(
        sql.SQL("{0}.{1} = held.{1}").format(other, sql.Identifier(name)) for name in relation.key
    )
