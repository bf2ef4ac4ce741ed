"""The archive: an issue is immutable, nothing is lost, and a kill between any two lines is made good."""

import csv
import gzip
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.oem.sample_oem import METADATA, STATES, kvn, xml
from tests.published import publish

from orbitlake.lake import Lake, files
from orbitlake.lake.files import sweep_staging
from orbitlake.lake.parquet import write_table
from orbitlake.lake.quarantine import quarantine, quarantine_file
from orbitlake.oem.ingest import inbox, raw_files, staged_issue, steps, stored_issue
from orbitlake.oem.ingest.archive import finish_all
from orbitlake.oem.ingest.delivery import Delivery
from orbitlake.oem.ingest.outcome import Outcome
from orbitlake.oem.ingest.sources import deliver, list_sources
from orbitlake.oem.ingest.steps import CheckError, archive, check, ingest, tabulate
from orbitlake.oem.ingest.stored_issue import StoredIssue
from orbitlake.oem.reader import epochs
from orbitlake.oem.reader.read import issues_in
from orbitlake.settings import Settings, from_environment
from orbitlake.tables import OEM_ISSUES, OEM_TABLES, STATE_VECTORS, TRAJECTORY_EVENTS, Table

SETTINGS = from_environment({})
ARRIVED = 1_679_700_000
MOVED = (STATES[0], STATES[1].replace("5527.58202172178", "5527.58202182178"), STATES[2])
KILLS = 20


@pytest.fixture
def folder(tmp_path) -> Path:
    place = tmp_path / "given"
    place.mkdir()
    return place


def put(path: Path, content: bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (ARRIVED, ARRIVED))
    return str(path)


def delivery(source: str, lake: Lake) -> Delivery:
    return deliver(source, lake, SETTINGS)


def take(source: str, lake: Lake, settings: Settings) -> Outcome:
    """Ingest a source of one message."""
    (outcome,) = steps.ingest_source(source, lake, settings)
    return outcome


def contents(root: Path, *parts: str) -> dict[str, bytes]:
    """Every file below the root, or below some of its folders, with its bytes."""
    below = [root / part for part in parts] or [root]
    return {
        str(file.relative_to(root)): file.read_bytes() for top in below for file in top.rglob("*") if file.is_file()
    }


def row(lake: Lake) -> dict:
    (file,) = lake.closed(OEM_ISSUES).glob("**/*.parquet")
    return pq.ParquetFile(file).read().to_pylist()[0]


def quarantined(lake: Lake) -> dict[str, bytes]:
    """The kept bytes by their reason."""
    reasons = {file: json.loads(file.read_text())["reason"] for file in lake.quarantine.glob("*.reason.json")}
    return {
        reason: file.with_name(file.name.removesuffix(".reason.json")).read_bytes() for file, reason in reasons.items()
    }


def test_a_new_issue_is_kept_raw_and_published_whole(lake, folder):
    source = put(folder / "issue.txt", kvn())
    outcome = take(source, lake, SETTINGS)

    assert outcome == {
        "source": source,
        "outcome": "ingested",
        "object_id": "1998-067A",
        "creation_date": "2023-03-24T22:55:31.604000Z",
        "states": 3,
        "thrust_episodes": 0,
        "reason": None,
    }
    where = "object_id=1998-067A/issue=20230324T225531Z/part-0.parquet"
    assert set(contents(lake.root, "lake")) == {f"lake/{table.name}/{where}" for table in OEM_TABLES}
    digest = hashlib.sha256(kvn()).hexdigest()
    assert row(lake)["raw_path"] == f"raw/oem/1998-067A/20230324T225531Z-{digest[:12]}.txt.gz"
    packed = (lake.root / row(lake)["raw_path"]).read_bytes()
    assert gzip.decompress(packed) == kvn()
    assert packed[4:8] == bytes(4)  # no time stamp: equal files have equal bytes (RFC 1952)
    assert row(lake)["content_sha256"] == digest
    assert (row(lake)["source_url"], row(lake)["retrieved_at"].timestamp()) == ("issue.txt", ARRIVED)
    assert Path(source).read_bytes() == kvn()


def test_the_same_bytes_again_change_nothing_at_all(lake, folder):
    take(put(folder / "issue.txt", kvn()), lake, SETTINGS)
    before = contents(lake.root)
    again = put(folder / "other-name.txt.gz", gzip.compress(kvn()))
    os.utime(again, (ARRIVED + 99, ARRIVED + 99))

    assert take(again, lake, SETTINGS)["outcome"] == "unchanged"
    assert contents(lake.root) == before


@pytest.mark.parametrize(("first", "second"), [(kvn(), xml()), (xml(), kvn())])
def test_the_same_states_in_the_other_notation_are_kept_raw_and_change_no_table(lake, folder, first, second):
    take(put(folder / "first", first), lake, SETTINGS)
    before = contents(lake.root, "lake")

    assert take(put(folder / "second", second), lake, SETTINGS)["outcome"] == "unchanged"
    assert contents(lake.root, "lake") == before
    raw = [gzip.decompress(file.read_bytes()) for file in lake.raw_oem("1998-067A").glob("*.gz")]
    assert sorted(raw) == sorted([first, second])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (kvn(states=MOVED), "another x_km at 2023-03-24T18:45:29.004000"),
        (kvn(states=STATES[:2], metadata={"STOP_TIME": "2023-03-24T18:45:29.004"}), "2 states where the lake holds 3"),
        (kvn().replace(b"T18:45:29.004", b"T18:45:29.005"), "another epoch at state 2"),
        (kvn().replace(b"22:55:31.604", b"22:55:31.605"), "created within the same second"),
        (kvn(states=[f"{state} 0.0 0.0 0.0" for state in STATES]), "another ax_km_s2"),
    ],
)
def test_other_states_under_one_identity_are_a_conflict(lake, folder, content, reason):
    take(put(folder / "first.txt", kvn()), lake, SETTINGS)
    before = contents(lake.root, "lake", "raw")
    outcome = take(put(folder / "second.txt", content), lake, SETTINGS)

    assert outcome["outcome"] == "conflict"
    assert reason in outcome["reason"]
    assert contents(lake.root, "lake", "raw") == before
    assert quarantined(lake) == {outcome["reason"]: content}


def test_what_cannot_be_read_is_quarantined_with_file_line_and_reason(lake, folder):
    broken = kvn().replace(b"-693.041910434021", b"-693.0419104x4021")
    source = put(folder / "broken.txt", broken)
    outcome = take(source, lake, SETTINGS)

    assert outcome["outcome"] == "rejected"
    assert outcome["reason"].startswith(f"{source}:16: ")
    assert (outcome["object_id"], outcome["states"]) == (None, None)
    assert quarantined(lake) == {outcome["reason"]: broken}
    assert not (lake.root / "lake").exists()
    assert take(source, lake, SETTINGS) == outcome
    assert len(quarantined(lake)) == 1


def test_what_fails_a_check_is_quarantined_before_anyone_reads_it(lake, folder):
    sunken = kvn(metadata={"CENTER_NAME": "Jupiter"})
    outcome = take(put(folder / "sunken.txt", sunken), lake, SETTINGS)

    assert outcome["outcome"] == "rejected"
    assert "check failed: radius" in outcome["reason"]
    assert outcome["states"] == 3
    assert quarantined(lake) == {outcome["reason"]: sunken}
    assert set(lake.root.iterdir()) == {lake.quarantine, lake.staging}
    assert list(lake.staging.iterdir()) == []


def test_files_of_one_name_are_kept_side_by_side_in_quarantine_and_equal_ones_once(lake, tmp_path):
    for content in (b"one", b"other", b"one"):
        quarantine(lake, "a.txt", content, "no reason")
    for content in (b"large", b"larger"):
        quarantine_file(lake, Path(put(tmp_path / "a.txt", content)), "too large")
    kept = [file for file in lake.quarantine.iterdir() if file.suffix != ".json"]

    assert sorted(file.read_bytes() for file in kept) == [b"large", b"larger", b"one", b"other"]
    assert all(file.with_name(f"{file.name}.reason.json").is_file() for file in kept)


def test_inbox_files_go_to_raw_or_quarantine(lake):
    for name, content in {
        "good.txt": kvn(),
        "again.xml": xml(),
        "bad.txt": b"no OEM",
        "z.txt": kvn(states=MOVED),
    }.items():
        put(lake.inbox_oem / name, content)
    outcomes = [
        take(source, lake, SETTINGS)["outcome"] for source in list_sources([str(lake.inbox_oem)], lake, SETTINGS)
    ]

    assert outcomes == ["ingested", "rejected", "unchanged", "conflict"]
    assert list(lake.inbox_oem.iterdir()) == []
    assert sorted(quarantined(lake).values()) == sorted([b"no OEM", kvn(states=MOVED)])


def test_a_file_still_being_copied_into_the_inbox_is_waited_for(lake, monkeypatch):
    monkeypatch.setattr(inbox, "UNCHANGED_FOR_S", 0.4)
    source = lake.inbox_oem / "slow.txt"
    source.parent.mkdir(parents=True)
    source.write_bytes(kvn()[:-200])

    def finish() -> None:
        for left in (100, 50, 0):
            time.sleep(0.2)
            source.write_bytes(kvn()[: len(kvn()) - left])

    writer = threading.Thread(target=finish)
    writer.start()
    outcome = take(str(source), lake, SETTINGS)
    writer.join()

    assert outcome["outcome"] == "ingested"


def test_a_file_past_the_size_limit_is_moved_out_of_the_inbox_unread(lake, folder, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_MAX_DOWNLOAD_BYTES", "1000")
    for place in (lake.inbox_oem, folder):
        outcome = take(put(place / "huge.txt", b"x" * 1001), lake, SETTINGS)

        assert outcome["outcome"] == "rejected"
        assert "larger than" in outcome["reason"]
    assert list(lake.inbox_oem.iterdir()) == []
    assert (folder / "huge.txt").exists()
    assert list(quarantined(lake).values()) == [b"x" * 1001]


def test_a_link_to_a_file_past_the_size_limit_stays_in_the_inbox(lake, folder, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_MAX_DOWNLOAD_BYTES", "1000")
    huge = put(folder / "huge.txt", b"x" * 1001)
    lake.inbox_oem.mkdir(parents=True)
    (lake.inbox_oem / "link").symlink_to(huge)
    outcome = take(str(lake.inbox_oem / "link"), lake, SETTINGS)

    assert "ORBITLAKE_MAX_DOWNLOAD_BYTES" in outcome["reason"]
    assert (lake.inbox_oem / "link").read_bytes() == b"x" * 1001
    assert not lake.quarantine.exists()


def test_a_file_that_cannot_leave_the_inbox_is_taken_with_a_warning(lake, monkeypatch):
    source = put(lake.inbox_oem / "issue.txt", kvn())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        outcome = take(source, lake, SETTINGS)

    assert outcome["outcome"] == "ingested"
    assert outcome["warnings"] == [f"{source} stays in the inbox: Permission denied"]
    assert take(source, lake, SETTINGS)["outcome"] == "unchanged"
    assert not Path(source).exists()


def test_a_file_in_the_place_of_a_folder_is_named(lake, folder):
    stray = put(lake.closed(STATE_VECTORS) / "object_id=1998-067A", b"stray")
    outcome = take(put(folder / "issue.txt", kvn()), lake, SETTINGS)

    assert outcome["outcome"] == "rejected"
    assert "must be a folder, and a file has that name" in outcome["reason"]
    assert list(quarantined(lake).values()) == [kvn()]
    Path(stray).unlink()
    assert take(str(folder / "issue.txt"), lake, SETTINGS)["outcome"] == "ingested"


def test_a_file_beside_the_inbox_stays_however_it_is_named(lake):
    put(lake.inbox_oem / "other.txt", b"")
    beside = put(lake.root / "beside.txt", kvn())

    assert take(f"{lake.inbox_oem}/../../beside.txt", lake, SETTINGS)["outcome"] == "ingested"
    assert Path(beside).exists()


def test_a_file_that_may_not_be_read_is_rejected_by_name(lake, folder, monkeypatch):
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(steps.unpacking, "load", refuse)
    outcome = take(put(folder / "secret.txt", kvn()), lake, SETTINGS)

    assert (outcome["outcome"], outcome["reason"]) == ("rejected", "cannot be read: Permission denied")


@pytest.mark.parametrize("object_id", ["../../etc", "a/b", "..", ".hidden", "-rf"])
def test_no_path_comes_out_of_a_file(lake, folder, object_id):
    outcome = take(put(folder / "evil.txt", kvn(metadata={"OBJECT_ID": object_id})), lake, SETTINGS)

    assert (outcome["outcome"], outcome["object_id"]) == ("ingested", object_id)
    (raw,) = (lake.root / "raw" / "oem").glob("*/*.gz")
    assert raw == lake.raw_oem(object_id) / raw.name
    tables = {file.relative_to(lake.root / "lake").parts for file in (lake.root / "lake").rglob("*.parquet")}
    assert {(len(parts), parts[1]) for parts in tables} == {(4, f"object_id={raw.parent.name}")}
    assert {path.split("/")[0] for path in contents(lake.root)} == {"lake", "raw"}


def test_an_id_too_long_for_a_folder_is_rejected_by_its_length(lake, folder):
    long = kvn(metadata={"OBJECT_ID": "x" * 201})
    outcome = take(put(folder / "long.txt", long), lake, SETTINGS)

    assert outcome["outcome"] == "rejected"
    assert "200" in outcome["reason"]
    assert quarantined(lake) == {outcome["reason"]: long}
    fits = kvn(metadata={"OBJECT_ID": "x" * 200})
    assert take(put(folder / "fits.txt", fits), lake, SETTINGS)["reason"] is None
    name = {"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": "x" * 200}
    assert take(put(folder / "named.txt", kvn(metadata=name)), lake, SETTINGS)["reason"] is None
    longer = take(put(folder / "longer.txt", kvn(metadata=name | {"OBJECT_NAME": "x" * 201})), lake, SETTINGS)
    assert "cannot name a folder: 201 bytes where 1 to 200 can be" in longer["reason"]


def test_the_steps_of_a_dag_do_what_one_ingestion_does(lake, folder, tmp_path):
    source = put(folder / "issue.txt", kvn())
    together = Lake(tmp_path / "together")
    (at_once,) = ingest(delivery(source, together), together)
    (archived,) = json.loads(json.dumps(archive(delivery(source, lake), lake)))

    assert contents(lake.root, "lake") == {}
    assert tabulate(archived, lake) == at_once
    assert contents(lake.root) == contents(together.root)
    assert check(at_once, lake)["states"] == 3


def test_both_notations_of_a_new_issue_in_one_run_are_one_ingested_and_one_unchanged(lake, folder, tmp_path):
    sources = [put(folder / "issue.txt", kvn()), put(folder / "issue.xml", xml())]
    archived = [archive(delivery(source, lake), lake) for source in sources]
    outcomes = [tabulate(each, lake)["outcome"] for (each,) in archived]

    assert outcomes == ["ingested", "unchanged"]


def test_a_refused_source_passes_the_steps_and_fails_the_check(lake, folder):
    (archived,) = archive(delivery(put(folder / "bad.txt", b"no OEM"), lake), lake)
    outcome = tabulate(archived, lake)

    assert outcome["outcome"] == "rejected"
    with pytest.raises(CheckError, match=r"bad\.txt"):
        check(outcome, lake)


def test_tables_are_checked_as_they_lie_in_staging_and_nobody_reads_those_that_fail(lake, folder, monkeypatch):
    def lose_a_state(rows: pa.Table, table: Table, file: Path) -> None:
        write_table(rows.slice(1) if table is STATE_VECTORS else rows, table, file)

    with monkeypatch.context() as patch:
        patch.setattr(staged_issue, "write_table", lose_a_state)
        outcome = take(put(folder / "issue.txt", kvn()), lake, SETTINGS)

    assert outcome["outcome"] == "rejected"
    assert "check failed: 2 states where the header counts 3" in outcome["reason"]
    assert set(contents(lake.root)) == set(contents(lake.root, "quarantine"))
    assert list(lake.staging.iterdir()) == []
    assert take(outcome["source"], lake, SETTINGS)["outcome"] == "ingested"


def test_published_tables_that_fail_a_check_stay_and_are_named_with_the_command(lake, folder):
    outcome = take(put(folder / "issue.txt", kvn()), lake, SETTINGS)
    (file,) = lake.closed(STATE_VECTORS).glob("**/*.parquet")
    publish(pq.ParquetFile(file).read().slice(1), STATE_VECTORS, file, lake.staging)
    before = contents(lake.root)

    with pytest.raises(
        CheckError, match=r"2 states where the header counts 3;.*: run `python jobs/ingest_oem\.py --rebuild`$"
    ):
        check(outcome, lake)
    assert contents(lake.root) == before


def test_a_table_that_is_gone_fails_the_check(lake, folder):
    outcome = take(put(folder / "issue.txt", kvn()), lake, SETTINGS)
    shutil.rmtree(lake.closed(TRAJECTORY_EVENTS))

    with pytest.raises(CheckError, match="no trajectory_events"):
        check(outcome, lake)


def test_the_steps_of_a_run_read_each_file_once(lake, monkeypatch):
    read: list[str] = []

    def counting(text: bytes, name: str) -> list:
        read.append(name)
        return issues_in(text, name)

    for module in (steps, raw_files):
        monkeypatch.setattr(module, "issues_in", counting)
    sources = [put(lake.inbox_oem / "issue.txt", kvn()), put(lake.inbox_oem / "issue.xml", xml())]
    archived = [each for source in sources for each in archive(delivery(source, lake), lake)]
    outcomes = [tabulate(each, lake) for each in archived]
    figures = [check(outcome, lake)["states"] for outcome in outcomes]

    assert [outcome["outcome"] for outcome in outcomes] == ["ingested", "unchanged"]
    assert figures == [3, 3]
    assert read == sources


def test_a_step_whose_tables_were_swept_from_staging_makes_them_of_the_raw_file(lake, folder, tmp_path):
    source = put(folder / "issue.txt", kvn())
    together = Lake(tmp_path / "together")
    take(source, together, SETTINGS)
    (archived,) = archive(delivery(source, lake), lake)
    shutil.rmtree(lake.staging)
    tabulate(archived, lake)

    assert contents(lake.root) == contents(together.root)


def test_two_segments_are_ingested_and_recognised_again(lake, folder):
    second = [f"{name} = {value}" for name, value in METADATA.items()]
    two = kvn(after=["META_START", *second, "META_STOP", *STATES])
    source = put(folder / "two.txt", two)

    assert [take(source, lake, SETTINGS)["outcome"] for _ in range(2)] == ["ingested", "unchanged"]
    assert row(lake)["segment_count"] == 2


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package may catch it."""


def dies_after(monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    """Let the program die where it is about to give one more file, or folder of files, its final name."""
    publish_file, rename, left = files.publish_file, Path.rename, renames

    def count() -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    def dying_publish(temporary: Path, target: Path) -> None:
        count()
        publish_file(temporary, target)

    def dying_rename(path: Path, target: Path) -> Path:
        count()
        return rename(path, target)

    for module in (files, stored_issue):
        monkeypatch.setattr(module, "publish_file", dying_publish)
    monkeypatch.setattr(Path, "rename", dying_rename)


RENAMES = len(OEM_TABLES) + 3
"""The folder in staging, receipt, raw file, tables."""


@pytest.mark.parametrize("renames", range(RENAMES + 1))
def test_a_kill_before_any_rename_is_made_good_by_the_same_delivery(lake, tmp_path, monkeypatch, renames):
    source = put(lake.inbox_oem / "issue.txt", kvn())
    reference = Lake(tmp_path / "reference")
    take(put(reference.inbox_oem / "issue.txt", kvn()), reference, SETTINGS)

    with monkeypatch.context() as patch:
        dies_after(patch, renames)
        if renames < RENAMES:
            with pytest.raises(Killed):
                take(source, lake, SETTINGS)
            assert Path(source).exists()
            assert not list(lake.closed(OEM_ISSUES).glob("**/*.parquet"))
        else:
            take(source, lake, SETTINGS)

    if renames < RENAMES:
        assert take(source, lake, SETTINGS)["outcome"] == "ingested"
    assert contents(lake.root, "lake", "raw", "inbox", "staging") == contents(reference.root, "lake", "raw", "inbox")


@pytest.mark.parametrize("renames", range(1, RENAMES))
def test_a_kill_between_two_renames_is_made_good_by_a_run_that_takes_in_nothing(lake, folder, monkeypatch, renames):
    source = put(folder / "issue.txt", kvn())
    reference = Lake(folder.parent / "reference")
    take(source, reference, SETTINGS)
    with monkeypatch.context() as patch:
        dies_after(patch, renames)
        with pytest.raises(Killed):
            take(source, lake, SETTINGS)
    for left in [*lake.staging.iterdir(), *lake.staging.glob("*/*")]:
        os.utime(left, (ARRIVED, ARRIVED))
    sweep_staging(lake)
    (outcome,) = finish_all(lake)

    assert outcome == {
        "source": row(reference)["raw_path"],
        "outcome": "ingested",
        "object_id": "1998-067A",
        "creation_date": "2023-03-24T22:55:31.604000Z",
        "states": 3,
        "thrust_episodes": 0,
        "reason": None,
    }
    assert check(outcome, lake)["states"] == 3
    assert contents(lake.root) == contents(reference.root)
    assert list(finish_all(lake)) == []


def test_what_a_kill_left_half_written_in_staging_is_swept_and_nothing_published(lake, folder, monkeypatch):
    with monkeypatch.context() as patch:
        dies_after(patch, 0)
        patch.setattr(staged_issue.StagedIssue, "remove", lambda _: None)
        with pytest.raises(Killed):
            take(put(folder / "issue.txt", kvn()), lake, SETTINGS)
    (left,) = lake.staging.iterdir()
    os.utime(left, (ARRIVED, ARRIVED))

    assert list(finish_all(lake)) == []
    assert contents(lake.root, "lake", "raw") == {}
    sweep_staging(lake)
    assert contents(lake.root) == {}


def test_an_ingestion_cut_off_is_completed_before_the_other_notation_arrives(lake, folder, monkeypatch):
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StoredIssue, "publish", die)
        with pytest.raises(Killed):
            take(put(folder / "first.txt", kvn()), lake, SETTINGS)

    assert take(put(folder / "second.xml", xml()), lake, SETTINGS)["outcome"] == "unchanged"
    assert row(lake)["file_format"] == "KVN"
    assert row(lake)["source_url"] == "first.txt"


def test_a_raw_file_left_damaged_is_quarantined_and_the_next_one_taken(lake, folder):
    take(put(folder / "first.txt", kvn()), lake, SETTINGS)
    raw = lake.root / row(lake)["raw_path"]
    raw.write_bytes(gzip.compress(b"no OEM"))
    shutil.rmtree(lake.root / "lake")

    assert take(put(folder / "second.xml", xml()), lake, SETTINGS)["outcome"] == "ingested"
    assert not raw.exists()
    assert [gzip.decompress(kept) for kept in quarantined(lake).values()] == [b"no OEM"]


def test_processes_at_once_agree_on_one_first(lake, folder):
    sources = [put(folder / f"{n}.txt", kvn() + b"\n" * n) for n in range(6)]
    context = multiprocessing.get_context("fork")
    with context.Pool(6) as pool:
        outcomes = pool.starmap(take, [(source, lake, SETTINGS) for source in sources])

    assert sorted(outcome["outcome"] for outcome in outcomes) == ["ingested", *["unchanged"] * 5]
    (first,) = [outcome["source"] for outcome in outcomes if outcome["outcome"] == "ingested"]
    assert row(lake)["source_url"] == Path(first).name
    assert len(list(lake.raw_oem("1998-067A").glob("*.gz"))) == 6


def test_an_ingestion_waits_for_another_of_the_same_issue_and_of_no_other(lake, folder):
    same, other = put(folder / "same.txt", kvn()), put(folder / "other.txt", kvn().replace(b"22:55:31", b"22:55:32"))
    context = multiprocessing.get_context("fork")
    waiting = context.Process(target=take, args=(same, lake, SETTINGS))
    with StoredIssue(lake, "1998-067A", datetime(2023, 3, 24, 22, 55, 31, 604_000, UTC)).locked():
        waiting.start()
        assert take(other, lake, SETTINGS)["outcome"] == "ingested"
        waiting.join(0.5)

        assert waiting.is_alive()
        assert len(list(lake.closed(OEM_ISSUES).glob("**/*.parquet"))) == 1
    waiting.join()

    assert len(list(lake.closed(OEM_ISSUES).glob("**/*.parquet"))) == 2


def deliver_all(sources: Sequence[str], lake: Lake) -> list[Outcome]:
    return [take(source, lake, SETTINGS) for source in sources]


def deliver_and_be_killed(sources: Sequence[str], lake: Lake, after_s: float) -> bool:
    """Deliver in another process and kill it; say whether it was still at work."""
    process = multiprocessing.get_context("fork").Process(target=deliver_all, args=(sources, lake))
    process.start()
    process.join(after_s)
    was_at_work = process.is_alive()
    if was_at_work:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return was_at_work


@pytest.fixture(scope="module")
def real_issues(real_data) -> list[str]:
    return [str(path) for path in sorted((real_data / "oem" / "iss").iterdir())]


@pytest.fixture(scope="module")
def counted_issues(real_data) -> int:
    """How many creation dates PROVENANCE.csv names: text gives the day of the month, XML that of the year."""
    with (real_data / "PROVENANCE.csv").open(newline="") as source:
        texts = [row["creation_date"] for row in csv.DictReader(source) if row["path"].startswith("oem/iss/")]
    return len({epochs.tai_us_of(text, "UTC") for text in texts})


@pytest.fixture(scope="module")
def delivered(real_issues, counted_issues, tmp_path_factory) -> Lake:
    """All real issues, delivered once and undisturbed."""
    lake = Lake(tmp_path_factory.mktemp("delivered"))
    outcomes = [outcome["outcome"] for outcome in deliver_all(real_issues, lake)]
    assert outcomes.count("ingested") == counted_issues
    assert outcomes.count("unchanged") == len(real_issues) - counted_issues
    return lake


@pytest.mark.long
@pytest.mark.real
def test_the_real_issues_shuffled_doubled_and_killed_change_nothing(real_issues, delivered):
    before = contents(delivered.root, "lake", "raw")
    random_order = random.Random(20)
    twice = real_issues * 2
    killed = 0
    for _ in range(KILLS):
        sources = random_order.sample(twice, len(twice))
        killed += deliver_and_be_killed(sources, delivered, random_order.uniform(0.05, 1.5))
    outcomes = {outcome["outcome"] for outcome in deliver_all(random_order.sample(twice, len(twice)), delivered)}

    assert killed == KILLS
    assert outcomes == {"unchanged"}
    assert contents(delivered.root, "lake", "raw") == before


@pytest.mark.long
@pytest.mark.real
def test_the_real_issues_killed_on_their_way_in_end_as_if_undisturbed(real_issues, delivered, tmp_path):
    lake = Lake(tmp_path)
    random_moment = random.Random(21)
    twice = real_issues * 2
    killed = 0
    while killed < KILLS:
        sources = list_sources(random_moment.sample(twice, len(twice)), lake, SETTINGS)
        assert deliver_and_be_killed(sources, lake, random_moment.uniform(0.05, 0.9))
        killed += 1
    deliver_all(list_sources(real_issues, lake, SETTINGS), lake)

    assert contents(lake.root, "lake", "raw") == contents(delivered.root, "lake", "raw")
    assert not (lake.root / "quarantine").exists()
