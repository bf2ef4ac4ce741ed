"""Files of lines: whole up to the last newline, and read from their end."""

import pytest

from orbitlake.lake.lines import append_line, end_of_lines, lines_from_end


@pytest.mark.parametrize("block_bytes", [3, 64 * 2**10])
@pytest.mark.parametrize(
    ("content", "begin", "end"),
    [
        (b"", 0, 0),
        (b"a\nb\n", 0, 4),
        (b"a\nb", 0, 2),
        (b"ab", 0, 0),
        (b"a\ntorn line", 2, 2),
        (b"a\n" + b"b" * 20 + b"\n" + b"c" * 20, 0, 23),
        (b"a\n" + b"b" * 20, 12, 12),
    ],
)
def test_a_file_is_whole_up_to_its_last_newline(tmp_path, monkeypatch, block_bytes, content, begin, end):
    monkeypatch.setattr("orbitlake.lake.lines.BLOCK_BYTES", block_bytes)
    (tmp_path / "a.jsonl").write_bytes(content)

    assert end_of_lines(tmp_path / "a.jsonl", begin, len(content)) == end


@pytest.mark.parametrize("block_bytes", [1, 3, 64 * 2**10])
@pytest.mark.parametrize("content", [b"", b"torn", b"a\n", b"a\nbb\nccc\n", b"a\n\nbb\ntorn", b"aaaaaaaa\nbbbbbbbb\n"])
def test_lines_come_from_the_end_without_a_torn_one(tmp_path, monkeypatch, block_bytes, content):
    monkeypatch.setattr("orbitlake.lake.lines.BLOCK_BYTES", block_bytes)
    (tmp_path / "a.jsonl").write_bytes(content)

    assert list(lines_from_end(tmp_path / "a.jsonl")) == content.split(b"\n")[-2::-1]
    assert list(lines_from_end(tmp_path / "gone.jsonl")) == []


def test_a_log_keeps_its_newest_lines_and_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr("orbitlake.lake.lines.MOST_LOG_BYTES", 40)
    for number in range(30):
        append_line(tmp_path / "log", f"line {number}", tmp_path / "staging")
    lines = (tmp_path / "log").read_text().splitlines()

    assert lines == [f"line {number}" for number in range(30 - len(lines), 30)]
    assert 3 <= len(lines) <= 7
