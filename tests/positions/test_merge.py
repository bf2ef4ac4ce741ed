"""The merge of fixes with those published, batch after batch without an engine: right in any order, at any reach."""

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import orbit
from tests.positions.test_stream import assert_right

from orbitlake import lake as lake_module
from orbitlake.positions import live
from orbitlake.positions.motion import positions_of
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.stream import PositionStream, Progress
from orbitlake.positions.track import BASE_COLUMNS
from orbitlake.positions.windows import minutes_of
from orbitlake.tables import POSITIONS, WINDOW_STATS

BASE = pa.schema([POSITIONS.schema.field(name).with_nullable(True) for name in BASE_COLUMNS])


@pytest.fixture
def publish(lake):
    """Publish batches of rows, numbered on from those before, or one `again`; return the progress of each."""
    numbers = count()

    def publish(batches, again=None):
        done = []
        with Checkpoint(lake).held() as checkpoint:
            for rows, number in zip(batches, numbers if again is None else [again], strict=False):
                done.append(Progress(number, fixes=len(rows)))
                fixes = pa.Table.from_pylist([{name: row[name] for name in BASE_COLUMNS} for row in rows], BASE)
                PositionStream(checkpoint, "1998-067A").publish(fixes, done[-1])
        return done

    return publish


@pytest.mark.parametrize("reach_s", [0, 7, 60, 300])
@pytest.mark.parametrize("swap", [0, 3, 200])
def test_any_disorder_at_any_reach_gives_the_right_tables(publish, lake, monkeypatch, reach_s, swap):
    monkeypatch.setattr(live, "LONGEST_REACH_S", reach_s)
    chance = random.Random(reach_s + swap)
    seconds = sorted(chance.choices(range(1500), k=250))
    rows = orbit(seconds) + orbit(seconds[::3], object_id="2021-035A") + orbit(seconds[::11], fetch_time=None)
    rows.sort(key=lambda row: row["event_time"].timestamp() + chance.uniform(0, swap))
    batches, rest = [], rows
    while rest:
        count = chance.randint(1, 40)
        batches.append(rest[:count])
        rest = rest[count:]
    publish(batches)

    assert_right(lake, rows)


def test_many_objects_share_the_reach(publish, lake, monkeypatch):
    monkeypatch.setattr(live, "REACH_OF_ALL_S", 120)
    batches = [
        [row for n in range(4) for row in orbit(range(start, start + 100, 10), object_id=f"2021-{n:03}A")]
        for start in range(0, 600, 100)
    ]
    done = publish(batches)

    assert_right(lake, [row for batch in batches for row in batch])
    assert [progress.late for progress in done] == [0] * 6
    assert Checkpoint(lake).load(6).positions.num_rows <= 4 * 10


def test_a_fix_of_years_ago_has_no_day_between_read_back(publish, lake, monkeypatch):
    rows = orbit(range(0, 2400, 20))
    old = orbit([0])[0] | {"event_time": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)}
    asked = []
    days_of = live.days_of
    monkeypatch.setattr(live, "days_of", lambda stretches: asked.append(days_of(stretches)) or asked[-1])
    done = publish([rows, [old, rows[1]], orbit([2400])])

    assert_right(lake, [*rows, old, *orbit([2400])])
    # Two tables each; a minute and a gap before 1970-01-01 00:00 lie in the day before.
    late = [date(1969, 12, 31), date(1970, 1, 1), rows[1]["event_time"].date()]
    assert asked[-2:] == [late, late]
    assert [progress.late for progress in done] == [0, 1, 0]


def test_a_fix_far_ahead_makes_no_other_late(publish, lake):
    rows = orbit(range(0, 600, 20))
    ahead = orbit([0])[0] | {"event_time": datetime(2090, 1, 1, tzinfo=UTC)}
    done = publish([rows[:10], [ahead], rows[10:20], rows[20:]])
    # A new checkpoint, too, knows it.
    done += publish([[ahead, rows[3]]])

    assert_right(lake, [*rows, ahead])
    assert [progress.late for progress in done] == [0] * 5


def test_a_feed_that_is_ahead_altogether_is_followed(publish, lake):
    rows = [row | {"event_time": row["event_time"] + timedelta(days=20_000)} for row in orbit(range(0, 2400, 20))]
    publish([rows[:60], rows[60:]])

    assert_right(lake, rows)
    assert Checkpoint(lake).load(2).positions.num_rows < 40


def close(lake, retire):
    """Do to all published days what a compaction and a retirement do, without an engine."""
    files = [*lake.live(POSITIONS).glob("**/*.parquet"), *lake.closed(POSITIONS).glob("**/*.parquet")]
    fixes = pa.concat_tables([pq.ParquetFile(file).read(list(BASE_COLUMNS)).cast(BASE) for file in files])
    positions = positions_of(fixes)
    for table, rows in ((POSITIONS, positions), (WINDOW_STATS, minutes_of(positions))):
        for day, of_day in live.by_day(table, rows):
            lake_module.publish(of_day, table, lake.day(table, day), lake.staging)
        if retire and lake.live(table).exists():
            shutil.rmtree(lake.live(table))


def test_an_earlier_report_of_a_fix_whose_day_is_closed_is_published_for_the_next_compaction(publish, lake):
    rows = orbit(range(0, 60, 20))
    earlier = rows[1] | {"fetch_time": rows[0]["fetch_time"]}
    later = rows[1] | {"fetch_time": rows[2]["fetch_time"]}
    publish([rows])
    close(lake, retire=True)
    publish([[later], [earlier]])
    (held,) = [pq.ParquetFile(file).read().to_pylist() for file in lake.live(POSITIONS).glob("**/*.parquet")]

    assert [(row["event_time"], row["fetch_time"]) for row in held] == [(rows[1]["event_time"], rows[0]["fetch_time"])]


@pytest.mark.parametrize("seed", range(6))
def test_closings_retirements_and_batches_done_again_between_them_leave_no_trace(publish, lake, monkeypatch, seed):
    chance = random.Random(seed)
    monkeypatch.setattr(live, "LONGEST_REACH_S", chance.choice([0, 30, 300]))
    midnight = 43_200
    rows = orbit(chance.choices(range(midnight - 400, midnight + 400), k=120))
    rows += [row | {"fetch_time": row["event_time"] + timedelta(seconds=-1)} for row in rows[::9]]
    rows += [row | {"latitude_deg": row["latitude_deg"] + 1} for row in rows[::13]]
    chance.shuffle(rows)
    rest = rows
    while rest:
        batch, rest = rest[: (size := chance.randint(1, 25))], rest[size:]
        (done,) = publish([batch])
        if chance.random() < 0.4:
            close(lake, retire=False)
        if chance.random() < 0.3:
            publish([batch], again=done.batch)
        if chance.random() < 0.3:
            close(lake, retire=True)
    close(lake, retire=True)

    expected = expected_positions([{name: row[name] for name in BASE_COLUMNS} for row in rows])
    for table, right in ((POSITIONS, expected), (WINDOW_STATS, expected_minutes(expected))):
        held = [
            row for file in lake.closed(table).glob("**/*.parquet") for row in pq.ParquetFile(file).read().to_pylist()
        ]
        assert len(held) == len(right)
        for row, other in zip(
            *(sorted(each, key=lambda row: [row[n] for n in table.key]) for each in (held, right)), strict=True
        ):
            assert row == {
                n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in other.items()
            }
