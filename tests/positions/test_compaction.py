"""Closed days: equal to plain Python over all fixes of the day, whatever the stream saw in which order."""

import random
import re
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import fix, line, lines, orbit

from orbitlake.lake import LakeError
from orbitlake.lake.listing import parts_of
from orbitlake.positions.spark import compaction
from orbitlake.positions.spark.compaction import DayNotOverError, compact_day
from orbitlake.positions.store import closing
from orbitlake.positions.store.day_files import days_before, pending_days
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS

pytestmark = pytest.mark.spark
DAY = date(2025, 12, 22)
NOON_TO_MIDNIGHT_S = 43_200
SHUFFLES = 20


@pytest.fixture
def closed(lake):
    """The rows of a closed day."""
    return lambda table, day=DAY: pq.read_table(lake.day(table, day), partitioning=None).to_pylist()


def across_midnight():
    """Fixes from ten minutes before DAY to forty after its begin."""
    return orbit(range(NOON_TO_MIDNIGHT_S - 600, NOON_TO_MIDNIGHT_S + 2400, 25))


def expected_of(rows):
    positions = [row for row in expected_positions(rows) if row["event_time"].date() == DAY]
    return positions, expected_minutes(positions)


def approximately(rows):
    return [
        {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in r.items()} for r in rows
    ]


def test_a_day_of_late_and_shuffled_fixes_equals_plain_python(spark, stream, lake, closed):
    rows = across_midnight()
    random.Random(2).shuffle(rows)
    for start in range(0, len(rows), 50):
        stream.batch(lines(rows[start : start + 50]))
    done = compact_day(spark, lake, DAY)
    positions, minutes = expected_of(rows)

    assert closed(POSITIONS) == approximately(positions)
    assert closed(WINDOW_STATS) == approximately(minutes)
    assert (done.positions, done.window_stats, done.replaced) == (len(positions), len(minutes), True)


def test_closed_tables_carry_the_schema_and_equal_the_streamed_ones(spark, stream, lake, closed):
    stream.batch(lines(across_midnight()))
    compact_day(spark, lake, DAY)

    for table in POSITION_TABLES:
        live = [
            row
            for file in sorted(lake.live(table).glob(f"date={DAY}/*"))
            for row in pq.read_table(file, partitioning=None).to_pylist()
        ]
        assert closed(table) == live
        assert pq.read_schema(lake.day(table, DAY)).equals(table.schema, check_metadata=True)


def test_each_reader_finds_the_same_rows_in_a_closed_day(spark, stream, lake, closed):
    stream.batch(lines(across_midnight()))
    compact_day(spark, lake, DAY)

    for table in POSITION_TABLES:
        file, rows = str(lake.day(table, DAY)), closed(table)
        assert spark.read.parquet(file).drop("date").toArrow().cast(table.schema).to_pylist() == rows
        in_duckdb = duckdb.sql(f"SELECT {', '.join(table.column_names)} FROM '{file}'").to_arrow_table()
        assert in_duckdb.cast(table.schema).to_pylist() == rows
        assert pl.read_parquet(file, hive_partitioning=False).to_dicts() == rows


def test_any_order_of_arrival_ends_in_the_same_bytes(spark, stream, lake):
    once = across_midnight()[::3]
    received_again = [row | {"fetch_time": row["fetch_time"] - timedelta(seconds=0.25)} for row in once[::4]]
    without_time = [row | {"fetch_time": None} for row in once[1::4]]
    beside = [row | {"latitude_deg": row["latitude_deg"] + 0.01} for row in once[2::8]]
    results = set()
    for seed in range(SHUFFLES):
        rows = [*once, *received_again, *without_time, *beside]
        random.Random(seed).shuffle(rows)
        for start in range(0, len(rows), 25):
            stream.batch(lines(rows[start : start + 25]))
        compact_day(spark, lake, DAY)
        results.add(tuple(lake.day(table, DAY).read_bytes() for table in POSITION_TABLES))
        for file in [*lake.root.glob("live/**/*.parquet"), *lake.root.glob("lake/**/*.parquet")]:
            file.unlink()
        stream.restart()

    assert len(results) == 1


def test_again_without_news_touches_nothing(spark, stream, lake):
    stream.batch(lines(across_midnight()))
    compact_day(spark, lake, DAY)
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in lake.root.glob("lake/**/*.parquet")}
    again = compact_day(spark, lake, DAY)

    assert not again.replaced
    assert {
        file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in lake.root.glob("lake/**/*.parquet")
    } == before
    assert not list(lake.staging.glob("*.parquet"))


def test_a_late_fix_of_a_closed_day_is_taken_by_the_next_run(spark, stream, lake, closed):
    rows = across_midnight()
    late = rows.pop(60)
    stream.batch(lines(rows))
    compact_day(spark, lake, DAY)
    stream.batch([line(late)])
    done = compact_day(spark, lake, DAY)

    assert done.replaced
    assert closed(POSITIONS) == approximately(expected_of([*rows, late])[0])


def test_only_a_late_fix_reopens_a_closed_day(spark, stream, lake):
    rows = across_midnight()
    stream.batch(lines(rows[:-1]))
    compact_day(spark, lake, DAY)
    before = pending_days(lake, DAY + timedelta(days=1))
    stream.batch(lines(rows[-1:]))

    assert DAY not in before
    assert DAY in pending_days(lake, DAY + timedelta(days=1))


def test_a_day_that_was_never_closed_is_pending(stream, lake):
    stream.batch(lines(across_midnight()))

    assert pending_days(lake, DAY + timedelta(days=1)) == days_before(lake, DAY + timedelta(days=1))
    assert DAY in pending_days(lake, DAY + timedelta(days=1))


def test_a_closed_day_without_its_live_files_still_counts(spark, stream, lake, closed):
    rows = across_midnight()
    late = rows.pop(60)
    stream.batch(lines(rows))
    for day in (DAY - timedelta(days=1), DAY):
        compact_day(spark, lake, day)
    for file in lake.root.glob("live/**/*.parquet"):
        file.unlink()
    stream.restart()
    progress = stream.batch([*lines(rows[::5]), line(late)])
    compact_day(spark, lake, DAY)

    assert progress.rows == 1
    assert closed(POSITIONS) == approximately(expected_of([*rows, late])[0])


def test_a_day_without_fixes_writes_nothing(spark, lake):
    done = compact_day(spark, lake, DAY)

    assert (done.positions, done.window_stats, done.replaced) == (0, 0, False)
    assert not (lake.root / "lake").exists()


def test_a_damaged_live_file_is_named(spark, lake):
    damaged = lake.live(POSITIONS) / "date=2026-03-01" / "1200-0.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1 and half a file")

    with pytest.raises(LakeError, match=f"^{re.escape(str(damaged))} is damaged: "):
        compact_day(spark, lake, date(2026, 3, 1))


def test_a_day_that_is_not_over_is_refused(spark, lake):
    with pytest.raises(DayNotOverError, match="is not over in UTC"):
        compact_day(spark, lake, datetime.now(UTC).date())


def test_the_days_before_a_day_are_those_with_live_files(stream, lake):
    stream.batch(lines([fix(), fix(NOON_TO_MIDNIGHT_S + 1), fix(3 * NOON_TO_MIDNIGHT_S + 1)]))

    assert days_before(lake, date(2025, 12, 23)) == [date(2025, 12, 21), DAY]


def test_a_large_day_is_split_by_object_and_keeps_its_split(spark, stream, lake, monkeypatch):
    monkeypatch.setattr(compaction, "ROWS_A_PART", 40)
    monkeypatch.setattr(closing, "ROWS_AT_ONCE", 20)
    midnight = range(NOON_TO_MIDNIGHT_S - 50, NOON_TO_MIDNIGHT_S + 250, 25)
    rows = [row for number in range(20) for row in orbit(midnight, object_id=f"20{number:02d}-001A")]
    late = rows.pop(66)
    stream.batch(lines(rows))
    first = compact_day(spark, lake, DAY)
    objects = [
        set(pq.read_table(part, partitioning=None)["object_id"].to_pylist()) for part in parts_of(lake, POSITIONS, DAY)
    ]
    stream.batch([line(late)])
    monkeypatch.undo()
    again = compact_day(spark, lake, DAY)
    after = [pq.read_table(part, partitioning=None) for part in parts_of(lake, POSITIONS, DAY)]

    assert first.parts == again.parts == 5
    assert again.replaced
    assert sum(map(len, objects)) == 20
    assert [set(part["object_id"].to_pylist()) for part in after] == objects
    found = sorted(
        (row for part in after for row in part.to_pylist()), key=lambda row: (row["object_id"], row["event_time"])
    )
    assert found == approximately(expected_of([*rows, late])[0])


def test_a_replaced_day_keeps_its_length_while_late_fixes_find_room(spark, stream, lake, closed):
    rows = across_midnight()
    late = [rows.pop(60), rows.pop(70)]
    stream.batch(lines(rows))
    compact_day(spark, lake, DAY)
    length = lake.day(POSITIONS, DAY).stat().st_size
    stream.batch(lines(late))
    compact_day(spark, lake, DAY)

    assert lake.day(POSITIONS, DAY).stat().st_size == length
    assert closed(POSITIONS) == approximately(expected_of([*rows, *late])[0])
