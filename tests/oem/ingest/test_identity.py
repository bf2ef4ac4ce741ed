"""Which object an issue is of: ids that say nothing, and folders whose names decode to the very id in any reader."""

import urllib.parse
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from tests.oem.sample_oem import STATES, kvn, xml

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.paths import folder_name, issue_folder, issue_name
from orbitlake.lake.session import open_session
from orbitlake.oem.ingest.identity import names_no_object
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.page.newest import newest_issue
from orbitlake.query import connect, files
from orbitlake.settings import from_environment
from orbitlake.tables import OEM_TABLES

SETTINGS = from_environment({})
CREATED = datetime(2023, 3, 24, 22, 55, 31, tzinfo=UTC)
MOVED = (STATES[0].replace("4482", "4492"), *STATES[1:])
PLAIN = ("1998-067A", "T-1", "2010-LRO", "25544", "00123", "-99", "3D_SAT+x.1", "0000-000A")
ODD = (
    *("N/A", "SL-16 R/B", "SAT.1(B)#2", "_PRIV", ".hidden", "..", "_http", "object_id=x", "null", "NULL", "100%"),
    *("a%2Fb", "a+b", "a b", "*?[x]{a,b}", "it's", 'say "x"', "$(id)", "a\\b", "a:b", "~", "1.5", "2024-01-01", "-"),
)
NOT_ASCII = ("Ñandú", "N\u0303andu\u0301", "衛星 1", "🛰")
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def put(lake: Lake, number: int, object_id: str, object_name: str = "A") -> None:
    """Ingest an issue; from XML where the id is more than a line of ASCII holds."""
    metadata = {"OBJECT_ID": object_id, "OBJECT_NAME": object_name}
    escaped = {key: value.replace("&", "&amp;").replace("<", "&lt;") for key, value in metadata.items()}
    content = kvn(metadata=dict(metadata)) if object_id.isascii() else xml(metadata=escaped)
    path = lake.inbox_oem / str(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    ((outcome),) = ingest_source(str(path), lake, SETTINGS)
    assert (outcome["outcome"], outcome["object_id"]) == ("ingested", object_id)


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Lake:
    """A lake of objects of every kind of id, one issue each."""
    lake = Lake(tmp_path_factory.mktemp("filled"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orbitlake.oem.ingest.inbox.UNCHANGED_FOR_S", 0)
        for number, object_id in enumerate((*PLAIN, *ODD, *NOT_ASCII, HIVE_NULL)):
            put(lake, number, object_id)
    return lake


@pytest.mark.parametrize(
    "object_id",
    [
        *("UNKNOWN", "Unknown", "N/A", "n.a.", "NA", "None", "UNDISCLOSED", "TBD", "T.B.D.", "-", "--", "?", "***"),
        *("not available", "NOT_ASSIGNED", "to be determined", "0", "00000", "NULL", "(unknown)", "undefined"),
    ],
)
def test_an_id_that_says_nothing_is_known_as_such(object_id):
    assert names_no_object(object_id)


@pytest.mark.parametrize("object_id", ["1998-067A", "25544", "-99", "NA-1", "NAVSTAR", "T-10", "SAT 0", "é", "衛星"])
def test_an_id_that_says_something_is_one(object_id):
    assert not names_no_object(object_id)


def test_names_of_folders_encode_and_no_two_values_share_one():
    values = (*PLAIN, *ODD, *NOT_ASCII, HIVE_NULL, "A", "%41", "%2541", "é", "\n", "a\0b")
    names = [folder_name(value) for value in values]

    assert len(set(names)) == len(values)
    assert [urllib.parse.unquote(name) for name in names] == list(values)
    assert all(name.isascii() and name[0] not in "._" and "/" not in name for name in names)
    assert [folder_name(value) for value in PLAIN] == list(PLAIN)
    assert [folder_name(value) for value in ("N/A", "_http", "..", "null")] == ["N%2FA", "%5Fhttp", "%2E.", "%6Eull"]
    assert issue_folder(issue_name(CREATED, "_SL-16 R/B")) == "20230324T225531Z-%5FSL-16%20R%2FB"


@pytest.mark.parametrize("value", ["", "x" * 201, "é" * 34])
def test_a_value_that_no_folder_can_have_is_refused(value):
    with pytest.raises(LakeError, match="cannot name a folder"):
        folder_name(value)


def test_two_objects_without_an_id_are_two_issues_and_each_again_is_unchanged(lake, tmp_path):
    outcomes = {}
    for name, states in (("A", STATES), ("B_/ b", MOVED)):
        path = tmp_path / f"{len(name)}.oem"
        path.write_bytes(kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": name}, states=states))
        outcomes[name] = [ingest_source(str(path), lake, SETTINGS)[0] for _ in range(2)]
    path.write_bytes(kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": "B_/ b"}, states=STATES))
    (other,) = ingest_source(str(path), lake, SETTINGS)

    assert [[each["outcome"] for each in pair] for pair in outcomes.values()] == [["ingested", "unchanged"]] * 2
    assert [pair[0]["object_name"] for pair in outcomes.values()] == ["A", "B_/ b"]
    assert other["outcome"] == "conflict"
    for table in OEM_TABLES:
        assert sorted(folder.name for folder in lake.closed(table).glob("object_id=UNKNOWN/*")) == [
            "issue=20230324T225531Z-A",
            "issue=20230324T225531Z-B_%2F%20b",
        ]
    assert sorted(raw.name[:17] for raw in lake.raw_oem("UNKNOWN").glob("*.gz")) == ["20230324T225531Z-"] * 2
    joined = (
        "SELECT issue, object_name, min(x_km) FROM oem_issues JOIN state_vectors USING (object_id, issue) GROUP BY ALL"
    )
    assert sorted(connect(lake.root).sql(joined).fetchall()) == [
        ("20230324T225531Z-A", "A", 4482.28542),
        ("20230324T225531Z-B_/ b", "B_/ b", 4492.28542),
    ]
    newest = newest_issue(lake, "UNKNOWN")
    assert newest == "20230324T225531Z-B_/ b"
    assert connect(lake.root, issue=newest).sql("SELECT object_name FROM oem_issues").fetchall() == [("B_/ b",)]


def test_another_name_of_an_object_with_an_id_is_a_conflict(lake, tmp_path):
    outcomes = []
    for name in ("A", "B"):
        (tmp_path / name).write_bytes(kvn(metadata={"OBJECT_NAME": name}))
        outcomes += ingest_source(str(tmp_path / name), lake, SETTINGS)

    assert [outcome["outcome"] for outcome in outcomes] == ["ingested", "conflict"]
    assert "another object_name" in outcomes[1]["reason"]
    assert "object_name" not in outcomes[0]


@pytest.mark.parametrize("table", [table.name for table in OEM_TABLES])
def test_views_show_each_id_as_it_was_written(filled, table):
    everyone = {*PLAIN, *ODD, *NOT_ASCII, HIVE_NULL}
    has_rows = table not in ("trajectory_events", "thrust_episodes", "oem_covariances")
    connection = connect(filled.root)
    found = {value for (value,) in connection.sql(f"SELECT DISTINCT object_id FROM {table}").fetchall()}

    assert found == (everyone if has_rows else set())
    for object_id in everyone if has_rows else ():
        count = f"SELECT count(DISTINCT creation_date) FROM {table} WHERE object_id = ?"
        assert connection.execute(count, [object_id]).fetchone() == (1,)


def ids(frame: pd.DataFrame) -> set[str]:
    return set(frame["object_id"].astype(object))


def folder(filled: Lake, tmp_path: Path, *left_out: str) -> str:
    """The folder of state_vectors, without some objects."""
    copy = tmp_path / "state_vectors"
    copy.mkdir()
    for each in (filled.root / "lake" / "state_vectors").iterdir():
        if urllib.parse.unquote(each.name.removeprefix("object_id=")) not in left_out:
            (copy / each.name).symlink_to(each)
    return str(copy)


def test_pandas_reads_each_id_from_the_files_and_from_the_folder(filled, tmp_path):
    everyone = {*PLAIN, *ODD, *NOT_ASCII}
    found = files("state_vectors", filled.root)

    assert ids(pd.read_parquet(found, partitioning=None)) == {*everyone, HIVE_NULL}
    # The word that Hive writes for null is null to whoever reads the folders' names.
    below = pd.read_parquet(folder(filled, tmp_path, HIVE_NULL))
    assert ids(below) == everyone
    assert set(below["issue"]) >= {"20230324T225531Z", "20230324T225531Z-A"}


def test_arrow_datasets_read_each_id_from_the_files(filled):
    rows = ds.dataset(files("state_vectors", filled.root)).to_table(columns=["object_id"])

    assert set(rows.column("object_id").to_pylist()) == {*PLAIN, *ODD, *NOT_ASCII, HIVE_NULL}


def test_polars_reads_each_id_from_the_files_and_from_the_folder(filled, tmp_path):
    everyone = {*PLAIN, *ODD, *NOT_ASCII}
    below = pl.scan_parquet(folder(filled, tmp_path, HIVE_NULL), try_parse_hive_dates=False)

    assert set(pl.read_parquet(files("state_vectors", filled.root))["object_id"]) == {*everyone, HIVE_NULL}
    assert set(below.select("object_id").collect()["object_id"]) == everyone
    assert {each: below.filter(pl.col("object_id") == each).collect().height for each in everyone} == dict.fromkeys(
        everyone, 3
    )


@pytest.mark.spark
def test_spark_reads_each_id_from_the_files_and_from_the_folder(filled, tmp_path):
    ascii_ids = {*PLAIN, *ODD, HIVE_NULL}
    with open_session("ids", spark_ui_enabled="false") as spark:
        from_files = spark.read.parquet(*files("state_vectors", filled.root)).select("object_id").distinct()
        assert {row[0] for row in from_files.collect()} == {*ascii_ids, *NOT_ASCII}
        # Spark decodes the names of folders as Latin-1.
        below = spark.read.parquet(folder(filled, tmp_path, *NOT_ASCII))
        assert {row[0] for row in below.select("object_id").distinct().collect()} == ascii_ids
        assert below.where("object_id = '00123'").count() == 3


def test_ids_of_digits_alone_are_read_from_the_files_as_they_are(lake, monkeypatch):
    monkeypatch.setattr("orbitlake.oem.ingest.inbox.UNCHANGED_FOR_S", 0)
    digits = {"25544", "00123", "-99"}
    for number, object_id in enumerate(sorted(digits)):
        put(lake, number, object_id)
    found = files("state_vectors", lake.root)

    assert ids(pd.read_parquet(found, partitioning=None)) == digits
    assert set(pl.read_parquet(found)["object_id"]) == digits
    assert {value for (value,) in connect(lake.root).sql("SELECT object_id FROM state_vectors").fetchall()} == digits
