"""The merge of fixes with those published, batch after batch without an engine: right in any order, at any reach."""

import random

import pyarrow as pa
import pytest
from tests.positions.samples import orbit
from tests.positions.test_stream import assert_right

from orbitlake.positions import live
from orbitlake.positions.fixes import BASE_COLUMNS
from orbitlake.positions.state import Checkpoint
from orbitlake.positions.stream import PositionStream, Progress
from orbitlake.tables import POSITIONS

BASE = pa.schema([POSITIONS.schema.field(name).with_nullable(True) for name in BASE_COLUMNS])


@pytest.fixture
def publish(lake):
    """Publish batches of rows; return the progress of each."""

    def publish(batches):
        done = []
        with Checkpoint(lake).held() as checkpoint:
            for number, rows in enumerate(batches):
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
