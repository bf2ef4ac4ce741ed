"""Messages land exactly once, whatever of a batch or a checkpoint is lost; without broker and Spark."""

import json
import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.positions.kafka import landing
from orbitlake.positions.kafka.landing import Landing
from orbitlake.positions.kafka.messages import OFFSET_BITS, MessageReader
from orbitlake.positions.raw.sealing import seal_closed_days

TOPIC = "positions"
LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Query:
    """Batches of one query, done as the stream does them."""

    def __init__(self, lake: Lake, identity: str) -> None:
        self.lake, self.spark = lake, lake.checkpoints / "stream_positions" / identity
        (self.spark / "commits").mkdir(parents=True)
        (self.spark / "offsets").mkdir()
        (self.spark / "metadata").write_text(json.dumps({"id": identity}))
        self.landing = Landing(lake, self.spark, TOPIC)

    def land(self, batch: int, messages: dict[tuple[int, int], bytes]) -> None:
        """Land messages, by partition and offset, as two tasks that end in any order."""
        runs = []
        for task in (1, 0):
            reader = MessageReader(self.landing.aside, TOPIC)
            rows = [
                {"value": value, "offset": partition << OFFSET_BITS | offset}
                for (partition, offset), value in messages.items()
                if partition % 2 == task
            ]
            for _ in reader.pieces(pa.RecordBatch.from_pylist(rows, schema=SCHEMA)):
                pass
            runs += reader.told()
        self.landing.land(batch, runs)

    def commit(self, batch: int) -> None:
        (self.spark / "offsets" / str(batch)).write_text('v1\n{}\n{"segments": {}}\n-')
        (self.spark / "commits" / str(batch)).write_text("v1")


SCHEMA = pa.schema([("value", pa.binary()), ("file_name", pa.string()), ("offset", pa.int64())])
FIRST = {(0, 0): b"a", (1, 0): b"b", (0, 1): b"c\n"}
SECOND = {(0, 2): b"d", (3, 7): b"e\nf", (1, 1): None}


@pytest.fixture
def query(lake) -> Query:
    return Query(lake, "01234567-89ab")


def landed(lake: Lake) -> list[bytes]:
    return [file.read_bytes() for file in sorted(lake.raw_open_notify.glob("*/*"))]


def test_batches_lie_one_after_the_other_by_partition_and_offset(lake, query):
    query.land(0, FIRST)
    query.land(1, {})
    query.land(2, SECOND)

    assert landed(lake) == [b"a\nc\nb\nd\ne\nf\n"]
    assert query.landing.note.after == {0: 3, 1: 2, 3: 8}
    assert not any(query.landing.aside.iterdir())


def test_a_batch_done_again_writes_the_same_bytes_at_the_same_place(lake, query):
    query.land(0, FIRST)
    query.land(1, SECOND)

    query.land(1, SECOND)

    assert landed(lake) == [b"a\nc\nb\nd\ne\nf\n"]
    assert query.landing.note.after == {0: 3, 1: 2, 3: 8}


def test_what_a_restored_checkpoint_does_not_know_comes_again_in_its_place(lake, query):
    query.land(0, FIRST)
    backup = query.landing.note
    query.land(1, SECOND)
    landing.write_note(lake, backup)

    query.land(1, SECOND | {(0, 3): b"g"})

    assert landed(lake) == [b"a\nc\nb\nd\ng\ne\nf\n"]


def test_half_a_batch_is_taken_back_where_a_new_query_begins(lake, query):
    query.land(0, FIRST)
    query.land(1, SECOND)
    (segment,) = lake.raw_open_notify.glob("*/*")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 3)
    shutil.rmtree(query.spark)
    new = Query(lake, "fedcba98-7654")

    assert new.landing.next_offsets() == {0: 2, 1: 1}
    assert landed(lake) == [b"a\nc\nb\n"]
    new.land(0, SECOND)
    assert landed(lake) == [b"a\nc\nb\n", b"d\ne\nf\n"]


def test_half_a_batch_is_taken_back_before_a_query_of_files_reads_and_seals_it(lake, query):
    query.land(0, FIRST)
    query.commit(0)
    query.land(1, SECOND)
    (segment,) = lake.raw_open_notify.glob("*/*")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 3)

    landing.take_back_half(lake, landing.note_of(lake))
    assert landed(lake) == [b"a\nc\nb\n"]
    segment.unlink()  # sealed, by that query

    # By this query, and by one that is new.
    new = Query(lake, "fedcba98-7654")
    assert new.landing.next_offsets() == {0: 2, 1: 1}
    query.land(1, SECOND)
    assert landed(lake) == [b"d\ne\nf\n"]
    assert query.landing.note.after == {0: 3, 1: 2, 3: 8}


def test_a_day_is_not_sealed_before_the_batch_that_landed_in_it_is_committed(lake, query):
    query.land(0, FIRST)
    query.commit(0)
    query.land(1, SECOND)

    assert query.landing.unfinished() == {query.landing.note.segment}
    assert seal_closed_days(lake, query.spark, LATER, unfinished=query.landing.unfinished()) == []
    query.commit(1)
    assert query.landing.unfinished() == set()
    assert len(seal_closed_days(lake, query.spark, LATER, unfinished=query.landing.unfinished())) == 1


def test_another_topic_is_read_from_its_begin_on(lake, query):
    query.land(0, FIRST)

    assert Landing(lake, query.spark, "other").next_offsets() == {}


def test_a_batch_that_was_noted_and_never_landed_comes_again(lake, query, monkeypatch):
    query.land(0, FIRST)
    query.commit(0)
    lost = Query(lake, "new-00000")
    with monkeypatch.context() as patched:
        patched.setattr(landing, "write_file", lambda *it: killed(write_file(*it)))
        with pytest.raises(KilledError):
            lost.land(0, SECOND)

    assert Query(lake, "newer-000").landing.next_offsets() == {0: 2, 1: 1}


def test_a_first_batch_that_is_done_again_begins_where_it_began(lake, query):
    query.land(0, FIRST)

    assert query.landing.next_offsets() == {}


def test_a_topic_of_the_same_name_is_read_from_its_begin(lake, query):
    query.landing.identity = "one"
    query.land(0, FIRST)
    query.commit(0)
    other = Query(lake, "new-00000")
    other.landing.identity = "another"

    assert other.landing.next_offsets() == {}
    assert not other.landing.began_anew()
    query.landing.identity = "another"
    assert query.landing.began_anew()


class KilledError(Exception):
    pass


def killed(*_: object) -> None:
    raise KilledError


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ([b"a", b"b\n", b"c"], [(5, b"a"), (6, b"b"), (7, b"c")]),
        ([b"a", b"b\nc", b"d"], [(5, b"a"), (6, b"b"), (6, b"c"), (7, b"d")]),
        ([b"a", None, b"d"], [(5, b"a"), (7, b"d")]),
        ([b"a", b" ", b"d"], [(5, b"a"), (7, b"d")]),
        ([b"a", b"\n", b"d"], [(5, b"a"), (7, b"d")]),
        ([b"a\n\nb", None, b""], [(5, b"a"), (5, b"b")]),
    ],
)
def test_lines_of_messages_bear_the_offset_of_their_message(tmp_path, values, lines):
    rows = [{"value": value, "offset": (2 << OFFSET_BITS) + 5 + number} for number, value in enumerate(values)]
    ((found, name),) = MessageReader(tmp_path, TOPIC).pieces(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))

    assert (list(found), name) == (lines, f"{TOPIC}/2")
