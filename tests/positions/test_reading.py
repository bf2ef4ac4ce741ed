"""Lines by their place, whatever form they have and wherever a file is cut."""

import random
from itertools import pairwise

import pytest

from orbitlake.positions.raw.segments import Piece, RawFileError, lines_in, read_piece
from orbitlake.positions.record import MAX_LINE_BYTES

LONG = b"x" * (3 * MAX_LINE_BYTES)
CASES = [
    (b"", []),
    (b"a\nb\n", [(0, b"a"), (2, b"b")]),
    (b"\n\na\n", [(2, b"a")]),
    (b"a\r\n\r\nb\r\n", [(0, b"a\r"), (5, b"b\r")]),
    (b"\xef\xbb\xbfa\n\xef\xbb\xbf\r\n\xff\xfe\x00\n", [(0, b"\xef\xbb\xbfa"), (10, b"\xff\xfe\x00")]),
    (b"a" * MAX_LINE_BYTES + b"\nb\n", [(0, b"a" * MAX_LINE_BYTES), (MAX_LINE_BYTES + 1, b"b")]),
]


@pytest.fixture
def reader(tmp_path):
    """Write a content; return a reader of a piece of it."""

    def write(content):
        (tmp_path / "a.jsonl").write_bytes(content)

        def read(begin, end):
            place, found = read_piece(tmp_path, Piece("a.jsonl", begin, end))
            return list(lines_in(found, place))

        return read

    return write


@pytest.mark.parametrize(("content", "lines"), CASES)
def test_a_line_is_its_bytes_up_to_the_newline_and_has_a_place_and_blank_ones_are_none(reader, content, lines):
    assert reader(content)(0, len(content)) == lines


@pytest.mark.parametrize("content", [content for content, _ in CASES if len(content) < 100])
def test_wherever_a_file_is_cut_each_line_is_in_one_piece(reader, content):
    read = reader(content)
    whole = read(0, len(content))
    for cut in range(len(content) + 1):
        assert read(0, cut) + read(cut, len(content)) == whole


def test_cuts_at_random_lose_and_double_nothing(reader):
    choose = random.Random(1)
    content = b"".join(b"y" * choose.randrange(40) + b"\n" for _ in range(500)) + LONG + b"\nend\n"
    read = reader(content)
    whole = read(0, len(content))
    for _ in range(20):
        cuts = sorted({0, len(content), *(choose.randrange(len(content)) for _ in range(9))})
        found = [line for cut in pairwise(cuts) for line in read(*cut)]
        assert [place for place, _ in found] == [place for place, _ in whole]
        assert [line for _, line in found if len(line) < MAX_LINE_BYTES] == [
            line for _, line in whole if len(line) < MAX_LINE_BYTES
        ]


def test_of_a_line_that_is_too_long_a_piece_holds_no_more_than_shows_it(reader):
    read = reader(b"a\n" + LONG + b"\nb\n")
    (first, second) = read(0, 3)

    assert first == (0, b"a")
    assert MAX_LINE_BYTES < len(second[1]) <= MAX_LINE_BYTES + 2
    assert read(3, len(LONG) + 5) == [(len(LONG) + 3, b"b")]


def test_a_file_that_vanished_or_shrank_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"a\nb\n")

    with pytest.raises(RawFileError, match=r"gone.jsonl was listed and cannot be read .*No such file"):
        read_piece(tmp_path, Piece("gone.jsonl", 0, 5))
    with pytest.raises(RawFileError, match=r"a.jsonl was listed and cannot be read .*it ends before byte 9"):
        read_piece(tmp_path, Piece("a.jsonl", 2, 9))
    with pytest.raises(RawFileError, match=r"it ends before byte 9"):
        read_piece(tmp_path, Piece("a.jsonl", 7, 9))
