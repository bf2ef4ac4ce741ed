"""Tables that follow from others: what changed is made again, what is news is written, and a kill leaves no trace."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from orbitlake.lake import Lake
from orbitlake.lake.derived import Partition, Published, publish_partitions, signature
from orbitlake.lake.files import write_file
from orbitlake.tables import BURN_HISTORY


def rows_of(object_id: str, delta_v_m_s: float, count: int = 1) -> pa.Table:
    at = datetime(2023, 4, 30, tzinfo=UTC)
    row = {
        "object_id": object_id,
        "burn_id": "a",
        "creation_date": at,
        "ignition_time": at,
        "delta_v_m_s": delta_v_m_s,
        "status": "PLANNED",
        "told_by": "STATES",
    }
    return pa.Table.from_pylist([row] * count, schema=BURN_HISTORY.schema)


@pytest.fixture
def publish(lake: Lake) -> Callable[..., tuple[Published, list[str]]]:
    """Publish a partition an object: its inputs, its delta-v, and how many rows it has; return what was made, too."""

    def of(**objects: tuple[str, float] | tuple[str, float, int]) -> tuple[Published, list[str]]:
        made: list[str] = []

        def partitions() -> Iterator[Partition]:
            for object_id, (inputs, *what) in objects.items():

                def make(object_id: str = object_id, what: list = what) -> pa.Table:
                    made.append(object_id)
                    return rows_of(object_id, *what)

                yield Partition(lake.object_file(BURN_HISTORY, object_id), inputs, make)

        return publish_partitions(lake, BURN_HISTORY, partitions(), lake.checkpoints / "note.json"), made

    return of


def files(lake: Lake) -> dict[str, tuple[int, bytes]]:
    return {
        file.parent.name: (file.stat().st_ino, file.read_bytes())
        for file in lake.closed(BURN_HISTORY).glob("**/*.parquet")
    }


def test_without_news_nothing_is_made_and_nothing_rewritten(lake: Lake, publish):
    published, made = publish(a=("1", 1.0), b=("1", 2.0))
    before = files(lake)
    again, made_again = publish(a=("1", 1.0), b=("1", 2.0))

    assert (made, published.written, published.rows_written) == (["a", "b"], 2, 2)
    assert (made_again, again.written, again.unchanged) == ([], 0, 2)
    assert files(lake) == before


def test_what_has_other_inputs_is_made_again_and_written_if_it_is_news(lake: Lake, publish):
    publish(a=("1", 1.0), b=("1", 2.0))
    before = files(lake)
    published, made = publish(a=("2", 1.0), b=("2", 2.5))

    assert (made, published.written, published.unchanged) == (["a", "b"], 1, 1)
    assert files(lake)["object_id=a"] == before["object_id=a"]
    assert files(lake)["object_id=b"] != before["object_id=b"]


def test_a_file_that_someone_removed_or_replaced_is_made_again(lake: Lake, publish):
    publish(a=("1", 1.0), b=("1", 2.0))
    before = files(lake)
    lake.object_file(BURN_HISTORY, "a").unlink()
    lake.object_file(BURN_HISTORY, "b").write_bytes(b"torn")

    published, made = publish(a=("1", 1.0), b=("1", 2.0))

    assert (made, published.written) == (["a", "b"], 2)
    assert {name: content for name, (_, content) in files(lake).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_partition_without_rows_has_no_file_and_is_not_made_again(lake: Lake, publish):
    publish(a=("1", 1.0))
    published, _ = publish(a=("2", 1.0, 0))

    assert (published.removed, files(lake)) == (1, {})
    assert not lake.object_folder(BURN_HISTORY, "a").exists()
    again, made = publish(a=("2", 1.0, 0))
    assert (made, again) == ([], Published(BURN_HISTORY.name))


def test_a_partition_that_is_no_more_is_removed(lake: Lake, publish):
    publish(a=("1", 1.0), b=("1", 2.0))
    published, _ = publish(a=("1", 1.0))

    assert published.removed == 1
    assert set(files(lake)) == {"object_id=a"}


@pytest.mark.parametrize("content", [None, b"", b"[]", b"\xff", b'{"lake": 1}'])
def test_a_lost_or_damaged_note_costs_time_and_nothing_else(lake: Lake, publish, content):
    publish(a=("1", 1.0))
    before = files(lake)
    note = lake.checkpoints / "note.json"
    note.unlink() if content is None else write_file(note, content, lake.staging)

    published, made = publish(a=("1", 1.0))

    assert (made, published.written, published.unchanged) == (["a"], 0, 1)
    assert files(lake) == before


def test_a_failure_leaves_no_temporary_file_and_what_was_done_stands(lake: Lake, publish, monkeypatch):
    def fail(_temporary: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    publish(a=("1", 1.0))
    monkeypatch.setattr("orbitlake.lake.derived.publish_file", fail)

    with pytest.raises(OSError, match="No space left"):
        publish(a=("2", 3.0))

    assert list(lake.staging.iterdir()) == []
    assert set(files(lake)) == {"object_id=a"}


def test_a_signature_changes_with_the_files_and_the_words(tmp_path: Path):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    first = signature([file], "words")
    assert signature([file], "words") == first
    assert signature([file], "other") != first

    file.write_bytes(b"12")

    assert signature([file], "words") != first
    with pytest.raises(FileNotFoundError):
        signature([tmp_path / "none"])
