"""Lines by their place, whatever form they have and wherever a file is cut."""

import gzip
import random
from itertools import pairwise

import pytest

from orbitlake.positions.raw import reading
from orbitlake.positions.raw.reading import DAMAGE, Packed, Piece, RawFileError, lines_of
from orbitlake.positions.record import MAX_LINE_BYTES

LONG = b"x" * (3 * MAX_LINE_BYTES)
CASES = [
    (b"", []),
    (b"a\nb\n", [(0, b"a"), (2, b"b")]),
    (b"\n\na\n", [(0, b""), (1, b""), (2, b"a")]),
    (b"a\r\n\r\nb\r\n", [(0, b"a\r"), (3, b"\r"), (5, b"b\r")]),
    (b"\xef\xbb\xbfa\n\xff\xfe\x00\n", [(0, b"\xef\xbb\xbfa"), (5, b"\xff\xfe\x00")]),
    (b"a" * MAX_LINE_BYTES + b"\nb\n", [(0, b"a" * MAX_LINE_BYTES), (MAX_LINE_BYTES + 1, b"b")]),
    (LONG + b"\nb\n", [(0, LONG[: MAX_LINE_BYTES + 1]), (len(LONG) + 1, b"b")]),
    (b"b\n" + LONG + b"\n", [(0, b"b"), (2, LONG[: MAX_LINE_BYTES + 1])]),
    (b"x" * (MAX_LINE_BYTES + 1) + b"\nb\n", [(0, LONG[: MAX_LINE_BYTES + 1]), (MAX_LINE_BYTES + 2, b"b")]),
]


def packed_in_members(content, size):
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(map(gzip.compress, parts)) or gzip.compress(b"")


@pytest.fixture
def both(tmp_path):
    """Write a content plain and packed, in members of some size; return a reader of a piece of each."""

    def write(content, member_bytes=1000):
        (tmp_path / "a.jsonl").write_bytes(content)
        (tmp_path / "a.jsonl.gz").write_bytes(packed_in_members(content, member_bytes))
        inside = Packed.of(tmp_path / "a.jsonl.gz")
        assert inside.size == len(content)

        def read(begin, end):
            found = list(lines_of(tmp_path, Piece("a.jsonl", begin, end)))
            member = inside.member_before(max(begin - 1, 0))
            assert list(lines_of(tmp_path, Piece("a.jsonl.gz", begin, end, member))) == found
            return found

        return read

    return write


@pytest.mark.parametrize(("content", "lines"), CASES)
def test_a_line_is_its_bytes_up_to_the_newline_and_has_a_place(both, content, lines):
    assert both(content, 100_000)(0, len(content)) == lines


@pytest.mark.parametrize("content", [content for content, _ in CASES if len(content) < 100])
def test_wherever_a_file_is_cut_each_line_is_in_one_piece(both, content):
    read = both(content, 2)
    whole = read(0, len(content))
    for cut in range(len(content) + 1):
        assert read(0, cut) + read(cut, len(content)) == whole


def test_cuts_at_random_lose_and_double_nothing(both):
    choose = random.Random(1)
    content = b"".join(b"y" * choose.randrange(40) + b"\n" for _ in range(500)) + LONG + b"\nend\n"
    read = both(content)
    whole = read(0, len(content))
    for _ in range(20):
        cuts = sorted({0, len(content), *(choose.randrange(len(content)) for _ in range(9))})
        assert [line for cut in pairwise(cuts) for line in read(*cut)] == whole


def test_the_last_line_of_a_packed_file_needs_no_newline(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"a\nb"))

    assert list(lines_of(tmp_path, Piece("a.jsonl.gz", 0, 3, (0, 0)))) == [(0, b"a"), (2, b"b")]


def test_an_empty_file_and_one_with_zeros_behind_are_whole(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.touch()
    empty = Packed.of(path)
    first = gzip.compress(b"a\n")
    path.write_bytes(first + bytes(100_000) + gzip.compress(b"b\n") + bytes(3))

    assert (empty.size, empty.members) == (0, ())
    assert Packed.of(path) == Packed(4, ((0, 0), (len(first) + 100_000, 2)))
    assert gzip.decompress(path.read_bytes()) == b"a\nb\n"


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"line\n" * 9000)[:-9],
        gzip.compress(random.Random(1).randbytes(200_000))[:100_000],
        b"not gzip",
        gzip.compress(b"a") + b"rest",
        gzip.compress(b"a")[:-8] + bytes(8),
    ],
    ids=["torn", "torn early", "other", "more", "checksum"],
)
def test_a_damaged_file_is_known(tmp_path, content):
    (tmp_path / "a.jsonl.gz").write_bytes(content)

    with pytest.raises(DAMAGE):
        Packed.of(tmp_path / "a.jsonl.gz")


def test_what_unpacks_to_more_than_records_can_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "BOMB_BYTES", 2**20)
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(bytes(64 * 2**20)))
    (tmp_path / "day.jsonl.gz").write_bytes(gzip.compress(random.Random(1).randbytes(2 * 2**20)))

    assert Packed.of(tmp_path / "day.jsonl.gz").size == 2 * 2**20
    with pytest.raises(DAMAGE, match="bytes unpack to"):
        Packed.of(tmp_path / "bomb.jsonl.gz")


def test_a_file_that_vanished_or_shrank_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"a\nb\n")

    with pytest.raises(RawFileError, match=r"gone.jsonl was listed and cannot be read .*No such file"):
        list(lines_of(tmp_path, Piece("gone.jsonl", 0, 5)))
    with pytest.raises(RawFileError, match=r"a.jsonl was listed and cannot be read .*it ends before byte 9"):
        list(lines_of(tmp_path, Piece("a.jsonl", 2, 9)))
    with pytest.raises(RawFileError, match=r"it ends before byte 9"):
        list(lines_of(tmp_path, Piece("a.jsonl", 7, 9)))
