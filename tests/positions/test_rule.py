"""The one rule: what is published is a function of the set of fixes, whatever came in between, crashes too."""

import os
import random
import shutil
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.positions.conftest import ISS
from tests.positions.engine import Frame, Session
from tests.positions.killer import Killed
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import fix, lines, orbit
from tests.positions.test_stream import assert_right

from orbitlake.lake import Lake
from orbitlake.lake.pages import Revision
from orbitlake.positions.spark.compaction import compact_day
from orbitlake.positions.spark.stream import PositionStream
from orbitlake.positions.state import Checkpoint, VersionError
from orbitlake.positions.store.day_files import pending_days
from orbitlake.positions.store.minute_files import BASE_SCHEMA, Buckets
from orbitlake.query import files
from orbitlake.retention import live_removals, remove
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS

MIDNIGHT_S = 43_200
LATER = date(2026, 6, 1)
HISTORY_DAYS = int(os.environ.get("ORBITLAKE_HISTORY_DAYS", "3"))
SEED = int(os.environ.get("ORBITLAKE_HISTORY_SEED", "1"))
FIXES = st.builds(
    lambda second, object_id, latitude, fetched: fix(
        MIDNIGHT_S + second,
        latitude,
        object_id=object_id,
        fetch_time=None if fetched is None else fix(MIDNIGHT_S + second + fetched)["event_time"],
    ),
    second=st.integers(-15, 15).map(lambda number: 19 * number),
    object_id=st.sampled_from([ISS, "2021-035A", "2021-066A"]),
    latitude=st.sampled_from([10.0, 10.5]),
    fetched=st.sampled_from([None, 1, 2]),
)
STEPS = st.one_of(
    st.tuples(st.just("batch"), st.lists(FIXES, min_size=1, max_size=12)),
    st.tuples(st.sampled_from(["again", "close", "retire", "restart"]), st.none()),
    st.tuples(st.just("buckets"), st.sampled_from([1, 2, 3, 4])),
)


class World:
    """A lake and all that works on it."""

    def __init__(self, root: Path, killer=None) -> None:
        self.lake, self.killer = Lake(root / "data"), killer
        self.numbers, self.count = count(), 1
        self.batches: list[list[dict]] = []
        self.restart()

    def restart(self) -> None:
        with Checkpoint(self.lake).held():
            self.stream = PositionStream(self.lake, ISS, self.count)

    def batch(self, rows: list[dict]) -> None:
        self.stream.process(Frame.of_lines(lines(rows)), next(self.numbers))

    def close(self) -> None:
        for day in pending_days(self.lake, LATER):
            compact_day(Session(), self.lake, day)

    def retire(self) -> None:
        for removal in live_removals(self.lake, datetime.now(UTC) + timedelta(hours=1)):
            remove(self.lake, removal)

    def do(self, step: str, argument) -> None:
        if step == "batch":
            self.batches.append(argument)
        if step == "buckets":
            self.count = argument
        work = {
            "batch": lambda: self.batch(argument),
            "again": lambda: self.batch(self.batches[-1]) if self.batches else None,
            "close": self.close,
            "retire": self.retire,
        }.get(step, self.restart)
        work()

    def do_cut_off(self, step: str, argument, writes: int) -> None:
        """Do a step that is killed before so many writes; a batch is done again, as Spark does it."""
        try:
            with self.killer.armed(self.lake.root, writes):
                self.do(step, argument)
        except Killed:
            self.restart()
            if step in ("batch", "again"):
                self.batch(self.batches[-1])

    def digests(self) -> dict[str, str]:
        """The digest of each closed day's pages."""
        return {
            str(part.relative_to(self.lake.root)): Revision.of(part).digest
            for part in (self.lake.root / "lake").rglob("*.parquet")
        }


def keys_of(lake, table):
    """The keys that a reader of the table finds."""
    rows = [
        row for file in files(table.name, lake.root) for row in pq.ParquetFile(file).read(list(table.key)).to_pylist()
    ]
    return [tuple(row.values()) for row in rows]


@given(history=st.lists(st.tuples(STEPS, st.none() | st.integers(0, 40)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_of_batches_closings_retirements_and_kills_ends_in_the_same_bytes(killer, history):
    with TemporaryDirectory() as root:
        world = World(Path(root) / "world", killer)
        for (step, argument), killed_before in history:
            if killed_before is None:
                world.do(step, argument)
            else:
                world.do_cut_off(step, argument, killed_before)
            for table in POSITION_TABLES:
                keys = keys_of(world.lake, table)
                assert len(set(keys)) == len(keys)
        world.restart()
        world.close()
        world.retire()
        fixes = [row for batch in world.batches for row in batch]
        once = World(Path(root) / "once")
        if fixes:
            once.batch(fixes)
        once.close()

        assert world.digests() == once.digests()
        assert not list((world.lake.root / "live").rglob("*.parquet"))
        expected = expected_positions([{name: row[name] for name in BASE_SCHEMA.names} for row in fixes])
        for table, rows in ((POSITIONS, expected), (WINDOW_STATS, expected_minutes(expected))):
            right = {tuple(row[name] for name in table.key) for row in rows}
            assert set(keys_of(world.lake, table)) == right


def test_days_of_trouble_end_in_the_bytes_of_one_batch_over_all(tmp_path):
    """Two objects around each midnight; a tenth of the fixes comes up to three days late, a tenth comes twice."""
    chance = random.Random(SEED)
    seconds = [day * 86_400 + MIDNIGHT_S + s for day in range(HISTORY_DAYS) for s in range(-1800, 1800, 20)]
    rows = [row for name in (ISS, "2021-035A") for row in orbit(seconds, object_id=name)]
    arrivals = [(row["event_time"], row) for row in rows]
    arrivals += [
        (at + timedelta(days=3 * chance.random()), row) for at, row in chance.sample(arrivals, len(rows) // 10)
    ]
    late = set(chance.sample(range(len(rows)), len(rows) // 10))
    arrivals = [
        (at + timedelta(days=3 * chance.random()) if number in late else at, row)
        for number, (at, row) in enumerate(arrivals)
    ]
    arrivals.sort(key=lambda arrival: arrival[0])
    coming = [row for _, row in arrivals]
    world, done = World(tmp_path / "world"), 0
    while done < len(coming):
        batch = coming[done : done + chance.randint(1, 120)]
        chance.shuffle(batch)
        world.do("batch", batch)
        done += len(batch)
        if chance.random() < 0.5:
            world.do(chance.choice(["again", "close", "retire", "restart"]), None)
        if chance.random() < 0.02:
            # The checkpoint is lost: all that came so far comes again.
            world.restart()
            world.batch(coming[:done])
    world.close()
    world.retire()
    once = World(tmp_path / "once")
    once.batch(rows)
    once.close()

    assert len(world.digests()) == 2 * (HISTORY_DAYS + 1)
    assert world.digests() == once.digests()
    assert not list((world.lake.root / "live").rglob("*.parquet"))


@given(batches=st.lists(st.lists(FIXES, min_size=1, max_size=12), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_live_files_are_those_of_one_batch_over_all(batches):
    with TemporaryDirectory() as root:
        streamed, once = World(Path(root) / "streamed"), World(Path(root) / "once")
        for rows in batches:
            streamed.batch(rows)
        once.batch([row for rows in batches for row in rows])

        for table in POSITION_TABLES:
            one, other = (
                {
                    file.relative_to(world.lake.root): Revision.of(file).digest
                    for file in world.lake.live(table).rglob("*.parquet")
                }
                for world in (streamed, once)
            )
            assert one == other
        assert_right(once.lake, [row for rows in batches for row in rows])


@pytest.fixture
def world(tmp_path, killer):
    return World(tmp_path, killer)


def closed_and_retired(world, rows):
    world.batch(rows)
    world.close()
    world.retire()
    assert not list((world.lake.root / "live").rglob("*.parquet"))


def test_a_late_fix_of_a_closed_day_without_live_files_is_united_with_what_is_closed(world):
    rows = orbit(range(MIDNIGHT_S - 300, MIDNIGHT_S + 300, 20))
    late = rows.pop(14)
    closed_and_retired(world, rows)
    world.batch([late])
    reopened = pending_days(world.lake, LATER)
    world.close()
    once = World(world.lake.root.parent / "once")
    once.batch([*rows, late])
    once.close()

    assert reopened == [date(2025, 12, 21), date(2025, 12, 22)], "the day after looks back at it"
    assert world.digests() == once.digests()


def test_a_repeat_of_a_closed_fix_writes_nothing(world):
    rows = orbit(range(MIDNIGHT_S - 300, MIDNIGHT_S + 300, 20))
    closed_and_retired(world, rows)
    world.batch(rows[::3])

    assert not list((world.lake.root / "live").rglob("*.parquet"))


def test_an_earlier_report_of_a_closed_fix_reopens_its_day(world):
    rows = orbit(range(MIDNIGHT_S, MIDNIGHT_S + 300, 20))
    closed_and_retired(world, rows)
    earlier = rows[3] | {"fetch_time": rows[1]["fetch_time"]}
    world.batch([rows[3] | {"fetch_time": rows[5]["fetch_time"]}])
    before = pending_days(world.lake, LATER)
    world.batch([earlier])
    world.close()

    assert before == []
    (part,) = world.lake.closed(POSITIONS).rglob("*.parquet")
    assert pq.read_table(part, partitioning=None)["fetch_time"].to_pylist()[3] == earlier["fetch_time"]


def test_a_file_that_was_replaced_since_it_was_looked_at_is_not_removed(world):
    rows = orbit(range(MIDNIGHT_S, MIDNIGHT_S + 300, 20))
    late = rows.pop(1)
    world.batch(rows)
    world.close()
    looked_at = list(live_removals(world.lake, datetime.now(UTC) + timedelta(hours=1)))
    world.batch([late])
    for removal in looked_at:
        remove(world.lake, removal)
    kept = sorted(file.name for file in world.lake.live(POSITIONS).rglob("*.parquet"))
    world.close()

    # The fix bears on the next one alone, in the same minute.
    assert kept == ["0000-0.parquet"]
    assert late["event_time"] in [key[2] for key in keys_of(world.lake, POSITIONS)]


def test_a_stray_time_stamp_of_years_ago_or_ahead_makes_one_minute_and_nothing_between_is_read(world, monkeypatch):
    rows = orbit(range(0, 600, 20))
    strays = [
        orbit([0])[0] | {"event_time": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)},
        orbit([0])[0] | {"event_time": datetime(2090, 1, 1, tzinfo=UTC)},
    ]
    world.batch(rows[:10])
    world.batch([*strays, *rows[10:20]])
    world.batch(rows[20:])

    assert_right(world.lake, [*rows, *strays])
    assert {folder.name for folder in world.lake.live(POSITIONS).iterdir()} == {
        "date=1970-01-01",
        "date=2025-12-21",
        "date=2090-01-01",
    }


def test_a_day_keeps_the_number_of_buckets_it_began_with(world):
    objects = [f"20{number:02}-001A" for number in range(12)]
    rows = [row for object_id in objects for row in orbit(range(0, 200, 20), object_id=object_id)]
    world.do("buckets", 2)
    world.batch(rows[::2])
    world.do("buckets", 3)
    beyond = [
        row for object_id in objects for row in orbit(range(MIDNIGHT_S, MIDNIGHT_S + 60, 20), object_id=object_id)
    ]
    world.batch([*rows[1::2], *beyond])
    buckets = {
        folder.name: sorted({file.stem.partition("-")[2] for file in folder.iterdir()})
        for folder in world.lake.live(POSITIONS).iterdir()
    }

    assert buckets == {"date=2025-12-21": ["0", "1"], "date=2025-12-22": ["0", "1", "2"]}
    assert Buckets.of(world.lake, 3).partitions == 1
    assert_right(world.lake, [*rows, *beyond])


def test_a_day_keeps_its_buckets_through_a_retirement_that_is_cut_off(world):
    objects = [f"20{number:02}-001A" for number in range(12)]
    rows = [row for object_id in objects for row in orbit(range(0, 200, 20), object_id=object_id)]
    world.batch(rows[::2])
    world.close()
    for removal in live_removals(world.lake, datetime.now(UTC) + timedelta(hours=1)):
        if "/positions/" in removal.path:
            remove(world.lake, removal)
    world.do("buckets", 4)
    world.batch(rows[1::2])

    keys = keys_of(world.lake, WINDOW_STATS)
    assert len(set(keys)) == len(keys)
    world.close()
    world.retire()
    once = World(world.lake.root.parent / "once")
    once.batch(rows)
    once.close()
    assert world.digests() == once.digests()


def test_a_rebuild_makes_live_files_anew_and_unites_them_with_closed_days(world):
    rows = orbit(range(MIDNIGHT_S - 300, MIDNIGHT_S + 300, 20))
    world.batch(rows[:20])
    compact_day(Session(), world.lake, date(2025, 12, 21))
    shutil.copytree(world.lake.root / "live", world.lake.root / "before")
    Checkpoint(world.lake).rebuild()
    gone = list((world.lake.root / "live").rglob("*.parquet"))
    world.restart()
    world.batch(rows[10:])
    world.close()
    once = World(world.lake.root.parent / "once")
    once.batch(rows)
    once.close()

    assert gone == []
    assert world.digests() == once.digests()


def test_a_lake_of_an_earlier_version_is_refused_by_the_name_of_what_mends_it(world):
    old = world.lake.live(POSITIONS) / "date=2025-12-21" / "0123abcd-000000017.parquet"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of a batch")
    (Checkpoint(world.lake).root / "v3").mkdir()
    with pytest.raises(VersionError, match=r"v3 is of another version.*--rebuild"):
        world.restart()
    Checkpoint(world.lake).rebuild()
    world.restart()

    assert not old.exists()
