"""Every reader of Parquet that is installed reads every table: live files, closed days, issues.

Those of this environment are tried; ORBITLAKE_READERS_PYTHON names the Python of another one, with more of them.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from tests.audit.patterns import line, put
from tests.conftest import CHECKOUT
from tests.jobs.test_audit_positions import FILES, ingest
from tests.page.conftest import NEWER, publish_issue
from tests.positions.published import derived, put_closed, stream_in
from tests.positions.samples import orbit

from orbitlake import audit
from orbitlake.passes import Places, Point, Site, update_approaches, update_passes
from orbitlake.query import files
from orbitlake.tables import AUDIT_TABLES, FEED_TABLES, PLACE_TABLES, POSITION_TABLES, POSITIONS_FILLED, TABLES
from orbitlake.trajectory.audit_tables import update_burn_history, update_prediction_error, update_trajectory

CLOSED = date(2025, 12, 21)
HERE = ("pandas", "pyarrow", "polars", "duckdb", "pyspark")
"""Readers of the requirements: they must be there."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    """A day closed twice, of steady steps; live files, each replaced; an issue; and what follows from issues."""
    from orbitlake.lake import Lake

    folder = tmp_path_factory.mktemp("readers")
    lake = Lake(folder / "data")
    for until in (43_100, 43_200):
        for table, rows in derived(orbit(range(0, until, 5))).items():
            put_closed(lake, table, CLOSED, rows)
    for poll in range(0, 180, 5):
        stream_in(lake, orbit([86_400 + poll]))
    publish_issue(lake, NEWER)
    polled = datetime.combine(CLOSED, time(12), UTC)
    polls = b"".join(line(polled + timedelta(seconds=second)) for second in (0, 5, 10, 15, 60, 65))
    put(lake, {f"date={CLOSED}/20251221T120000.000000Z-c0ffee00.jsonl": polls})
    audit.update(lake, "1998-067A", polled + timedelta(minutes=5))
    circles = Lake(folder / "circles")
    ingest(circles, *FILES)
    for update in (update_trajectory, update_prediction_error, update_burn_history):
        update(circles)
    begin = datetime(2023, 3, 24, 19, tzinfo=UTC)
    polls = b"".join(line(begin + timedelta(seconds=second)) for second in (0, 5, 10, 15, 60, 65))
    put(circles, {f"date={begin.date()}/20230324T190000.000000Z-c0ffee00.jsonl": polls})
    audit.update(circles, "1998-067A", begin + timedelta(seconds=65))
    audit.fill(circles)
    # Names that folders have percent-encoded.
    places = Places((Site("Île d'Yeu", 46.7, -2.3), Site("S2", 0.0, 0.0)), (Point("Null", 0.0, 0.0, 900.0),))
    update_passes(circles, places)
    update_approaches(circles, places)
    tables = {}
    for table in TABLES.values():
        found = files(
            table.name, circles.root if table in (*AUDIT_TABLES, *PLACE_TABLES, POSITIONS_FILLED) else lake.root
        )
        if found:
            column = next(field.name for field in table.schema if pa.types.is_timestamp(field.type))
            times = ds.dataset(found, format="parquet").to_table().column(column)
            ends = [times_us(pc.min(times).as_py()), times_us(pc.max(times).as_py())]
            tables[table.name] = {"files": found, "column": column, "found": [len(times), *ends]}
    others = (*POSITION_TABLES, *FEED_TABLES, *PLACE_TABLES, POSITIONS_FILLED)
    assert {"trajectory", "burn_history", *(each.name for each in others)} < tables.keys()
    path = folder / "manifest.json"
    path.write_text(json.dumps(tables))
    return path


def times_us(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=time.tzinfo)) // timedelta(microseconds=1)


def outcomes(python: str, manifest: Path, *readers: str) -> list[dict]:
    command = [python, str(CHECKOUT / "tests" / "readers.py"), str(manifest), *readers]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=manifest.parent)
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]


@pytest.mark.spark
def test_the_readers_of_the_requirements_read_every_table(manifest):
    found = outcomes(sys.executable, manifest, *HERE)

    assert [each["reader"] for each in found] == list(HERE)
    assert [each for each in found if each["wrong"] or each["version"] == "absent"] == []


def test_the_readers_of_another_environment_read_every_table(manifest):
    python = os.environ.get("ORBITLAKE_READERS_PYTHON")
    if not python:
        pytest.skip("ORBITLAKE_READERS_PYTHON names no Python with other readers")
    found = outcomes(python, manifest)
    print("absent there:", [each["reader"] for each in found if each["version"] == "absent"])

    assert any(each["version"] != "absent" for each in found)
    assert [each for each in found if each["wrong"]] == []


def test_times_are_written_plainly(manifest):
    """Delta encoding with constant steps ends ClickHouse 25.8's newer reader."""
    import pyarrow.parquet as pq

    for table in json.loads(manifest.read_text()).values():
        group = pq.ParquetFile(table["files"][0]).metadata.row_group(0)
        encodings = {each for column in range(group.num_columns) for each in group.column(column).encodings}

        assert encodings <= {"PLAIN", "RLE", "RLE_DICTIONARY"}
