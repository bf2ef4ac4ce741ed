"""A conflict settled: a person says which file holds, the lake follows, and a kill anywhere on the way is made good."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.oem.ingest.test_archive import Killed, contents, put, quarantined, row, take
from tests.oem.reader.test_comment_block import FACTS, REBOOST, summary
from tests.oem.sample_oem import STATES, kvn, xml

from orbitlake.lake import Lake
from orbitlake.lake.quarantine import bound_quarantine, quarantine_file
from orbitlake.lake.quarantine import quarantined as entries
from orbitlake.oem.ingest.comparison import inert, question_about
from orbitlake.oem.ingest.conflicts import SettleError
from orbitlake.oem.ingest.questions import runs_of
from orbitlake.oem.ingest.rebuild import rebuild
from orbitlake.oem.ingest.settle import settle
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.tables import OEM_ISSUES, STATE_VECTORS, TRAJECTORY_EVENTS

CHECKOUT = Path(__file__).resolve().parents[3]
SETTINGS = from_environment({})
ANSWERED = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
LATER = ANSWERED + timedelta(days=3)
MOVED = (STATES[0].replace("4482.28542", "4482.29542"), *STATES[1:])
"""Ten metres along x."""
HELD = kvn(comments=(*FACTS, *summary(*REBOOST)))
NEW = kvn(states=MOVED, comments=FACTS)


@pytest.fixture
def in_conflict(lake, tmp_path) -> tuple[Lake, str]:
    """A lake that holds an issue, and the name of a file in its quarantine that contradicts it."""
    return lake, conflict_in(lake, tmp_path)


def conflict_in(lake: Lake, folder: Path, held: bytes = HELD, new: bytes = NEW) -> str:
    assert take(put(folder / "held.txt", held), lake, SETTINGS)["outcome"] == "ingested"
    outcome = take(put(folder / "new.txt", new), lake, SETTINGS)
    assert outcome["outcome"] == "conflict"
    return Path(outcome["quarantined"]).name


def decide(lake: Lake, name: str, choice: str, by: str = "Ada", at: datetime = ANSWERED, shown=None) -> list[dict]:
    return settle(lake, name, choice, by, at, shown)


def again(lake: Lake, folder: Path, content: bytes) -> dict:
    return take(put(folder / "again.txt", content), lake, SETTINGS)


def lying(lake: Lake) -> dict[str, bytes]:
    """What lies in the lake, raw and in quarantine; empty folders and times do not count."""
    return contents(lake.root, "lake", "raw", "quarantine")


def test_keeping_changes_no_table_and_the_decision_lies_beside_the_file(in_conflict, tmp_path):
    lake, name = in_conflict
    before = lying(lake)
    (outcome,) = decide(lake, name, "keep")

    changed = {file: content for file, content in lying(lake).items() if before.get(file) != content}
    assert list(changed) == [f"quarantine/{name}.decision.json"]
    decision = json.loads(changed[f"quarantine/{name}.decision.json"])
    assert (decision["choice"], decision["decided_by"]) == ("keep", "Ada")
    assert decision["decided_at"] == "2026-11-20T12:00:00+00:00"
    assert (outcome["outcome"], outcome["object_id"]) == ("kept", "1998-067A")
    assert len(entries(lake)) == 1


def test_bytes_that_were_decided_against_are_unchanged_and_nobody_is_asked_again(in_conflict, tmp_path):
    lake, name = in_conflict
    decide(lake, name, "keep")
    before = lying(lake)
    outcome = take(put(tmp_path / "other-name.gz", gzip.compress(NEW)), lake, SETTINGS)

    assert outcome["outcome"] == "unchanged"
    assert "Ada decided at 2026-11-20T12:00:00+00:00 that the lake holds" in outcome["warnings"][-1]
    assert "quarantined" not in outcome
    assert lying(lake) == before
    others = again(lake, tmp_path, NEW.replace(b"4482.29542", b"4482.39542"))
    assert others["outcome"] == "conflict"


def test_a_decision_outlasts_the_file_that_a_bound_removed(in_conflict, tmp_path):
    lake, name = in_conflict
    decide(lake, name, "keep")
    again(lake, tmp_path, b"CCSDS_OEM_VERS = 2.0")
    bound_quarantine(lake, 1)

    assert not (lake.quarantine / name).exists()
    assert again(lake, tmp_path, NEW)["outcome"] == "unchanged"


def test_taking_publishes_the_new_file_as_an_ingestion_and_quarantines_the_old(in_conflict, tmp_path):
    lake, name = in_conflict
    held_raw = row(lake)["raw_path"]
    packed = (lake.root / held_raw).read_bytes()
    (outcome,) = decide(lake, name, "take")
    fresh = Lake(tmp_path / "fresh")
    take(put(tmp_path / "new.txt", NEW), fresh, SETTINGS)

    assert outcome["outcome"] == "taken"
    assert contents(lake.root, "lake", "raw") == contents(fresh.root, "lake", "raw")
    (reason,) = quarantined(lake)
    assert reason == f"Ada decided at 2026-11-20T12:00:00+00:00 that {name} holds in its place"
    assert quarantined(lake)[reason] == packed
    (note,) = (json.loads(file.read_bytes()) for file in lake.quarantine.glob("*.reason.json"))
    assert (note["source_url"], note["outcome"]) == ("held.txt", "replaced")
    assert not list(lake.staging.glob("*"))


def test_both_files_are_unchanged_after_the_new_one_was_taken_and_a_rebuild_gives_the_same(in_conflict, tmp_path):
    lake, name = in_conflict
    decide(lake, name, "take")
    taken = lying(lake)

    assert [again(lake, tmp_path, content)["outcome"] for content in (NEW, HELD)] == ["unchanged", "unchanged"]
    assert lying(lake) == taken
    shutil.rmtree(lake.root / "lake")
    assert [outcome["outcome"] for outcome in rebuild(lake)] == ["ingested"]
    assert lying(lake) == taken


def test_raw_files_of_both_notations_give_way(lake, tmp_path):
    name = conflict_in(lake, tmp_path, kvn(), kvn(states=MOVED))
    again(lake, tmp_path, xml())
    decide(lake, name, "take")

    (raw,) = lake.raw_oem("1998-067A").glob("*.gz")
    assert str(raw.relative_to(lake.root)) == row(lake)["raw_path"]
    assert len(list(lake.raw_oem("1998-067A").glob("*.json"))) == 1
    assert len(list(lake.quarantine.glob("*.reason.json"))) == 2
    assert [again(lake, tmp_path, content)["outcome"] for content in (kvn(), xml())] == ["unchanged"] * 2


def test_who_changes_their_mind_takes_the_other_file_back(in_conflict, tmp_path):
    lake, name = in_conflict
    before = contents(lake.root, "lake", "raw")
    decide(lake, name, "keep", by="Bob")
    decide(lake, name, "take")
    (old,) = (entry.path.name for entry in entries(lake))
    (outcome,) = decide(lake, old, "take", at=LATER)

    assert outcome["outcome"] == "taken"
    assert contents(lake.root, "lake", "raw") == before
    assert again(lake, tmp_path, NEW)["outcome"] == "unchanged"
    with pytest.raises(SettleError, match=r"was taken: Ada decided"):
        decide(lake, name, "take")


def dies_before(monkeypatch: pytest.MonkeyPatch, steps: int) -> list[int]:
    """Let the program die before one more file gets its name, or loses it; return the count of what is left."""
    left = [steps]
    for owner, method in ((Path, "replace"), (Path, "rename"), (Path, "unlink"), (shutil, "rmtree")):
        original = getattr(owner, method)

        def dying(*given, original=original, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return original(*given, **options)

        monkeypatch.setattr(owner, method, dying)
    return left


MANY = 1000


@pytest.mark.parametrize("between", ["nothing", "another ingestion"])
def test_a_kill_before_any_change_of_a_name_ends_in_the_same_bytes_when_done_again(tmp_path, between):
    reference = Lake(tmp_path / "reference")
    name = conflict_in(reference, tmp_path)
    pristine = tmp_path / "pristine"
    shutil.copytree(reference.root, pristine)
    with pytest.MonkeyPatch.context() as patch:
        left = dies_before(patch, MANY)
        decide(reference, name, "take")
    count = MANY - left[0]

    assert count > 15
    for steps in range(count):
        lake = Lake(tmp_path / "killed")
        shutil.copytree(pristine, lake.root)
        with pytest.MonkeyPatch.context() as patch:
            dies_before(patch, steps)
            with pytest.raises(Killed):
                decide(lake, name, "take")
        if between == "another ingestion":
            put(tmp_path / "third.txt", kvn(metadata={"OBJECT_ID": "2000-001A"}))
            take(str(tmp_path / "third.txt"), lake, SETTINGS)
            for folder in lake.closed(OEM_ISSUES).parent.glob("*/object_id=2000-001A"):
                shutil.rmtree(folder)
            shutil.rmtree(lake.raw_oem("2000-001A"))
        # Another person, days later: the decision is that of the first attempt where that had got so far.
        is_decided = (lake.quarantine / f"{name}.decision.json").exists()
        decide(lake, name, "take", by="Bob" if is_decided else "Ada", at=LATER if is_decided else ANSWERED)

        assert lying(lake) == lying(reference), steps
        shutil.rmtree(lake.root)


def test_done_twice_changes_nothing_more(in_conflict):
    lake, name = in_conflict
    for choice in ("keep", "take"):
        first = decide(lake, name, choice)
        after = lying(lake)

        assert decide(lake, name, choice, by="Bob", at=LATER) == first
        assert lying(lake) == after


@pytest.mark.parametrize("choice", ["keep", "take"])
def test_a_file_that_changed_since_it_was_quarantined_is_refused(in_conflict, choice):
    lake, name = in_conflict
    (lake.quarantine / name).write_bytes(NEW + b"\nCOMMENT more")
    before = lying(lake)

    with pytest.raises(SettleError, match="bytes have changed"):
        decide(lake, name, choice)
    assert lying(lake) == before


@pytest.mark.parametrize("choice", ["keep", "take"])
def test_an_answer_to_files_that_are_no_longer_there_is_refused(in_conflict, tmp_path, choice):
    lake, name = in_conflict
    shown = question_about(lake, name)["shown"]
    third = again(lake, tmp_path, kvn(states=[MOVED[0].replace("4482.29542", "4483.29542"), *MOVED[1:]]))
    decide(lake, Path(third["quarantined"]).name, "take")
    before = lying(lake)

    with pytest.raises(SettleError, match="have changed since they were compared"):
        decide(lake, name, choice, shown=shown)
    assert lying(lake) == before


@pytest.mark.parametrize("choice", ["keep", "take"])
@pytest.mark.parametrize(
    "name", ["", ".", "..", "nothing.txt", "../lake", "/etc/passwd", "a.reason.json", "b.decision.json", "x" * 300]
)
def test_what_names_no_file_in_quarantine_is_refused(in_conflict, name, choice):
    lake, _ = in_conflict
    before = lying(lake)

    with pytest.raises(SettleError):
        decide(lake, name, choice)
    assert lying(lake) == before


def test_a_file_of_quarantine_that_is_in_no_conflict_is_refused(lake, tmp_path):
    with pytest.raises(SettleError, match="there is no"):
        decide(lake, "a.txt", "take")
    take(put(tmp_path / "broken.txt", kvn().replace(b"4482.28542", b"44x2")), lake, SETTINGS)
    (broken,) = (entry.path.name for entry in entries(lake))

    with pytest.raises(SettleError, match="cannot be read"):
        decide(lake, broken, "take")
    unread = quarantine_file(lake, Path(put(tmp_path / "large.txt", b"x")), "too large")
    with pytest.raises(SettleError, match="in no conflict: too large"):
        decide(lake, unread.name, "take")
    name = conflict_in(lake, tmp_path)
    for table in ("lake", "raw"):
        shutil.rmtree(lake.root / table)
    with pytest.raises(SettleError, match="contradicts nothing"):
        decide(lake, name, "take")


def test_two_messages_of_one_issue_in_one_file_are_not_taken(lake, tmp_path):
    message = xml()[xml().index(b"<oem ") : xml().index(b"</ndm>")]
    both = b"<ndm>\n" + message + message.replace(b"4482.28542", b"4482.5") + b"</ndm>"
    outcomes = ingest_source(put(tmp_path / "both.xml", both), lake, SETTINGS)
    assert [outcome["outcome"] for outcome in outcomes] == ["ingested", "conflict"]
    before = lying(lake)

    with pytest.raises(SettleError, match="contradict each other"):
        decide(lake, Path(outcomes[1]["quarantined"]).name, "take")
    assert lying(lake) == before


def test_both_files_are_shown_side_by_side_with_what_differs_and_by_how_much(in_conflict):
    lake, name = in_conflict
    question = question_about(lake, name)
    body = question["body"]

    assert question["subject"] == "Which file holds: 1998-067A, issue of 2023-03-24 22:55:31?"
    assert "| came from | `held.txt` | `new.txt` |" in body
    assert "| at | `2023-03-24 23:20:00Z` | `2023-03-24 23:20:00Z` |" in body
    digests = [hashlib.sha256(content).hexdigest()[:12] for content in (HELD, NEW)]
    assert f"| SHA-256 | `{digests[0]}` | `{digests[1]}` |" in body
    assert f"`{row(lake)['raw_path']}` | `quarantine/{name}` |" in body
    assert "| states | `3` | `3` |" in body
    assert "another x_km at 2023-03-24T18:41:29.004000+00:00: 4482.29542, the lake holds 4482.28542" in body
    assert "1 of 3 common epochs differ; positions by up to 10.000 m, at 2023-03-24T18:41:29.004000Z" in body
    (event,) = pq.ParquetFile(next(lake.closed(TRAJECTORY_EVENTS).glob("**/*.parquet"))).read().to_pylist()
    assert f"| event | `{event['event_name']} at " in body
    assert "Keep the one in the lake" in body
    assert "Take the new one" in body


HOSTILE = (
    "![x](https://evil.example/a.png)",
    "<script>alert(1)</script>",
    "[here](javascript:alert(1)) https://evil.example",
    "`` ` | a | b |",
    "{{ ti.xcom_pull('x') }} {% raw %}",
    "# heading <!-- --> </td> @everyone",
    "a\u202eb\x07",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_a_file_are_shown_inert(text):
    shown = inert(text)

    assert shown[0] == shown[-1] == "`"
    assert not set("`|\\\n\x07\u202e") & set(shown[1:-1].replace("\\x", "").replace("\\u", ""))
    assert "`" not in shown[1:-1]
    assert inert("  ") == "empty"


def test_a_file_of_hostile_texts_ends_no_cell_and_no_line_of_the_question(lake, tmp_path):
    name = conflict_in(lake, tmp_path, kvn(), kvn(comments=[text.replace("\x07", "") for text in HOSTILE]))
    body = question_about(lake, name)["body"]

    for line in body.splitlines():
        outside = line.split("`")[::2]
        assert not any(word in part for part in outside for word in ("evil", "script", "{{", "<"))
        if line.startswith("|"):
            assert line.count("|") == 4


def test_the_same_conflict_found_again_asks_by_the_same_run_until_its_file_is_gone(in_conflict, tmp_path, monkeypatch):
    lake, name = in_conflict
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))
    outcomes = [again(lake, tmp_path, NEW) | {"quarantined": f"quarantine/{name}"} for _ in range(2)]
    (run,) = runs_of(outcomes)

    assert run["conf"] == {"file": name}
    assert runs_of(outcomes) == [run]
    os.utime(lake.quarantine / name, (1, 1))
    (anew,) = runs_of(outcomes)
    assert anew["trigger_run_id"] != run["trigger_run_id"]
    decide(lake, name, "take")
    assert runs_of(outcomes) == []


def job(lake: Lake, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, CHECKOUT / "jobs" / "ingest_oem.py", "--data", lake.root, *arguments],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_conflict_is_shown_and_settled_by_the_command(in_conflict):
    lake, name = in_conflict
    shown = job(lake, "--settle", name, "show")
    taken = job(lake, "--settle", str(lake.quarantine / name), "take")
    wrong = job(lake, "--settle", "nothing", "take")

    assert (shown.returncode, taken.returncode, wrong.returncode) == (0, 0, 1)
    assert f"`quarantine/{name}`" in shown.stdout
    assert json.loads(taken.stdout)["outcome"] == "taken"
    assert row(lake)["content_sha256"] == hashlib.sha256(NEW).hexdigest()
    assert wrong.stderr == "ingest_oem: quarantine/ holds no nothing with its reason\n"
    for arguments in (("--settle", name, "both"), ("--settle", name, "keep", "a.txt")):
        assert job(lake, *arguments).returncode == 2


def test_an_issue_created_at_another_fraction_of_the_second_is_taken_too(lake, tmp_path):
    name = conflict_in(lake, tmp_path, kvn(), kvn().replace(b"22:55:31.604", b"22:55:31.605"))
    decide(lake, name, "take")

    assert row(lake)["creation_date"].microsecond == 605_000
    states = pq.ParquetFile(next(lake.closed(STATE_VECTORS).glob("**/*.parquet"))).read()
    assert set(states.column("creation_date").to_pylist()) == {row(lake)["creation_date"]}


def test_only_the_conflicting_message_of_a_file_is_taken(lake, tmp_path):
    message = xml()[xml().index(b"<oem ") : xml().index(b"</ndm>")]
    other = message.replace(b"1998-067-A", b"2000-001-A")
    both = b"<ndm>\n" + other + message.replace(b"4482.28542", b"4482.5") + b"</ndm>"
    take(put(tmp_path / "held.xml", xml()), lake, SETTINGS)
    outcomes = ingest_source(put(tmp_path / "both.xml", both), lake, SETTINGS)
    assert [outcome["outcome"] for outcome in outcomes] == ["ingested", "conflict"]
    of_the_other = contents(lake.root, "raw/oem/2000-001A")
    settled = decide(lake, Path(outcomes[1]["quarantined"]).name, "take")

    assert [(outcome["outcome"], outcome["object_id"]) for outcome in settled] == [("taken", "1998-067A")]
    assert contents(lake.root, "raw/oem/2000-001A") == of_the_other
    shutil.rmtree(lake.root / "lake")
    assert [outcome["outcome"] for outcome in rebuild(lake)] == ["ingested", "ingested"]


def test_a_moment_is_written_in_utc(in_conflict):
    lake, name = in_conflict
    decide(lake, name, "keep", at=datetime(2026, 11, 20, 14, 0, tzinfo=timezone(timedelta(hours=2))))

    assert "2026-11-20T12:00:00+00:00" in (lake.quarantine / f"{name}.decision.json").read_text()
