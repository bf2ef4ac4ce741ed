"""A Parquet file that is replaced under its readers: each finds the newest rows, a plan made before finds its own."""

import random
from datetime import timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.positions.samples import ISS, START

from orbitlake.lake import roomy
from orbitlake.lake.pages import Revision
from orbitlake.lake.roomy import SPLIT_BYTES, RoomyWriter
from orbitlake.tables import WINDOW_STATS

OLDER_KEPT = 3


def rows_of(number: int, rows: int = 5) -> pa.Table:
    """Rows of one key each, their values and nulls those of revision `number`."""
    choose = random.Random(number)
    base = {"object_id": ISS, "source": "open_notify", "data_points": number}
    times = dict.fromkeys(("window_end", "first_event_time", "last_event_time"), START)
    numbers = {
        field.name: choose.random() if field.name.startswith("avg_l") else choose.choice([None, choose.random()])
        for field in WINDOW_STATS.schema
        if pa.types.is_floating(field.type)
    }
    found = [base | times | numbers | {"window_start": START + timedelta(minutes=minute)} for minute in range(rows)]
    return pa.Table.from_pylist(found, schema=WINDOW_STATS.schema)


@pytest.fixture
def put(tmp_path):
    """Write rows as a file, in place of that before."""
    target = tmp_path / "date=2025-12-21" / "1200-0.parquet"
    target.parent.mkdir()

    def put(rows: pa.Table, least_bytes: int = 0) -> Path:
        with RoomyWriter(WINDOW_STATS, target, tmp_path / "staging", least_bytes=least_bytes) as writer:
            writer.write(rows)
        writer.path.replace(target)
        assert pq.ParquetFile(target).read().equals(rows)
        return target

    return put


def test_each_reader_finds_the_newest_rows_and_the_length_stays(put):
    lengths = set()
    for number in range(40):
        file = put(rows_of(number))
        lengths.add(file.stat().st_size)

        assert pd.read_parquet(file)["data_points"].unique().tolist() == [number]
        assert duckdb.sql(f"SELECT DISTINCT data_points FROM '{file}'").fetchall() == [(number,)]
        assert pl.read_parquet(file)["data_points"].unique().to_list() == [number]
    assert len(lengths) == 1


def test_a_footer_read_some_replacements_ago_finds_its_own_rows(put):
    footers = []
    for number in range(40):
        file = put(rows_of(number))
        footers.append(pq.read_metadata(file))
        for back, footer in enumerate(reversed(footers[-OLDER_KEPT - 1 :])):
            assert pq.ParquetFile(file, metadata=footer).read().equals(rows_of(number - back))


def planned(file):
    """A plan of Polars' and one of a dataset's, made by the footer as it is now; each gives its `data_points`."""
    lazy = pl.scan_parquet(file)
    lazy.collect_schema()
    dataset = ds.dataset([str(file)], format="parquet")
    fragments = list(dataset.get_fragments())
    for fragment in fragments:
        fragment.ensure_complete_metadata()
    return lambda: (
        set(lazy.select("data_points").collect()["data_points"]),
        {point for fragment in fragments for point in fragment.to_table()["data_points"].to_pylist()},
    )


@pytest.mark.parametrize("sizes", [(5, 6, 7, 8), (5, 500, 5, 900), (300, 700, 1_500)], ids=["room", "growth", "twice"])
def test_a_plan_made_before_reads_the_rows_of_its_time(put, sizes):
    file = put(rows_of(0, sizes[0]))
    for number, size in enumerate(sizes[1:], start=1):
        plan = planned(file)
        put(rows_of(number, size))

        assert plan() == ({number - 1}, {number - 1})


def test_rows_that_leap_beyond_all_room_end_a_plan_with_an_error_and_never_with_other_rows(put):
    plan = planned(put(rows_of(0, 300)))
    put(rows_of(1, 20_000))

    with pytest.raises((pl.exceptions.ComputeError, OSError)):
        plan()


def middles(file: Path) -> list[float]:
    """The middle of each row group, by which Spark judges whose task reads it."""
    revision = Revision.of(file)
    return [(revision.begin + revision.end) / 2]


def test_the_middle_of_outgrown_pages_comes_before_the_old_end_and_within_sparks_first_task(put):
    file = put(rows_of(0, 5))
    length = file.stat().st_size
    for number, size in enumerate((300, 700, 1_500, 3_000, 6_000, 12_000, 24_000), start=1):
        put(rows_of(number, size))

        assert file.stat().st_size >= length
        assert all(middle < min(length, SPLIT_BYTES) for middle in middles(file))
        length = file.stat().st_size


def test_a_new_file_takes_the_length_that_it_is_given(put):
    assert put(rows_of(0), least_bytes=100_000).stat().st_size == 100_000


def test_equal_rows_have_one_digest_wherever_they_stand(put):
    digests = {Revision.of(put(rows_of(number % 2))).digest for number in range(9)}

    assert len(digests) == 2


def test_unused_room_takes_no_disk_and_used_room_at_most_its_length(put):
    new = put(rows_of(0, rows=20_000)).stat()
    for number in range(1, 30):
        used = put(rows_of(number, rows=20_000)).stat()

    assert new.st_blocks * 512 < new.st_size / 3
    assert used.st_blocks * 512 <= used.st_size + 8192


def test_a_large_file_is_written_as_it_comes_to_the_front_and_keeps_its_length(put, monkeypatch):
    monkeypatch.setattr(roomy, "SMALL_ROWS", 1_000)
    lengths = {put(rows_of(number, rows=5_000)).stat().st_size for number in range(3)}

    assert len(lengths) == 1


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail():
        with RoomyWriter(WINDOW_STATS, tmp_path / "a.parquet", tmp_path / "staging") as writer:
            writer.write(rows_of(0))
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        fail()
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.spark
@pytest.mark.parametrize("sizes", [(5, 6, 7, 8), (5, 500, 5, 900)], ids=["room", "growth"])
def test_a_stale_frame_of_sparks_reads_the_new_rows(spark, put, sizes):
    frame = spark.read.parquet(str(put(rows_of(0, sizes[0]))))
    for number, size in enumerate(sizes[1:], start=1):
        put(rows_of(number, size))

        assert {row.data_points for row in frame.select("data_points").collect()} == {number}
        assert frame.count() == size
