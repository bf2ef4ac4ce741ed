"""Spark on the source: loose and packed days alike, each file once, the same files again after a crash."""

import gzip
import json
import os
import shutil
import threading
import time
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from orbitlake.positions.raw_files import scan
from pyspark.errors import StreamingQueryException
from tests.positions.samples import ISS, line, lines, orbit

from orbitlake.lake import Lake
from orbitlake.positions.lifecycle import AVAILABLE_NOW, Ending, run
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
    aside.rename(target)


def stream(spark, lake, now=SAME_DAY, **options):
    """Stream what is there; return the reports of the run's batches."""
    log = Checkpoint(lake).progress_log
    before = len(log.read_text().splitlines()) if log.exists() else 0
    run(spark, lake, ISS, AVAILABLE_NOW, Ending(), now=lambda: now, **options)
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
    land(lake, "hour=12/a.json", *lines(ROWS[:20]))
    land(lake, "hour=12/b.json", b"\xef\xbb\xbf" + line(ROWS[20]).encode() + b"\r", line(ROWS[21]), end=b"")
    land(lake, "hour=12/c.json")
    land(lake, "deeper/than/usual/d.json", *BAD, line(ROWS[22]))
    land(lake, "e.json", *lines(ROWS[22:]))
    return lake


def test_a_packed_day_gives_the_tables_and_the_quarantine_of_its_loose_files(spark, mixed, tmp_path):
    copies = {name: Lake(tmp_path / name) for name in ("packed", "both")}
    for copy in copies.values():
        shutil.copytree(mixed.raw_open_notify, copy.raw_open_notify)
    stream(spark, mixed)
    stream(spark, copies["packed"], NEXT_DAY)
    (pack,) = scan(copies["packed"].raw_open_notify)
    shutil.copy(copies["packed"].raw_open_notify / pack, copies["both"].raw_open_notify / pack)
    for folder in ("live", "checkpoints"):
        shutil.rmtree(copies["packed"].root / folder)
    kept = {file: file.read_bytes() for file in copies["packed"].quarantine.iterdir()}
    (from_pack,) = stream(spark, copies["packed"], NEXT_DAY)
    from_both = stream(spark, copies["both"], NEXT_DAY, max_files=2)

    assert len(tables(mixed)[POSITIONS.name]) == len(ROWS)
    assert tables(copies["packed"]) == tables(copies["both"]) == tables(mixed)
    assert list(quarantined(mixed).values()) == [b"\n".join(BAD)]
    assert quarantined(copies["packed"]) == quarantined(copies["both"]) == quarantined(mixed)
    assert {file: file.read_bytes() for file in copies["packed"].quarantine.iterdir()} == kept, "the first time stays"
    assert (from_pack["rows"], from_pack["repeats"], from_pack["bad"]) == (len(ROWS), 1, 3)
    assert sum(batch["rows"] for batch in from_both) == len(ROWS)
    assert list(scan(copies["both"].raw_open_notify)) == [pack], "members left over are in the pack already"


def test_the_end_of_a_run_packs_closed_days_and_the_next_reads_no_line_again(spark, mixed):
    stream(spark, mixed, NEXT_DAY)
    before = tables(mixed)
    packs = list(scan(mixed.raw_open_notify))
    again = stream(spark, mixed, NEXT_DAY)
    land(mixed, "hour=23/late.json", line(orbit([400])[0]))
    late = stream(spark, mixed, NEXT_DAY)
    after = stream(spark, mixed, NEXT_DAY)

    assert len(packs) == 1
    assert again == []
    assert before[POSITIONS.name] == tables(mixed)[POSITIONS.name][:-1]
    assert [(batch["records"], batch["rows"]) for batch in late] == [(1, 1)]
    assert after == []
    (name,) = scan(mixed.raw_open_notify)
    assert len(gzip.decompress((mixed.raw_open_notify / name).read_bytes()).splitlines()) == len(ROWS) + 1 + 3 + 1


def test_an_interval_takes_what_comes_while_it_runs(spark, lake):
    land(lake, "a.json", line(ROWS[0]))
    ending = Ending()

    def feed():
        for number in range(1, 4):
            while len(tables(lake)[POSITIONS.name]) < number:
                time.sleep(0.05)
            land(lake, f"hour=12/{number}.json", line(ROWS[number]))
        while len(tables(lake)[POSITIONS.name]) < 4:
            time.sleep(0.05)
        ending.asked.set()

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    run(spark, lake, ISS, "0 seconds", ending, now=lambda: NEXT_DAY)
    feeder.join(10)
    reports = [json.loads(text) for text in Checkpoint(lake).progress_log.read_text().splitlines()]

    assert [report["rows"] for report in reports] == [1, 1, 1, 1]
    assert len(list(scan(lake.raw_open_notify))) == 1, "a run that was asked to end packs one day all the same"


@pytest.mark.parametrize("lost", [("commits",), ("commits", "offsets")], ids=["after", "before"])
def test_a_kill_around_sparks_own_log_makes_the_batch_read_the_same_files_again(spark, lake, lost):
    land(lake, "b.json", *lines(ROWS[:5]))
    stream(spark, lake)
    land(lake, "d.json", *lines(ROWS[5:10]))
    stream(spark, lake)
    for folder in lost:
        for file in (Checkpoint(lake).spark / folder).glob("*1*"):
            file.unlink()
    land(lake, "a.json", line(ROWS[10]))
    land(lake, "c.json", line(ROWS[11]))
    reports = stream(spark, lake, max_files=1)

    assert [(report["batch"], report["records"]) for report in reports] == [(1, 5), (2, 1), (3, 1)]
    assert [report["rows"] for report in reports] == [5, 1, 1]
    assert len(tables(lake)[POSITIONS.name]) == 12


def test_a_file_that_vanishes_before_it_is_read_is_named(spark, lake):
    land(lake, "a.json", line(ROWS[0]))
    stream(spark, lake)
    shutil.rmtree(Checkpoint(lake).spark / "commits")
    (lake.raw_open_notify / DAY / "a.json").unlink()

    with pytest.raises(StreamingQueryException, match=r"a.json was listed and cannot be read"):
        stream(spark, lake)


def test_a_damaged_pack_stops_nothing_and_its_bytes_are_kept(spark, lake):
    land(lake, "a.json", *lines(ROWS[:5]))
    land(lake, "b.jsonl.gz", b"no gzip", end=b"")
    os.utime(lake.raw_open_notify / DAY / "b.jsonl.gz", (0, 0))
    land(lake, "c.json", *lines(ROWS[5:]))
    stream(spark, lake)

    assert len(tables(lake)[POSITIONS.name]) == len(ROWS)
    assert list(quarantined(lake).values()) == [b"no gzip"]
    assert sorted(scan(lake.raw_open_notify)) == [f"{DAY}/a.json", f"{DAY}/c.json"]
