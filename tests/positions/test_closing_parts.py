"""The parts of a closed day: each fix in the part of its object, objects whole and in order, old rows left unread."""

from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from tests.positions.published import of_base
from tests.positions.samples import START, fix, orbit
from tests.published import publish

from orbitlake.lake import LakeError, roomy
from orbitlake.lake.roomy import RoomyWriter
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.store import closing
from orbitlake.positions.store.closing import by_objects, fixes_of
from orbitlake.tables import POSITIONS, WINDOW_STATS

OBJECTS = [f"20{number:02d}-001A" for number in range(20)]
PARTS = 3


@pytest.fixture
def landed(lake):
    """Publish rows of fixes as a file."""

    def land(name, rows):
        target = lake.root / f"{name}.parquet"
        publish(positions_of(of_base(rows)), POSITIONS, target, lake.staging)
        return target

    return land


def read(files, part=0, parts=1, since=START):
    """The tables that an executor derives, as rows."""
    return [table.to_pylist() for table in by_objects(fixes_of(files, since, part, parts))]


def by_key(rows):
    return sorted(rows, key=lambda row: (row["object_id"], row["source"], row["event_time"]))


def test_each_fix_goes_to_the_one_part_of_its_object(landed):
    rows = [row for name in OBJECTS for row in orbit(range(0, 50, 10), object_id=name)]
    files = [landed(name, rows[number::4]) for number, name in enumerate("abcd")]
    found = [(part, row) for part in range(PARTS) for table in read(files, part, PARTS) for row in table]

    assert by_key(row for _, row in found) == by_key(rows)
    parts_of_objects = {(row["object_id"], part) for part, row in found}
    assert len(parts_of_objects) == len(OBJECTS)
    assert {part for _, part in parts_of_objects} == set(range(PARTS))


def test_an_executor_derives_whole_objects_in_their_order_some_at_a_time(landed, monkeypatch):
    monkeypatch.setattr(closing, "ROWS_AT_ONCE", 12)
    rows = [
        row for name in reversed(OBJECTS) for s in "ba" for row in orbit(range(0, 30, 10), object_id=name, source=s)
    ]
    tables = read([landed(name, rows[number::4]) for number, name in enumerate("abcd")])
    objects = [sorted({(row["object_id"], row["source"]) for row in table}) for table in tables]

    assert [len(table) for table in tables] == [12] * 10
    assert [each for of_table in objects for each in of_table] == [(name, s) for name in OBJECTS for s in "ab"]
    assert by_key(row for table in tables for row in table) == by_key(rows)


def test_fixes_before_the_wanted_time_stay_behind(landed, monkeypatch):
    since = START + timedelta(seconds=20)
    files = [landed("old", [fix(0), fix(10)]), landed("both", [fix(15), fix(25)]), landed("new", [fix(20)])]
    read_groups = []
    iter_batches = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda self, size, groups, *rest, **named: (
            read_groups.append(groups) or iter_batches(self, size, groups, *rest, **named)
        ),
    )

    assert by_key(read(files, since=since)[0]) == [fix(20), fix(25)]
    assert sorted(read_groups) == [[], [0], [0]]


def test_a_part_without_fixes_is_derived_from_nothing():
    assert read([]) == []


def test_a_file_of_another_schema_is_refused_by_name(landed):
    good = landed("good", [fix()])
    foreign = good.with_name("foreign.parquet")
    pq.write_table(WINDOW_STATS.schema.empty_table(), foreign)

    with pytest.raises(LakeError, match=r"foreign\.parquet: not the schema of positions version 1"):
        read([good, foreign])


def test_the_rows_of_a_part_make_the_same_bytes_however_many_come_at_a_time(lake, monkeypatch):
    monkeypatch.setattr(roomy, "ROW_GROUP_ROWS", 40)
    monkeypatch.setattr(roomy, "SMALL_ROWS", 40)
    rows = positions_of(of_base(orbit(range(0, 1000, 10))))
    written = []
    for step in (100, 50, 7, 1):
        with RoomyWriter(POSITIONS, lake.root / "none", lake.staging) as writer:
            for start in range(0, rows.num_rows, step):
                writer.write(rows.slice(start, step))
        written.append(writer.path)

    assert len({path.read_bytes() for path in written}) == 1
    assert pq.read_table(written[0]).equals(rows)
    metadata = pq.read_metadata(written[0])
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [40, 40, 20]
