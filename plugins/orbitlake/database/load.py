"""Partitions of the lake -> tables of PostgreSQL: what is news, each partition in one transaction with the ledger.

A reader sees the old rows of a partition or the new ones. A load that is killed leaves what it had committed; the next
one goes on from there. Loads at the same time take turns, partition by partition.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg import Cursor, sql

from orbitlake.database.connecting import Connection
from orbitlake.database.errors import DatabaseError, RefusedError, words_of
from orbitlake.database.lake_files import Days, Partition, is_there, partitions_of
from orbitlake.database.ledger import Entry, Ledger, Made
from orbitlake.database.partitioning import Partitioning, Replacement, partitioning_of, remove
from orbitlake.database.readers import make_reader, may_read
from orbitlake.database.relations import Relation
from orbitlake.lake import Lake, LakeError
from orbitlake.positions.store.day_files import compaction_lock
from orbitlake.settings import LIVE, SettingError
from orbitlake.tables import TABLES, Table
from orbitlake.upstream import held_by

LOG: Final = logging.getLogger(__name__)
SESSION: Final = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO'",
    "SET client_encoding = 'UTF8'",
    # A lock that somebody forgot to let go ends the load with an error: the next one tries again.
    "SET lock_timeout = '5min'",
)
LOCK: Final = "hashtextextended('orbitlake ' || %s, 0)"
PLAIN: Final = "plain"
ROUNDS: Final = 3
"""So often a partition is read again that was replaced while it was read; then it waits for the next load."""


@dataclass(slots=True)
class Loaded:
    """What became of the partitions of a table, and how many rows those loaded hold."""

    table: str
    loaded: int = 0
    unchanged: int = 0
    removed: int = 0
    rows_loaded: int = 0
    failures: list[str] = field(default_factory=list)
    """Why partitions could not be loaded; those of before stay."""


def load(
    connection: Connection,
    lake: Lake,
    tables: Sequence[Table],
    schema: str,
    *,
    everything: bool = False,
) -> list[Loaded]:
    """Bring tables of the database up to the lake; return what was done, by table.

    What is loaded already is not read again, unless `everything` is to be compared. Raises RefusedError where the
    database holds the numbers of another upstream, or the lake nothing of all that is loaded; DatabaseError where the
    database cannot take it.
    """
    try:
        return Load(connection, lake, tables, schema).run(everything=everything)
    except psycopg.Error as error:
        raise DatabaseError(words_of(error)) from error


def tables_named(names: Iterable[str]) -> tuple[Table, ...]:
    """Return tables by their names, all where none is named. Raises RefusedError for one that there is not."""
    wanted = tuple(names) or tuple(TABLES)
    unknown = [name for name in wanted if name not in TABLES]
    if unknown:
        raise RefusedError(f"no table {unknown[0][:80]!r}: choose from {', '.join(TABLES)}")
    return tuple(TABLES[name] for name in dict.fromkeys(wanted))


class Load:
    """One load."""

    def __init__(self, connection: Connection, lake: Lake, tables: Sequence[Table], schema: str) -> None:
        self.connection, self.lake, self.schema = connection, lake, schema
        self.relations = [Relation(table, schema) for table in tables]
        self.ledger = Ledger(schema)
        try:
            self.upstream = held_by(lake.root) or LIVE
        except SettingError as error:
            raise RefusedError(str(error)) from error
        self.has_waited = False

    def run(self, *, everything: bool) -> list[Loaded]:
        """Bring the tables up to date."""
        found = {each.table.name: partitions_of(self.lake, each.table) for each in self.relations}
        with self.connection.cursor() as cursor:
            for statement in SESSION:
                cursor.execute(statement)
            partitioning = partitioning_of(cursor)
            self.prepare(cursor, partitioning)
            held = self.ledger.entries(cursor, found)
            if any(held.values()) and not any(found.values()):
                raise RefusedError(
                    f"{self.lake.root} holds none of the partitions that are loaded: is that the right data root?"
                )
            return [
                self.update(cursor, partitioning, each, found[each.table.name], held[each.table.name], everything)
                for each in self.relations
            ]

    def prepare(self, cursor: Cursor[Any], partitioning: Partitioning) -> None:
        """Make what is absent: schema, ledger, role, tables; a table of another shape is made anew, and empty."""
        if not self.ledger.is_made(cursor):
            with self.connection.transaction():
                self.take_turn(cursor)
                cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))
                self.ledger.make(cursor)
        if not may_read(cursor, self.schema):
            with self.connection.transaction():
                self.take_turn(cursor)
                make_reader(cursor, self.schema)
        made = self.ledger.tables(cursor)
        for name, each in made.items():
            if each.upstream != self.upstream:
                raise RefusedError(
                    f"{self.schema}.{name} holds numbers of upstream {each.upstream!r}, {self.lake.root} those of "
                    f"{self.upstream!r}: load them into another schema (ORBITLAKE_DATABASE_SCHEMA)"
                )
        for relation in self.relations:
            self.make_table(cursor, partitioning, relation, made.get(relation.table.name))

    def make_table(
        self, cursor: Cursor[Any], partitioning: Partitioning, relation: Relation, made: Made | None
    ) -> None:
        """Make a table that is absent or of another shape, and put its comments right."""
        name = relation.table.name
        kind = partitioning.kind if relation.day_column else PLAIN
        wanted = Made(relation.shape(kind), relation.wording(), self.upstream)
        if made == wanted:
            return
        with self.connection.transaction():
            self.take_turn(cursor)
            made = self.ledger.tables(cursor).get(name)
            if made == wanted:
                return
            if made is None or made.shape != wanted.shape:
                if made is not None:
                    LOG.warning("%s.%s is made anew: its columns are others now", self.schema, name)
                    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(relation.name))
                if relation.day_column:
                    partitioning.create(cursor, relation, relation.day_column)
                else:
                    cursor.execute(relation.creation())
                self.ledger.note_table(cursor, name, wanted)
            else:
                self.ledger.note_wording(cursor, name, wanted.wording)
            for statement in relation.comments():
                cursor.execute(statement)

    def update(
        self,
        cursor: Cursor[Any],
        partitioning: Partitioning,
        relation: Relation,
        found: dict[str, Partition],
        held: dict[str, Entry],
        everything: bool,
    ) -> Loaded:
        """Bring one table up to date; a partition that cannot be loaded keeps none of the others from it."""
        outcome = Loaded(relation.table.name)
        step = PartitionLoad(self, cursor, partitioning, relation, outcome)
        top = self.lake.closed(relation.table)
        gone = [Partition(relation.table, top, name) for name in sorted(set(held) - set(found))]
        if gone and not found and not is_there(top):
            outcome.failures.append(f"{top} is not there: all that was loaded of it stays")
            return outcome
        # What is gone goes first: its rows may have moved to another partition.
        for partition in (*gone, *found.values()):
            known = held.get(partition.name)
            try:
                if known is not None and not everything and known.sign == partition.sign():
                    outcome.unchanged += 1
                    continue
                step.run(partition, everything=everything)
            except LakeError as error:
                outcome.failures.append(str(error))
            except (OSError, pa.ArrowException) as error:
                # A page, not the footer, is damaged, or a folder or file cannot be read.
                outcome.failures.append(f"{relation.table.name}/{partition.name}: {error}")
            except (psycopg.DataError, psycopg.IntegrityError) as error:
                outcome.failures.append(f"{relation.table.name}/{partition.name}: {words_of(error)}")
        return outcome

    def take_turn(self, cursor: Cursor[Any]) -> None:
        """Wait until no other load of this schema is in a transaction."""
        found = cursor.execute(f"SELECT pg_try_advisory_xact_lock({LOCK})", (self.schema,)).fetchone()
        if found == (True,):
            return
        if not self.has_waited:
            LOG.warning("another load of %s is at work: taking turns with it", self.schema)
            self.has_waited = True
        cursor.execute(f"SELECT pg_advisory_xact_lock({LOCK})", (self.schema,))


@dataclass(slots=True)
class PartitionLoad:
    """How one partition after the other of a table is brought up to date."""

    load: Load
    cursor: Cursor[Any]
    partitioning: Partitioning
    relation: Relation
    outcome: Loaded

    def run(self, partition: Partition, *, everything: bool) -> None:
        """Bring one partition up to date, in one transaction with the ledger. Raises LakeError."""
        for _ in range(ROUNDS):
            try:
                # The parts of a day are replaced one by one, by who holds this lock.
                whole = compaction_lock(self.load.lake) if len(partition.parts()) > 1 else nullcontext()
                with whole, self.load.connection.transaction():
                    self.load.take_turn(self.cursor)
                    self.replace(partition, everything)
            except (ReplacedError, FileNotFoundError):
                continue
            return
        raise LakeError(f"{partition.top / partition.name}: replaced while it was read, again and again")

    def replace(self, partition: Partition, everything: bool) -> None:
        """Do so within a transaction. Raises ReplacedError where its files were replaced meanwhile."""
        cursor, ledger, name = self.cursor, self.load.ledger, self.relation.table.name
        known = ledger.entry(cursor, name, partition.name)
        sign = partition.sign()
        if not sign:
            if known is not None:
                remove(cursor, self.replacement(partition, known, None))
                ledger.forget(cursor, name, partition.name)
                self.outcome.removed += 1
            return
        if known is not None and not everything and known.sign == sign:
            self.outcome.unchanged += 1
            return
        digest = partition.digest()
        if known is not None and not everything and known.digest == digest:
            ledger.note_files(cursor, name, partition.name, sign)
            self.outcome.unchanged += 1
            return
        days = partition.days(self.relation.day_column) if self.relation.day_column else None
        rows = self.partitioning.place(cursor, self.replacement(partition, known, days))
        if partition.sign() != sign:
            raise ReplacedError
        first, last = (days.first, days.last) if days else (None, None)
        ledger.note(cursor, name, partition.name, Entry(sign, digest, rows, first, last))
        self.outcome.loaded += 1
        self.outcome.rows_loaded += rows

    def replacement(self, partition: Partition, known: Entry | None, days: Days | None) -> Replacement:
        """Return what a partition is to hold, or, where there are no days, what it held."""
        moments = [known.first, known.last] if known else []
        moments += [days.first, days.last] if days else []
        times: list[datetime] = [moment for moment in moments if moment is not None]
        rows = partition.csv(self.relation.folder_keys)
        first, last = min(times, default=None), max(times, default=None)
        return Replacement(self.relation, partition.values, rows, days, first, last)


class ReplacedError(Exception):
    """A file was replaced while it was read."""
