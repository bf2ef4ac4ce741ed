"""`connect` and `files` of what is published say the same as those of the lake, and follow each publication."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from tests.published import publish as publish_rows
from tests.publishing.days import FIRST, LATER, close, day_after, rows_of

from orbitlake.lake import LakeError
from orbitlake.publishing import publish
from orbitlake.publishing.views import PublishedViews
from orbitlake.query import Connection, connect, files
from orbitlake.tables import TABLES, TRAJECTORY_EVENTS, WINDOW_STATS

CREATED = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def environment(s3_server, monkeypatch):
    """What a user sets to read there."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def events(lake):
    """Two issues of an object whose id is percent-encoded in the names of folders."""
    for days in range(2):
        created = CREATED + timedelta(days=days)
        row = {"object_id": "N/A", "creation_date": created, "event_name": "burn", "ignition_time": created}
        rows = TRAJECTORY_EVENTS.schema.empty_table().from_pylist(
            [row | {"is_burn": True, "orbit": None}], schema=TRAJECTORY_EVENTS.schema
        )
        publish_rows(rows, TRAJECTORY_EVENTS, lake.issue(TRAJECTORY_EVENTS, "N/A", created), lake.staging)


def test_the_views_there_are_those_of_the_lake(lake, s3_store, s3_url, environment, events):
    for number in range(3):
        close(lake, day_after(number), number)
    publish(lake, s3_store, TABLES.values(), "live", now=LATER)

    here, there = connect(lake.root), connect(s3_url)

    for table in TABLES:
        assert there.sql(f"DESCRIBE {table}").fetchall() == here.sql(f"DESCRIBE {table}").fetchall(), table
        ordered = f"SELECT * FROM {table} ORDER BY ALL"
        assert there.sql(ordered).fetchall() == here.sql(ordered).fetchall(), table
    assert there.sql("SELECT count(*) FROM window_stats WHERE date = DATE '2026-03-02'").fetchone() == (20,)
    assert there.sql("SELECT DISTINCT object_id FROM trajectory_events").fetchall() == [("N/A",)]


def test_since_and_issue_leave_the_rest_unread(lake, s3_store, s3_url, environment, events):
    for number in range(3):
        close(lake, day_after(number), number)
    publish(lake, s3_store, TABLES.values(), "live", now=LATER)

    there = connect(s3_url, since=day_after(2), issue="20260302T000000Z", tables=[WINDOW_STATS, TRAJECTORY_EVENTS])

    assert there.sql("SELECT DISTINCT data_points FROM window_stats").fetchall() == [(2,)]
    assert there.sql("SELECT issue FROM trajectory_events").fetchall() == [("20260302T000000Z",)]


def test_an_open_connection_follows_each_publication_and_is_as_of_one(lake, store):
    close(lake, FIRST, 1)
    close(lake, day_after(1), 1)
    publish(lake, store, [WINDOW_STATS], "live", now=LATER)
    connection = Connection(PublishedViews(store, [WINDOW_STATS], None, None))
    seen = "SELECT date, min(data_points), max(data_points) FROM window_stats GROUP BY date ORDER BY date"
    assert connection.sql(seen).fetchall() == [(FIRST, 1, 1), (day_after(1), 1, 1)]
    planned = connection.sql(seen)

    close(lake, day_after(1), 2)
    publish(lake, store, [WINDOW_STATS], "live", now=LATER)

    assert planned.fetchall() == [(FIRST, 1, 1), (day_after(1), 1, 1)]
    assert connection.sql(seen).fetchall() == [(FIRST, 1, 1), (day_after(1), 2, 2)]


def test_files_are_urls_that_other_readers_take(lake, s3_store, s3_url, s3_server, environment):
    for number in range(3):
        close(lake, day_after(number), number)
    publish(lake, s3_store, [WINDOW_STATS], "live", now=LATER)

    found = files("window_stats", s3_url, since=day_after(1))

    assert found == [f"{s3_url}/lake/window_stats/date={day_after(number)}/part-0.parquet" for number in (1, 2)]
    scan = pl.scan_parquet(found, hive_partitioning=True, glob=False)
    assert scan.select(pl.col("data_points").unique().sort()).collect()["data_points"].to_list() == [1, 2]


def test_a_store_without_a_manifest_has_empty_views(store):
    connection = Connection(PublishedViews(store, list(TABLES.values()), None, None))

    for table in TABLES:
        assert connection.sql(f"SELECT * FROM {table}").fetchall() == []


def test_objects_of_another_version_are_named(lake, store):
    close(lake, FIRST, 1)
    publish(lake, store, [WINDOW_STATS], "live", now=LATER)
    content = store.read("manifest.json").replace(f'"version": {WINDOW_STATS.version}'.encode(), b'"version": 99')
    with store.filesystem.open_output_stream(store.path("manifest.json")) as sink:
        sink.write(content)

    with pytest.raises(LakeError, match="version 99 of window_stats"):
        Connection(PublishedViews(store, [WINDOW_STATS], None, None))


def test_rows_are_those_that_were_closed(lake, store):
    close(lake, FIRST, 1)
    publish(lake, store, [WINDOW_STATS], "live", now=LATER)
    connection = Connection(PublishedViews(store, [WINDOW_STATS], None, None))

    found = connection.sql("SELECT * EXCLUDE (date) FROM window_stats").to_arrow_table()
    assert found.cast(WINDOW_STATS.schema).equals(rows_of(FIRST, 1))
