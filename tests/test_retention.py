"""What goes, and what stays: nothing is removed that the closed day does not hold, or that nobody allowed to go."""

import dataclasses
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from tests.conftest import CHECKOUT
from tests.positions.published import derived, put_closed, put_live, stream_in
from tests.positions.samples import orbit

from orbitlake import retention
from orbitlake.lake.quarantine import quarantine
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.store import minute_files
from orbitlake.retention import ClosedDayError, removals, remove
from orbitlake.settings import from_environment
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS

DAY = date(2025, 12, 21)
SETTINGS = from_environment({})
CLOSED_AT = datetime(2025, 12, 22, 1, tzinfo=UTC)
NEXT_DAY = CLOSED_AT + timedelta(hours=25)


def derived_at(seconds):
    return derived(orbit(seconds))


def close(lake, rows, at=CLOSED_AT, digest=None):
    """Close DAY at a time with some rows, by default of the live files that there are."""
    for table in POSITION_TABLES:
        put_closed(lake, table, DAY, rows[table], digest)
        os.utime(lake.day(table, DAY), (at.timestamp(), at.timestamp()))


@pytest.fixture
def closed_day(lake):
    """A closed day of two minutes."""
    for table, rows in derived_at(range(0, 120, 5)).items():
        put_live(lake, table, rows)
    close(lake, derived_at(range(0, 120, 5)))
    return lake


def going(lake, now=NEXT_DAY, **settings):
    return list(removals(lake, dataclasses.replace(SETTINGS, **settings), now))


def test_late_fix_that_comes_while_files_are_looked_at_keeps_the_day_and_is_no_fault(closed_day, monkeypatch):
    look = retention.page_digests

    def look_and_write(lake, table, day):
        found = look(lake, table, day)
        if table == WINDOW_STATS:
            stream_in(lake, orbit([62]))
        return found

    monkeypatch.setattr(retention, "page_digests", look_and_write)

    assert going(closed_day) == []


def test_live_files_of_a_closed_day_go_after_the_grace_and_not_before(closed_day):
    assert going(closed_day, CLOSED_AT + timedelta(hours=23)) == []
    found = going(closed_day)
    assert [removal.kind for removal in found] == ["live"] * 4
    for removal in found:
        remove(closed_day, removal)
    assert list((closed_day.root / "live").glob("*/*")) == []
    assert going(closed_day) == []


def test_nothing_of_a_day_goes_while_it_is_pending(closed_day):
    stream_in(closed_day, orbit([130]))
    pending = going(closed_day)
    close(closed_day, derived_at([*range(0, 120, 5), 130]))

    assert pending == []
    assert len(going(closed_day)) == 6


def test_no_file_is_older_or_younger_than_the_closing(closed_day):
    for file in closed_day.root.glob("live/*/*/*.parquet"):
        os.utime(file, (2e9, 2e9))

    assert len(going(closed_day)) == 4


def test_a_batch_that_was_cut_off_before_its_positions_is_no_fault_and_is_completed_when_done_again(
    closed_day, monkeypatch
):
    def cut_off(temporary, target):
        if POSITIONS.name in target.parts:
            raise KeyboardInterrupt
        place_file(temporary, target)

    place_file = minute_files.place_file
    with monkeypatch.context() as patched:
        patched.setattr(minute_files, "place_file", cut_off)
        with pytest.raises(KeyboardInterrupt):
            stream_in(closed_day, orbit([130]))
    found = going(closed_day)
    for removal in found:
        remove(closed_day, removal)
    stream_in(closed_day, orbit([130]))

    assert len(found) == 5
    assert [going(closed_day), len(list(closed_day.root.glob("live/*/*/*.parquet")))] == [[], 2]


@pytest.mark.parametrize(
    ("closed", "reason"),
    [
        (range(0, 115, 5), "positions of 2025-12-21: 1 live rows are not in the closed day"),
        (range(0, 60, 5), "positions of 2025-12-21: 12 live rows are not in the closed day"),
    ],
)
def test_a_closed_day_that_lacks_rows_of_its_live_files_stops_the_removal(closed_day, closed, reason):
    close(closed_day, derived_at(closed))

    with pytest.raises(ClosedDayError, match=reason):
        going(closed_day)


def test_a_closed_day_with_a_row_twice_stops_the_removal(closed_day):
    rows = derived_at(range(0, 120, 5))
    close(closed_day, rows | {POSITIONS: pa.concat_tables([rows[POSITIONS], rows[POSITIONS].slice(3, 1)])})

    with pytest.raises(ClosedDayError, match="25 rows, 24 distinct keys"):
        going(closed_day)


def test_minutes_that_count_other_fixes_than_there_are_stop_the_removal(closed_day):
    rows = derived_at(range(0, 120, 5))
    counts = pa.array([12, 11])
    place = WINDOW_STATS.column_names.index("data_points")
    wrong = rows[WINDOW_STATS].set_column(place, WINDOW_STATS.schema.field("data_points"), counts)
    close(closed_day, rows | {WINDOW_STATS: wrong})

    with pytest.raises(ClosedDayError, match="count 23 fixes, positions hold 24"):
        going(closed_day)


def test_raw_records_and_quarantine_stay_for_ever_unless_a_setting_says_otherwise(closed_day):
    raw = closed_day.raw_open_notify / "date=2025-12-21"
    raw.mkdir(parents=True)
    sealed = raw / "20251221T000000.000000Z-a1b2c3d4.01234567-3.jsonl.gz"
    others_mark = raw / "20251221T000000.000000Z-a1b2c3d4.76543210-3.jsonl.gz"
    for file in (sealed, others_mark, raw / "20251221-0123456789ab.jsonl.gz", raw / "open.jsonl"):
        file.write_bytes(b"packed")
    unclosed = closed_day.raw_open_notify / "date=2025-12-20"
    unclosed.mkdir()
    (unclosed / sealed.name).write_bytes(b"packed")
    kept = quarantine(closed_day, "bad.json", b"bad", "no JSON")
    os.utime(kept, (CLOSED_AT.timestamp(), CLOSED_AT.timestamp()))

    def others(now, **settings):
        return [
            (removal.kind, removal.path) for removal in going(closed_day, now, **settings) if removal.kind != "live"
        ]

    month = CLOSED_AT + timedelta(days=31)
    # Of a checkpoint that is gone, or copied there: nobody has read it yet.
    assert others(month, keep_raw_days=30) == []
    spark = Checkpoint(closed_day).spark
    for name, content in (("metadata", '{"id": "0123456789"}'), ("offsets/3", "v1\n{}\n{}"), ("commits/3", "v1")):
        (spark / name).parent.mkdir(parents=True, exist_ok=True)
        (spark / name).write_text(content)
    assert others(month) == []
    assert others(month, keep_raw_days=30) == [("raw", str(sealed))]
    assert others(month, keep_raw_days=32) == []
    assert others(month, keep_quarantine_days=30) == [("quarantine", str(kept))]


def test_a_dry_run_says_what_would_go_and_removes_nothing(closed_day):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "ORBITLAKE_DATA": str(closed_day.root)}

    def run(*arguments):
        job = [sys.executable, str(CHECKOUT / "jobs" / "retire_files.py"), *arguments]
        done = subprocess.run(job, env=environment, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    dry = run("--dry-run")
    kept = len(list(closed_day.root.glob("live/*/*/*.parquet")))
    wet = run()

    assert dry[-1] | {"removed": True} == wet[-1]
    assert wet[-1]["files"] == {"live": 4}
    assert kept == 4
    assert run()[-1]["files"] == {}
