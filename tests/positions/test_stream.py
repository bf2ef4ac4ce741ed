"""The stream's batches: exact once, right in any order, and the same when done again after a crash anywhere."""

import json
import random
import shutil
from itertools import count

import pyarrow.parquet as pq
import pytest
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import fix, line, lines, orbit

from orbitlake.positions.derive.motion import BASE_COLUMNS
from orbitlake.positions.store import minute_files
from orbitlake.tables import POSITIONS, WINDOW_STATS


def live(lake, table):
    """All rows under the table's live folder, read as any reader of Parquet would, sorted."""
    files = sorted(lake.live(table).glob("**/*"))
    assert all(file.is_dir() or file.suffix == ".parquet" for file in files)
    tables = [pq.read_table(file, partitioning=None) for file in files if file.is_file()]
    assert all(each.schema.equals(table.schema, check_metadata=True) for each in tables)
    return sorted((row for each in tables for row in each.to_pylist()), key=lambda row: [row[n] for n in table.key])


def assert_right(lake, rows):
    """The live tables hold each of the fixes once, and every derived column is that of all fixes together."""
    positions = expected_positions([{name: row[name] for name in BASE_COLUMNS} for row in rows])
    for table, expected in ((POSITIONS, positions), (WINDOW_STATS, expected_minutes(positions))):
        expected.sort(key=lambda row: [row[n] for n in table.key])
        assert live(lake, table) == [
            {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in row.items()}
            for row in expected
        ]


def contents(lake):
    return {file.relative_to(lake.root): file.read_bytes() for file in (lake.root / "live").glob("**/*.parquet")}


def test_batches_in_order_give_right_tables_and_counts(stream, lake):
    rows = orbit(range(0, 240, 5))
    first = stream.batch(lines(rows[:30]))
    second = stream.batch([*lines(rows[28:]), line(rows[3])])

    assert_right(lake, rows)
    assert (first.fixes, first.rows, first.repeats) == (30, 30, 0)
    assert (second.fixes, second.rows, second.repeats, second.late) == (21, 18, 3, 0)


@pytest.mark.parametrize("seed", range(2))
def test_disorder_across_batches_gives_the_same_as_order(stream, lake, seed):
    chance = random.Random(seed)
    seconds = sorted(chance.sample(range(1500), 120))
    rows = orbit(seconds) + orbit(seconds[::3], object_id="2021-035A") + orbit(seconds[::11], fetch_time=None)
    chance.shuffle(rows)
    for start in range(0, len(rows), 45):
        stream.batch(lines(rows[start : start + 45]))

    assert_right(lake, rows)


def test_a_late_fix_is_counted_and_corrects_its_neighbours(stream, lake):
    rows = orbit(range(0, 1800, 20))
    late = rows.pop(10)
    stream.batch(lines(rows[:40]))
    stream.batch(lines(rows[40:]))
    progress = stream.batch([line(late), line(rows[5])])

    assert_right(lake, [*rows, late])
    assert (progress.rows, progress.repeats, progress.late) == (1, 1, 1)


def test_an_earlier_arrival_of_a_known_fix_corrects_the_row(stream, lake):
    rows = orbit([0, 5, 10])
    again = rows[1] | {"fetch_time": rows[0]["fetch_time"]}
    stream.batch(lines(rows))
    stream.batch([line(again)])

    assert_right(lake, [*rows, again])


def test_midnight_separates_files_but_not_motion(stream, lake):
    rows = orbit(range(43_150, 43_260, 10))
    stream.batch(lines(rows[::2]))
    stream.batch(lines(rows[1::2]))

    assert_right(lake, rows)
    assert {folder.name for folder in lake.live(POSITIONS).iterdir()} == {"date=2025-12-21", "date=2025-12-22"}


def test_a_batch_done_again_changes_no_byte(stream, lake):
    rows = orbit(range(0, 300, 10))
    stream.batch(lines(rows[::2]))
    stream.batch(lines(rows[1::2]))
    before = contents(lake)
    stream.batch(lines(rows[1::2]), number=1)

    assert contents(lake) == before


def test_a_crash_before_any_rename_of_a_batch_is_mended_by_doing_it_again(stream, lake, tmp_path, monkeypatch):
    rows = orbit(range(0, 1200, 20))
    late = [rows.pop(5), rows.pop(-3)]
    stream.batch(lines(rows))
    before = shutil.copytree(lake.root, tmp_path / "before")
    crashes = 0
    while crash_at_rename(crashes, monkeypatch, lambda: stream.batch(lines(late), number=1)):
        keys = {tuple(row[n] for n in POSITIONS.key) for row in live(lake, POSITIONS)}
        assert len(keys) == len(live(lake, POSITIONS)) >= len(rows)
        stream.batch(lines(late), number=1)
        assert_right(lake, [*rows, *late])
        shutil.rmtree(lake.root)
        shutil.copytree(before, lake.root)
        crashes += 1

    assert crashes >= 5
    assert_right(lake, [*rows, *late])


def crash_at_rename(number, monkeypatch, act) -> bool:
    """Act, but die in place of one rename; return whether it came to that."""
    renames = count()
    place_file = minute_files.place_file

    def crashing(temporary, target):
        if next(renames) == number:
            raise KeyboardInterrupt
        place_file(temporary, target)

    monkeypatch.setattr(minute_files, "place_file", crashing)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        monkeypatch.setattr(minute_files, "place_file", place_file)
    return False


def test_a_new_checkpoint_over_published_files_doubles_nothing(stream, lake):
    rows = orbit(range(0, 1200, 20))
    stream.batch(lines(rows[:50]))
    before = contents(lake)
    stream.restart()
    again = stream.batch(lines(rows[:50]))
    unchanged = contents(lake)
    stream.batch(lines(rows[40:]))

    assert (again.rows, again.repeats) == (0, 50)
    assert unchanged == before
    assert_right(lake, rows)


def test_a_batch_without_news_writes_nothing(stream, lake):
    stream.batch(lines(orbit([0, 5])))
    before = contents(lake)
    progress = stream.batch([*lines(orbit([0])), json.dumps({"error": "timeout", "fetch_time": None})])

    assert contents(lake) == before
    assert (progress.rows, progress.repeats, progress.failed_polls) == (0, 1, 1)


def test_bad_lines_go_to_quarantine_with_their_reason_and_the_rest_goes_on(stream, lake):
    progress = stream.batch([line(fix()), line(fix(5))[:40], line(fix(5, 95.0)), "", "  "])
    (note,) = [json.loads(file.read_text()) for file in lake.quarantine.glob("*.reason.json")]
    (kept,) = [file for file in lake.quarantine.iterdir() if file.suffix == ".json" and "reason" not in file.name]

    assert_right(lake, [fix()])
    assert (progress.bad, progress.records) == (2, 3)
    assert len(list(lake.quarantine.iterdir())) == 2
    assert kept.read_bytes().decode().split("\n") == [line(fix(5))[:40], line(fix(5, 95.0))]
    assert "`float` <= 90.0 - at `$.latitude`" in note["reason"]
    assert "not JSON" in note["reason"]
    assert [each["file_name"] for each in note["first_lines"]] == ["poll.json", "poll.json"]


def test_recorded_answers_of_the_feed_make_one_row_each(stream, lake, real_data):
    recording = real_data / "open_notify" / "recordings" / "ArshMalik07__iss_location_data.csv"
    whole, torn = [], []
    for text in recording.read_text().splitlines()[1:]:
        fields = text.split(",")
        (whole if len(fields) == 3 and all(fields) else torn).append(fields)
    raw = [
        json.dumps(
            {"latitude": a, "longitude": o, "timestamp": t, "fetch_time": "2024-06-30T12:00:00", "altitude_km": 408.0}
        )
        for t, a, o in whole
    ]
    progress = stream.batch(raw)

    assert progress.rows == len({tuple(fields) for fields in whole}) == 100
    assert progress.bad == 0
    assert all(row["altitude_km"] is None and row["fetch_time"] is None for row in live(lake, POSITIONS))


test_recorded_answers_of_the_feed_make_one_row_each = pytest.mark.real(
    test_recorded_answers_of_the_feed_make_one_row_each
)
