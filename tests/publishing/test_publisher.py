"""What is published: fixed names, verified, only what changed, the manifest last, and gone what is gone in the lake."""

import json
import shutil
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.database.random_rows import of_partition
from tests.published import publish as publish_table
from tests.publishing.days import FIRST, LATER, close, day_after, rows_of

from orbitlake.lake import Lake
from orbitlake.publishing import Published, PublishError, Store, publish
from orbitlake.publishing.publisher import Publication
from orbitlake.publishing.views import PublishedViews
from orbitlake.query import Connection
from orbitlake.tables import PASSES, POSITIONS, WINDOW_STATS

TABLES = [WINDOW_STATS]


def publish_now(lake: Lake, store: Store, **how: object) -> Published:
    return publish(lake, store, TABLES, "live", now=LATER, **how)


def manifest_at(store: Store) -> dict:
    return json.loads(store.read("manifest.json") or b"{}")


def name_of(number: int) -> str:
    return f"lake/window_stats/date={day_after(number)}/part-0.parquet"


def rows_at(store: Store, number: int) -> pa.Table:
    with store.filesystem.open_input_file(store.path(name_of(number))) as opened:
        return pq.ParquetFile(opened).read()


def test_days_lie_under_the_names_of_the_lake_and_the_manifest_says_what_they_hold(lake, store):
    for number in range(3):
        close(lake, day_after(number), number)

    published = publish_now(lake, store)

    manifest = manifest_at(store)
    assert (published.sent, published.unchanged, published.removed, published.rows_sent) == (3, 0, 0, 60)
    assert list(manifest["objects"]) == [name_of(number) for number in range(3)]
    for number in range(3):
        content = store.read(name_of(number))
        entry = manifest["objects"][name_of(number)]
        assert rows_at(store, number).equals(rows_of(day_after(number), number))
        assert (entry["sha256"], entry["bytes"]) == (sha256(content).hexdigest(), len(content))
        assert (entry["rows"], entry["version"]) == (20, WINDOW_STATS.version)


def test_only_what_changed_is_sent_and_the_manifest_stays_where_nothing_did(lake, store):
    for number in range(3):
        close(lake, day_after(number), 1)
    first = publish_now(lake, store)
    close(lake, day_after(1), 2)

    second, third = publish_now(lake, store), publish_now(lake, store)

    assert (second.sent, second.unchanged, second.generation) == (1, 2, first.generation + 1)
    assert (third.sent, third.unchanged, third.generation) == (0, 3, second.generation)
    assert rows_at(store, 1).equals(rows_of(day_after(1), 2))


def test_a_lost_note_sends_nothing_again(lake, store):
    for number in range(3):
        close(lake, day_after(number), 1)
    publish_now(lake, store)
    for note in (lake.checkpoints / "publish_lake").glob("*.json"):
        note.unlink()

    again = publish_now(lake, store)

    assert (again.sent, again.unchanged) == (0, 3)


def test_objects_that_stand_there_without_a_manifest_are_taken_over_not_sent_again(lake, store):
    close(lake, FIRST, 1)
    publish_now(lake, store)
    before = manifest_at(store)
    store.remove("manifest.json")

    again = publish_now(lake, store)

    assert (again.sent, manifest_at(store)["objects"]) == (0, before["objects"])


def test_what_is_gone_in_the_lake_goes_there_and_nothing_else_does(lake, store):
    for number in range(2):
        close(lake, day_after(number), 1)
    publish_now(lake, store)
    foreign = name_of(1).replace("part-0", "theirs")
    with store.filesystem.open_output_stream(store.path(foreign)) as sink:
        sink.write(b"theirs")
    close(lake, day_after(1), 1).unlink()

    published = publish_now(lake, store)

    assert published.removed == 1
    assert list(manifest_at(store)["objects"]) == [name_of(0)]
    assert set(store.sizes("lake")) == {name_of(0), foreign}


def test_removals_that_were_cut_off_are_done_by_the_next_run(lake, store, monkeypatch):
    for number in range(2):
        close(lake, day_after(number), 1)
    publish_now(lake, store)
    close(lake, day_after(1), 1).unlink()
    with monkeypatch.context() as cut:
        cut.setattr(Store, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            publish_now(lake, store)
    assert name_of(1) in store.sizes("lake")
    assert name_of(1) not in manifest_at(store)["objects"]

    publish_now(lake, store)

    assert list(store.sizes("lake")) == [name_of(0)]


def test_an_empty_lake_takes_nothing_away(lake, store):
    close(lake, FIRST, 1).rename(lake.root / "aside.parquet")
    with pytest.raises(PublishError, match="no closed partition"):
        close_and_lose(lake, store)

    assert list(store.sizes("lake")) == [name_of(0)]


def close_and_lose(lake: Lake, store: Store) -> None:
    file = close(lake, FIRST, 1)
    publish_now(lake, store)
    file.unlink()
    publish_now(lake, store)


def test_a_clock_that_was_set_back_takes_nothing_away(lake, store):
    for number in range(2):
        close(lake, day_after(number), 1)
    publish_now(lake, store)

    published = publish(lake, store, TABLES, "live", now=datetime(2026, 3, 2, 12, tzinfo=UTC))

    assert (published.unchanged, published.removed) == (1, 0)
    assert list(manifest_at(store)["objects"]) == list(store.sizes("lake")) == [name_of(0), name_of(1)]


def test_what_cannot_be_looked_at_or_lost_its_tables_folder_stays_and_is_told(lake, store, monkeypatch):
    close(lake, FIRST, 1)
    issue = lake.closed(PASSES) / "object_id=ONE" / "site=Paris" / "part-0.parquet"
    publish_table(of_partition(PASSES, 2), PASSES, issue, lake.staging)
    both = [WINDOW_STATS, PASSES]
    publish(lake, store, both, "live", now=LATER)
    objects = manifest_at(store)["objects"]
    stat = Path.stat

    def refused(path: Path, **how: bool):
        if path == issue:
            raise PermissionError("not to be looked at")
        return stat(path, **how)

    with monkeypatch.context() as locked:
        # Path.glob passes over folders that cannot be read.
        locked.setattr(Path, "glob", lambda *_: iter(()))
        locked.setattr(Path, "stat", refused)
        with pytest.raises(PublishError, match="1 not published: not to be looked at"):
            publish(lake, store, both, "live", now=LATER)
    assert (manifest_at(store)["objects"], len(store.sizes("lake"))) == (objects, 2)

    shutil.rmtree(lake.closed(PASSES))
    with pytest.raises(PublishError, match=r"1 not published: .*passes"):
        publish(lake, store, both, "live", now=LATER)
    assert (manifest_at(store)["objects"], len(store.sizes("lake"))) == (objects, 2)

    lake.closed(PASSES).mkdir()
    assert publish(lake, store, both, "live", now=LATER).removed == 1


def test_numbers_of_another_upstream_are_refused(lake, store):
    close(lake, FIRST, 1)
    publish_now(lake, store)

    with pytest.raises(PublishError, match="upstream 'live', this data root those of 'simulator'"):
        publish(lake, store, TABLES, "simulator", now=LATER)


def test_verify_finds_and_mends_what_somebody_else_changed_there(lake, store):
    for number in range(2):
        close(lake, day_after(number), 1)
    publish_now(lake, store)
    content = bytearray(store.read(name_of(0)))
    content[10] ^= 0xFF
    with store.filesystem.open_output_stream(store.path(name_of(0))) as sink:
        sink.write(bytes(content))
    assert publish_now(lake, store).sent == 0

    published = publish_now(lake, store, verify=True)

    assert (published.sent, published.unchanged) == (1, 1)
    assert rows_at(store, 0).equals(rows_of(FIRST, 1))


def test_a_lost_or_shortened_object_is_sent_again(lake, store):
    for number in range(2):
        close(lake, day_after(number), 1)
    publish_now(lake, store)
    store.remove(name_of(0))
    with store.filesystem.open_output_stream(store.path(name_of(1))) as sink:
        sink.write(b"PAR1")

    published = publish_now(lake, store)

    assert published.sent == 2
    assert [rows_at(store, number).num_rows for number in range(2)] == [20, 20]


def test_a_day_in_parts_is_one_object(lake, store):
    close(lake, FIRST, 1, part=0)
    close(lake, FIRST, 2, part=1)

    publish_now(lake, store)

    assert list(store.sizes("lake")) == [name_of(0)]
    assert rows_at(store, 0).equals(pa.concat_tables([rows_of(FIRST, 1), rows_of(FIRST, 2)]))


def test_a_day_that_is_not_over_waits(lake, store):
    close(lake, FIRST, 1)
    close(lake, LATER.date(), 1)

    publish_now(lake, store)

    assert list(store.sizes("lake")) == [name_of(0)]


def test_a_table_that_is_not_asked_for_stays_as_it_is(lake, store):
    close(lake, FIRST, 1)
    publish_now(lake, store)

    publish(lake, store, [POSITIONS, WINDOW_STATS], "live", now=LATER)
    with pytest.raises(PublishError, match="no closed partition"):
        publish(lake, store, [POSITIONS], "live", now=LATER)

    assert list(store.sizes("lake")) == [name_of(0)]


def test_a_folder_that_cannot_be_listed_ends_it_by_name_and_removes_nothing(lake, store):
    close(lake, FIRST, 1)
    publish_now(lake, store)
    before = store.sizes("lake")
    folder = lake.closed(WINDOW_STATS)
    folder.rename(lake.root / "elsewhere")
    folder.write_bytes(b"")

    with pytest.raises(PublishError, match=r"Not a directory: .*window_stats"):
        publish_now(lake, store)
    assert store.sizes("lake") == before


def test_one_partition_that_cannot_be_read_keeps_no_other_back(lake, store):
    for number in range(3):
        close(lake, day_after(number), 1)
    lake.day(WINDOW_STATS, day_after(1)).write_bytes(b"no Parquet")

    with pytest.raises(PublishError, match=r"1 not published: .*part-0\.parquet is damaged"):
        publish_now(lake, store)

    assert list(manifest_at(store)["objects"]) == [name_of(0), name_of(2)]


def test_an_object_of_many_megabytes_arrives_whole_and_is_replaced(lake, s3_store):
    for revision in (1, 2):
        close(lake, FIRST, revision, 150_000)

        published = publish_now(lake, s3_store)

        assert published.bytes_sent > 7_000_000 * revision
        assert rows_at(s3_store, 0).equals(rows_of(FIRST, revision, 150_000))


def test_bytes_that_arrive_otherwise_are_told_and_never_named(lake, store, monkeypatch, tmp_path):
    close(lake, FIRST, 1)
    publish_now(lake, store)
    before = manifest_at(store)
    close(lake, FIRST, 2)
    write = Store._write

    def write_otherwise(store: Store, path: str, file: Path) -> None:
        other = tmp_path / "other"
        other.write_bytes(file.read_bytes()[:-1] + b"2")
        write(store, path, file if file.suffix == ".manifest" else other)

    with monkeypatch.context() as broken:
        broken.setattr(Store, "_write", write_otherwise)
        with pytest.raises(PublishError, match="holds other bytes than were sent"):
            publish_now(lake, store)

    assert manifest_at(store)["objects"] == before["objects"]
    assert publish_now(lake, store).sent == 1
    assert rows_at(store, 0).equals(rows_of(FIRST, 2))


def test_runs_cut_before_their_manifest_leave_what_the_last_one_names(lake, s3_store, monkeypatch):
    store = s3_store
    close(lake, FIRST, 1)
    publish_now(lake, store)
    connection = Connection(PublishedViews(store, TABLES, None, None))
    for hours in (2, 4, 6, 8):
        close(lake, FIRST, hours)
        with monkeypatch.context() as cut:
            cut.setattr(Publication, "write_manifest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                publish(lake, store, TABLES, "live", now=LATER + timedelta(hours=hours))

        assert rows_at(store, 0).equals(rows_of(FIRST, hours))
        assert connection.sql("SELECT DISTINCT data_points FROM window_stats").fetchall() == [(1,)]


def test_what_cut_runs_left_aside_is_swept(lake, tmp_path):
    store = Store.open(f"file://{tmp_path}/published")
    close(lake, FIRST, 1)
    left = tmp_path / "published" / "_staging" / uuid.uuid4().hex
    theirs = left.with_name("theirs")
    left.parent.mkdir(parents=True)
    for file in (left, theirs):
        file.write_bytes(b"PAR1")

    publish_now(lake, store)

    assert (left.exists(), theirs.exists()) == (False, True)
    assert list(store.sizes("lake")) == [name_of(0)]


@pytest.mark.parametrize("scheme", ["file", "local"])
@pytest.mark.parametrize("place", ["data", "data/there", "data/lake/there", ".", "link"])
def test_the_data_root_is_never_published_onto_itself(lake, tmp_path, scheme: str, place: str):
    file = close(lake, FIRST, 1)
    (tmp_path / "link").symlink_to(lake.root)
    before = file.read_bytes()

    with pytest.raises(PublishError, match="holds the data root"):
        publish_now(lake, Store.open(f"{scheme}://{tmp_path / place}"))

    assert file.read_bytes() == before
    assert not (lake.root / "manifest.json").exists()
