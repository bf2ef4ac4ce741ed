"""Batches of the source without Spark: bounded by bytes, the same lines again, nothing twice, nothing for ever."""

import gzip
import json
import os

import pytest
from tests.positions.streamed import DAY, Streamed, quarantined, reasons

from orbitlake.lake import quarantine
from orbitlake.lake.listing import warned_of
from orbitlake.positions.raw import backlog as backlog_module
from orbitlake.positions.raw.backlog import nothing_read
from orbitlake.positions.raw.segments import RawFileError


@pytest.fixture
def stream(lake, monkeypatch):
    monkeypatch.setattr(backlog_module, "SETTLED_S", 0)
    return Streamed(lake)


def land_sealed(stream, name, content):
    stream.land({name: content})


def batches(stream, max_bytes, bind=False):
    backlog, found = stream.backlog(), []
    if bind:
        backlog.bind()
    while (end := backlog.next_offset(start := stream.offset, max_bytes)) != start:
        found.append(stream.lines(backlog, start, end))
        stream.commit(end)
    return found


def test_batches_come_in_order_of_days_and_names_and_are_bounded_by_bytes(stream):
    stream.land(
        {
            "date=2026-11-20/b.jsonl": b"b1\nb2\n",
            "date=2026-11-20/a.jsonl": b"a1\n",
            "date=2026-11-21/a.jsonl": b"c1\nc2\nc3\n",
        }
    )

    assert batches(stream, 9) == [[b"a1", b"b1", b"b2"], [b"c1", b"c2", b"c3"]]


@pytest.mark.parametrize("max_bytes", [1, 7, 100, 10_000])
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_of_any_size_is_read_by_parts_and_each_line_once(stream, max_bytes, is_packed):
    lines = [f"line {number}".encode() for number in range(60)]
    content = b"\n".join(lines) + b"\n"
    if is_packed:
        land_sealed(stream, f"{DAY}/a.jsonl.gz", gzip.compress(content[:50]) + gzip.compress(content[50:-1]))
    else:
        stream.land({f"{DAY}/a.jsonl": content})
    found = batches(stream, max_bytes)

    assert [line for batch in found for line in batch] == lines
    assert len(found) == -(-len(content) // max_bytes)
    assert all(sum(map(len, batch)) <= max_bytes + 10 for batch in found)


def test_a_reader_stops_at_the_last_newline_and_goes_on_there(stream):
    path = stream.root / DAY / "a.jsonl"
    stream.land({f"{DAY}/a.jsonl": b"whole\nto"})
    first = stream.read()
    with path.open("ab") as file:
        file.write(b"rn\nnext\n")

    assert first == [b"whole"]
    assert stream.read() == [b"torn", b"next"]
    assert stream.offset == {"segments": {f"{DAY}/a.jsonl": 16}}


def test_a_batch_planned_before_a_crash_reads_the_same_lines_again(stream):
    stream.land({f"{DAY}/b.jsonl": b"b1\nb2\n"})
    start = stream.offset
    end = stream.backlog().next_offset(start, 100)
    before = stream.lines(stream.backlog(), start, end)
    stream.land({f"{DAY}/a.jsonl": b"a1\n"})
    with (stream.root / DAY / "b.jsonl").open("ab") as file:
        file.write(b"b3\n")

    assert stream.lines(stream.backlog(), start, json.loads(json.dumps(end))) == before == [b"b1", b"b2"]
    stream.commit(end)
    assert stream.read() == [b"a1", b"b3"]


def test_where_nothing_is_new_the_offset_is_the_very_same(stream):
    stream.land({f"{DAY}/a.jsonl": b"a\n", f"{DAY}/b.jsonl": b"torn", f"{DAY}/c.jsonl": b""})
    stream.read()
    start = stream.offset
    (stream.root / DAY / "a.jsonl").unlink()

    assert stream.backlog().next_offset(start, 100) is start
    assert json.dumps(start) == json.dumps(stream.offset)


def test_the_offset_forgets_files_that_are_gone_and_stays_small(stream):
    for number in range(100):
        stream.land({f"{DAY}/{number:03}.jsonl": b"a\n"})
        if number >= 5:
            (stream.root / DAY / f"{number - 5:03}.jsonl").unlink()
        assert stream.read() == [b"a"]

    assert list(stream.offset["segments"]) == [f"{DAY}/{number:03}.jsonl" for number in range(95, 100)]


def test_what_comes_during_a_run_over_what_is_there_waits_for_the_next(stream):
    stream.land({f"{DAY}/a.jsonl": b"a1\n"})
    backlog = stream.backlog()
    backlog.bind()
    with (stream.root / DAY / "a.jsonl").open("ab") as file:
        file.write(b"a2\n")
    stream.land({f"{DAY}/b.jsonl": b"b\n"})
    end = backlog.next_offset(stream.offset, 100)
    lines = stream.lines(backlog, stream.offset, end)
    stream.commit(end)

    assert lines == [b"a1"]
    assert backlog.next_offset(end, 100) is end
    assert stream.read() == [b"a2", b"b"]


def test_work_is_spread_over_tasks_in_pieces_of_bounded_size(stream, monkeypatch):
    monkeypatch.setattr(backlog_module, "LEAST_BYTES_A_PIECE", 10)
    lines = [f"{number:04}".encode() for number in range(100)]
    stream.land({f"{DAY}/a.jsonl": b"\n".join(lines[:75]) + b"\n", f"{DAY}/b.jsonl": b"\n".join(lines[75:]) + b"\n"})
    backlog = stream.backlog()
    end = backlog.next_offset(stream.offset, 10_000)
    shares = backlog.pieces(stream.offset, end, 4)

    assert [sum(piece.end - piece.begin for piece in pieces) for pieces in shares] == [125] * 4
    assert stream.lines(backlog, stream.offset, end, 4) == lines
    assert backlog.pieces(end, end, 4) == []
    monkeypatch.setattr(backlog_module, "LEAST_BYTES_A_PIECE", 10_000)
    assert len(backlog.pieces(stream.offset, end, 4)) == 2, "a small file is one piece"
    monkeypatch.setattr(backlog_module, "MOST_BYTES_A_PIECE", 20)
    pieces = [piece for share in backlog.pieces(stream.offset, end, 4) for piece in share]
    assert max(piece.end - piece.begin for piece in pieces) == 20
    assert stream.lines(backlog, stream.offset, end, 4) == lines


def test_the_raw_folder_of_before_streams_once_and_becomes_segments(stream):
    older = {
        f"{DAY}/hour=12/b.json": b'\xef\xbb\xbf{"b": 1}\r\n{"b": 2}',
        f"{DAY}/hour=11/a.json": b'{"a": 1}\n',
        f"{DAY}/deeper/than/usual/\udcff.json": b"",
        f"{DAY}/z.json": b'{"z": 1}',
        "date=2026-11-19/x.json": b"x",
    }
    stream.land(older)
    land_sealed(stream, "date=2026-11-18/20261118-0123456789ab.jsonl.gz", gzip.compress(b"packed"))

    assert stream.read() == [
        b"packed", b"x", b'{"a": 1}', b'\xef\xbb\xbf{"b": 1}\r', b'{"b": 2}', b'{"z": 1}',
    ]  # fmt: skip
    assert stream.read() == []
    assert [name.rpartition(".")[2] for name in stream.files()] == ["jsonl", "jsonl", "jsonl"]
    assert not list((stream.root / DAY).glob("*/"))


@pytest.mark.parametrize("name", [".a.jsonl", "_a.json", ".hidden/a.json", "_temporary/a.jsonl"])
def test_what_is_hidden_is_passed_over_in_silence(stream, caplog, name):
    stream.land({f"{DAY}/{name}": b"a\n"})

    assert stream.read() == []
    assert caplog.messages == []


def test_links_and_other_endings_stay_and_are_named_in_a_warning(stream, caplog):
    warned_of.clear()
    stream.land({f"{DAY}/a.jsonl": b"a\n"})
    folder = stream.root / DAY
    names = ["loop", "self.jsonl", "gone.json", "link.jsonl", "pipe.jsonl", "x.txt", "json", "z.json.gz", "W.JSONL"]
    for name, target in zip(names, (folder, folder / "self.jsonl", "nowhere", "a.jsonl"), strict=False):
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.jsonl")
    for name in names[5:]:
        (folder / name).touch()

    assert stream.read() == [b"a"]
    assert [any(f"/{name}: not taken" in message for message in caplog.messages) for name in names] == [True] * 9
    assert sorted(path.name for path in folder.iterdir()) == sorted(["a.jsonl", *names])


@pytest.mark.parametrize("content", [gzip.compress(b"{}\n" * 9000)[:-9], b"no gzip"], ids=["torn", "other"])
def test_a_damaged_sealed_file_goes_to_quarantine_and_the_others_are_read(stream, capsys, content):
    stream.land({f"{DAY}/a.jsonl": b"a\n", f"{DAY}/d.jsonl": b"d\n"})
    land_sealed(stream, f"{DAY}/b.jsonl.gz", content)
    land_sealed(stream, f"{DAY}/c.jsonl.gz", gzip.compress(b"c\n"))

    assert sorted(stream.read()) == [b"a", b"c", b"d"]
    assert quarantined(stream.lake) == [content]
    assert reasons(stream.lake)[0].startswith("damaged, none of its records was taken: ")
    assert "b.jsonl.gz is damaged (" in capsys.readouterr().err
    assert f"{DAY}/b.jsonl.gz" not in stream.files()


def test_a_kill_before_a_damaged_file_is_moved_leaves_one_reason(stream, monkeypatch):
    def die(_temporary, _target):
        raise KeyboardInterrupt

    land_sealed(stream, f"{DAY}/b.jsonl.gz", b"no gzip")
    with monkeypatch.context() as killed:
        killed.setattr(quarantine, "publish_file", die)
        with pytest.raises(KeyboardInterrupt):
            stream.read()
    stream.read()

    assert len(reasons(stream.lake)) == 1
    assert quarantined(stream.lake) == [b"no gzip"]


@pytest.mark.parametrize("until_now", [b"", gzip.compress(b"{}\n" * 9000)[:40]], ids=["empty", "torn"])
def test_a_sealed_file_that_is_being_copied_waits(stream, until_now, monkeypatch):
    monkeypatch.setattr(backlog_module, "SETTLED_S", 60)
    stream.land({f"{DAY}/a.jsonl": b"a\n", f"{DAY}/b.jsonl.gz": until_now})
    first = stream.read()
    stream.land({f"{DAY}/b.jsonl.gz": gzip.compress(b"b\n")})
    monkeypatch.setattr(backlog_module, "SETTLED_S", 0)

    assert first == [b"a"]
    assert stream.read() == [b"b"]
    assert not stream.lake.quarantine.exists()


def test_a_planned_file_that_is_gone_is_named(stream):
    stream.land({f"{DAY}/a.jsonl": b"a\n"})
    end = stream.backlog().next_offset(nothing_read(), 100)
    (stream.root / DAY / "a.jsonl").unlink()

    with pytest.raises(RawFileError, match=r"a.jsonl was listed and cannot be read"):
        stream.lines(stream.backlog(), nothing_read(), end)


def test_sealed_files_become_segments_as_far_as_a_batch_has_room_for_them(stream):
    for day in (18, 19, 20):
        land_sealed(stream, f"date=2026-11-{day}/b.jsonl.gz", gzip.compress(f"{day}\n".encode()))
    stream.land({f"{DAY}/new.jsonl": b"new\n"})
    stream.backlog().next_offset(stream.offset, 4)
    full = [name.rpartition(".")[2] for name in stream.files()]
    stream.backlog().next_offset(stream.offset, 7)

    assert full == ["gz", "gz", "gz", "jsonl"]
    assert [name.rpartition(".")[2] for name in stream.files()] == ["jsonl", "gz", "gz", "jsonl"]
    assert stream.read(5) == [b"18", b"new", b"19", b"20"]


def test_only_the_folders_of_days_are_read_and_others_named(stream, caplog):
    warned_of.clear()
    stream.land({"a.jsonl": b"a\n", "other/a.jsonl": b"a\n", "date=20261120/a.jsonl": b"a\n", f"{DAY}/b.jsonl": b"b\n"})

    assert stream.read() == [b"b"]
    said = "\n".join(caplog.messages)
    assert all(f"open_notify/{name}: not the folder of a day" in said for name in ("a.jsonl", "other", "date=20261120"))
