"""Spark on the source: segments and sealed days alike, each line once, the same lines again after a crash."""

import gzip
import json
import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from pyspark.errors import StreamingQueryException
from tests.positions.samples import ISS, line, lines, orbit

from orbitlake.lake import Lake
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.positions.state import Checkpoint
from orbitlake.tables import POSITION_TABLES, POSITIONS

pytestmark = pytest.mark.spark
DAY = "date=2025-12-21"
SAME_DAY = datetime(2025, 12, 21, 23, tzinfo=UTC)
NEXT_DAY = SAME_DAY + timedelta(hours=12)
BAD = (b"\xff\xfe\x00 no text", b'{"latitude": 1', b"\xef\xbb\xbf[]\r")
ROWS = orbit(range(0, 300, 5))


def land(lake, name, *raw_lines, end=b"\n"):
    encoded = [each if isinstance(each, bytes) else each.encode() for each in raw_lines]
    target = lake.raw_open_notify / DAY / name
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = lake.root / "aside"
    aside.write_bytes(b"\n".join(encoded) + (end if encoded else b""))
    os.utime(aside, (SAME_DAY.timestamp(), SAME_DAY.timestamp()))
    aside.rename(target)


def stream(spark, lake, now=SAME_DAY, **options):
    """Stream what is there; return the reports of the run's batches."""
    log = lake.stream_progress
    before = len(log.read_text().splitlines()) if log.exists() else 0
    run(spark, lake, ISS, AVAILABLE_NOW, threading.Event(), now=lambda: now, **options)
    return [json.loads(text) for text in log.read_text().splitlines()[before:]] if log.exists() else []


def tables(lake):
    """The rows of both live tables, sorted by key."""
    return {
        table.name: sorted(
            (row for file in lake.live(table).glob("**/*.parquet") for row in pq.ParquetFile(file).read().to_pylist()),
            key=lambda row, table=table: [row[name] for name in table.key],
        )
        for table in POSITION_TABLES
    }


def quarantined(lake):
    return {file.name: file.read_bytes() for file in lake.quarantine.iterdir() if not file.name.endswith("reason.json")}


@pytest.fixture
def mixed(lake):
    """A day of raw files in every form that is accepted, one of them with bad lines of which one is no text."""
    land(lake, "a.jsonl", *lines(ROWS[:20]))
    land(lake, "hour=12/b.json", b"\xef\xbb\xbf" + line(ROWS[20]).encode() + b"\r", line(ROWS[21]), end=b"")
    land(lake, "c.jsonl")
    land(lake, "deeper/than/usual/d.json", *BAD, line(ROWS[22]))
    land(lake, "e.jsonl", *lines(ROWS[22:]), '{"torn": 1', end=b"")
    return lake


def raw_names(lake):
    return sorted(path.name for path in lake.raw_open_notify.rglob("*") if path.is_file())


def test_a_sealed_day_gives_the_tables_and_the_quarantine_of_its_segments(spark, mixed, tmp_path):
    sealed = Lake(tmp_path / "sealed")
    shutil.copytree(mixed.raw_open_notify, sealed.raw_open_notify, copy_function=shutil.copy2)
    stream(spark, mixed)
    for _ in range(2):
        stream(spark, sealed, NEXT_DAY)
    names = raw_names(sealed)
    kept = {file: file.read_bytes() for file in sealed.quarantine.iterdir()}
    for folder in ("live", "checkpoints"):
        shutil.rmtree(sealed.root / folder)
    (from_sealed,) = stream(spark, sealed, NEXT_DAY)

    assert len(names) == 1
    assert names[0].endswith(".jsonl.gz")
    assert len(tables(mixed)[POSITIONS.name]) == len(ROWS)
    assert tables(sealed) == tables(mixed)
    assert list(quarantined(mixed).values()) == [b"\n".join(BAD)]
    assert {b"\n".join(BAD), b'{"torn": 1'} <= set(quarantined(sealed).values())
    assert {file: file.read_bytes() for file in kept} == kept, "the first time stays"
    assert (from_sealed["rows"], from_sealed["repeats"], from_sealed["bad"]) == (len(ROWS), 1, 4)


def test_the_end_of_a_run_seals_closed_days_and_the_next_reads_no_line_again(spark, mixed):
    stream(spark, mixed, NEXT_DAY)
    (torn,) = stream(spark, mixed, NEXT_DAY)
    before = tables(mixed)
    again = stream(spark, mixed, NEXT_DAY)
    land(mixed, "late.jsonl", line(orbit([400])[0]))
    late = stream(spark, mixed, NEXT_DAY)
    after = stream(spark, mixed, NEXT_DAY)

    assert (torn["records"], torn["bad"]) == (1, 1), "the last line of a collector that is gone"
    assert again == []
    assert before[POSITIONS.name] == tables(mixed)[POSITIONS.name][:-1]
    assert [(batch["records"], batch["rows"]) for batch in late] == [(1, 1)]
    assert after == []
    assert [name.endswith(".jsonl.gz") for name in raw_names(mixed)] == [True, True]
    contents = [gzip.decompress(path.read_bytes()) for path in mixed.raw_open_notify.rglob("*.gz")]
    assert sum(content.count(b"\n") for content in contents) == len(ROWS) + 1 + 3 + 1 + 1


def test_what_a_person_drops_into_the_inbox_is_streamed_by_the_run_that_finds_it(spark, lake):
    inbox = lake.inbox_open_notify
    # The folder is made by the first start.
    stream(spark, lake)
    older = {"latitude": 47.6153, "longitude": -60.4797, "timestamp": 1766320531, "altitude_km": 408.0}
    (inbox / "one.json").write_text(json.dumps(older))
    (inbox / "many.jsonl.gz").write_bytes(gzip.compress("\n".join(lines(ROWS)).encode()))
    (report,) = stream(spark, lake)

    assert (report["records"], report["rows"]) == (len(ROWS) + 1, len(ROWS) + 1)
    assert list(inbox.iterdir()) == []
    assert stream(spark, lake) == []


def test_an_interval_takes_what_comes_while_it_runs(spark, lake):
    land(lake, "a.jsonl", line(ROWS[0]))
    ending = threading.Event()

    def feed():
        for number in range(1, 4):
            while len(tables(lake)[POSITIONS.name]) < number:
                time.sleep(0.05)
            land(lake, f"{number}.jsonl", line(ROWS[number]))
        while len(tables(lake)[POSITIONS.name]) < 4:
            time.sleep(0.05)
        ending.set()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    run(spark, lake, ISS, "0 seconds", ending, now=lambda: NEXT_DAY)
    feeder.join(10)
    reports = [json.loads(text) for text in lake.stream_progress.read_text().splitlines()]

    assert [report["rows"] for report in reports] == [1, 1, 1, 1]
    assert len(raw_names(lake)) == 1, "a run that was asked to end seals one day all the same"


@pytest.mark.parametrize("lost", [("commits",), ("commits", "offsets")], ids=["after", "before"])
def test_a_kill_around_sparks_own_log_makes_the_batch_read_the_same_lines_again(spark, lake, lost):
    land(lake, "b.jsonl", *lines(ROWS[:5]))
    stream(spark, lake)
    land(lake, "d.jsonl", *lines(ROWS[5:10]))
    stream(spark, lake)
    for folder in lost:
        for file in (Checkpoint(lake).spark / folder).glob("*1*"):
            file.unlink()
    land(lake, "a.jsonl", line(ROWS[10]))
    land(lake, "c.jsonl", line(ROWS[11]))
    reports = stream(spark, lake, max_bytes=len(line(ROWS[10])) + 1)

    # Where not even the plan was written down, the lines are planned anew, by the bytes of now.
    assert [(reports[0]["batch"], reports[0]["records"])] == [(1, 5 if lost == ("commits",) else 1)]
    assert sum(report["records"] for report in reports) == 7
    # What the first attempt published is found there.
    assert sum(report["rows"] for report in reports) == 2
    assert len(tables(lake)[POSITIONS.name]) == 12


def test_a_file_that_vanishes_before_it_is_read_is_named(spark, lake):
    land(lake, "a.jsonl", line(ROWS[0]))
    stream(spark, lake)
    shutil.rmtree(Checkpoint(lake).spark / "commits")
    (lake.raw_open_notify / DAY / "a.jsonl").unlink()

    with pytest.raises(StreamingQueryException, match=r"a.jsonl was listed and cannot be read"):
        stream(spark, lake)


def test_a_damaged_sealed_file_stops_nothing_and_its_bytes_are_kept(spark, lake):
    land(lake, "a.jsonl", *lines(ROWS[:5]))
    land(lake, "b.jsonl.gz", b"no gzip", end=b"")
    land(lake, "c.jsonl", *lines(ROWS[5:]))
    stream(spark, lake)

    assert len(tables(lake)[POSITIONS.name]) == len(ROWS)
    assert list(quarantined(lake).values()) == [b"no gzip"]
    assert raw_names(lake) == ["a.jsonl", "c.jsonl"]
