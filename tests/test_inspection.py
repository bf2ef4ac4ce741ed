"""The inspection: what it prints is what lies there."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.conftest import CHECKOUT
from tests.page.conftest import FIX, NEWER, OLDER, publish_issue, rows_of
from tests.published import publish

from orbitlake.inspection import age, facts, gaps, holdings, size
from orbitlake.query import connect
from orbitlake.tables import POSITIONS, STATE_VECTORS


def put(lake, day, *, live=None):
    place = lake.day(POSITIONS, date(2026, 3, day))
    place = lake.live(POSITIONS) / place.parent.name / f"{live}.parquet" if live else place
    publish(
        rows_of(POSITIONS, [FIX | {"event_time": datetime(2026, 3, day, tzinfo=UTC)}]), POSITIONS, place, lake.staging
    )


def test_it_counts_what_lies_there_and_names_what_is_missing(lake):
    for day in (1, 4):
        put(lake, day)
    for minute in ("0000-0", "0001-0"):
        put(lake, 6, live=minute)
    for created in (OLDER, NEWER):
        publish_issue(lake, created)
    with connect(lake.root) as tables:
        said = dict(facts(lake, tables, datetime(2026, 3, 6, 0, 1, 30, tzinfo=UTC)))

    assert said["newest fix of 1998-067A (open_notify)"] == "2026-03-06 00:00:00 UTC, 1 min 30 s ago"
    assert said["newest issue of 1998-067A"].startswith("2026-03-04 09:30:00 UTC, 1 d 14 h ago, reaches to 2026-03-06")
    assert said["closed days"] == "2, 2026-03-01 to 2026-03-04"
    assert said["days still live"] == "2026-03-06"
    assert said["gaps in days"] == "2026-03-02 to 2026-03-03, 2026-03-05"
    live = holdings(lake.live(POSITIONS))
    assert (live.partitions, live.files, live.most_files, live.rows) == (1, 2, 2, 2)
    assert holdings(lake.closed(STATE_VECTORS)).rows == 722


def test_an_empty_root_is_printed_too(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins"), "ORBITLAKE_DATA": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "orbitlake.inspection"], env=environment, capture_output=True, text=True, check=True
    )

    assert "nothing there yet" in done.stdout
    assert not (tmp_path / "none").exists()


def test_names_from_data_are_printed_as_they_stand_and_steer_no_terminal(lake):
    fix = FIX | {"event_time": datetime(2026, 3, 1, tzinfo=UTC), "object_id": "[/red]X", "source": "a\x1b[2Jb\nc"}
    publish(rows_of(POSITIONS, [fix]), POSITIONS, lake.day(POSITIONS, date(2026, 3, 1)), lake.staging)
    environment = {
        **os.environ,
        "PYTHONPATH": str(CHECKOUT / "plugins"),
        "ORBITLAKE_DATA": str(lake.root),
        "COLUMNS": "200",
    }
    done = subprocess.run(
        [sys.executable, "-m", "orbitlake.inspection"], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert r"newest fix of [/red]X (a\x1b[2Jb\nc)" in done.stdout


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ([], []),
        ([1], []),
        ([1, 2, 3], []),
        ([1, 3], ["2026-03-02"]),
        ([1, 5], ["2026-03-02 to 2026-03-04"]),
    ],
)
def test_gaps_are_runs_of_missing_days(days, missing):
    assert gaps([date(2026, 3, day) for day in days]) == missing


def test_sizes_and_ages_are_written_as_people_read_them():
    assert [size(count) for count in (0, 1023, 1024, 1536 * 1024)] == ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]
    assert [age(timedelta(seconds=s)) for s in (0, 59, 3600, 90_061)] == ["0 s", "59 s", "1 h", "1 d 1 h"]
