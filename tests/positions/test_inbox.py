"""inbox/open_notify: whatever people drop becomes a segment of today once it is settled, byte for byte."""

import gzip
import os
import shutil
import time
from types import SimpleNamespace

import pytest
from tests.positions.streamed import Streamed, quarantined, reasons

from orbitlake.lake.listing import warned_of
from orbitlake.positions.raw import backlog, merging


@pytest.fixture
def passing(monkeypatch):
    """Files settle soon; what happens while somebody waits for it can be put in a list."""
    state = {"waits": 0, "meanwhile": []}

    def sleep(seconds):
        time.sleep(seconds)
        state["waits"] += 1
        if state["meanwhile"]:
            state["meanwhile"].pop(0)()

    monkeypatch.setattr(backlog, "SETTLED_S", 0.1)
    monkeypatch.setattr(backlog, "time", SimpleNamespace(sleep=sleep))
    return state


@pytest.fixture
def stream(lake, passing):
    return Streamed(lake)


def drop(stream, name, content):
    path = stream.lake.inbox_open_notify / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read_bound(stream):
    """Stream what is there, the inbox included, as `available-now` does."""
    found, lines = stream.backlog(), []
    found.bind()
    while (end := found.next_offset(start := stream.offset, 10**9)) != start:
        lines += stream.lines(found, start, end)
        stream.commit(end)
    return lines


def left(stream):
    return sorted(path.name for path in stream.lake.inbox_open_notify.rglob("*"))


def test_files_of_every_form_are_read_once_and_become_one_segment_of_today(stream, capsys):
    drop(stream, "a.json", b'{"a": 1}')
    drop(stream, "b.jsonl", b"\xef\xbb\xbfb1\r\n\nb2\n")
    drop(stream, "c.jsonl.gz", gzip.compress(b"c1\nc2"))
    drop(stream, "folder/any name \udcff (1)", gzip.compress(b"d1\n") + gzip.compress(b"d2\n"))
    drop(stream, "empty.json", b"")

    assert read_bound(stream) == [b'{"a": 1}', b"\xef\xbb\xbfb1\r", b"b2", b"c1", b"c2", b"d1", b"d2"]
    assert left(stream) == []
    (name,) = stream.files()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert name.startswith(f"date={today}/{today.replace('-', '')}T")
    assert name.endswith(".jsonl")
    assert read_bound(stream) == []
    assert "a.json, b.jsonl, c.jsonl.gz, empty.json, any name \\udcff (1) -> " in capsys.readouterr().err


def test_a_file_waits_until_nobody_has_touched_it_for_a_while_whatever_its_time_stamp_says(stream, passing):
    path = drop(stream, "a.jsonl", b"a1\n")
    os.utime(path, (0, 0))
    found = stream.backlog()
    found.next_offset(stream.offset, 100)
    first = stream.files()
    with path.open("ab") as file:
        file.write(b"a2\n")
    time.sleep(0.15)
    found.next_offset(stream.offset, 100)

    assert first == []
    assert stream.read() == [b"a1", b"a2"]


def test_a_run_over_what_is_there_waits_for_the_inbox_to_settle_but_not_for_ever(stream, passing):
    grown = drop(stream, "grows.jsonl", b"a\n")
    drop(stream, "b.jsonl", b"b\n")

    def grow():
        with grown.open("ab") as file:
            file.write(b"more\n")

    passing["meanwhile"] = [grow] * 9

    assert read_bound(stream) == [b"b"]
    assert left(stream) == ["grows.jsonl"]


def test_without_an_inbox_nothing_is_waited_for(stream, passing):
    assert read_bound(stream) == []
    assert passing["waits"] == 0


def test_thousands_of_files_are_taken_some_at_a_time(stream, monkeypatch):
    monkeypatch.setattr(backlog, "MOST_AT_ONCE", 100)
    lines = [f"{number:04}".encode() for number in range(350)]
    for line in lines:
        drop(stream, f"{line.decode()}.json", line)

    assert sorted(read_bound(stream)) == lines
    assert left(stream) == []
    assert len(stream.files()) == 4


DAMAGED = {"torn": gzip.compress(b"{}\n" * 9000)[:-9], "more": gzip.compress(b"a") + b"rest"}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_gzip_file_goes_to_quarantine_and_the_others_are_read(stream, content):
    drop(stream, "a.jsonl.gz", content)
    drop(stream, "b.json", b"b")

    assert read_bound(stream) == [b"b"]
    assert quarantined(stream.lake) == [content]
    assert reasons(stream.lake)[0].startswith("damaged, none of its records was taken: ")


def test_a_gzip_bomb_is_bounded_and_goes_to_quarantine(stream, monkeypatch):
    monkeypatch.setattr(merging, "BOMB_BYTES", 2**20)
    drop(stream, "a.jsonl.gz", gzip.compress(bytes(64 * 2**20)))
    drop(stream, "b.json", b"b")

    assert read_bound(stream) == [b"b"]
    assert "bytes unpack to" in reasons(stream.lake)[0]


def test_links_pipes_and_hidden_files_stay_and_the_first_two_are_named(stream, tmp_path, caplog):
    warned_of.clear()
    (tmp_path / "elsewhere").write_bytes(b"mine\n")
    for name in ("a.json", "_b.json", ".hidden/c.json"):
        drop(stream, name, b"x\n")
    folder = stream.lake.inbox_open_notify
    (folder / "link.json").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    (folder / "gone.json").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.json")

    assert read_bound(stream) == [b"x"]
    assert [name for name in left(stream) if name != "c.json"] == [
        ".hidden", "_b.json", "gone.json", "link.json", "loop", "pipe.json",
    ]  # fmt: skip
    assert [any(f"/{name}: not taken" in text for text in caplog.messages) for name in ("link.json", "pipe.json")] == [
        True, True,
    ]  # fmt: skip


class Killed(BaseException):
    """What a kill looks like from inside: nothing catches it."""


def test_a_crash_between_any_two_steps_of_taking_is_mended_by_the_next_start(stream, monkeypatch, tmp_path):
    for name in ("a.json", "b.jsonl", "c.json"):
        drop(stream, name, name.encode())
    drop(stream, "d.jsonl.gz", b"\x1f\x8bdamaged")
    before = shutil.copytree(stream.lake.root, tmp_path / "before")
    crashes = 0
    for fatal in range(1, 60):
        calls = 0

        def watched(function, fatal=fatal):
            def call(*arguments, **named):
                nonlocal calls
                calls += 1
                if calls == fatal:
                    raise Killed
                return function(*arguments, **named)

            return call

        with monkeypatch.context() as patched:
            patched.setattr(merging, "publish_file", watched(merging.publish_file))
            patched.setattr(merging, "quarantine_file", watched(merging.quarantine_file))
            patched.setattr(merging.Path, "rename", watched(merging.Path.rename))
            patched.setattr(merging.Path, "mkdir", watched(merging.Path.mkdir))
            patched.setattr(os, "unlink", watched(os.unlink))
            try:
                read_bound(stream)
                break
            except Killed:
                crashes += 1
        shutil.rmtree(stream.lake.staging, ignore_errors=True)
        read_bound(stream)
        kept = [line for name in stream.files() for line in (stream.root / name).read_bytes().splitlines()]
        assert sorted(kept) == [b"a.json", b"b.jsonl", b"c.json"], fatal
        assert quarantined(stream.lake) == [b"\x1f\x8bdamaged"]
        assert left(stream) == []
        shutil.rmtree(stream.lake.root)
        shutil.copytree(before, stream.lake.root)

    assert crashes > 8
