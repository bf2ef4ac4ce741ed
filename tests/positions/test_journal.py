"""The journal and the batches of the source, without Spark: the same files again, nothing twice, nothing for ever."""

import gzip
import json
import os

import pytest
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxFiles

from orbitlake import lake as lake_module
from orbitlake.lake import Lake, settle
from orbitlake.positions import journal as journal_module
from orbitlake.positions import source as source_module
from orbitlake.positions.journal import Journal, JournalError
from orbitlake.positions.raw_files import is_packed
from orbitlake.positions.source import RawReader

TWO_FILES = ReadMaxFiles(2)


@pytest.fixture
def raw(tmp_path):
    folder = Lake(tmp_path).raw_open_notify
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def start(tmp_path):
    """Start the source anew, as the driver's first question after a start does."""
    return lambda: RawReader(Lake(tmp_path), tmp_path / "journal", tmp_path / "staging", max_files=2, tasks=2)


def land(raw, *names):
    for name in names:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        content = b"{}\n"
        (raw / name).write_bytes(gzip.compress(content) if is_packed(name) else content)


def next_batch(reader, done, limit=TWO_FILES):
    """Ask for the batch after `done` as Spark does; return its number and files, none where there is no batch."""
    end = reader.latestOffset({"taken": done}, limit)
    partitions = reader.partitions({"taken": done}, end)
    return end["taken"], [name for partition in partitions for name in partition.names]


def batches(reader, done=0):
    """Take and commit batches until there is none."""
    taken = []
    while files := (found := next_batch(reader, done))[1]:
        done = found[0]
        taken.append(files)
    return taken


def test_batches_come_in_order_of_names_and_are_limited(raw, start):
    land(raw, "hour=13/a.json", "hour=12/c.json", "hour=12/b.json", "z.json", "b.json")

    assert batches(start()) == [["b.json", "hour=12/b.json"], ["hour=12/c.json", "hour=13/a.json"], ["z.json"]]


def names_in(folder):
    return {file.name for file in folder.iterdir()}


def age(path, by_s=source_module.SETTLED_S):
    was = path.stat().st_mtime
    os.utime(path, (was - by_s, was - by_s))


@pytest.mark.parametrize(
    "content",
    [gzip.compress(b"{}\n" * 9000)[:-9], b"no gzip", gzip.compress(b"{}\n") + b"rest"],
    ids=["torn", "other", "more"],
)
def test_a_damaged_pack_goes_to_quarantine_and_the_others_are_taken(tmp_path, raw, start, capsys, content):
    land(raw, "a.json", "b.jsonl.gz", "c.jsonl.gz", "d.json")
    (raw / "b.jsonl.gz").write_bytes(content)
    age(raw / "b.jsonl.gz")

    assert batches(start()) == [["a.json", "c.jsonl.gz"], ["d.json"]]
    about, kept = sorted(Lake(tmp_path).quarantine.iterdir(), key=lambda file: file.suffix != ".json")
    assert kept.read_bytes() == content
    assert (about.name, kept.suffix) == (f"{kept.name}.reason.json", ".gz")
    assert json.loads(about.read_text())["reason"].startswith("damaged, none of its records was taken: ")
    assert "b.jsonl.gz is damaged (" in capsys.readouterr().err
    assert not (raw / "b.jsonl.gz").exists()


def test_a_kill_before_a_damaged_pack_is_moved_leaves_one_reason(tmp_path, raw, start, monkeypatch):
    def settle_reasons_alone(aside, target):
        if target.suffix != ".json":
            raise KeyboardInterrupt
        settle(aside, target)

    (raw / "b.jsonl.gz").write_bytes(b"no gzip")
    age(raw / "b.jsonl.gz")
    with monkeypatch.context() as killed:
        killed.setattr(lake_module, "settle", settle_reasons_alone)
        with pytest.raises(KeyboardInterrupt):
            batches(start())
    before = names_in(Lake(tmp_path).quarantine)
    batches(start())

    assert len(before) == 1
    assert names_in(Lake(tmp_path).quarantine) == before | {name.removesuffix(".reason.json") for name in before}


@pytest.mark.parametrize("until_now", [b"", gzip.compress(b"{}\n" * 9000)[:40]], ids=["empty", "torn"])
def test_a_pack_that_is_being_copied_waits(tmp_path, raw, start, until_now):
    land(raw, "a.json")
    (raw / "b.jsonl.gz").write_bytes(until_now)
    reader = start()
    first = batches(reader)
    land(raw, "b.jsonl.gz")

    assert first == [["a.json"]]
    assert batches(reader, 1) == [["b.jsonl.gz"]]
    assert not Lake(tmp_path).quarantine.exists()


def test_an_empty_pack_that_nobody_writes_to_is_a_day_without_records(raw, start):
    (raw / "b.jsonl.gz").touch()
    age(raw / "b.jsonl.gz")

    assert batches(start()) == [["b.jsonl.gz"]]


def test_without_a_limit_everything_is_one_batch(raw, start):
    land(raw, "a.json", "b.json", "c.jsonl.gz", "d.json")

    assert next_batch(start(), 0, ReadAllAvailable()) == (1, ["a.json", "b.json", "c.jsonl.gz", "d.json"])


def test_a_packed_day_ends_its_batch(raw, start):
    land(
        raw,
        "date=2026-11-01/a.jsonl.gz",
        "date=2026-11-01/hour=1/a.json",
        "date=2026-11-02/b.jsonl.gz",
        "date=2026-11-03/c.json",
    )

    assert batches(start()) == [
        ["date=2026-11-01/a.jsonl.gz"],
        ["date=2026-11-01/hour=1/a.json", "date=2026-11-02/b.jsonl.gz"],
        ["date=2026-11-03/c.json"],
    ]


def test_a_restart_goes_on_with_what_is_new(raw, start):
    land(raw, "a.json", "b.json", "c.json")
    taken = batches(start())
    land(raw, "b2.json", "d.json")

    assert taken == [["a.json", "b.json"], ["c.json"]]
    assert batches(start(), done=2) == [["b2.json", "d.json"]]


def test_a_batch_written_before_a_crash_is_taken_up_as_it_is(raw, start):
    land(raw, "b.json")
    written = next_batch(start(), 0)
    land(raw, "a.json")

    assert next_batch(start(), 0) == written == (1, ["b.json"])
    assert next_batch(start(), 1) == (2, ["a.json"])


def test_a_crash_at_any_write_is_mended_by_starting_anew(raw, start, monkeypatch):
    monkeypatch.setattr(journal_module, "FOLD_AFTER", 2)
    names = [f"{number:02}.json" for number in range(9)]
    land(raw, *names)
    write, done, taken, crashes = journal_module.write_file, 0, [], 0

    def crash(before):
        def broken(target, content, staging):
            if not before:
                write(target, content, staging)
            raise OSError("killed")

        return broken

    while True:
        for before in (True, False):
            monkeypatch.setattr(journal_module, "write_file", crash(before))
            try:
                next_batch(start(), done)
            except OSError:
                crashes += 1
        monkeypatch.setattr(journal_module, "write_file", write)
        done, files = next_batch(start(), done)
        if not files:
            break
        taken += files

    assert taken == names
    assert crashes >= 2 * 5


def test_what_comes_during_a_run_over_what_is_there_waits_for_the_next(raw, start):
    land(raw, "a.json", "b.json", "c.json")
    reader = start()
    reader.prepareForTriggerAvailableNow()
    land(raw, "a2.json")

    assert batches(reader) == [["a.json", "b.json"], ["c.json"]]
    assert batches(start(), done=2) == [["a2.json"]]


def test_the_journal_stays_small_and_forgets_what_is_gone(raw, start, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "FOLD_AFTER", 10)
    reader, most = start(), 0
    for number in range(100):
        land(raw, f"{number:03}.json")
        if number >= 5:
            (raw / f"{number - 5:03}.json").unlink()
        assert next_batch(reader, number) == (number + 1, [f"{number:03}.json"])
        most = max(most, len(list((tmp_path / "journal").iterdir())))
    names = Journal.load(tmp_path / "journal", tmp_path / "staging").taken

    assert most <= 12
    assert len(names) <= 5 + 10
    assert names == reader.journal.taken
    assert {file.name for file in raw.iterdir()} <= names


def test_a_left_over_of_folding_is_not_read_again(raw, start, tmp_path):
    land(raw, "a.json", "b.json", "c.json")
    batches(start())
    kept = {file: file.read_bytes() for file in (tmp_path / "journal").iterdir()}
    Journal.load(tmp_path / "journal", tmp_path / "staging").fold(2, ["a.json", "b.json", "c.json"])
    for file, content in kept.items():
        file.write_bytes(content)

    assert batches(start(), done=2) == []
    Journal.load(tmp_path / "journal", tmp_path / "staging").fold(2, ["a.json", "c.json"])
    for file, content in kept.items():
        file.write_bytes(content)
    assert batches(start(), done=2) == [["b.json"]]


@pytest.mark.parametrize("done", [1, 4])
def test_a_journal_of_another_time_than_the_checkpoint_is_refused(raw, start, tmp_path, done):
    land(raw, "a.json", "b.json", "c.json", "d.json", "e.json")
    batches(start())
    Journal.load(tmp_path / "journal", tmp_path / "staging").fold(2, [])

    with pytest.raises(JournalError, match=f"holds batches 2 to 3, .* has done {done}"):
        next_batch(start(), done)


def test_a_batch_that_the_journal_lost_is_named(start):
    with pytest.raises(JournalError, match="does not hold batch 7"):
        start().partitions({"taken": 6}, {"taken": 7})


def test_files_are_spread_over_tasks_in_order(raw, start):
    land(raw, *(f"{number}.json" for number in range(5)))
    reader = start()
    end = reader.latestOffset({"taken": 0}, ReadMaxFiles(5))
    partitions = reader.partitions({"taken": 0}, end)

    assert [list(part.names) for part in partitions] == [["0.json", "1.json", "2.json"], ["3.json", "4.json"]]
    assert reader.partitions(end, end) == []
    assert json.dumps(end) == '{"taken": 1}'
