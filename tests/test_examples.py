"""The notebooks of `examples/` run from top to bottom, and what they print is what the tables hold."""

import os
from pathlib import Path

import nbformat
import pytest
from tools.notebooks import executed

from orbitlake.query import Connection, connect
from orbitlake.settings import CHECKOUT

NOTEBOOK = CHECKOUT / "examples" / "iss_ephemeris.ipynb"
MOST_BYTES = 300_000


def printed(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """What each cell of code prints, by the cell's id."""
    return {
        cell.id: "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Connection]:
    """What the notebook prints in a run, and the tables that it made."""
    folder = tmp_path_factory.mktemp("examples")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ORBITLAKE_")]:
            patch.delenv(name)
        patch.setenv("TMPDIR", str(folder))
        shown = printed(executed(NOTEBOOK))
    (data,) = folder.glob("orbitlake-example-*/data")
    return shown, connect(data)


def test_the_notebook_is_small_and_holds_the_pictures_of_a_whole_run():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    pictures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)

    nbformat.validate(notebook)
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert pictures >= 5
    assert not any(str(Path.home()) in str(cell) or "orbitlake-example-" in str(cell.get("outputs")) for cell in code)


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_what_the_notebook_holds_is_what_a_run_prints(run):
    assert printed(nbformat.read(NOTEBOOK, as_version=4)) == run[0]


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_what_it_prints_of_the_ephemeris_is_what_the_tables_hold(run):
    shown, tables = run
    (states,) = tables.sql("SELECT count(*) FROM state_vectors").fetchone()
    burns = tables.sql("SELECT duration_s, delta_v_m_s, event_names[1] FROM thrust_episodes").fetchall()
    lowest, highest = tables.sql("SELECT min(altitude_km), max(altitude_km) FROM state_vectors").fetchone()
    steps = tables.sql("SELECT round(step_s, 3), count(*) FROM state_vectors WHERE step_s > 0 GROUP BY 1").fetchall()
    episodes = tables.sql("SELECT thrust_episode, count(*) FROM state_vectors GROUP BY 1 ORDER BY 1").fetchall()
    events = tables.sql("SELECT event_name FROM trajectory_events").fetchall()

    assert f"ingested, {states:,} states, {len(burns)} burn(s)" in shown["ingest"]
    assert [line.split() for line in shown["steps"].splitlines()[1:]] == [
        [f"{step:.3f}", str(count)] for step, count in sorted(steps)
    ]
    assert [line.split()[:2] for line in shown["episodes"].splitlines()[2:]] == [
        [str(number), str(rows)] for number, rows in episodes
    ]
    for duration_s, delta_v_m_s, event in burns:
        assert event in shown["burns"]
        assert f"{duration_s:.3f} s, {delta_v_m_s:.2f} m/s" in shown["burns"]
    assert all(event in shown["comments"] for (event,) in events)
    assert shown["altitude"].startswith(f"altitude from {lowest:.1f} to {highest:.1f} km")


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_what_it_prints_of_the_fixes_is_what_the_tables_hold(run):
    shown, tables = run
    fixes, slowest, fastest, paris = tables.sql(
        "SELECT count(*), min(velocity_km_s), max(velocity_km_s), min(distance_to_paris_km) FROM positions"
    ).fetchone()
    minutes, calm, swift = tables.sql(
        "SELECT count(*), min(ground_speed_km_s), max(ground_speed_km_s) FROM window_stats"
    ).fetchone()

    assert f"2026-11-21: {fixes:,} fixes in {minutes:,} minutes" in shown["fixes"]
    assert f"from {slowest:.2f} to {fastest:.2f} km/s" in shown["fixes"]
    assert f"nearest to Paris: {paris:.0f} km" in shown["fixes"]
    assert f"from {calm:.2f} to {swift:.2f} km/s" in shown["speed"]
