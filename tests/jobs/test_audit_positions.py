"""jobs/audit_positions.py: the same tables in whatever order issues arrive and wherever a run is killed."""

import itertools
import json
import os
import runpy
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.trajectory.circles import file_of

from orbitlake.audit import filling
from orbitlake.lake import Lake, derived
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.tables import (
    AUDIT_TABLES,
    BURN_HISTORY,
    FEED_TABLES,
    OEM_ISSUES,
    POSITION_AUDIT,
    POSITIONS_FILLED,
    PREDICTION_ERROR,
    TRAJECTORY,
    Table,
)
from orbitlake.trajectory import audit_tables

CHECKOUT = Path(__file__).resolve().parents[2]
JOB = CHECKOUT / "jobs" / "audit_positions.py"
FILES = {
    "first": file_of(0, -2, 30, early_s=2.0, has_event=True),
    "second": file_of(12, 10, 40, early_s=1.0, has_event=True),
    "third": file_of(24, 22, 50),
}
# Runs the job, and ends the process as kill -9 does: before or after the rename of so many files.
KILLED = """
import os, runpy, signal, sys
from pathlib import Path

left, when = int(sys.argv.pop(1)), sys.argv.pop(1)
rename = Path.replace

def replace(source, target):
    global left
    left -= 1
    if left < 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    renamed = rename(source, target)
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return renamed

Path.replace = replace
sys.argv[0] = sys.argv.pop(1)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def ingest(lake: Lake, *names: str) -> None:
    """Ingest some of FILES."""
    for name in names:
        file = lake.root.parent / f"{name}.oem"
        file.write_bytes(FILES[name])
        (outcome,) = ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))
        assert outcome["outcome"] == "ingested", outcome


def run(lake: Lake, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(command or [str(JOB)]), "--data", str(lake.root)],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT / "plugins"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def audit(lake: Lake) -> dict[str, dict]:
    """Run the job; return its lines by table."""
    done = run(lake)
    assert (done.returncode, done.stderr) == (0, "")
    return {line["table"]: line for line in map(json.loads, done.stdout.splitlines())}


def contents(lake: Lake, *tables: Table) -> dict[str, bytes]:
    return {
        file.relative_to(lake.root).as_posix(): file.read_bytes()
        for table in tables or AUDIT_TABLES
        for file in sorted(lake.closed(table).rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the tables hold in the end."""
    lake = Lake(tmp_path_factory.mktemp("expected") / "data")
    ingest(lake, *FILES)
    audit(lake)
    return contents(lake)


def test_each_table_has_one_fixed_name_a_partition(expected):
    assert list(expected) == [
        *(f"lake/trajectory/object_id=1998-067A/date=2023-03-{day}/part-0.parquet" for day in (24, 25, 26)),
        *(
            f"lake/prediction_error/object_id=1998-067A/issue={issue}/part-0.parquet"
            for issue in ("20230325T060000Z", "20230325T180000Z")
        ),
        "lake/prediction_error_summary/object_id=1998-067A/part-0.parquet",
        "lake/prediction_bands/object_id=1998-067A/part-0.parquet",
        "lake/burn_history/object_id=1998-067A/part-0.parquet",
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(FILES)), ids=" ".join)
def test_any_order_of_arrival_gives_the_same_bytes(lake: Lake, order, expected):
    update = runpy.run_path(str(JOB))["main"]
    for name in order:
        ingest(lake, name)
        assert update(lake, everything=False) == 0

    assert contents(lake) == expected


def test_a_run_without_news_writes_nothing(lake: Lake):
    ingest(lake, *FILES)
    first, inodes = audit(lake), {}
    for table in AUDIT_TABLES:
        inodes |= {file: file.stat().st_ino for file in lake.closed(table).rglob("*")}

    again = audit(lake)

    assert first["trajectory"] == {
        "table": "trajectory",
        "written": 3,
        "unchanged": 0,
        "removed": 0,
        "rows_written": sum(pq.read_metadata(file).num_rows for file in lake.closed(TRAJECTORY).rglob("*.parquet")),
    }
    assert list(again) == [table.name for table in (*AUDIT_TABLES, *FEED_TABLES, POSITIONS_FILLED, POSITION_AUDIT)]
    assert {(line["written"], line["removed"], line["rows_written"]) for line in again.values()} == {(0, 0, 0)}
    assert {file: file.stat().st_ino for file in inodes} == inodes


def test_a_new_issue_touches_the_days_and_the_issues_that_it_bears_on(lake: Lake):
    ingest(lake, "first", "second")
    audit(lake)
    ingest(lake, "third")

    lines = audit(lake)

    assert (lines["trajectory"]["written"], lines["trajectory"]["unchanged"]) == (2, 1)
    assert (lines["prediction_error"]["written"], lines["prediction_error"]["unchanged"]) == (1, 1)


# Before one is after the one before.
@pytest.mark.parametrize(
    ("renames", "when"), [(0, "before"), (4, "before"), (6, "before"), *((n, "after") for n in (0, 1, 4, 6, 7, 8, 9))]
)
def test_a_run_killed_at_any_rename_and_run_again_gives_the_same_bytes(lake: Lake, renames, when, expected):
    ingest(lake, *FILES)
    killed = run(lake, "-c", KILLED, str(renames), when, str(JOB))
    assert killed.returncode == -9, killed.stderr

    left = contents(lake)
    assert left.items() <= expected.items()
    audit(lake)

    assert contents(lake) == expected


def test_new_rules_that_change_nothing_rewrite_nothing(lake: Lake, monkeypatch):
    ingest(lake, *FILES)
    audit(lake)
    monkeypatch.setattr(audit_tables, "source_digest", lambda _patterns: "other")

    published = audit_tables.update_trajectory(lake)

    assert (published.written, published.unchanged) == (0, 3)


def test_everything_is_made_again_where_it_is_asked_for_and_what_is_equal_stays(lake: Lake, expected):
    ingest(lake, *FILES)
    audit(lake)
    file = lake.object_day(TRAJECTORY, "1998-067A", date(2023, 3, 25))
    status = file.stat()
    other = file.read_bytes()[::-1]
    file.write_bytes(other)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert audit(lake)["trajectory"]["written"] == 0

    done = run(lake, str(JOB), "--everything")

    assert json.loads(done.stdout.splitlines()[0])["written"] == 1
    assert contents(lake) == expected


def test_the_rules_are_of_sources_that_are_there():
    for pattern in {*audit_tables.RULES, *filling.RULES}:
        assert list(derived.PACKAGE.glob(pattern)), pattern


def test_each_table_says_what_is_in_it(lake: Lake):
    ingest(lake, *FILES)
    audit(lake)

    for table in AUDIT_TABLES:
        for file in lake.closed(table).rglob("*.parquet"):
            schema = pq.read_schema(file)
            assert schema.equals(table.schema, check_metadata=True)
    (burns,) = lake.closed(BURN_HISTORY).rglob("*.parquet")
    assert pq.ParquetFile(burns).read().column("told_by").to_pylist() == ["EVENT"]
    for file in lake.closed(PREDICTION_ERROR).rglob("*.parquet"):
        assert set(pq.ParquetFile(file).read().column("burn_between").to_pylist()) == {False}


def test_a_lake_without_issues_has_no_tables_and_no_complaint(lake: Lake):
    assert {line["written"] for line in audit(lake).values()} == {0}
    assert contents(lake) == {}


def test_an_object_whose_id_names_none_is_left_out_by_name(lake: Lake):
    file = lake.root.parent / "unknown.oem"
    file.write_bytes(FILES["first"].replace(b"1998-067-A", b"UNKNOWN"))
    ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))

    done = run(lake)

    assert done.returncode == 0
    assert "'UNKNOWN' names no object" in done.stderr
    assert contents(lake) == {}


def test_files_of_another_version_end_the_run_with_a_word(lake: Lake):
    ingest(lake, "first")
    (segments,) = lake.closed(OEM_ISSUES).parent.glob("oem_segments/*/*/part-0.parquet")
    table = pq.read_table(segments)
    pq.write_table(table.replace_schema_metadata({"orbitlake.version": "1"}), segments)

    done = run(lake)

    assert done.returncode == 1
    assert done.stderr.startswith("audit_positions: ")
    assert "--rebuild" in done.stderr


def test_help_says_what_is_written():
    done = run(Lake(Path("unused")), str(JOB), "--help")

    assert done.returncode == 0
    for table in (*AUDIT_TABLES, POSITION_AUDIT):
        assert table.name in done.stdout
