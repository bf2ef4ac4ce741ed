"""An <ndm> of several OEM: each is an issue with an outcome of its own, and the file stays whole with each of them."""

import gzip
import json
import shutil
from contextlib import suppress

import pytest
from tests.oem.ingest.test_archive import RENAMES, SETTINGS, Killed, contents, delivery, dies_after, put, quarantined
from tests.oem.sample_oem import STATES, kvn, xml

from orbitlake.lake import Lake
from orbitlake.oem import read_all
from orbitlake.oem.ingest.archive import archive_issue
from orbitlake.oem.ingest.outcome import RefusedError
from orbitlake.oem.ingest.raw_files import Receipt
from orbitlake.oem.ingest.rebuild import rebuild
from orbitlake.oem.ingest.steps import archive, check, ingest_source, tabulate
from orbitlake.oem.reader.read import issues_in
from orbitlake.query import connect

MOVED = (STATES[0].replace("4482", "4492"), *STATES[1:])


def oem(object_id: str, *, second: str = "31", **options: object) -> bytes:
    """One <oem> element of an object, created at a second of its own."""
    text = xml(metadata={"OBJECT_ID": object_id}, **options).replace(b"22:55:31", f"22:55:{second}".encode())
    return text[text.index(b"<oem") : text.index(b"</ndm>")]


def ndm(*messages: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<ndm>\n' + b"".join(messages) + b"</ndm>\n"


BROKEN = oem("1998-067-C").replace(b"4482.28542", b"4482.2x542")
SUNKEN = oem("1998-067-D").replace(b">Earth<", b">Jupiter<")


def labels(outcomes: list) -> list[tuple[str, str | None]]:
    return [(outcome["outcome"], outcome["object_id"]) for outcome in outcomes]


def test_each_message_is_an_issue_and_each_again_unchanged(lake, tmp_path):
    content = ndm(oem("1998-067-A"), oem("1998-067-B", states=MOVED), oem("1998-067-A", second="32"))
    source = put(tmp_path / "several.xml", content)
    first, again = (ingest_source(source, lake, SETTINGS) for _ in range(2))

    assert labels(first) == [("ingested", "1998-067A"), ("ingested", "1998-067B"), ("ingested", "1998-067A")]
    assert {outcome["source"] for outcome in first} == {source}
    assert [outcome["outcome"] for outcome in again] == ["unchanged"] * 3
    raw = sorted(lake.raw_oem_root.glob("*/*.gz"))
    assert [gzip.decompress(file.read_bytes()) for file in raw] == [content] * 3
    assert connect(lake.root).sql(
        "SELECT object_id, min(x_km) FROM state_vectors GROUP BY 1 ORDER BY 1"
    ).fetchall() == [
        ("1998-067A", 4482.28542),
        ("1998-067B", 4492.28542),
    ]


def test_one_that_is_refused_holds_up_no_other_and_the_bytes_are_kept_once(lake, tmp_path):
    ingest_source(put(tmp_path / "held.txt", kvn(metadata={"OBJECT_ID": "1998-067-B"})), lake, SETTINGS)
    content = ndm(BROKEN, oem("1998-067-A"), oem("1998-067-B", states=MOVED), SUNKEN, oem("1998-067-E"))
    source = put(lake.inbox_oem / "several.xml", content)
    outcomes = ingest_source(source, lake, SETTINGS)

    assert labels(outcomes) == [
        ("rejected", None),
        ("ingested", "1998-067A"),
        ("conflict", "1998-067B"),
        ("rejected", "1998-067D"),
        ("ingested", "1998-067E"),
    ]
    ((reason, kept),) = quarantined(lake).items()
    assert kept == content
    assert all(outcome["reason"] in reason for outcome in outcomes if outcome["reason"])
    assert not list(lake.inbox_oem.iterdir())


def test_a_file_that_is_no_xml_at_all_has_one_outcome(lake, tmp_path):
    (outcome,) = ingest_source(
        put(tmp_path / "cut.xml", ndm(oem("1998-067-A"), oem("1998-067-B"))[:-20]), lake, SETTINGS
    )

    assert outcome["outcome"] == "rejected"


@pytest.mark.parametrize("order", [1, -1])
def test_two_messages_of_one_identity_are_one_issue_and_a_conflict(lake, tmp_path, order):
    twins = [oem("1998-067-A"), oem("1998-067-A", states=MOVED)][::order]
    source = put(tmp_path / "twins.xml", ndm(*twins))
    steps_of_a_dag = archive(delivery(source, other := Lake(tmp_path / "other")), other)
    first, again = (ingest_source(source, lake, SETTINGS) for _ in range(2))
    tables = contents(lake.root, "lake", "raw")
    rebuilt = list(rebuild(lake))

    assert [outcome["outcome"] for outcome in first] == ["ingested", "conflict"]
    assert [each["outcome"]["outcome"] for each in steps_of_a_dag] == ["ingested", "conflict"]
    assert [outcome["outcome"] for outcome in again] == ["unchanged", "conflict"]
    assert [outcome["outcome"] for outcome in rebuilt] == ["ingested"]
    assert contents(lake.root, "lake", "raw") == tables
    (x_km,) = connect(lake.root).sql("SELECT min(x_km) FROM state_vectors").fetchone()
    assert x_km == (4482.28542 if order == 1 else 4492.28542)


def test_the_first_of_two_messages_of_one_identity_is_the_issue_also_where_only_its_raw_file_is_left(lake, tmp_path):
    content = ndm(oem("1998-067-A"), oem("1998-067-A", states=MOVED))
    ingest_source(put(tmp_path / "twins.xml", content), lake, SETTINGS)
    shutil.rmtree(lake.root / "lake")
    _, second = issues_in(content, "twins.xml")
    receipt = Receipt(source_url=None, retrieved_at=None, message=1)

    with pytest.raises(RefusedError, match="another x_km"):
        archive_issue(second, "twins.xml", content, receipt, lake, publish_at_once=True)
    (x_km,) = connect(lake.root).sql("SELECT min(x_km) FROM state_vectors").fetchone()
    assert x_km == 4482.28542


def test_reading_raw_again_finds_the_right_message(lake, tmp_path):
    ingest_source(put(tmp_path / "held.txt", kvn()), lake, SETTINGS)
    twins = ndm(BROKEN, oem("1998-067-A", states=MOVED), oem("1998-067-A"), oem("1998-067-B", states=MOVED))
    outcomes = ingest_source(put(tmp_path / "twins.xml", twins), lake, SETTINGS)
    tables = contents(lake.root, "lake")
    shutil.rmtree(lake.root / "lake")
    # The file that came first is gone: the message that agreed with it is the issue now.
    for first in lake.raw_oem("1998-067A").glob("*.txt*"):
        first.unlink()
    rebuilt = list(rebuild(lake))

    assert [outcome["outcome"] for outcome in outcomes] == ["rejected", "conflict", "unchanged", "ingested"]
    assert labels(rebuilt) == [("ingested", "1998-067A"), ("ingested", "1998-067B")]
    name = "lake/state_vectors/object_id=1998-067{}/issue=20230324T225531Z/part-0.parquet"
    for letter in "AB":
        assert (lake.root / name.format(letter)).read_bytes() == tables[name.format(letter)]


def test_the_steps_of_a_dag_do_what_one_ingestion_does(lake, tmp_path):
    source = put(tmp_path / "several.xml", ndm(oem("1998-067-A"), BROKEN, oem("1998-067-B")))
    together = Lake(tmp_path / "together")
    at_once = ingest_source(source, together, SETTINGS)
    archived = json.loads(json.dumps(archive(delivery(source, lake), lake)))
    outcomes = [tabulate(each, lake) for each in archived]

    assert outcomes == at_once
    assert contents(lake.root) == contents(together.root)
    assert [check(outcome, lake)["object_id"] for outcome in outcomes if not outcome["reason"]] == [
        "1998-067A",
        "1998-067B",
    ]


@pytest.mark.parametrize("renames", range(0, 2 * RENAMES + 1, 4))
def test_a_kill_between_two_messages_is_made_good_by_the_same_delivery(lake, tmp_path, monkeypatch, renames):
    content = ndm(oem("1998-067-A"), oem("1998-067-B"))
    reference = Lake(tmp_path / "reference")
    ingest_source(put(reference.inbox_oem / "two.xml", content), reference, SETTINGS)
    source = put(lake.inbox_oem / "two.xml", content)

    with monkeypatch.context() as patch, suppress(Killed):
        dies_after(patch, renames)
        ingest_source(source, lake, SETTINGS)
        assert renames == 2 * RENAMES
    ingest_source(source, lake, SETTINGS)

    assert contents(lake.root, "lake", "raw", "inbox") == contents(reference.root, "lake", "raw", "inbox")


def test_the_reader_and_the_lake_count_alike(lake, tmp_path):
    source = put(tmp_path / "several.xml", ndm(oem("1998-067-A"), oem("1998-067-B")))

    assert [issue.object_id for issue in read_all(source)] == [
        each["object_id"] for each in ingest_source(source, lake, SETTINGS)
    ]
