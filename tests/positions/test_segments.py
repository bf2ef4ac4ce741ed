"""Segments: appended to by one collector, listed beside whatever people put there, whole up to the last newline."""

import errno
import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.conftest import CHECKOUT

from orbitlake.positions.raw.segments import SegmentWriter, is_held, move_segments, raw_files

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def segments(lake):
    return sorted(str(path.relative_to(lake.raw_open_notify)) for path in lake.raw_open_notify.glob("*/*"))


def test_a_collector_appends_to_one_segment_named_by_its_start(lake):
    with SegmentWriter(lake) as writer:
        writer.append(b"a\n", NOON)
        writer.append(b"b\n", NOON + timedelta(seconds=5))
        (name,) = segments(lake)
        content = (lake.raw_open_notify / name).read_bytes()

    assert name == f"date=2026-11-20/20261120T120000.000000Z-{writer.collector}.jsonl"
    assert content == b"a\nb\n", "each line is there once it was appended"
    assert not list(lake.staging.iterdir())


def test_a_new_start_and_a_new_day_are_new_segments_and_a_clock_set_back_too(lake):
    with SegmentWriter(lake) as first, SegmentWriter(lake) as second:
        for writer in (first, second):
            for hours in (0, 13, 14, 1):
                writer.append(b"a\n", NOON + timedelta(hours=hours))

    assert [name.partition("/")[0] for name in segments(lake)] == ["date=2026-11-20"] * 4 + ["date=2026-11-21"] * 2
    assert sum((lake.raw_open_notify / name).read_bytes().count(b"\n") for name in segments(lake)) == 8


def test_a_collector_that_polls_nothing_leaves_no_file(lake):
    with SegmentWriter(lake):
        pass

    assert segments(lake) == []


def test_a_segment_is_held_as_long_as_its_collector_lives_and_no_longer_after_kill_9(lake):
    code = (
        "import sys, time; from pathlib import Path; from datetime import datetime, UTC\n"
        "from orbitlake.lake import Lake; from orbitlake.positions.raw.segments import SegmentWriter\n"
        "writer = SegmentWriter(Lake(Path(sys.argv[1])))\n"
        "writer.append(b'a\\n', datetime(2026, 11, 20, tzinfo=UTC)); print(writer.path, flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    command = [sys.executable, "-c", code, str(lake.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as collector:
        path = lake.root / collector.stdout.readline().strip()
        while_alive = is_held(path)
        collector.kill()
        collector.wait()

    assert while_alive
    assert not is_held(path)


@pytest.mark.parametrize("fits", [0, 3])
def test_half_a_line_on_a_full_disk_is_taken_back_and_the_segment_named(lake, monkeypatch, fits):
    write = os.write

    def full(descriptor, content):
        if not fits:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, content[:fits])

    with SegmentWriter(lake) as writer:
        writer.append(b"before\n", NOON)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            with pytest.raises(OSError, match=r"No space left on device: .*\.jsonl"):
                writer.append(b"too long\n", NOON)
        writer.append(b"after\n", NOON)
        content = writer.path.read_bytes()

    assert content == b"before\nafter\n"


def test_each_line_is_on_disk_before_the_next_poll(lake, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with SegmentWriter(lake) as writer:
        for _ in range(3):
            writer.append(b"a\n", NOON)
        own = writer.descriptor

    assert synced.count(own) >= 3


def test_segments_and_sealed_files_are_those_in_the_folder_of_their_day(tmp_path):
    for name in ("b.jsonl.gz", "a.jsonl", "x.json.jsonl", "a.json", ".a.jsonl", "_a.jsonl", "any/depth/c.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.jsonl").symlink_to("a.jsonl")
    (tmp_path / "folder.jsonl").mkdir()

    assert raw_files(tmp_path) == ["a.jsonl", "b.jsonl.gz", "x.json.jsonl"]
    assert raw_files(tmp_path / "none") == []


COLLECTOR = """
import sys
import time
from datetime import datetime, UTC
from pathlib import Path
from orbitlake.lake import Lake
from orbitlake.positions.raw.segments import SegmentWriter
with SegmentWriter(Lake(Path(sys.argv[1]))) as writer:
    for number in range(1_000_000):
        writer.append(b"%s %d %s\\n" % (sys.argv[2].encode(), number, b"x" * (number % 3000)), datetime.now(UTC))
        print(number, flush=True)
"""


def test_kill_9_of_a_collector_keeps_every_line_that_it_reported(lake):
    choose = random.Random(3)
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    reported = {}
    for life in range(20):
        command = [sys.executable, "-c", COLLECTOR, str(lake.root), str(life)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as collector:
            collector.stdout.readline()
            time.sleep(choose.uniform(0, 0.05))
            collector.kill()
            reported[life] = int(([0] + [int(text) for text in collector.stdout.read().split("\n")[:-1]])[-1])
    kept = {}
    for path in lake.raw_open_notify.glob("*/*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            life, number, filling = line.split(b" ")
            assert len(filling) == int(number) % 3000
            kept.setdefault(int(life), []).append(int(number))

    assert all(numbers == list(range(len(numbers))) for numbers in kept.values())
    assert all(len(kept[life]) > number for life, number in reported.items())


def test_segments_that_kafka_never_took_become_raw_records_but_not_one_that_is_written(lake):
    left = SegmentWriter(lake, lake.spool_open_notify)
    for day in range(2):
        left.append(b"a\n", NOON + timedelta(days=day))
    left.close()
    with SegmentWriter(lake, lake.spool_open_notify) as writer:
        writer.append(b"b\n", NOON)

        assert move_segments(lake, lake.spool_open_notify) == 2
        assert [name.partition("/")[0] for name in segments(lake)] == ["date=2026-11-20", "date=2026-11-21"]
        assert writer.path.exists()
    assert move_segments(lake, lake.spool_open_notify) == 1
    assert move_segments(lake, lake.spool_open_notify) == 0
    assert sorted((lake.raw_open_notify / name).read_bytes() for name in segments(lake)) == [b"a\n", b"a\n", b"b\n"]
