"""The fast reader of plain records gives what the reader of lines gives, and leaves alone what is not surely plain."""

import json
import random

import pyarrow as pa
import pytest
from tests.positions.samples import ISS, fix, line, orbit

from orbitlake.positions.derive.order import BASE_COLUMNS
from orbitlake.positions.plain import read_plain
from orbitlake.positions.record import read_line, text_of

BASE = json.loads(line(fix()))
DOUBTFUL = [
    "",
    " ",
    "{}",
    "[1]",
    "null",
    '{"latitude": NaN}',
    line(fix())[:60],
    line(fix()) + line(fix()),
    line(fix()) + " " + line(fix()),
    line(fix()) + "\r",
    "\ufeff" + line(fix()),
    line(fix()).replace("}", ', "more": {"deep": 1}}'),
    line(fix()).replace("}", ', "more": [1]}'),
    line(fix()).replace("}", ', "latitude": 0}'),
    line(fix()).replace("}", ", }"),
    line(fix()).replace("}", "} "),
    line(fix()).replace('"latitude": 10.0', '"latitude": 010.0'),
    line(fix()).replace('"latitude": 10.0', '"latitude": +10.0'),
    line(fix()).replace('"latitude": 10.0', '"latitude": 10.'),
    line(fix()).replace('"latitude": 10.0', '"latitude": 1e400'),
    line(fix()).replace('"altitude_km": null', '"altitude_km": 1e400'),
    line(fix()).replace('"altitude_km": null', '"altitude_km": Infinity'),
    line(fix()).replace("open_notify", "open\\u005fnotify"),
    line(fix()).replace("open_notify", "öpen_notify"),
    line(fix()).replace("open_notify", "open\tnotify"),
    line(fix()).replace("open_notify", "open_notify" + "x" * 1024),
    line(fix()).replace('"object_id"', '"Object_id"'),
]
CHANGES = [
    {"latitude": value}
    for value in (90, -90, 90.0001, -0.0, 0, "47.6", True, None, [1], 1e-320, 47.61530000000001, 10**400)
]
CHANGES += [{"longitude": value} for value in (180, -180.0, 180.0000001, "x")]
CHANGES += [
    {"timestamp": value}
    for value in (0, 1, 1766320531.1234565, 4_102_444_800, 4_102_444_799.999999, 1766320531000, "1766320531", None, -1)
]
CHANGES += [{"altitude_km": value} for value in (408, 408.25, -1e308, "408")]
CHANGES += [
    {name: value} for name in ("object_id", "source") for value in (None, "", "a", "../etc", "x" * 129, 7, "a\n")
]
CHANGES += [
    {"fetch_time": value}
    for value in (
        None, "", "2026-02-30T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T23:59:60Z",
        "2026-03-01T00:00:00.123Z", "2026-03-01T00:00:00.12Z", "2026-03-01T00:00:00.123456789Z", "2026-03-01",
        "2026-03-01T00:00:00", "2026-03-01T00:00:00+00:00", "2026-03-01T00:00:00+05:30", "0000-01-01T00:00:00Z", 12,
    )
]  # fmt: skip
CHANGES += [{"error": value} for value in ("timeout", "", 0, False)]
CHANGES += [{"latency_ms": value} for value in (None, "slow", 1e300)]


def plain_rows(lines):
    is_plain, columns = read_plain(pa.array([each.encode() for each in lines], pa.binary()))
    rows = iter(columns.select(list(BASE_COLUMNS)).to_pylist())
    return [tuple(next(rows).values()) if plain else None for plain in is_plain]


def assert_never_other_than_line_by_line(lines):
    """Each line is read as alone, or left alone."""
    for text, row in zip(lines, plain_rows(lines), strict=True):
        if row is not None:
            fix = read_line(text_of(text.encode()), ISS)
            assert repr(list(row)) == repr(as_arrow([getattr(fix, name) for name in BASE_COLUMNS])), text


def as_arrow(values):
    """The values with times as Arrow gives them back."""
    arrays = (pa.array([v], pa.timestamp("us", "UTC")) if hasattr(v, "year") else pa.array([v]) for v in values)
    return [array[0].as_py() for array in arrays]


def test_what_the_collector_writes_is_read_at_once():
    rows = orbit(range(0, 600, 5)) + orbit([7], altitude_km=412.5)

    assert [row is not None for row in plain_rows([line(row) for row in rows])] == [True] * len(rows)
    assert_never_other_than_line_by_line([line(row) for row in rows])


@pytest.mark.parametrize("text", DOUBTFUL)
def test_a_doubtful_line_is_left_alone_by_itself_and_among_plain_ones(text):
    plain = line(fix(5))

    assert plain_rows([text]) == [None]
    assert plain_rows([plain, text, plain])[1] is None
    assert_never_other_than_line_by_line([plain, text, plain])


@pytest.mark.parametrize("changes", CHANGES, ids=repr)
def test_a_changed_field_is_read_as_alone_or_left_alone(changes):
    assert_never_other_than_line_by_line([json.dumps(BASE | changes)])


def test_lines_that_lack_a_field_or_are_of_the_older_form_are_read_as_alone_or_left_alone():
    for name in BASE:
        assert_never_other_than_line_by_line([json.dumps({k: v for k, v in BASE.items() if k != name})])


def test_any_mix_of_lines_is_read_as_one_by_one():
    chance = random.Random(3)
    pool = [*DOUBTFUL, *(json.dumps(BASE | changes) for changes in CHANGES)]
    pool += [line(row) for row in orbit(range(200))]
    for _ in range(40):
        assert_never_other_than_line_by_line(chance.sample(pool, 12))


def test_mutilated_lines_are_read_as_one_by_one():
    chance = random.Random(4)
    for _ in range(3000):
        text = list(line(fix(chance.randrange(100))))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(1, len(text) - 2)
            text[at : at + chance.randint(0, 2)] = chance.choices(',:"0123456789.eE+- nulltrue', k=chance.randint(0, 2))
        assert_never_other_than_line_by_line(["".join(text)])
