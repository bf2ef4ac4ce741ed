"""Packing without Spark: what is packed, when, and that a crash anywhere loses nothing and leaves nothing twice."""

import gzip
import hashlib
import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from orbitlake.positions import journal as journal_module
from orbitlake.positions import packing
from orbitlake.positions.journal import Journal
from orbitlake.positions.packing import GRACE, PackError, pack_closed_days
from orbitlake.positions.raw_files import RawFileError, scan
from orbitlake.positions.state import Checkpoint

DAY = "date=2026-11-20"
CLOSED = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Read:
    """Raw files of a lake, and a checkpoint whose stream has committed what it was given."""

    def __init__(self, lake):
        self.checkpoint, self.root = Checkpoint(lake), lake.raw_open_notify
        self.root.mkdir(parents=True)

    def land(self, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(content)

    def take(self) -> None:
        """Write a batch of what is new, as the source does."""
        journal = self.journal()
        new = sorted(set(scan(self.root)) - journal.taken)
        if new:
            journal.take(new)

    def commit(self) -> None:
        """Leave Spark's word that all batches are done, as Spark 4.2 does."""
        offsets = f'v1\n{{"batchWatermarkMs":0}}\n{{"taken": {self.journal().last}}}'
        for folder, content in (("offsets", offsets), ("commits", "v1\n{}")):
            (self.checkpoint.spark / folder).mkdir(parents=True, exist_ok=True)
            (self.checkpoint.spark / folder / "0").write_text(content)

    def read(self, files: dict[str, bytes]) -> None:
        self.land(files)
        self.take()
        self.commit()

    def pack(self, now=CLOSED) -> list[date]:
        return pack_closed_days(self.checkpoint, now)

    def journal(self) -> Journal:
        return Journal.load(self.checkpoint.journal, self.checkpoint.staging)

    def contents(self) -> dict[str, bytes]:
        return {
            name: gzip.decompress((self.root / name).read_bytes())
            if name.endswith(".gz")
            else (self.root / name).read_bytes()
            for name in sorted(scan(self.root))
        }

    def unread(self) -> set[str]:
        return set(scan(self.root)) - self.journal().taken


@pytest.fixture
def stream(lake):
    return Read(lake)


THREE = {
    f"{DAY}/hour=13/c.json": b'{"c": 1}',
    f"{DAY}/hour=12/b.json": b'\xef\xbb\xbf{"b": 1}\r\n{"b": 2}\r\n',
    f"{DAY}/a.json": b"",
    f"{DAY}/hour=12/deeper/d.json": b"\xff\xfe torn",
}
PACKED = b'\xef\xbb\xbf{"b": 1}\r\n{"b": 2}\r\n\xff\xfe torn\n{"c": 1}\n'


def test_a_closed_day_becomes_one_file_of_its_bytes_in_order_of_names(stream):
    stream.read(THREE)

    assert stream.pack() == [date(2026, 11, 20)]
    assert list(stream.contents().values()) == [PACKED]
    assert [path.name for path in stream.root.glob("**/*")] == [DAY, *(Path(name).name for name in stream.contents())]
    assert stream.unread() == set()
    assert stream.journal().taken == set(stream.contents())
    assert list(stream.checkpoint.staging.iterdir()) == []


def test_the_name_is_fixed_by_the_content_and_the_file_tells_no_time(stream, tmp_path):
    stream.read(THREE)
    stream.pack()
    (name,) = stream.contents()
    packed = (stream.root / name).read_bytes()

    assert name == f"{DAY}/20261120-{hashlib.sha256(PACKED).hexdigest()[:12]}.jsonl.gz"
    assert packed[3:8] == bytes(5), "neither a name nor a time in the gzip header"


def test_packing_again_changes_nothing(stream):
    stream.read(THREE)
    stream.pack()
    before = {path: path.stat().st_mtime_ns for path in stream.root.glob("**/*")}

    assert stream.pack() == []
    assert {path: path.stat().st_mtime_ns for path in stream.root.glob("**/*")} == before


def test_a_day_is_left_alone_until_some_time_after_midnight_utc(stream):
    stream.read(THREE)
    midnight = datetime(2026, 11, 21, tzinfo=UTC)

    assert stream.pack(midnight + timedelta(minutes=10)) == []
    assert stream.pack(midnight + GRACE - timedelta(seconds=1)) == []
    assert stream.contents() == THREE
    assert stream.pack(midnight + GRACE) == [date(2026, 11, 20)]


def test_what_is_not_committed_is_not_packed(stream):
    stream.read({f"{DAY}/a.json": b"a\n"})
    stream.land({f"{DAY}/b.json": b"b\n"})
    stream.take()
    stream.land({f"{DAY}/c.json": b"c\n"})
    stream.pack()

    assert list(stream.contents().values()) == [b"a\n", b"b\n", b"c\n"]
    assert stream.unread() == {f"{DAY}/c.json"}
    assert stream.journal().last == 2


def test_a_stream_that_committed_nothing_packs_nothing(stream):
    stream.land(THREE)
    stream.take()

    assert stream.pack() == []
    assert stream.contents() == THREE


@pytest.mark.parametrize("name", ["a.json", "other/a.json"])
def test_files_outside_of_a_days_folder_stay(stream, name):
    stream.read({name: b"a\n"})

    assert stream.pack() == []
    assert stream.contents() == {name: b"a\n"}


@pytest.mark.parametrize("name", ["date=20261120/a.json", "date=today/a.json"])
def test_a_folder_that_only_looks_like_a_days_is_left_alone(stream, name):
    stream.read({name: b"a\n"})

    assert stream.pack() == []
    assert stream.contents() == {}
    assert (stream.root / name).read_bytes() == b"a\n"


def test_a_late_file_is_packed_with_the_earlier_pack(stream):
    stream.read(THREE)
    stream.pack()
    stream.read({f"{DAY}/hour=11/late.json": b'{"late": 1}'})

    assert stream.pack() == [date(2026, 11, 20)]
    assert list(stream.contents().values()) == [PACKED + b'{"late": 1}\n']
    assert stream.unread() == set()


def test_left_over_members_are_not_packed_twice(stream):
    stream.read(THREE)
    stream.pack()
    before = stream.contents()
    stream.read({name: THREE[name] for name in list(THREE)[:2]})
    stream.pack()

    assert stream.contents() == before


def test_a_backlog_is_packed_some_days_a_run_and_a_wish_to_end_is_heard(stream, monkeypatch):
    monkeypatch.setattr(packing, "DAYS_A_RUN", 3)
    stream.read({f"date=2026-11-{day:02}/a.json": b"a\n" for day in range(1, 8)})

    assert stream.pack() == [date(2026, 11, day) for day in (1, 2, 3)]
    assert pack_closed_days(stream.checkpoint, CLOSED, is_enough=lambda: True) == [date(2026, 11, 4)]
    assert stream.pack() == [date(2026, 11, day) for day in (5, 6, 7)]


def test_other_files_and_their_folders_stay(stream):
    stream.read(THREE)
    stream.land({f"{DAY}/hour=13/note.txt": b"mine"})
    stream.pack()

    assert (stream.root / DAY / "hour=13" / "note.txt").exists()
    assert not (stream.root / DAY / "hour=12").exists()


def test_a_member_that_cannot_be_read_stops_the_packing_and_is_named(stream, monkeypatch):
    stream.read(THREE | {f"{DAY}/broken.jsonl.gz": b"not gzip"})

    with pytest.raises(RawFileError, match=r"broken.jsonl.gz"):
        stream.pack()
    assert len(list(scan(stream.root))) == 5


def test_a_pack_that_reads_back_otherwise_costs_no_file(stream, monkeypatch):
    stream.read(THREE)

    def spoil(number):
        os.ftruncate(number, 0)
        os.pwrite(number, gzip.compress(b"other"), 0)

    monkeypatch.setattr(os, "fsync", spoil)

    with pytest.raises(PackError, match="does not read back as it was written"):
        stream.pack()
    assert stream.contents() == THREE


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

    monkeypatch.setattr(packing, "settle", watched(packing.settle))
    monkeypatch.setattr(journal_module, "write_file", watched(journal_module.write_file))
    for name in ("unlink", "rmdir"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))
    return state


@pytest.mark.parametrize("is_late", [False, True], ids=["first", "with an earlier pack"])
def test_a_crash_between_any_two_steps_is_mended_by_the_next_packing(stream, tmp_path, monkeypatch, is_late):
    expected = PACKED
    stream.read(THREE)
    if is_late:
        stream.pack()
        stream.read({f"{DAY}/hour=11/late.json": b"late", f"{DAY}/hour=11/later.json": b"later\n"})
        expected += b"late\nlater\n"
    before = shutil.copytree(stream.checkpoint.lake.root, tmp_path / "before")
    state, crashes = crash_points(monkeypatch), 0
    for number in range(1, 100):
        for when in ("before", "after"):
            state.update(calls=0, fatal=(number, when))
            try:
                stream.pack()
                reached = False
            except Killed:
                reached = True
            state["fatal"] = None
            assert stream.unread() == set(), "nothing is ever left for the stream to read again"
            lines = b"\n".join(stream.contents().values()).split(b"\n")
            assert set(lines) >= set(expected.split(b"\n")) - {b""}
            shutil.rmtree(stream.checkpoint.staging, ignore_errors=True)
            stream.pack()
            assert list(stream.contents().values()) == [expected]
            assert stream.unread() == set()
            shutil.rmtree(stream.checkpoint.lake.root)
            shutil.copytree(before, stream.checkpoint.lake.root)
            crashes += reached
        if not reached:
            break

    assert crashes > 12
