"""The views and `files`: each row once at every moment, while days open, close and lose their live files."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.published import publish

from orbitlake.lake import Lake, LakeError
from orbitlake.query import connect, files
from orbitlake.tables import POSITIONS, TABLES, WINDOW_STATS

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FIX = {
    "object_id": "1998-067A",
    "source": "open_notify",
    "event_time": NOON,
    "fetch_time": None,
    "latitude_deg": 10.5,
    "longitude_deg": -20.25,
    "altitude_km": None,
    "velocity_km_s": None,
    "orbit_phase": "UNKNOWN",
    "hemisphere_ns": "North",
    "hemisphere_ew": "West",
    "distance_to_paris_km": 4765.5,
}
COUNTS = "SELECT date, count(*) FROM positions GROUP BY date ORDER BY date"


def put(lake, day, *seconds, live=None):
    """Publish fixes of a day of March 2026, closed, or live under a name."""
    noon = NOON.replace(day=day)
    rows = [FIX | {"event_time": noon + timedelta(seconds=second)} for second in seconds]
    place = (
        lake.live(POSITIONS) / f"date={noon.date()}" / f"{live}.parquet" if live else lake.day(POSITIONS, noon.date())
    )
    publish(pa.Table.from_pylist(rows, schema=POSITIONS.schema), POSITIONS, place, lake.staging)
    return place


def test_each_day_is_read_where_it_stands_closed_or_else_live(lake):
    put(lake, 3, 0, 1, live="0000-0")
    put(lake, 4, 0, live="0000-0")
    put(lake, 3, 0, 1, 2)
    found = connect(lake.root).sql(COUNTS).fetchall()

    assert found == [(date(2026, 3, 3), 3), (date(2026, 3, 4), 1)]


@pytest.mark.parametrize("name", ["br[1]ack", "a *?", "it's", "{a,b}"])
def test_a_root_may_have_any_name(tmp_path, name):
    lake = Lake(tmp_path / name)
    put(lake, 3, 0)
    put(lake, 4, 0, live="0000-0")

    assert connect(str(lake.root)).sql(COUNTS).fetchall() == [(date(2026, 3, 3), 1), (date(2026, 3, 4), 1)]


def test_one_connection_follows_days_that_open_close_and_lose_their_live_files(lake):
    connection = connect(lake.root)
    seen = [connection.sql(COUNTS).fetchall()]
    live = put(lake, 3, 0, live="0000-0")
    seen.append(connection.sql(COUNTS).fetchall())
    put(lake, 3, 1, live="0001-0")
    seen.append(connection.sql(COUNTS).fetchall())
    put(lake, 3, 0, 1, 2)
    seen.append(connection.sql(COUNTS).fetchall())
    for file in live.parent.iterdir():
        file.unlink()
    seen.append(connection.execute(COUNTS).fetchall())

    assert [[count for _, count in rows] for rows in seen] == [[], [1], [2], [3], [3]]


def test_a_day_that_closes_between_binding_and_reading_is_still_read_once(lake):
    put(lake, 3, 0, 1, live="0000-0")
    relation = connect(lake.root).sql("SELECT count(*) FROM positions")
    put(lake, 3, 0, 1, 2)

    assert relation.fetchone() in [(2,), (3,)]


def test_a_day_in_parts_is_read_whole(lake):
    first = put(lake, 3, 0, 1)
    put(lake, 4, 7, live="0000-0").rename(first.with_name("part-1.parquet"))

    assert connect(lake.root).sql("SELECT count(*) FROM positions").fetchone() == (3,)


@pytest.mark.parametrize("day", [3, 5])
def test_files_of_another_version_are_refused_by_name(lake, day):
    newer = dataclasses.replace(POSITIONS, version=2)
    for each in (3, 4, 5):
        put(lake, each, 0)
    rows = pa.Table.from_pylist([FIX], schema=newer.schema)
    publish(rows, newer, lake.day(POSITIONS, date(2026, 3, day)), lake.staging)

    with pytest.raises(LakeError, match="positions of version 2, this program knows version 1"):
        connect(lake.root)
    assert connect(lake.root, tables=[WINDOW_STATS]).sql("FROM window_stats").fetchall() == []


def test_since_leaves_out_earlier_days_unopened(lake):
    damaged = put(lake, 2, 0)
    damaged.write_bytes(b"not Parquet")
    put(lake, 3, 0)
    put(lake, 4, 0, live="0000-0")
    put(lake, 1, 0, live="0000-0").write_bytes(b"not Parquet")

    assert connect(lake.root, since=date(2026, 3, 3)).sql("SELECT count(*) FROM positions").fetchone() == (2,)


def test_connections_beside_one_duckdb_have_views_of_their_own(lake):
    put(lake, 3, 0)
    put(lake, 4, 0, 1)
    together = duckdb.connect()
    count = "SELECT count(*) FROM positions"

    whole, late = (connect(lake.root, since=since, beside=together) for since in (None, date(2026, 3, 4)))

    assert (whole.sql(count).fetchone(), late.sql(count).fetchone()) == ((3,), (2,))
    late.close()
    assert whole.sql("SELECT max(event_time) FROM positions").fetchone()[0].utcoffset() == timedelta(0)
    with pytest.raises(duckdb.CatalogException):
        together.sql(count)


def test_an_empty_lake_has_every_view_with_its_columns(lake):
    connection = connect(lake.root)

    for table in TABLES.values():
        relation = connection.sql(f"SELECT {', '.join(table.column_names)} FROM {table.name}")
        assert relation.fetchall() == []


def test_a_closed_connection_is_closed_to_its_user(lake):
    with connect(lake.root) as connection:
        connection.sql("SELECT 1").fetchall()

    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.sql("SELECT 1")


def test_the_files_for_other_readers_follow_the_same_rule(lake):
    put(lake, 3, 0, 1, live="0000-0")
    put(lake, 3, 0, 1, 2)
    put(lake, 4, 0, live="0000-0")
    put(lake, 4, 1, live="0001-0")
    found = files("positions", lake.root)

    assert len(found) == 3
    assert len(pd.read_parquet(found)) == 5
    assert pl.read_parquet(found, hive_partitioning=True).height == 5
    assert files("positions", lake.root, since=date(2026, 3, 4)) == found[1:]
    assert files(WINDOW_STATS.name, lake.root) == []
    with pytest.raises(KeyError):
        files("fixes", lake.root)
