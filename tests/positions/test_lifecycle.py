"""Start and stop of the stream on real files: resumed, refused, ended between batches."""

import json
import threading
import time

import pyarrow.parquet as pq
import pytest
from tests.positions.samples import ISS, lines, orbit

from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.positions.state import Checkpoint, CheckpointError
from orbitlake.tables import POSITIONS

pytestmark = pytest.mark.spark


def land(lake, name, rows):
    """Put a segment in place."""
    folder = lake.raw_open_notify / "date=2025-12-21"
    folder.mkdir(parents=True, exist_ok=True)
    aside = lake.root / "aside"
    aside.write_text("\n".join(lines(rows)) + "\n")
    aside.rename(folder / name)


def rows_live(lake):
    return sum(pq.read_metadata(file).num_rows for file in lake.live(POSITIONS).glob("**/*.parquet"))


def bytes_live(lake):
    return {file: file.read_bytes() for file in (lake.root / "live").rglob("*.parquet")}


def test_a_run_takes_what_is_there_and_the_next_one_only_what_is_new(spark, lake):
    land(lake, "a.jsonl", orbit(range(0, 60, 5)))
    land(lake, ".not-yet.jsonl", orbit([1000]))
    run(spark, lake, ISS, AVAILABLE_NOW, threading.Event())
    first = rows_live(lake)
    land(lake, "b.jsonl", orbit(range(60, 120, 5)))
    run(spark, lake, ISS, AVAILABLE_NOW, threading.Event())
    log = [json.loads(text) for text in lake.stream_progress.read_text().splitlines()]
    live = bytes_live(lake)
    run(spark, lake, ISS, AVAILABLE_NOW, threading.Event())

    assert bytes_live(lake) == live
    assert (first, rows_live(lake)) == (12, 24)
    assert [entry["rows"] for entry in log] == [12, 12]
    assert [entry["repeats"] for entry in log] == [0, 0]


def test_bytes_a_batch_are_limited(spark, lake):
    land(lake, "a.jsonl", orbit(range(0, 60, 5)))
    size = (lake.raw_open_notify / "date=2025-12-21" / "a.jsonl").stat().st_size
    run(spark, lake, ISS, AVAILABLE_NOW, threading.Event(), max_bytes=size // 3 + 1)
    log = [json.loads(text) for text in lake.stream_progress.read_text().splitlines()]

    assert len(log) == 3
    assert max(entry["records"] for entry in log) <= 5
    assert rows_live(lake) == 12


def test_a_second_driver_is_refused(spark, lake):
    with Checkpoint(lake).held(), pytest.raises(CheckpointError, match="in use by another"):
        run(spark, lake, ISS, AVAILABLE_NOW, threading.Event())


def test_a_checkpoint_of_another_version_is_refused_and_left_alone(spark, lake):
    other = Checkpoint(lake).root / "v999"
    other.mkdir(parents=True)

    with pytest.raises(CheckpointError, match="v999 is of another version"):
        run(spark, lake, ISS, AVAILABLE_NOW, threading.Event())
    assert other.is_dir()


def test_a_due_end_comes_after_the_batch_in_hand(spark, lake):
    land(lake, "a.jsonl", orbit(range(0, 60, 5)))
    ending = threading.Event()

    def end_soon():
        while not rows_live(lake):
            time.sleep(0.02)
        ending.set()

    watcher = threading.Thread(target=end_soon)
    watcher.start()
    run(spark, lake, ISS, "1 seconds", ending)
    watcher.join()
    commits = list((Checkpoint(lake).spark / "commits").glob("[0-9]*"))

    assert [commit.name for commit in commits] == ["0"]


def test_the_time_of_a_run_is_limited(spark, lake):
    began = time.monotonic()
    run(spark, lake, ISS, "1 seconds", threading.Event(), max_runtime_s=1)

    assert time.monotonic() - began < 20
