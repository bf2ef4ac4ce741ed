"""The files of closed days by themselves, without an engine: which half a closing again takes, and what stays."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.positions.samples import orbit

from orbitlake.positions import parts
from orbitlake.positions.motion import positions_of
from orbitlake.positions.parts import PartWriter, publish_parts
from orbitlake.positions.revisions import pages_of
from orbitlake.tables import POSITIONS

BASE = pa.schema([POSITIONS.schema.field(name) for name in orbit([0])[0]])


@pytest.fixture
def close(lake):
    """Close a day with some fixes, again with others; gives the part."""
    part = lake.day(POSITIONS, date(2025, 12, 21))

    def closed(seconds):
        rows = positions_of(pa.Table.from_pylist(orbit(seconds), schema=BASE))
        with PartWriter(POSITIONS, part, lake.staging) as writer:
            writer.write(rows)
        publish_parts({0: writer.path}, part.parent, 1)
        assert pq.ParquetFile(part).read().equals(rows)
        return part

    return closed


@pytest.mark.parametrize(
    ("limit_over_length", "halves"),
    [(4.0, [0, 1, 0]), (1.5, [0, 0, 0]), (0.5, [0, 0, 0])],
    ids=["has halves", "too long for halves, yet not long", "long"],
)
def test_a_part_keeps_its_length_and_takes_the_other_half_where_it_has_two(
    close, monkeypatch, limit_over_length, halves
):
    monkeypatch.setattr(parts, "WHOLE_FILE_BYTES", 0)
    undivided = close(range(0, 9000, 5))
    length = undivided.stat().st_size
    undivided.unlink()
    monkeypatch.setattr(parts, "WHOLE_FILE_BYTES", int(length * limit_over_length))
    lengths, taken = [], []
    for more in (0, 5, 10):
        part = close(range(0, 9000 + more, 5))
        lengths.append(part.stat().st_size)
        taken.append(int(pages_of(part)[0] >= lengths[-1] // 2))

    assert len(set(lengths)) == 1
    assert taken == halves
