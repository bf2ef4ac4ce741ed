"""jobs/export.py: what the lake holds and what a file holds come out as files that other programs read."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import ccsds_ndm
import pandas as pd
import pytest
from sgp4.api import Satrec
from tests.exports.flown import simulated
from tests.oem.sample_oem import kvn

from orbitlake.lake import Lake
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.simulator.nasa_layout import OemFormat

CHECKOUT = Path(__file__).resolve().parents[2]
JOB = CHECKOUT / "jobs" / "export.py"
OLDER = kvn()
"""The sample's issue, of 2023."""


def export(*arguments: str | Path, data: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, JOB, *map(str, arguments), "--data", str(data)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins")},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two issues: the simulator's, in XML, and an older one."""
    folder = tmp_path_factory.mktemp("exported")
    lake = Lake(folder / "data")
    for name, content in {"new.xml": simulated(OemFormat.XML), "old.txt": OLDER}.items():
        (folder / name).write_bytes(content)
        assert [each["outcome"] for each in ingest_source(str(folder / name), lake, from_environment({}))] == [
            "ingested"
        ]
    return lake.root


def test_newest_issue_of_the_lake_is_exported_word_for_word(data: Path, tmp_path: Path):
    (tmp_path / "new.xml.gz").write_bytes(gzip.compress(simulated(OemFormat.XML)))
    of_lake, of_file = export("oem", data=data), export("oem", tmp_path / "new.xml.gz", data=tmp_path)

    assert (of_lake.returncode, of_lake.stderr) == (0, b"")
    assert of_lake.stdout == of_file.stdout
    assert ccsds_ndm.from_str(of_lake.stdout.decode()).segments[0].metadata.object_name == "ISS"


def test_objects_without_an_id_are_told_apart_by_their_names(tmp_path: Path):
    lake = Lake(tmp_path / "data")
    for name in ("OBJECT A", "OBJECT B"):
        (tmp_path / name).write_bytes(kvn(metadata={"OBJECT_ID": "UNKNOWN", "OBJECT_NAME": name}))
        list(ingest_source(str(tmp_path / name), lake, from_environment({})))
    unnamed = export("oem", "--object-id", "UNKNOWN", data=lake.root)
    named = export("oem", "--object-id", "UNKNOWN", "--issue", "20230324T225531Z-OBJECT B", data=lake.root)

    assert b"issue must be one of 20230324T225531Z-OBJECT A, 20230324T225531Z-OBJECT B" in unnamed.stderr
    assert b"OBJECT_NAME          = OBJECT B" in named.stdout


@pytest.mark.parametrize("issue", ["20230324T225531Z", "2023-03-24T22:55:31"])
def test_issue_is_named_as_its_folder_is_or_by_its_creation_date(data: Path, issue: str):
    done = export("oem", "--issue", issue, data=data)

    assert done.stdout.startswith(b"CCSDS_OEM_VERS = 2.0\nCREATION_DATE  = 2023-03-24T22:55:31.604\n")


def test_elements_come_with_how_good_they_are(data: Path):
    tle, omm = export("tle", data=data), export("omm", "--xml", "--hours", "12", data=data)
    words = omm.stderr.decode().split()

    assert Satrec.twoline2rv(*tle.stdout.decode().splitlines()[1:]).satnum == 25544
    assert ccsds_ndm.from_str(omm.stdout.decode()).validate() is None
    assert b"SGP4 is off the ephemeris by" in tle.stderr
    assert f"SGP4 is off these positions by {words[6]} km (RMS)".encode() in omm.stdout


def test_file_goes_into_a_folder_under_its_own_name(data: Path, tmp_path: Path):
    done = export("czml", "--fixed", "--stop", "2026-11-21T00:00:00Z", "--to", tmp_path, data=data)
    (written,) = tmp_path.iterdir()

    assert (done.returncode, done.stdout, done.stderr.decode().strip()) == (0, b"", str(written))
    assert written.name.startswith("ISS_1998-067A_20261120T")
    assert written.suffix == ".czml"
    assert b'"referenceFrame":"FIXED"' in written.read_bytes()


def test_tables_and_queries_come_out_as_csv(data: Path, tmp_path: Path):
    table, query = export("csv", "oem_issues", data=data), export("csv", "SELECT 1 AS n, '' AS t", data=data)
    (tmp_path / "issues.csv").write_bytes(table.stdout)
    issues = pd.read_csv(tmp_path / "issues.csv")

    assert sorted(issues["creation_date"])[0] == "2023-03-24T22:55:31.604000Z"
    assert len(issues) == 2
    assert query.stdout == b'n,t\n1,""\n'


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("oem", "--issue", "20230324T225532Z"), "holds no issue 20230324T225532Z of 1998-067A"),
        (("oem", "--object-id", "2021-035A"), "holds no issue of 2021-035A"),
        (("oem", "/nowhere/file.oem"), "/nowhere/file.oem"),
        (("tle", "--issue", "20230324T225531Z"), "no 24 h of states about Earth without a burn"),
        (("czml", "--start", "2030-01-01"), "covers nothing of that span"),
        (("csv", "nothing_of_that_name"), "nothing_of_that_name"),
        (("csv", "CREATE TABLE t (n INT)"), "gives no rows"),
    ],
)
def test_what_cannot_be_exported_says_why_and_exits_1(data: Path, arguments: tuple[str, ...], reason: str):
    done = export(*arguments, data=data)

    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode().startswith(f"export {arguments[0]}: ")
    assert reason in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
