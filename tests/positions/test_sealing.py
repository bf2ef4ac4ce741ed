"""Sealing without Spark: what is sealed, when, and that a kill anywhere loses nothing and leaves nothing twice."""

import gzip
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT
from tests.positions.streamed import DAY, Streamed, whole_lines

from orbitlake.lake import Lake
from orbitlake.positions.raw import backlog, merging
from orbitlake.positions.raw.merging import MergeError
from orbitlake.positions.raw.sealing import GRACE, seal_closed_days
from orbitlake.positions.raw.segments import SegmentWriter

CLOSED = datetime(2026, 11, 21, 12, tzinfo=UTC)
THREE = {
    f"{DAY}/20261120T120000.000000Z-aaaaaaaa.jsonl": b'\xef\xbb\xbf{"b": 1}\r\n{"b": 2}\r\n',
    f"{DAY}/20261120T130000.000000Z-bbbbbbbb.jsonl": b"\xff\xfe\n\n",
    f"{DAY}/20261120T140000.000000Z-cccccccc.jsonl": b'{"c": 1}\n',
}
SEALED = b"".join(THREE.values())
LINES = [line for line in SEALED.split(b"\n") if line]


@pytest.fixture
def stream(lake, monkeypatch):
    monkeypatch.setattr(backlog, "SETTLED_S", 0)
    return Streamed(lake)


def seal(stream, now=CLOSED):
    return seal_closed_days(stream.lake, stream.spark, now)


def sealed(stream):
    return {name: gzip.decompress((stream.root / name).read_bytes()) for name in stream.files() if ".gz" in name}


def age(stream):
    """Let time pass since somebody wrote to the raw files."""
    for name in stream.files():
        os.utime(stream.root / name, (CLOSED.timestamp(), CLOSED.timestamp()))


def test_a_closed_day_becomes_one_file_of_its_whole_lines_and_reads_the_same(stream):
    stream.land(THREE)
    before = stream.read()

    assert seal(stream) == [date(2026, 11, 20)]
    assert sealed(stream) == {f"{DAY}/20261120T120000.000000Z-aaaaaaaa.01234567-0.jsonl.gz": SEALED}
    assert stream.files() == list(sealed(stream)), "nothing else is left"
    assert stream.read() == [], "this stream has read it"
    age(stream)
    assert Streamed(stream.lake, "another-query").read() == before == LINES


def test_the_torn_line_of_a_dead_collector_is_ended_and_read_before_its_day_is_sealed(stream):
    stream.land(THREE | {f"{DAY}/torn.jsonl": b'whole\n{"c": 2'})
    age(stream)
    first = stream.read()

    assert seal(stream) == []
    assert stream.read() == [b'{"c": 2']
    assert seal(stream) == [date(2026, 11, 20)]
    assert list(sealed(stream).values()) == [SEALED + b'whole\n{"c": 2\n']
    assert first == [*LINES, b"whole"]
    assert [(stream.root / name).stat().st_mtime for name in stream.files()] == [CLOSED.timestamp()]


def test_a_sealed_file_tells_no_time_and_is_as_old_as_its_newest_poll(stream):
    stream.land(THREE)
    newest = stream.root / list(THREE)[1]
    age(stream)
    os.utime(newest, (CLOSED.timestamp() + 5, CLOSED.timestamp() + 5))
    stream.read()
    seal(stream)
    (name,) = stream.files()

    assert (stream.root / name).read_bytes()[4:8] == bytes(4), "no time in the gzip header"
    assert (stream.root / name).stat().st_mtime == CLOSED.timestamp() + 5


def test_sealing_again_changes_nothing(stream):
    stream.land(THREE)
    stream.read()
    seal(stream)
    before = {path: path.stat().st_mtime_ns for path in stream.root.glob("**/*")}

    assert seal(stream) == []
    assert {path: path.stat().st_mtime_ns for path in stream.root.glob("**/*")} == before


def test_a_day_is_left_alone_until_some_time_after_midnight_utc(stream):
    stream.land(THREE)
    stream.read()
    midnight = datetime(2026, 11, 21, tzinfo=UTC)

    assert seal(stream, midnight + timedelta(minutes=10)) == []
    assert seal(stream, midnight + GRACE - timedelta(seconds=1)) == []
    assert stream.files() == list(THREE)
    assert seal(stream, midnight + GRACE) == [date(2026, 11, 20)]


def test_what_is_not_committed_to_its_last_line_is_not_sealed(stream):
    stream.land(THREE)
    stream.read()
    grown, late = next(iter(THREE)), f"{DAY}/late.jsonl"
    with (stream.root / grown).open("ab") as file:
        file.write(b"more\n")
    stream.land({late: b"late\n"})

    assert seal(stream) == []
    assert stream.files() == sorted([*THREE, late])
    assert stream.read() == [b"more", b"late"]
    assert seal(stream) == [date(2026, 11, 20)]
    assert sorted(filter(None, whole_lines(stream.root))) == sorted([*LINES, b"more", b"late"])
    assert len(stream.files()) == 1


def test_a_batch_cut_within_a_segment_leaves_its_day_open(stream):
    stream.land(THREE)
    stream.commit(stream.backlog().next_offset(stream.offset, 25))

    assert seal(stream) == []


def test_a_stream_that_committed_nothing_seals_nothing(stream):
    stream.land(THREE)

    assert seal(stream) == []
    assert stream.files() == list(THREE)


def test_a_day_whose_collector_lives_waits_for_its_end(stream):
    with SegmentWriter(stream.lake) as writer:
        writer.append(b"held\n", CLOSED - timedelta(days=1))
        stream.land(THREE)
        stream.read()
        before = seal(stream)
        writer.append(b"late\n", CLOSED - timedelta(days=1))
    after = stream.read()
    seal(stream)

    assert before == []
    assert after == [b"late"]
    (content,) = sealed(stream).values()
    assert sorted(content.split(b"\n")) == sorted((SEALED + b"held\nlate\n").split(b"\n"))


def test_what_comes_late_for_a_sealed_day_is_sealed_beside_it(stream):
    stream.land(THREE)
    stream.read()
    seal(stream)
    stream.land({f"{DAY}/late.jsonl": b"late\n"})

    assert stream.read() == [b"late"]
    assert seal(stream) == [date(2026, 11, 20)]
    assert sorted(sealed(stream).values()) == sorted([SEALED, b"late\n"])
    assert stream.read() == []


def test_a_sealed_file_that_a_person_brought_is_read_once_and_sealed_with_its_day(stream):
    stream.land(THREE | {f"{DAY}/20261120-0123456789ab.jsonl.gz": gzip.compress(b"old 1\nold 2")})
    age(stream)
    first = stream.read()
    seal(stream)

    assert sorted(first) == sorted([*LINES, b"old 1", b"old 2"])
    assert list(sealed(stream).values()) == [b"old 1\nold 2\n" + SEALED]
    assert stream.read() == []
    age(stream)
    assert Streamed(stream.lake, "fedcba9876543210").read(max_bytes=10)[:2] == [b"old 1", b"old 2"]


def test_a_new_checkpoint_reads_all_and_puts_its_own_mark_for_the_old_one(stream):
    stream.land(THREE)
    stream.read()
    seal(stream)
    age(stream)
    other = Streamed(stream.lake, "fedcba9876543210")
    lines = other.read()
    seal(other)

    assert lines == LINES
    assert list(sealed(other).values()) == [SEALED]
    assert all(".fedcba98-0.jsonl.gz" in name for name in other.files())
    assert other.read() == []


def restored_from_between(stream, backup, first, second):
    """Read `first`, back the checkpoint up, read `second`, seal both, and bring the checkpoint of before back."""
    stream.land(first)
    stream.read()
    shutil.copytree(stream.spark, backup)
    stream.land(second)
    stream.read()
    seal(stream)
    age(stream)
    shutil.rmtree(stream.spark)
    shutil.copytree(backup, stream.spark)


def test_a_checkpoint_that_came_back_from_a_backup_reads_what_was_sealed_since(stream, tmp_path):
    restored_from_between(stream, tmp_path / "backup", {f"{DAY}/a.jsonl": b"a\n"}, {f"{DAY}/b.jsonl": b"b\n"})

    assert stream.read(max_bytes=1) == [b"a", b"b"], "the file is of a later batch than the checkpoint"


def test_a_restored_checkpoint_that_is_killed_beyond_the_batch_of_a_mark_still_owes_its_file(stream, tmp_path):
    restored_from_between(stream, tmp_path / "backup", {f"{DAY}/b.jsonl": b"b\n"}, {f"{DAY}/c.jsonl": b"c\n"})
    stream.land({"date=2026-11-19/a.jsonl": b"a1\na2\n"})
    backlog = stream.backlog()
    for _ in range(2):
        stream.commit(backlog.next_offset(stream.offset, 3))

    assert stream.read() == [b"b", b"c"]


def test_names_of_any_length_and_kind_are_sealed(stream):
    long = "x" * 249 + ".jsonl"
    stream.land({f"{DAY}/{name}": b"a\n" for name in (long, "\udcff\n [a].jsonl", "y" * 200 + ".1.2-3.jsonl")})
    land = gzip.compress(b"b\n")
    stream.land({f"{DAY}/{'z' * 246}.jsonl.gz": land})
    age(stream)
    read = stream.read()
    seal(stream)

    assert sorted(read) == sorted(whole_lines(stream.root)) == [b"a", b"a", b"a", b"b"]
    assert [name.rpartition(".")[2] for name in stream.files()] == ["gz"]
    assert stream.read() == []


def test_a_wish_to_end_is_heard_between_two_days(stream):
    stream.land({f"date=2026-11-{day:02}/a.jsonl": b"a\n" for day in (1, 2, 3)})
    stream.read()

    assert seal_closed_days(stream.lake, stream.spark, CLOSED, is_enough=lambda: True) == [date(2026, 11, 1)]
    assert seal(stream) == [date(2026, 11, 2), date(2026, 11, 3)]


def test_a_sealed_file_that_reads_back_otherwise_costs_no_line(stream, monkeypatch):
    stream.land({f"{DAY}/a.jsonl": SEALED})
    stream.read()

    def spoil(number):
        if os.fstat(number).st_size and not os.path.isdir(f"/proc/self/fd/{number}"):  # noqa: PTH112
            os.ftruncate(number, 0)
            os.pwrite(number, gzip.compress(b"other"), 0)

    with monkeypatch.context() as spoiled:
        spoiled.setattr(os, "fsync", spoil)
        with pytest.raises(MergeError, match="does not read back as it was written"):
            seal(stream)
    seal(stream)

    assert list(sealed(stream).values()) == [SEALED]


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


def crash_points(monkeypatch):
    """Make each call that changes the disk count, and the one chosen raise before or after its effect."""
    state = {"calls": 0, "fatal": None}

    def watched(function):
        def call(*arguments, **named):
            state["calls"] += 1
            if state["fatal"] == (state["calls"], "before"):
                raise Killed
            result = function(*arguments, **named)
            if state["fatal"] == (state["calls"], "after"):
                raise Killed
            return result

        return call

    monkeypatch.setattr(merging, "publish_file", watched(merging.publish_file))
    for name in ("rename", "mkdir"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))
    monkeypatch.setattr(os, "unlink", watched(os.unlink))
    return state


def test_a_crash_between_any_two_steps_is_mended_by_the_next_start(stream, tmp_path, monkeypatch):
    stream.land(THREE)
    stream.read()
    before = shutil.copytree(stream.lake.root, tmp_path / "before", copy_function=shutil.copy2)
    crashes = 0
    for number in range(1, 100):
        reached = False
        for when in ("before", "after"):
            with monkeypatch.context() as patched:
                crash_points(patched)["fatal"] = (number, when)
                try:
                    seal(stream)
                except Killed:
                    reached = True
            shutil.rmtree(stream.lake.staging, ignore_errors=True)
            assert stream.read() == [], f"{number} {when}: nothing is ever left for the stream to read again"
            assert sorted(whole_lines(stream.root)) == sorted(SEALED.split(b"\n")[:-1])
            seal(stream)
            # A kill amid the first step makes two files of the day's segments, in order.
            assert b"".join(sealed(stream).values()) == SEALED
            assert stream.files() == sorted(sealed(stream)), "no hidden folder, no segment"
            shutil.rmtree(stream.lake.root)
            shutil.copytree(before, stream.lake.root, copy_function=shutil.copy2)
            crashes += reached
        if not reached:
            break

    assert crashes > 10


SEALER = """
import sys, time
from datetime import datetime, UTC
from pathlib import Path
from orbitlake.lake import Lake
from orbitlake.positions.raw.sealing import seal_closed_days
print("ready", flush=True)
seal_closed_days(Lake(Path(sys.argv[1])), Path(sys.argv[2]), datetime(2026, 12, 1, tzinfo=UTC))
print("done", flush=True)
"""
KILLS = int(os.environ.get("ORBITLAKE_SEAL_KILLS", "20"))


def test_kill_9_at_random_moments_of_sealing_loses_and_doubles_no_line(stream):
    choose = random.Random(7)
    days = [f"date=2026-11-{day:02}" for day in range(1, KILLS + 1)]
    expected = []
    for day in days:
        for hour in range(24):
            lines = [f"{day} {hour} {number} {choose.getrandbits(200):x}".encode() for number in range(400)]
            expected += lines
            stream.land({f"{day}/{day[5:]}T{hour:02}.jsonl": b"\n".join([*lines, b""])})
    assert sorted(stream.read()) == sorted(expected)
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")}
    command = [sys.executable, "-c", SEALER, str(stream.lake.root), str(stream.spark)]
    kills = hidden = 0
    while True:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as sealer:
            sealer.stdout.readline()
            if kills < KILLS:
                time.sleep(choose.uniform(0, 0.15))
                sealer.kill()
            is_done = sealer.stdout.readline() == "done\n"
        hidden += any("/." in name for name in stream.files())
        if is_done:
            break
        kills += 1
        if kills % 5 == 0:
            assert stream.read() == []
            assert sorted(whole_lines(stream.root)) == sorted(expected)

    print(f"{kills} kills, {hidden} of them within a merge")
    assert stream.read() == []
    assert sorted(whole_lines(stream.root)) == sorted(expected)
    assert len(days) <= len(stream.files()) <= len(days) + kills
    age(stream)
    assert sorted(Streamed(Lake(stream.lake.root), "another-query").read()) == sorted(expected)
