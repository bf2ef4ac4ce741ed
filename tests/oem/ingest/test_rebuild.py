"""Tables of an older version: named with the command that rebuilds them, which can be killed and run again."""

import dataclasses
import gzip
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.oem.ingest.test_archive import ARRIVED, SETTINGS, Killed, contents, put, quarantined, take
from tests.oem.ingest.test_ingest_job import run
from tests.oem.sample_oem import STATES, kvn, xml
from tests.published import publish

from orbitlake.lake import Lake, LakeError, files
from orbitlake.lake.parquet import check_file
from orbitlake.oem.ingest import stored_issue
from orbitlake.oem.ingest.rebuild import rebuild
from orbitlake.query import connect
from orbitlake.tables import OEM_ISSUES, OEM_SEGMENTS, OEM_TABLES, STATE_VECTORS, Table

NEW_COLUMNS = {"epoch_tai", "useable", "message_id", "classification"}
MOVED = (STATES[0].replace("4482", "4492"), *STATES[1:])
COMMAND = "python jobs/ingest_oem.py --rebuild"


def older(table: Table) -> Table:
    """The table as version 1 had it."""
    columns = tuple(column for column in table.columns if column.name not in NEW_COLUMNS)
    key = tuple(name for name in table.key if name not in NEW_COLUMNS)
    return dataclasses.replace(table, version=1, columns=columns, key=key, sort_by=key)


def age(lake: Lake, folder: str = "object_id=*/issue=*") -> None:
    """Turn the tables of issues into what a program of version 1 left."""
    for table in OEM_TABLES:
        for file in lake.closed(table).glob(f"{folder}/part-0.parquet"):
            rows = pq.ParquetFile(file).read()
            file.unlink()
            if table is not OEM_SEGMENTS:
                old = older(table)
                publish(rows.select(old.column_names), old, file, lake.staging)


def move_to_former_place(lake: Lake, new: tuple[str, str], former: tuple[str, str]) -> None:
    """Rename the folders and raw files of an issue, each given by the names of its two folders."""
    for file in sorted(lake.raw_oem_root.glob(f"{new[0]}/{new[1]}-*")):
        target = lake.raw_oem_root / former[0] / file.name.replace(new[1], former[1], 1)
        target.parent.mkdir(exist_ok=True)
        file.rename(target)
    for table in OEM_TABLES:
        for file in lake.closed(table).glob(f"object_id={new[0]}/issue={new[1]}/*"):
            target = lake.closed(table) / f"object_id={former[0]}" / f"issue={former[1]}" / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
            if table is OEM_ISSUES:
                rows = pq.ParquetFile(target).read()
                path = pa.array([rows.column("raw_path")[0].as_py().replace("/".join(new), "/".join(former))])
                rows = rows.set_column(rows.column_names.index("raw_path"), "raw_path", path)
                as_was = older(table) if "message_id" not in rows.column_names else table
                publish(rows, as_was, target, lake.staging)
            shutil.rmtree(file.parent)


def labels(lake: Lake) -> list[str]:
    return [outcome["outcome"] for outcome in rebuild(lake)]


@pytest.fixture
def issues(tmp_path) -> list[str]:
    """Two issues, one of them in both notations, and an object without an id."""
    return [
        put(tmp_path / "given" / name, content)
        for name, content in {
            "a.txt": kvn(),
            "b.xml": xml(),
            "c.txt": kvn().replace(b"22:55:31", b"22:55:32"),
            "d.txt": kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": "A"}),
            "e.txt": kvn(metadata={"OBJECT_ID": "EO SAT", "OBJECT_NAME": "A"}),
        }.items()
    ]


@pytest.fixture
def fresh(issues, tmp_path) -> Lake:
    """What a program of this version makes of the issues."""
    lake = Lake(tmp_path / "fresh")
    for source in issues:
        take(source, lake, SETTINGS)
    return lake


@pytest.fixture
def old(fresh, lake) -> Lake:
    """What a program of version 1 made of the issues, under the names that it gave to folders."""
    shutil.copytree(fresh.root, lake.root)
    age(lake)
    move_to_former_place(lake, ("UNKNOWN", "20230324T225531Z-A"), ("UNKNOWN", "20230324T225531Z"))
    move_to_former_place(lake, ("EO%20SAT", "20230324T225531Z"), ("EO_SAT", "20230324T225531Z"))
    return lake


@pytest.mark.parametrize("issue", ["31", "32", "33"])
def test_an_older_table_of_any_issue_is_named_with_the_command(lake, tmp_path, issue):
    for second in ("31", "32", "33"):
        take(put(tmp_path / second, kvn().replace(b"22:55:31", f"22:55:{second}".encode())), lake, SETTINGS)
    assert connect(lake.root).sql("SELECT count(*) FROM oem_issues").fetchone() == (3,)
    age(lake, f"object_id=*/issue=*{issue}Z")

    with pytest.raises(LakeError, match=f"state_vectors of version 1, .* version 2: run `{COMMAND}`$"):
        connect(lake.root, tables=[STATE_VECTORS])
    (file,) = lake.closed(STATE_VECTORS).glob(f"**/*{issue}Z/*.parquet")
    with pytest.raises(LakeError, match=f"run `{COMMAND}`$"):
        check_file(file, STATE_VECTORS)


def test_a_table_of_a_newer_version_is_not_to_be_rebuilt(lake, tmp_path):
    take(put(tmp_path / "a.txt", kvn()), lake, SETTINGS)
    (file,) = lake.closed(STATE_VECTORS).glob("**/*.parquet")
    publish(pq.ParquetFile(file).read(), dataclasses.replace(STATE_VECTORS, version=99), file, lake.staging)

    with pytest.raises(LakeError, match=r"state_vectors of version 99, this program knows version [0-9]+$"):
        connect(lake.root)


def test_rebuilding_gives_what_a_fresh_ingestion_gives_and_again_the_same(old, fresh):
    outcomes = list(rebuild(old))

    assert [outcome["outcome"] for outcome in outcomes] == ["ingested"] * 4
    assert {outcome["object_id"] for outcome in outcomes} == {"1998-067A", "UNKNOWN", "EO SAT"}
    assert contents(old.root, "lake", "raw") == contents(fresh.root, "lake", "raw")
    assert sorted(folder.name for folder in old.closed(OEM_ISSUES).iterdir()) == [
        "object_id=1998-067A",
        "object_id=EO%20SAT",
        "object_id=UNKNOWN",
    ]
    assert not old.quarantine.exists()
    assert labels(old) == ["ingested"] * 4
    assert contents(old.root, "lake", "raw") == contents(fresh.root, "lake", "raw")


def test_a_kill_before_any_step_of_a_rebuild_is_made_good_by_the_next(lake, tmp_path, monkeypatch):
    fresh = Lake(tmp_path / "fresh")
    for name, object_id in (("a", "EO SAT"), ("b", "1998-067-A")):
        take(put(tmp_path / name, kvn(metadata={"OBJECT_ID": object_id})), fresh, SETTINGS)
    shutil.copytree(fresh.root, lake.root)
    age(lake)
    move_to_former_place(lake, ("EO%20SAT", "20230324T225531Z"), ("EO_SAT", "20230324T225531Z"))
    steps = 0
    while rebuild_and_die(killed := Lake(tmp_path / str(steps)), lake, steps, monkeypatch):
        assert len({gzip.decompress(file.read_bytes()) for file in killed.raw_oem_root.glob("*/*.gz")}) == 2
        assert labels(killed) == ["ingested"] * 2
        assert contents(killed.root, "lake", "raw") == contents(fresh.root, "lake", "raw")
        steps += 1

    # Of both issues all tables are written, of one receipt and raw file too, and what lay at the old place is removed.
    assert steps == 2 * len(OEM_TABLES) + 2 + len(OEM_TABLES) + 2


def rebuild_and_die(lake: Lake, of: Lake, steps: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rebuild a copy and stop before a rename or removal, after so many of them; say whether it came to that."""
    shutil.copytree(of.root, lake.root)
    publish_file, unlink = files.publish_file, Path.unlink
    left = steps

    def count() -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    def dying_publish(temporary: Path, target: Path) -> None:
        count()
        publish_file(temporary, target)

    def dying_unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.parent != lake.staging:
            count()
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        for module in (files, stored_issue):
            patch.setattr(module, "publish_file", dying_publish)
        patch.setattr(Path, "unlink", dying_unlink)
        try:
            labels(lake)
        except Killed:
            return True
    return False


def test_objects_that_shared_a_former_folder_get_one_each(lake, tmp_path):
    put(tmp_path / "a", kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": "A"}))
    put(tmp_path / "b", kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": "B"}))
    for name in "ab":
        take(str(tmp_path / name), lake, SETTINGS)
    age(lake)
    for name in "BA":
        move_to_former_place(lake, ("UNKNOWN", f"20230324T225531Z-{name}"), ("UNKNOWN", "20230324T225531Z"))

    assert labels(lake) == ["ingested"] * 2
    assert sorted(connect(lake.root).sql("SELECT issue FROM oem_issues").fetchall()) == [
        ("20230324T225531Z-A",),
        ("20230324T225531Z-B",),
    ]
    assert len(list(lake.raw_oem("UNKNOWN").iterdir())) == 4


def test_a_plain_object_keeps_the_folder_that_another_leaves(lake, tmp_path):
    put(tmp_path / "a", kvn(metadata={"OBJECT_ID": "EO SAT"}))
    put(tmp_path / "b", kvn(metadata={"OBJECT_ID": "EO_SAT"}))
    for name in "ab":
        take(str(tmp_path / name), lake, SETTINGS)
    kept = contents(lake.root, "raw")
    move_to_former_place(lake, ("EO%20SAT", "20230324T225531Z"), ("EO_SAT", "20230324T225531Z"))

    assert labels(lake) == ["ingested"] * 2
    assert sorted(connect(lake.root).sql("SELECT object_id FROM oem_issues").fetchall()) == [("EO SAT",), ("EO_SAT",)]
    assert contents(lake.root, "raw") == kept


def test_old_tables_hold_up_no_new_issue_and_a_delivery_rebuilds_its_own(old, fresh, issues, tmp_path):
    new = put(tmp_path / "new.txt", kvn().replace(b"22:55:31", b"22:55:33"))
    outcomes = [take(source, old, SETTINGS)["outcome"] for source in (new, issues[1], issues[2])]

    assert outcomes == ["ingested", "unchanged", "unchanged"]
    for table in OEM_TABLES:
        for issue in ("20230324T225531Z", "20230324T225532Z"):
            file = f"lake/{table.name}/object_id=1998-067A/issue={issue}/part-0.parquet"
            assert (old.root / file).read_bytes() == (fresh.root / file).read_bytes()


def test_another_content_under_an_old_identity_is_still_a_conflict(old, tmp_path):
    outcome = take(put(tmp_path / "other.txt", kvn(states=MOVED)), old, SETTINGS)

    assert outcome["outcome"] == "conflict"
    assert "another x_km" in outcome["reason"]


def test_old_tables_without_a_raw_file_say_so_and_are_left(old, issues):
    shutil.rmtree(old.raw_oem("1998-067A"))
    before = contents(old.root, "lake")
    delivered = take(issues[0], old, SETTINGS)
    outcomes = {outcome["source"]: outcome for outcome in rebuild(old) if outcome["outcome"] != "ingested"}

    assert delivered["outcome"] == "rejected"
    assert "no raw file to make the tables" in delivered["reason"]
    assert len(outcomes) == 2
    assert all("no raw file" in outcome["reason"] for outcome in outcomes.values())
    kept = {path: content for path, content in before.items() if "1998-067A" in path}
    assert {path: content for path, content in contents(old.root, "lake").items() if "1998-067A" in path} == kept


def test_a_raw_file_that_can_no_longer_be_read_leaves_with_its_tables(fresh):
    (raw,) = fresh.raw_oem("1998-067A").glob("20230324T225532Z-*.gz")
    raw.write_bytes(gzip.compress(b"no OEM", mtime=0))
    outcomes = [outcome for outcome in rebuild(fresh) if outcome["outcome"] != "ingested"]

    assert [outcome["source"] for outcome in outcomes] == [str(raw)]
    assert quarantined(fresh) == {outcomes[0]["reason"]: gzip.compress(b"no OEM", mtime=0)}
    assert not list(fresh.root.glob("lake/*/object_id=1998-067A/issue=20230324T225532Z"))
    assert not list(fresh.raw_oem("1998-067A").glob("20230324T225532Z-*"))


def test_a_raw_file_that_says_something_else_than_the_first_is_a_conflict(fresh, tmp_path):
    other = Lake(tmp_path / "other")
    take(put(tmp_path / "moved.txt", kvn(states=MOVED)), other, SETTINGS)
    shutil.copytree(other.raw_oem("1998-067A"), fresh.raw_oem("1998-067A"), dirs_exist_ok=True)
    tables = contents(fresh.root, "lake")
    (outcome,) = [outcome for outcome in rebuild(fresh) if outcome["outcome"] != "ingested"]

    assert outcome["outcome"] == "conflict"
    assert contents(fresh.root, "lake") == tables
    assert [gzip.decompress(kept) for kept in quarantined(fresh).values()] == [kvn(states=MOVED)]


def test_a_file_in_the_place_of_a_folder_is_named_and_the_raw_file_kept(fresh):
    raw = contents(fresh.root, "raw")
    shutil.rmtree(fresh.closed(STATE_VECTORS) / "object_id=UNKNOWN")
    (fresh.closed(STATE_VECTORS) / "object_id=UNKNOWN").write_bytes(b"stray")
    (outcome,) = [outcome for outcome in rebuild(fresh) if outcome["outcome"] != "ingested"]

    assert "must be a folder, and a file has that name" in outcome["reason"]
    assert contents(fresh.root, "raw") == raw
    assert not fresh.quarantine.exists()


def test_receipts_are_kept_and_the_first_stays_the_first(fresh, issues):
    before = contents(fresh.root, "raw")
    for source in issues:
        os.utime(source, (ARRIVED + 99, ARRIVED + 99))
    labels(fresh)
    row = connect(fresh.root).sql("SELECT source_url, retrieved_at FROM oem_issues WHERE source_url = 'a.txt'")

    assert contents(fresh.root, "raw") == before
    assert row.fetchone()[1].timestamp() == ARRIVED


def test_the_job_rebuilds_old_tables_and_ingests_nothing(old):
    put(old.inbox_oem / "waiting.txt", kvn().replace(b"22:55:31", b"22:55:59"))
    status, outcomes, error = run(old, "--rebuild")
    refused = run(old, "--rebuild", "some.txt")

    assert (status, error) == (0, "")
    assert [outcome["outcome"] for outcome in outcomes] == ["ingested"] * 4
    assert (old.inbox_oem / "waiting.txt").exists()
    assert refused[0] == 2
    assert "--rebuild takes no source" in refused[2]
    assert connect(old.root).sql("SELECT count(*) FROM oem_issues").fetchone() == (4,)
