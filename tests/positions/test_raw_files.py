"""Names and lines below the raw folder, whatever form they have."""

import gzip
import os

import pytest

from orbitlake.positions.raw_files import RawFileError, lines_of, pieces_of, scan
from orbitlake.positions.record import MAX_LINE_BYTES

LONG = b"x" * (3 * MAX_LINE_BYTES)


@pytest.mark.parametrize("name", ["a.json", "date=2026-11-20/a.json", "any/depth/of/folders/a.json", "d/20.jsonl.gz"])
def test_files_are_found_at_any_depth(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()

    assert list(scan(tmp_path)) == [name]


@pytest.mark.parametrize(
    "name",
    [
        ".a.json",
        "_a.json",
        ".hidden/a.json",
        "_temporary/a.json",
        "a.json.tmp",
        "a.jsonl",
        "a.json.gz",
        "a.JSON",
        "json",
    ],
)
def test_hidden_files_and_other_suffixes_are_not_taken(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()

    assert list(scan(tmp_path)) == []


def test_a_folder_that_goes_while_it_is_listed_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "hour=12").mkdir()
    (tmp_path / "b.json").touch()
    listed = os.scandir

    def emptied(folder):
        if folder.name == "hour=12":
            folder.rmdir()
        return listed(folder)

    monkeypatch.setattr(os, "scandir", emptied)

    assert list(scan(tmp_path)) == ["b.json"]


def test_a_raw_folder_that_is_gone_is_no_empty_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(scan(tmp_path / "not-mounted"))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\n\r\nb\r\n", [b"a\r", b"\r", b"b\r"]),
        (b"\xef\xbb\xbfa\n\xff\xfe\x00\n", [b"\xef\xbb\xbfa", b"\xff\xfe\x00"]),
        (b"a" * MAX_LINE_BYTES + b"\nb\n", [b"a" * MAX_LINE_BYTES, b"b"]),
        (b"a" * MAX_LINE_BYTES, [b"a" * MAX_LINE_BYTES]),
        (LONG + b"\nb\n", [LONG[: MAX_LINE_BYTES + 1], b"b"]),
        (b"b\n" + LONG, [b"b", LONG[: MAX_LINE_BYTES + 1]]),
        (b"x" * (MAX_LINE_BYTES + 1) + b"\nb", [LONG[: MAX_LINE_BYTES + 1], b"b"]),
    ],
)
def test_lines_are_bytes_up_to_their_line_feed_packed_or_not(tmp_path, content, lines):
    (tmp_path / "a.json").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))

    for name in ("a.json", "a.jsonl.gz"):
        assert list(lines_of(tmp_path, name)) == lines
        assert b"".join(pieces_of(tmp_path, name)) == content


def test_a_file_that_vanished_is_named(tmp_path):
    with pytest.raises(RawFileError, match=r"gone.json was listed and cannot be read .*No such file"):
        list(lines_of(tmp_path, "gone.json"))


@pytest.mark.parametrize("content", [gzip.compress(b"line\n" * 9000)[:-9], b"not gzip", gzip.compress(b"a") + b"rest"])
def test_a_pack_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "day.jsonl.gz").write_bytes(content)

    with pytest.raises(RawFileError, match=r"day.jsonl.gz was listed and cannot be read"):
        list(lines_of(tmp_path, "day.jsonl.gz"))
