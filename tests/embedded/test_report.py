"""What a demo ends with: whole columns within 120 signs, the story first, and a query that runs as printed."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.test_digits import DAY, closed_day, ingested

from orbitlake.embedded import report
from orbitlake.query import connect
from orbitlake.settings import CHECKOUT
from orbitlake.simulator.issues import newest_issue
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import station
from orbitlake.tables import TABLES
from orbitlake.trajectory.audit_tables import update_burn_history, update_trajectory


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory):
    """A closed day and an issue of the simulator with a burn."""
    from orbitlake.lake import Lake

    root = tmp_path_factory.mktemp("lake of a demo")
    issue = root / "issue.txt"
    now = np.datetime64("2026-11-27T20:00:00", "us")
    issue.write_bytes(write_issue(newest_issue(station(), now), OemFormat.KVN))
    lake = Lake(root)
    ingested(lake, str(issue))
    closed_day(lake)
    update_trajectory(lake)
    update_burn_history(lake)
    return lake


def test_each_table_is_shown_with_the_columns_that_matter_and_none_is_cut_out(lake, capsys):
    assert set(report.GLANCES) == set(TABLES)
    for heading, rows in report.glances(connect(lake.root)):
        rows.show(max_width=report.WIDTH, max_col_width=40)
        shown = capsys.readouterr().out

        assert "…" not in shown, heading
        assert "shown)" not in shown, heading
        assert max(map(len, shown.splitlines())) <= report.WIDTH


def test_the_story_names_the_closed_day_and_each_burn_with_its_date_and_size(lake):
    lines = list(report.headlines(connect(lake.root), DAY))
    (burns,) = connect(lake.root).sql("SELECT count(*) FROM thrust_episodes").fetchone()
    ((ignition, delta_v),) = connect(lake.root).sql("SELECT ignition_time, delta_v_m_s FROM thrust_episodes").fetchall()

    assert burns == 1
    assert lines[0].startswith(f"closed   {DAY}: 120 fixes in 10 minutes, 0.7% of the day")
    assert f"burns    {ignition:%Y-%m-%d %H:%M:%S} UTC, of {delta_v:.2f} m/s in " in lines[-1]


def test_where_to_look_names_the_page_and_what_is_not_watched():
    told = "\n".join(report.places(Path("/data"), "http://a", "http://s", "pw", ["ingest_oem"]))

    assert "http://a/plugin/position" in told
    assert "at work: ingest_oem" in told
    assert "watch_freshness is paused" in told


def test_the_query_that_is_printed_runs_as_printed(lake):
    done = subprocess.run(
        ["bash", "-c", report.command(lake.root)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "hemisphere_ns" in done.stdout
