"""Many odd names of objects, files and folders: each source has an outcome; nothing is lost, doubled or waited for.

A hundred objects by default, five hundred where ORBITLAKE_SWEEP is set.
"""

import contextlib
import gzip
import hashlib
import json
import os
import random
import socket
from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from tests.oem.ingest.test_archive import ARRIVED
from tests.oem.ingest.test_ingest_job import run
from tests.oem.sample_oem import kvn, xml

from orbitlake.lake import Lake
from orbitlake.lake.paths import MOST_NAME_BYTES
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.query import connect

SEED: Final = 20_261_127
OBJECTS: Final = 500 if os.environ.get("ORBITLAKE_SWEEP") else 100
LONGEST_NAME: Final = 255
CHARACTERS: Final = "aZ09._+-~ /\\%#*?[]{}()'\"&<>=:;,|$!@^`\u00e9\u00df\u0301\u884b\u661f\U0001f6f0\u202e"
WORDS: Final = (
    *("..", ".", "_http", "_PRIV", ".hidden", "object_id=x", "issue=20230324T225531Z", "__HIVE_DEFAULT_PARTITION__"),
    *("part-0.parquet", "UNKNOWN", "N/A", "none", "NULL", "null", "-", "TBD", "00000", "-99", "25544", "007", "1.5"),
    *("1e5", "nan", "true", "2024-01-01", "1998-067A", "1998-067-B", "SL-16 R/B", "SAT.1(B)#2", "%2F", "%2e%2e", "a%"),
    *("../../etc/passwd", "/etc/passwd", "C:\\CON", "NUL", "~root", "$(reboot)", "`id`", "'; DROP TABLE x; --", "a b"),
)
FILE_NAMES: Final = (
    *(
        b"-rf",
        b"--data",
        b"--help",
        b"--rebuild",
        b"a\nb.txt",
        b"\xff\xfe.oem",
        b"caf\xe9.txt",
        b" ",
        b"  lead",
        b"tail ",
    ),
    *(b"%2F..%2F", b"..oem".lstrip(b".") + b"..", b"a\tb", b"\x01\x7f", b"*", b"?", b"[x]", b"{a,b}", b"$HOME", b"~"),
    *(b"http:", b"file:x", b"x" * LONGEST_NAME, "衛星".encode() * 42, b"'\"", b"part-0.parquet", b"CON", b"a|b;c&d"),
)


def object_ids(choice: random.Random) -> list[str]:
    """Ids of objects, each once: words that mean something to some program, then random ones, a few too long."""
    found = dict.fromkeys(WORDS)
    while len(found) < OBJECTS:
        length = choice.choice([1, 2, 3, 5, 8, 13, 21, 34, 300])
        text = "".join(choice.choices(CHARACTERS, k=length)).strip()
        if text and text.split() == text.split(" "):
            found[text] = None
    return list(found)


def file_name(choice: random.Random, number: int) -> bytes:
    """A name of a file that is not hidden, the odd ones first."""
    if number < len(FILE_NAMES):
        return FILE_NAMES[number]
    length = choice.choice([1, 4, 16, 60, LONGEST_NAME - 8])
    name = bytes(choice.choice([*range(1, 47), *range(48, 256)]) for _ in range(length))
    return (name.lstrip(b".") or b"x") + b"%d" % number


class Sweep:
    """What was dropped into the inbox: regular files with their bytes, and everything else."""

    def __init__(self, lake: Lake, choice: random.Random) -> None:
        self.lake = lake
        self.files: dict[str, bytes] = {}
        self.others: set[str] = set()
        self.issues: set[tuple[str, str]] = set()
        self._choice = choice
        self._number = 0
        self._folders = [lake.inbox_oem]
        lake.inbox_oem.mkdir(parents=True)

    def place(self, name: bytes | None = None) -> Path:
        """A path in some folder of the inbox that nothing has yet, in a new folder at times."""
        if self._choice.random() < 0.15:
            end = os.fsdecode(self._choice.choice([b"x", b"\xe9", b"\n"]))
            self._folders.append(self.lake.inbox_oem / f"d{len(self._folders)} {end}")
            self._folders[-1].mkdir()
        if name is None:
            name = file_name(self._choice, self._number)
            self._number += 1
        return self._choice.choice(self._folders) / os.fsdecode(name)

    def drop(self, content: bytes) -> None:
        path = self.place()
        path.write_bytes(content)
        self.files[str(path)] = content

    def drop_others(self) -> None:
        """Links, loops, a pipe, a socket, and what is hidden; a link to a file is a file."""
        outside = self.lake.root.parent / "outside"
        outside.mkdir()
        (linked := outside / "linked.oem").write_bytes(kvn(metadata={"OBJECT_ID": "LINKED", "OBJECT_NAME": "A"}))
        self.issues.add(("LINKED", "A"))
        (link := self.place(b"link to a file")).symlink_to(linked)
        self.files[str(link)] = linked.read_bytes()
        targets = {"link to a folder": outside, "dangling": outside / "nothing", "loop": "loop", "loop of folders": "."}
        for name, target in targets.items():
            (path := self.place(name.encode())).symlink_to(target)
            self.others.add(str(path))
        os.mkfifo(path := self.place(b"pipe"))
        self.others.add(str(path))
        with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(self.lake.inbox_oem):
            listening.bind("socket")  # the address of a socket is shorter than a path may be
        self.others.add(str(self.lake.inbox_oem / "socket"))
        self.place(b".hidden.oem").write_bytes(linked.read_bytes())

    def settle(self) -> None:
        """Let everything be old enough not to be a copy in progress."""
        for path in self.lake.inbox_oem.rglob("*"):
            os.utime(path, (ARRIVED, ARRIVED), follow_symlinks=False)

    def raw(self) -> list[bytes]:
        """What lies in raw, unpacked."""
        return [gzip.decompress(file.read_bytes()) for file in self.lake.raw_oem_root.glob("*/*.gz")]

    def quarantined(self) -> list[bytes]:
        """What lies in quarantine with a reason beside it."""
        notes = [note for note in self.lake.quarantine.glob("*.reason.json") if json.loads(note.read_bytes())["reason"]]
        return [note.with_name(note.name.removesuffix(".reason.json")).read_bytes() for note in notes]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Sweep:
    choice = random.Random(SEED)
    sweep = Sweep(Lake(tmp_path_factory.mktemp("sweep") / "data"), choice)
    for object_id in object_ids(choice):
        object_name = choice.choice(["A", "B/b", "_c", "\u00e9"])
        metadata = {"OBJECT_ID": object_id, "OBJECT_NAME": object_name}
        if (object_id + object_name).isascii() and choice.random() < 0.5:
            contents = [kvn(metadata=dict(metadata))]
        else:
            contents = [xml(metadata={key: escape(value) for key, value in metadata.items()})]
        if choice.random() < 0.2:
            contents *= 2
        for content in contents:
            sweep.drop(content)
        sweep.issues.add((object_id, object_name))
    for content in (b"", b"no OEM", b"\0" * 100, b"<ndm/>", b"\x1f\x8bnot gzip", kvn()[:300]):
        sweep.drop(content)
    sweep.drop_others()
    sweep.settle()
    return sweep


def name_of(sweep: Sweep, object_id: str) -> tuple[str, str]:
    """An object's id with the name that its file gives."""
    (name,) = {name for other, name in sweep.issues if other in (object_id, object_id.replace("067B", "067-B"))}
    return object_id, name


def test_a_sweep_of_names_leaves_nothing_without_a_word(sweep):
    status, outcomes, error = run(sweep.lake, str(sweep.lake.inbox_oem))
    labels = {outcome["source"]: outcome["outcome"] for outcome in outcomes}
    accepted = [outcome for outcome in outcomes if outcome["outcome"] == "ingested"]

    assert (status, error) == (1, "")
    assert len(labels) == len(outcomes)
    assert set(labels) == set(sweep.files) | sweep.others
    assert all(outcome["reason"] for outcome in outcomes if outcome["outcome"] in ("rejected", "conflict"))
    assert {labels[source] for source in sweep.others} == {"rejected"}
    taken_in = {sweep.files[source] for source, label in labels.items() if label in ("ingested", "unchanged")}
    refused = [sweep.files[source] for source, label in labels.items() if label == "rejected" and source in sweep.files]
    assert sorted(sweep.raw()) == sorted(taken_in)
    assert sorted(sweep.quarantined()) == sorted(refused)
    left = {str(path) for path in sweep.lake.inbox_oem.rglob("[!.]*") if path.is_symlink() or not path.is_dir()}
    assert left == sweep.others
    # Each object that was taken in is there once, under the very id that its file gives.
    identities = [(outcome["object_id"], outcome.get("object_name")) for outcome in accepted]
    assert len(set(identities)) == len(identities)
    # An id is refused for its length alone: its name as a folder's has a bound.
    given = {"1998-067B" if object_id == "1998-067-B" else object_id for object_id, _ in sweep.issues}
    long = {object_id for object_id in given if len(quote(object_id, safe="")) > MOST_NAME_BYTES}
    found = {object_id for object_id, _ in identities}
    assert given - long <= found <= given
    assert 0 < len(given - found) <= len(long)
    rows = connect(sweep.lake.root).sql("SELECT object_id, object_name FROM oem_issues").fetchall()
    assert Counter(rows) == Counter((name_of(sweep, object_id)) for object_id in found)
    assert {outcome["object_id"] for outcome in accepted if "object_name" in outcome} == {
        object_id for object_id in found if names_no_object(object_id)
    }


def test_the_next_run_says_the_same_of_what_is_left_and_changes_nothing(sweep):
    def fingerprint() -> dict[str, str]:
        files = [path for top in ("lake", "raw", "quarantine") for path in (sweep.lake.root / top).rglob("*")]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}

    before = fingerprint()
    _, outcomes, error = run(sweep.lake, str(sweep.lake.inbox_oem))

    assert error == ""
    assert {outcome["source"]: outcome["outcome"] for outcome in outcomes} == dict.fromkeys(sweep.others, "rejected")
    assert fingerprint() == before
