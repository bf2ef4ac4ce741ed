"""Partitions of a lake -> tables of a PostgreSQL: equal to the bit, once, replaced whole."""

import importlib
import os
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread

import psycopg
import pyarrow as pa
import pytest
from psycopg import errors
from tests.database.random_rows import DAY, of_partition, put, rows_of, take
from tests.published import publish

from orbitlake.database import DatabaseError, RefusedError, connect, differences, load, tables_named
from orbitlake.database.lake_files import Partition
from orbitlake.database.relations import DAY_COLUMNS
from orbitlake.lake import Lake
from orbitlake.positions.store.day_files import compaction_lock
from orbitlake.tables import COVERAGE, OEM_ISSUES, PASSES, POSITIONS, TABLES, THRUST_EPISODES, TRAJECTORY, WINDOW_STATS

SCHEMA = "orbitlake"
ALL = tuple(TABLES.values())
NEXT = DAY + timedelta(days=1)


def counts(done) -> list[tuple]:
    """What became of the partitions: loaded, unchanged, removed; and the failures."""
    return [(each.loaded, each.unchanged, each.removed, each.failures) for each in done]


def versions(connection, table: str) -> dict:
    """The row versions of a table by its first time column: another one for a row that was written again."""
    return dict(connection.execute(f"SELECT {DAY_COLUMNS[table]}, xmin::text FROM orbitlake.{table}").fetchall())


def test_every_table_is_loaded_to_the_bit(lake, connection):
    for table in ALL:
        put(lake, table, of_partition(table, 40))

    done = load(connection, lake, ALL, SCHEMA)

    assert counts(done) == [(1, 0, 0, [])] * len(ALL)
    assert {each.rows_loaded for each in done} == {40}
    assert list(differences(connection, lake, ALL, SCHEMA)) == []


ODD = {"latitude_deg": 0.0, "altitude_km": float("nan"), "fetch_time": None, "source": "", "orbit_phase": "UNKNOWN"}


@pytest.mark.parametrize(
    "change",
    [
        "latitude_deg = '-0'",
        "altitude_km = NULL",
        "fetch_time = event_time",
        "source = ' '",
        "event_time = event_time + interval '1 microsecond'",
    ],
)
def test_a_single_value_makes_a_difference_and_the_next_load_that_looks_puts_it_right(lake, connection, change: str):
    put(lake, POSITIONS, rows_of(POSITIONS, 3, **ODD))
    load(connection, lake, [POSITIONS], SCHEMA)
    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == []

    connection.execute(f"UPDATE orbitlake.positions SET {change} WHERE longitude_deg = 0")

    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == [
        f"positions/date={DAY}: 3 rows in the lake, 3 others in the database"
    ]
    load(connection, lake, [POSITIONS], SCHEMA, everything=True)
    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == []


def test_again_without_news_reads_no_file_and_writes_nothing(lake, connection, monkeypatch):
    for day in (DAY, NEXT):
        put(lake, POSITIONS, of_partition(POSITIONS, 9, date=day), date=day)
    load(connection, lake, [POSITIONS], SCHEMA)
    (before,) = connection.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
    monkeypatch.setattr("orbitlake.database.lake_files.Partition.digest", lambda _: pytest.fail("read a file"))

    assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(0, 2, 0, [])]

    (written,) = connection.execute("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", (before,)).fetchone()
    assert written < 1000


def test_a_file_with_another_time_and_the_same_bytes_is_no_news(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 9))
    load(connection, lake, [POSITIONS], SCHEMA)
    before = versions(connection, "positions")
    os.utime(lake.day(POSITIONS, DAY), (1, 1))

    assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(0, 1, 0, [])]
    assert versions(connection, "positions") == before
    (noted,) = connection.execute("SELECT (files -> 0 ->> 2)::bigint FROM orbitlake.loaded").fetchone()
    assert noted == 10**9


def test_a_reopened_day_replaces_itself_and_leaves_rows_that_are_the_same(lake, connection):
    rows = of_partition(WINDOW_STATS, 20)
    put(lake, WINDOW_STATS, rows)
    put(lake, WINDOW_STATS, of_partition(WINDOW_STATS, 5, date=NEXT), date=NEXT)
    load(connection, lake, [WINDOW_STATS], SCHEMA)
    before = versions(connection, "window_stats")

    changed = rows.slice(1, 1).to_pylist()[0] | {"data_points": 99, "avg_latitude_deg": 1.25}
    late = of_partition(WINDOW_STATS, 22).slice(20)
    put(lake, WINDOW_STATS, pa.concat_tables([rows.slice(2), late, pa.Table.from_pylist([changed], rows.schema)]))
    done = load(connection, lake, [WINDOW_STATS], SCHEMA)

    assert counts(done) == [(1, 1, 0, [])]
    assert list(differences(connection, lake, [WINDOW_STATS], SCHEMA)) == []
    after = versions(connection, "window_stats")
    assert len(after) == 5 + 20 - 1 + 2
    written = {time for time in after if before.get(time) != after[time]}
    assert len(written) == 3, "one row changed and two came late: no other is written again"


def test_everything_compares_what_is_loaded_and_puts_right_what_somebody_changed(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 9))
    put(lake, OEM_ISSUES, of_partition(OEM_ISSUES, 1))
    load(connection, lake, [POSITIONS, OEM_ISSUES], SCHEMA)
    connection.execute("UPDATE orbitlake.positions SET velocity_km_s = 0 WHERE longitude_deg = 0.125")
    connection.execute("DELETE FROM orbitlake.oem_issues")

    load(connection, lake, [POSITIONS, OEM_ISSUES], SCHEMA)
    assert len(list(differences(connection, lake, [POSITIONS, OEM_ISSUES], SCHEMA))) == 2
    load(connection, lake, [POSITIONS, OEM_ISSUES], SCHEMA, everything=True)

    assert list(differences(connection, lake, [POSITIONS, OEM_ISSUES], SCHEMA)) == []


def test_what_is_gone_from_the_lake_goes_before_what_took_its_place_comes(lake, connection):
    rows = of_partition(THRUST_EPISODES, 3)
    put(lake, THRUST_EPISODES, rows)
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [THRUST_EPISODES, POSITIONS], SCHEMA)
    take(lake, THRUST_EPISODES)
    # The same keys, in the folder of another issue.
    put(lake, THRUST_EPISODES, rows, issue="20261119T120000Z-OTHER NAME")

    done = load(connection, lake, [THRUST_EPISODES, POSITIONS], SCHEMA)

    assert counts(done) == [(1, 0, 1, []), (0, 1, 0, [])]
    assert connection.execute("SELECT DISTINCT issue FROM orbitlake.thrust_episodes").fetchall() == [
        ("20261119T120000Z-OTHER NAME",)
    ]
    assert connection.execute("SELECT count(*) FROM orbitlake.loaded").fetchone() == (2,)


def test_an_empty_data_root_empties_no_database(lake, connection, tmp_path):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [POSITIONS], SCHEMA)

    with pytest.raises(RefusedError, match="is that the right data root"):
        load(connection, Lake(tmp_path / "other"), [POSITIONS], SCHEMA)

    assert connection.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (4,)


def test_simulated_and_real_numbers_never_share_a_schema(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [POSITIONS], SCHEMA)
    (lake.root / "upstream.json").write_text('{"upstream": "simulator"}')

    with pytest.raises(RefusedError, match="ORBITLAKE_DATABASE_SCHEMA"):
        load(connection, lake, [POSITIONS], SCHEMA)

    assert counts(load(connection, lake, [POSITIONS], "simulated")) == [(1, 0, 0, [])]


def test_a_large_day_in_parts_is_one_partition(lake, connection):
    rows = of_partition(POSITIONS, 30)
    for number in range(3):
        target = lake.day(POSITIONS, DAY).with_name(f"part-{number}.parquet")
        publish(rows.slice(10 * number, 10), POSITIONS, target, lake.staging)
    load(connection, lake, [POSITIONS], SCHEMA)
    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == []
    lake.day(POSITIONS, DAY).with_name("part-2.parquet").unlink()

    assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(1, 0, 0, [])]
    assert connection.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (20,)


def test_a_day_in_parts_is_not_read_while_its_parts_are_replaced(lake, url, connection):
    old, new = of_partition(POSITIONS, 20), of_partition(POSITIONS, 30, 1)
    target = lake.day(POSITIONS, DAY)

    def put_part(rows: pa.Table, number: int) -> None:
        publish(rows, POSITIONS, target.with_name(f"part-{number}.parquet"), lake.staging)

    put_part(old.slice(0, 10), 0)
    put_part(old.slice(10), 1)
    done: list = []

    def work() -> None:
        with connect(url) as own:
            done.extend(load(own, lake, [POSITIONS], SCHEMA))

    with compaction_lock(lake):
        put_part(new.slice(0, 15), 0)
        thread = Thread(target=work)
        thread.start()
        thread.join(2)
        assert thread.is_alive()
        put_part(new.slice(15), 1)
    thread.join()

    assert counts(done) == [(1, 0, 0, [])]
    assert connection.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (30,)


def test_objects_share_a_day_and_each_replaces_its_own_rows(lake, connection):
    for name in ("1998-067A", 'it\'s 100% "odd"', "ünïcode 😀"):
        put(lake, TRAJECTORY, of_partition(TRAJECTORY, 5, object_id=name), object_id=name)
    load(connection, lake, [TRAJECTORY], SCHEMA)

    put(lake, TRAJECTORY, of_partition(TRAJECTORY, 2, 1, object_id='it\'s 100% "odd"'), object_id='it\'s 100% "odd"')
    assert counts(load(connection, lake, [TRAJECTORY], SCHEMA)) == [(1, 2, 0, [])]

    assert list(differences(connection, lake, [TRAJECTORY], SCHEMA)) == []
    found = connection.execute("SELECT object_id, count(*) FROM orbitlake.trajectory GROUP BY 1 ORDER BY 2").fetchall()
    assert [count for _, count in found] == [2, 5, 5]


def test_rows_beyond_the_day_of_their_folder_are_replaced_with_it(lake, connection):
    beyond = pa.concat_tables([rows_of(COVERAGE, 3), rows_of(COVERAGE, 2, day=date(1999, 1, 1))])
    put(lake, COVERAGE, beyond)
    put(lake, COVERAGE, of_partition(COVERAGE, 2, 1, date=NEXT), date=NEXT)
    load(connection, lake, [COVERAGE], SCHEMA)
    assert list(differences(connection, lake, [COVERAGE], SCHEMA)) == []

    put(lake, COVERAGE, rows_of(COVERAGE, 1, 5))
    load(connection, lake, [COVERAGE], SCHEMA)

    assert list(differences(connection, lake, [COVERAGE], SCHEMA)) == []
    assert connection.execute("SELECT count(*) FROM orbitlake.coverage").fetchone() == (3,)


def test_a_partition_that_cannot_be_loaded_keeps_its_old_rows_and_no_other_from_it(lake, connection):
    for day in (DAY, NEXT):
        put(lake, POSITIONS, of_partition(POSITIONS, 4, date=day), date=day)
    put(lake, PASSES, of_partition(PASSES, 4))
    load(connection, lake, ALL, SCHEMA)
    lake.day(POSITIONS, DAY).write_bytes(b"PAR1 no more")
    put(lake, POSITIONS, of_partition(POSITIONS, 6, 1, date=NEXT), date=NEXT)
    # PostgreSQL's texts hold no NUL.
    put(lake, PASSES, of_partition(PASSES, 2, status="\0"))

    done = {each.table: each for each in load(connection, lake, ALL, SCHEMA)}

    assert done["positions"].loaded == 1
    assert "is damaged" in done["positions"].failures[0]
    assert "passes/object_id=1998-067A/site=Paris: invalid byte sequence" in done["passes"].failures[0]
    assert connection.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (4 + 6,)
    assert connection.execute("SELECT count(*) FROM orbitlake.passes").fetchone() == (4,)


def test_a_damaged_page_and_a_file_that_cannot_be_read_keep_no_other_partition_from_being_loaded(
    lake, connection, monkeypatch
):
    days = [DAY + timedelta(days=number) for number in range(3)]
    for day in days:
        put(lake, POSITIONS, of_partition(POSITIONS, 400, date=day), date=day)
    damaged = lake.day(POSITIONS, days[0])
    content = bytearray(damaged.read_bytes())
    content[4:1000] = bytes(byte ^ 0xFF for byte in content[4:1000])
    damaged.write_bytes(content)
    sign = Partition.sign

    def refused(partition: Partition):
        if partition.name == f"date={days[1]}":
            raise PermissionError("not to be read")
        return sign(partition)

    monkeypatch.setattr(Partition, "sign", refused)

    (done,) = load(connection, lake, [POSITIONS], SCHEMA)

    assert (done.loaded, len(done.failures)) == (1, 2)
    assert done.failures[0].startswith(f"positions/date={days[0]}: ")
    assert done.failures[1] == f"positions/date={days[1]}: not to be read"
    lines = list(differences(connection, lake, [POSITIONS], SCHEMA))
    assert [line.partition(": ")[0] for line in lines] == [f"positions/date={day}" for day in days[:2]]


def test_a_partition_replaced_while_it_is_read_is_read_again(lake, connection, monkeypatch):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    original, replaced = Partition.csv, []

    def replacing(self, keys):
        yield from original(self, keys)
        if not replaced:
            replaced.append(put(lake, POSITIONS, of_partition(POSITIONS, 7, 1)))

    monkeypatch.setattr(Partition, "csv", replacing)

    assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(1, 0, 0, [])]
    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == []
    assert connection.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (7,)


def test_loads_at_once_take_turns_and_do_each_partition_once(lake, url, connection):
    for number in range(6):
        put(
            lake,
            POSITIONS,
            of_partition(POSITIONS, 50, date=DAY + timedelta(days=number)),
            date=DAY + timedelta(days=number),
        )
    done: list = []

    def work() -> None:
        with connect(url) as own:
            done.extend(load(own, lake, [POSITIONS], SCHEMA))

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(each.loaded for each in done) == 6
    assert sum(each.unchanged for each in done) == 12
    assert list(differences(connection, lake, [POSITIONS], SCHEMA)) == []


def test_a_reader_sees_the_old_rows_of_a_day_or_the_new_ones(lake, url, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [POSITIONS], SCHEMA)
    with psycopg.connect(url) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert reader.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (4,)
        put(lake, POSITIONS, of_partition(POSITIONS, 9, 1))
        put(lake, POSITIONS, of_partition(POSITIONS, 5, date=NEXT), date=NEXT)

        # It waits for no reader, neither with a day that changes nor with one that is new.
        connection.execute("SET lock_timeout = '5s'")
        assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(2, 0, 0, [])]

        assert reader.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (4,)
        reader.commit()
        assert reader.execute("SELECT count(*) FROM orbitlake.positions").fetchone() == (14,)


def test_a_table_of_other_words_keeps_its_rows(lake, connection):
    put(lake, PASSES, of_partition(PASSES, 4))
    load(connection, lake, [PASSES], SCHEMA)

    reworded = replace(PASSES, meaning="Said otherwise.")
    assert counts(load(connection, lake, [reworded], SCHEMA)) == [(0, 1, 0, [])]

    (said,) = connection.execute("SELECT obj_description('orbitlake.passes'::regclass)").fetchone()
    assert said.startswith("Said otherwise. Version 1.")


@pytest.mark.parametrize("table", [PASSES, POSITIONS], ids=lambda table: table.name)
def test_a_table_of_other_columns_is_made_anew_and_loaded_again(lake, connection, table):
    older = replace(table, columns=table.columns[:-1])
    put(lake, older, of_partition(older, 7))
    load(connection, lake, [older], SCHEMA)
    put(lake, table, of_partition(table, 4))

    assert counts(load(connection, lake, [table], SCHEMA)) == [(1, 0, 0, [])]

    assert list(differences(connection, lake, [table], SCHEMA)) == []
    assert connection.execute(f"SELECT count(*) FROM orbitlake.{table.name}").fetchone() == (4,)


def test_each_column_says_what_it_means_and_in_which_unit(lake, connection):
    load(connection, lake, ALL, SCHEMA)

    found = connection.execute(
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum), a.attnotnull FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.relnamespace = 'orbitlake'::regnamespace AND c.relkind IN ('r', 'p')"
    ).fetchall()
    said = {(table, column): (comment, required) for table, column, comment, required in found}
    for table in ALL:
        for column in table.columns:
            comment, required = said[table.name, column.name]
            assert comment == column.meaning + (f" [{column.unit}]" if column.unit else "")
            assert required == (column.required or column.name in table.key)
    assert {name for name, column in said if column == "date"} | {"oem_issues"} >= {
        table.name for table in ALL if "date" in table.partition_by
    }


def test_whatever_the_lake_has_by_day_is_partitioned_by_day(lake, connection):
    load(connection, lake, ALL, SCHEMA)
    split = connection.execute(
        "SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c "
        "WHERE c.relnamespace = 'orbitlake'::regnamespace AND c.relkind = 'p'"
    ).fetchall()

    assert dict(split) == {name: f"RANGE ({column})" for name, column in DAY_COLUMNS.items()}
    assert {table.name for table in ALL if "date" in table.partition_by} == set(DAY_COLUMNS) - {"state_vectors"}


def test_no_table_of_another_name_is_loaded():
    assert tables_named([]) == ALL
    assert tables_named(["passes", "positions", "passes"]) == (PASSES, POSITIONS)
    with pytest.raises(RefusedError, match="no table 'pases': choose from positions, "):
        tables_named(["pases"])


def test_who_may_read_reads_and_writes_nothing(lake, url, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [POSITIONS], SCHEMA)
    put(lake, POSITIONS, of_partition(POSITIONS, 4, date=NEXT), date=NEXT)
    put(lake, PASSES, of_partition(PASSES, 4))
    load(connection, lake, [POSITIONS, PASSES], SCHEMA)

    with psycopg.connect(url, autocommit=True) as reader:
        reader.execute("SET ROLE orbitlake_reader")
        for name, rows in (("positions", 8), ("passes", 4), ("positions_20261121", 4), ("loaded", 3)):
            assert reader.execute(f"SELECT count(*) FROM orbitlake.{name}").fetchone() == (rows,)
        for statement in (
            "DELETE FROM orbitlake.passes",
            "UPDATE orbitlake.positions SET altitude_km = 1",
            "CREATE TABLE orbitlake.mine (a int)",
            "DROP TABLE orbitlake.loaded",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                reader.execute(statement)


def test_whoever_may_make_no_roles_loads_all_the_same(lake, url, connection, caplog):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    (name,) = connection.execute("SELECT current_database()").fetchone()
    connection.execute(f"CREATE ROLE loader_{name} LOGIN")
    connection.execute(f"GRANT CREATE ON DATABASE {name} TO loader_{name}")
    connection.execute(f"SET ROLE loader_{name}")

    assert counts(load(connection, lake, [POSITIONS], f"own_{name}")) == [(1, 0, 0, [])]
    assert f'CREATE ROLE "own_{name}_reader" NOLOGIN by an administrator' in caplog.text
    connection.execute("RESET ROLE")
    connection.execute(f"CREATE ROLE own_{name}_reader NOLOGIN")
    connection.execute(f"SET ROLE loader_{name}")
    load(connection, lake, [POSITIONS], f"own_{name}")

    connection.execute("RESET ROLE")
    connection.execute(f"SET ROLE own_{name}_reader")
    assert connection.execute(f"SELECT count(*) FROM own_{name}.positions").fetchone() == (4,)


def test_the_ledger_says_what_was_loaded_and_when(lake, connection):
    put(lake, POSITIONS, rows := of_partition(POSITIONS, 4))
    before = datetime.now(UTC) - timedelta(seconds=1)
    load(connection, lake, [POSITIONS], SCHEMA)

    found = connection.execute(
        "SELECT table_name, partition, row_count, first_time, last_time, loaded_at FROM orbitlake.loaded"
    ).fetchone()

    times = sorted(rows.column("event_time").to_pylist())
    assert found[:5] == ("positions", f"date={DAY}", 4, times[0], times[-1])
    assert found[5] >= before


def test_objects_that_share_an_id_and_a_creation_date_are_loaded_side_by_side(lake, connection):
    tables = [TABLES[name] for name in ("state_vectors", "oem_issues", "thrust_episodes")]
    names = ("ONE", "TWO")
    for table in tables:
        for name in names:
            issue = f"20261119T120000Z-{name}"
            put(lake, table, of_partition(table, 1, object_id="UNKNOWN"), object_id="UNKNOWN", issue=issue)

    done = load(connection, lake, tables, SCHEMA)

    assert counts(done) == [(2, 0, 0, [])] * len(tables)
    assert list(differences(connection, lake, tables, SCHEMA)) == []


def test_a_lock_that_is_not_let_go_ends_the_load(lake, connection, url, monkeypatch):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    load(connection, lake, [POSITIONS], SCHEMA)
    put(lake, POSITIONS, of_partition(POSITIONS, 5))
    module = importlib.import_module("orbitlake.database.load")
    monkeypatch.setattr(module, "SESSION", tuple(each.replace("5min", "100ms") for each in module.SESSION))

    with connect(url) as other, other.transaction():
        other.execute("LOCK TABLE orbitlake.positions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match="lock timeout"):
            load(connection, lake, [POSITIONS], SCHEMA)

    assert counts(load(connection, lake, [POSITIONS], SCHEMA)) == [(1, 0, 0, [])]


def test_a_table_whose_folder_is_not_there_keeps_its_rows(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    put(lake, PASSES, of_partition(PASSES, 2))
    load(connection, lake, [POSITIONS, PASSES], SCHEMA)
    shutil.rmtree(lake.closed(PASSES))

    done = load(connection, lake, [POSITIONS, PASSES], SCHEMA)

    assert counts(done) == [
        (0, 1, 0, []),
        (0, 0, 0, [f"{lake.closed(PASSES)} is not there: all that was loaded of it stays"]),
    ]
    lake.closed(PASSES).mkdir()
    assert counts(load(connection, lake, [POSITIONS, PASSES], SCHEMA)) == [(0, 1, 0, []), (0, 0, 1, [])]


def test_a_data_root_whose_mark_cannot_be_read_is_refused(lake, connection):
    put(lake, POSITIONS, of_partition(POSITIONS, 4))
    (lake.root / "upstream.json").write_bytes(b"{")

    with pytest.raises(RefusedError, match=r"upstream\.json cannot be read"):
        load(connection, lake, [POSITIONS], SCHEMA)
