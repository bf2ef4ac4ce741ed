"""Corrected live files: every reader finds the newest rows, and one that opened the file before still finds its own."""

import random
from datetime import timedelta

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.positions.samples import ISS, START

from orbitlake.positions.revisions import publish_revisable, publish_revision
from orbitlake.tables import WINDOW_STATS

OLDER_REVISIONS_KEPT = 3


def revision(number, rows=5):
    """Rows of one key each, their values and nulls those of revision `number`."""
    choose = random.Random(number)
    base = {"object_id": ISS, "source": "open_notify", "data_points": number}
    times = dict.fromkeys(("window_end", "first_event_time", "last_event_time"), START)
    numbers = {
        field.name: choose.random() if field.name.startswith("avg_l") else choose.choice([None, choose.random()])
        for field in WINDOW_STATS.schema
        if pa.types.is_floating(field.type)
    }
    rows = [base | times | numbers | {"window_start": START + timedelta(minutes=minute)} for minute in range(rows)]
    return pa.Table.from_pylist(rows, schema=WINDOW_STATS.schema)


@pytest.fixture
def file(lake):
    """A published file and a way to correct it."""
    target = lake.live(WINDOW_STATS) / "date=2025-12-21" / "a.parquet"
    publish_revisable(revision(0), WINDOW_STATS, target, lake.staging)
    return target


def test_each_reader_finds_the_newest_revision_and_the_length_stays(lake, file):
    lengths = set()
    for number in range(1, 40):
        publish_revision(revision(number), WINDOW_STATS, file, lake.staging)
        lengths.add(file.stat().st_size)

        assert pq.read_table(file, partitioning=None).equals(revision(number))
        assert duckdb.sql(f"SELECT DISTINCT data_points FROM '{file}'").fetchall() == [(number,)]
        assert pl.read_parquet(file)["data_points"].unique().to_list() == [number]
    assert len(lengths) == 1


def test_a_footer_read_before_some_corrections_finds_its_own_rows_after_them(lake, file):
    footers = []
    for number in range(40):
        footers.append(pq.read_metadata(file))
        for back, footer in enumerate(reversed(footers[-OLDER_REVISIONS_KEPT - 1 :])):
            assert pq.ParquetFile(file, metadata=footer).read().equals(revision(number - back))
        publish_revision(revision(number + 1), WINDOW_STATS, file, lake.staging)


def test_rows_that_fit_nowhere_make_a_new_file(lake, file):
    publish_revision(revision(1, rows=50_000), WINDOW_STATS, file, lake.staging)

    assert pq.read_table(file, partitioning=None).equals(revision(1, rows=50_000))


def test_the_room_for_revisions_is_not_taken_from_the_disk(lake, file):
    publish_revisable(revision(0, rows=50_000), WINDOW_STATS, file, lake.staging)
    status = file.stat()

    assert status.st_blocks * 512 < status.st_size / 3
