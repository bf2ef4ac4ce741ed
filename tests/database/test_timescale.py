"""The same load where TimescaleDB is: hypertables of a day a chunk, compressed, and late rows in a compressed one."""

from datetime import timedelta

import pyarrow as pa
import pytest
from psycopg import sql
from tests.database.random_rows import DAY, of_partition, put, take
from tests.servers import timescale

from orbitlake.database import connect, load, partitioning
from orbitlake.database.comparison import row_hash, rows_in_lake
from orbitlake.database.lake_files import Partition, partitions_of
from orbitlake.tables import PASSES, POSITIONS, STATE_VECTORS, TRAJECTORY

pytestmark = pytest.mark.long
SCHEMA = "orbitlake"
TABLES = (POSITIONS, TRAJECTORY, STATE_VECTORS, PASSES)


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    """The one connection that TimescaleDB inside Node takes."""
    try:
        with (
            timescale.running(tmp_path_factory.mktemp("timescale") / "log") as url,
            connect(url) as made,
        ):
            yield made
    except timescale.NotToBeHadError as error:
        pytest.skip(f"no TimescaleDB: {error}")


@pytest.fixture(autouse=True)
def inserting(monkeypatch):
    """COPY ends this server: rows come by INSERT in its place, all else is the load's own."""

    def rows(self: Partition, keys):
        values = [self.values[key] for key in keys]
        yield [[*values, *row.values()] for row in rows_in_lake(self).to_pylist()]

    def insert(cursor, target, relation, batches) -> int:
        count = 0
        for batch in batches:
            row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(relation.column_names)))
            statement = sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
                target, relation.columns, sql.SQL(", ").join([row] * len(batch))
            )
            cursor.execute(statement, [value for each in batch for value in each])
            count += len(batch)
        return count

    monkeypatch.setattr(Partition, "csv", rows)
    monkeypatch.setattr(partitioning, "copy", insert)


def held(connection, table) -> str:
    """The hash of all rows of a table in the database."""
    cursor = connection.execute(f"SELECT {', '.join(table.column_names)} FROM {SCHEMA}.{table.name}")
    rows = [dict(zip(table.column_names, row, strict=True)) for row in cursor]
    return row_hash(pa.Table.from_pylist(rows, table.schema), table)


def in_lake(lake, table) -> str:
    """The same of the lake."""
    return row_hash(pa.concat_tables(map(rows_in_lake, partitions_of(lake, table).values())), table)


def test_days_are_chunks_and_what_comes_late_goes_into_compressed_ones(lake, connection):
    for number in range(3):
        day = DAY + timedelta(days=number)
        put(lake, POSITIONS, of_partition(POSITIONS, 30, date=day), date=day)
    for table in TABLES[1:]:
        put(lake, table, of_partition(table, 20))
    load(connection, lake, TABLES, SCHEMA)

    chunks = connection.execute(
        "SELECT hypertable_name, count(*), max(range_end - range_start) FROM timescaledb_information.chunks GROUP BY 1"
    ).fetchall()
    assert sorted(chunks) == [
        ("positions", 3, timedelta(days=1)),
        ("state_vectors", 1, timedelta(days=1)),
        ("trajectory", 1, timedelta(days=1)),
    ]
    policies = connection.execute(
        "SELECT hypertable_name, config ->> 'compress_after' FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_compression' ORDER BY 1"
    ).fetchall()
    assert policies == [(name, "7 days") for name in ("positions", "state_vectors", "trajectory")]

    # What the policy does in the background, where there is one.
    for table in TABLES[:3]:
        connection.execute(f"SELECT compress_chunk(each) FROM show_chunks('{SCHEMA}.{table.name}') AS each")
    assert [held(connection, table) for table in TABLES] == [in_lake(lake, table) for table in TABLES]
    rows = of_partition(POSITIONS, 30)
    put(lake, POSITIONS, pa.concat_tables([rows.slice(2), of_partition(POSITIONS, 33).slice(30)]))
    take(lake, TRAJECTORY)
    put(lake, TRAJECTORY, of_partition(TRAJECTORY, 9, object_id="it's another"), object_id="it's another")
    done = load(connection, lake, TABLES, SCHEMA)

    assert [(each.loaded, each.unchanged, each.removed, each.failures) for each in done] == [
        (1, 2, 0, []),
        (1, 0, 1, []),
        (0, 1, 0, []),
        (0, 1, 0, []),
    ]
    assert [held(connection, table) for table in TABLES] == [in_lake(lake, table) for table in TABLES]
    hourly = (
        f"SELECT count(*) FROM (SELECT time_bucket('1 hour', event_time) FROM {SCHEMA}.positions GROUP BY 1) AS hours"
    )
    assert connection.execute(hourly).fetchone()[0] > 0


def test_again_without_news_changes_nothing(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 5))
    load(connection, lake, [POSITIONS], "again")

    (done,) = load(connection, lake, [POSITIONS], "again")

    assert (done.loaded, done.unchanged) == (0, 1)
