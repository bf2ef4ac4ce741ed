"""Closed days again: cut off before any write, late on the eve, in parts, beside the stream; nothing lost or left."""

import os
import random
import time
from datetime import date, timedelta

import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.positions.killer import Killed
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import line, lines, orbit

from orbitlake.lake.listing import parts_of
from orbitlake.positions.spark import compaction
from orbitlake.positions.spark.compaction import compact_day
from orbitlake.positions.store.day_files import pending_days
from orbitlake.positions.store.minute_files import live_files
from orbitlake.query import files
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS

DAY = date(2025, 12, 22)
EVE, NEXT = DAY - timedelta(days=1), DAY + timedelta(days=1)
MIDNIGHT_S = 43_200
NEXT_MIDNIGHT_S = MIDNIGHT_S + 86_400
STEPS_AT_MOST = 60


def rows_of(lake, table, day=DAY):
    """The rows of a closed day, in order; None where it is not closed."""
    parts = parts_of(lake, table, day)
    rows = [row for part in parts for row in pq.read_table(part, partitioning=None).to_pylist()]
    return sorted(rows, key=lambda row: [row[name] for name in table.key]) if parts else None


def live_rows(lake, table, day=DAY):
    rows = [row for file in live_files(lake, table, day) for row in pq.read_table(file, partitioning=None).to_pylist()]
    return sorted(rows, key=lambda row: [row[name] for name in table.key])


def approximately(rows):
    return [
        {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in r.items()} for r in rows
    ]


def expected_of(rows, day=DAY):
    """Both tables of a day as plain Python computes them."""
    positions = [row for row in expected_positions(rows) if row["event_time"].date() == day]
    minutes = expected_minutes(positions)
    return {
        table: approximately(sorted(of_table, key=lambda row: [row[name] for name in table.key]))
        for table, of_table in ((POSITIONS, positions), (WINDOW_STATS, minutes))
    }


def three_days():
    """Fixes of two objects and two sources around both midnights of DAY and at noon, in order of time."""
    stretches = ((MIDNIGHT_S, 600, 900), (MIDNIGHT_S + 43_200, 0, 600), (NEXT_MIDNIGHT_S, 900, 600))
    rows = [
        row
        for middle, before, after in stretches
        for ahead, object_id in enumerate(("1998-067A", "2021-035A"))
        for source in ("open_notify", "wheretheiss")
        for row in orbit(range(middle - before + 7 * ahead, middle + after, 25), object_id=object_id, source=source)
    ]
    return sorted(rows, key=lambda row: row["event_time"])


def test_without_late_fixes_closed_days_equal_the_streamed_ones_row_for_row(engine, stream, lake):
    rows = three_days()
    for start in range(0, len(rows), 150):
        stream.batch(lines(rows[start : start + 150]))
    days = (EVE, DAY, NEXT)
    streamed = {(table, day): live_rows(lake, table, day) for table in POSITION_TABLES for day in days}
    for day in days:
        compact_day(engine, lake, day)

    for (table, day), expected in streamed.items():
        assert len(expected) > 10
        assert rows_of(lake, table, day) == expected
    assert rows_of(lake, POSITIONS) == expected_of(rows)[POSITIONS]


def test_with_a_tenth_late_and_all_shuffled_closed_days_equal_plain_python(engine, stream, lake):
    rows = three_days()
    random.Random(3).shuffle(rows)
    tenth = len(rows) // 10
    late, in_time = rows[:tenth], rows[tenth:]
    for start in range(0, len(in_time), 150):
        stream.batch(lines(in_time[start : start + 150]))
    for day in (DAY, EVE, NEXT):
        compact_day(engine, lake, day)
    stream.batch(lines(late))
    for day in (NEXT, DAY, EVE):
        compact_day(engine, lake, day)

    for day in (EVE, DAY, NEXT):
        for table, expected in expected_of(rows, day).items():
            assert rows_of(lake, table, day) == expected
            assert len(parts_of(lake, table, day)) == 1


def around_next_midnight():
    return orbit(range(NEXT_MIDNIGHT_S - 600, NEXT_MIDNIGHT_S + 600, 25))


def closed_but_for_one(engine, stream, lake):
    """Close DAY and NEXT without the last fix of DAY, let their live files go, then let it come; return all rows."""
    rows = around_next_midnight()
    late = rows.pop(23)
    stream.batch(lines(rows))
    compact_day(engine, lake, DAY)
    compact_day(engine, lake, NEXT)
    for file in lake.root.glob("live/*/*/*.parquet"):
        file.unlink()
    stream.restart()
    stream.batch([line(late)])
    return [*rows, late]


def test_a_late_fix_before_midnight_changes_the_first_row_of_the_closed_day_after(engine, stream, lake):
    rows = closed_but_for_one(engine, stream, lake)
    before = rows_of(lake, POSITIONS, NEXT)
    reopened = pending_days(lake, NEXT + timedelta(days=1))
    for day in reopened:
        compact_day(engine, lake, day)

    assert reopened == [DAY, NEXT]
    assert rows_of(lake, POSITIONS, NEXT) != before
    for day in (DAY, NEXT):
        for table, expected in expected_of(rows, day).items():
            assert rows_of(lake, table, day) == expected
    assert pending_days(lake, NEXT + timedelta(days=1)) == []


def test_a_late_fix_at_noon_leaves_the_day_after_alone(engine, stream, lake):
    rows = [*orbit(range(NEXT_MIDNIGHT_S - 43_200, NEXT_MIDNIGHT_S - 43_000, 25)), *around_next_midnight()]
    late = rows.pop(3)
    stream.batch(lines(rows))
    compact_day(engine, lake, DAY)
    compact_day(engine, lake, NEXT)
    stream.batch([line(late)])
    before = lake.day(POSITIONS, NEXT).stat().st_ino
    compact_day(engine, lake, DAY)

    assert lake.day(POSITIONS, NEXT).stat().st_ino == before


@pytest.mark.parametrize("rows_a_part", [5_000_000, 30])
def test_a_kill_before_any_write_leaves_old_or_new_and_is_made_good(
    engine, stream, lake, killer, monkeypatch, rows_a_part
):
    monkeypatch.setattr(compaction, "ROWS_A_PART", rows_a_part)
    rows = [row for n in range(4) for row in orbit(range(MIDNIGHT_S, MIDNIGHT_S + 400, 25), object_id=f"200{n}-001A")]
    late = [rows.pop(50), rows.pop(30), rows.pop(3)]
    stream.batch(lines(rows))
    known = rows
    kills = 0
    for arriving in (None, late):
        if arriving:
            stream.batch(lines(arriving))
        old = {table: rows_of(lake, table) for table in POSITION_TABLES}
        known = known + (arriving or [])
        new = expected_of(known)
        for step in range(STEPS_AT_MOST):
            try:
                with killer.armed(lake.root, step):
                    compact_day(engine, lake, DAY)
            except Killed:
                kills += 1
            else:
                break
            for table in POSITION_TABLES:
                found = {row["object_id"]: [] for row in new[table]}
                for row in rows_of(lake, table) or []:
                    found[row["object_id"]].append(row)
                for object_id, of_object in found.items():
                    before = [row for row in old[table] or [] if row["object_id"] == object_id]
                    after = [row for row in new[table] if row["object_id"] == object_id]
                    assert of_object in (before, after)
            assert not [
                path for path in (lake.root / "lake").rglob("*") if path.is_file() and path.suffix != ".parquet"
            ]

        assert step > 3
        for table in POSITION_TABLES:
            assert rows_of(lake, table) == new[table]
    print(f"{kills} kills")
    yesterday = time.time() - 2 * 86_400
    for path in lake.staging.iterdir():
        os.utime(path, (yesterday, yesterday))
    compact_day(engine, lake, DAY)

    assert [path.name for path in lake.staging.iterdir()] == ["stream_positions"]
    assert pending_days(lake, NEXT) == []


def test_a_day_cut_off_between_its_tables_is_closed_by_the_next_daily_run(engine, stream, lake):
    stream.batch(lines(around_next_midnight()))
    compact_day(engine, lake, DAY)
    lake.day(WINDOW_STATS, DAY).unlink()
    reopened = pending_days(lake, NEXT)
    compact_day(engine, lake, DAY)

    assert reopened == [DAY]
    assert rows_of(lake, WINDOW_STATS)
    assert pending_days(lake, NEXT) == []


def test_a_live_file_written_again_with_the_same_rows_does_not_reopen_its_day(engine, stream, lake):
    rows = around_next_midnight()
    stream.batch(lines(rows))
    compact_day(engine, lake, DAY)
    for file in live_files(lake, POSITIONS, DAY):
        file.write_bytes(file.read_bytes())

    assert pending_days(lake, NEXT) == []


def test_what_a_compaction_read_beyond_its_list_reopens_the_day_once_and_replaces_no_row(
    engine, stream, lake, monkeypatch
):
    rows = around_next_midnight()
    stream.batch(lines(rows[:-1]))
    listed = compaction.live_files

    def then_comes_a_fix(*where):
        found = listed(*where)
        stream.batch(lines(rows[:1]) + lines([rows[5] | {"latitude_deg": 1.5}]))
        return found

    monkeypatch.setattr(compaction, "live_files", then_comes_a_fix)
    compact_day(engine, lake, DAY)
    monkeypatch.undo()
    reopened = pending_days(lake, NEXT)
    again = compact_day(engine, lake, DAY)

    assert reopened == [DAY]
    assert not again.replaced
    assert pending_days(lake, NEXT) == []


def test_no_clock_has_a_say_in_what_is_pending(engine, stream, lake):
    rows = around_next_midnight()
    stream.batch(lines(rows[:-1]))
    compact_day(engine, lake, DAY)
    for file in live_files(lake, POSITIONS, DAY):
        os.utime(file, (2e9, 2e9))
    before = pending_days(lake, NEXT)
    stream.batch(lines([rows[5] | {"latitude_deg": 1.5}]))
    for file in live_files(lake, POSITIONS, DAY):
        os.utime(file, (1e9, 1e9))

    assert before == []
    assert pending_days(lake, NEXT) == [DAY]


def test_a_day_in_more_parts_than_objects_has_each_row_once_after_any_closing(engine, stream, lake, monkeypatch):
    monkeypatch.setattr(compaction, "ROWS_A_PART", 5)
    rows = around_next_midnight()
    late = rows.pop(10)
    stream.batch(lines(rows))
    compact_day(engine, lake, DAY)
    stream.batch([line(late)])
    monkeypatch.undo()
    for _ in range(2):
        compact_day(engine, lake, DAY)

    assert rows_of(lake, POSITIONS) == expected_of([*rows, late])[POSITIONS]


def test_a_reader_with_the_footer_of_the_replaced_file_reads_the_replaced_rows(engine, stream, lake):
    rows = around_next_midnight()
    late = [rows.pop(10), rows.pop(9), rows.pop(8)]
    stream.batch(lines(rows))
    compact_day(engine, lake, DAY)
    for fix in late:
        planned = pl.scan_parquet(files("positions", lake.root))
        planned.collect_schema()
        before = pl.read_parquet(lake.day(POSITIONS, DAY)).height
        stream.batch([line(fix)])
        compact_day(engine, lake, DAY)

        assert planned.filter(pl.col("event_time").dt.date() == DAY).collect().height == before
        assert pl.read_parquet(lake.day(POSITIONS, DAY)).height == before + 1


def test_an_outgrown_file_gets_another_length_with_room_anew(engine, stream, lake):
    rows = orbit(range(MIDNIGHT_S, MIDNIGHT_S + 3600))
    stream.batch(lines(rows[:50]))
    compact_day(engine, lake, DAY)
    lengths = [lake.day(POSITIONS, DAY).stat().st_size]
    for more in (rows[50:3500], rows[3500:3550], rows[3550:3600]):
        stream.batch(lines(more))
        compact_day(engine, lake, DAY)
        lengths.append(lake.day(POSITIONS, DAY).stat().st_size)

    assert lengths[0] < lengths[1] == lengths[2] == lengths[3]
    assert rows_of(lake, POSITIONS) == expected_of(rows[:3600])[POSITIONS]
