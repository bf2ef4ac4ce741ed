"""What equal means: derived columns rounded to their digits, and nothing taken for news that another processor made."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.positions.published import derived, of_base, put_closed, put_live
from tests.positions.samples import orbit

from orbitlake.digits import rounded, rounded_values_of, same
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.positions.store.batch import write_aside
from orbitlake.positions.store.minute_files import Buckets
from orbitlake.settings import from_environment
from orbitlake.simulator.issues import issues_before
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import station
from orbitlake.tables import OEM_TABLES, POSITIONS, TABLES, WINDOW_STATS, Table

CHECKOUT = Path(__file__).resolve().parents[1]
DAY = date(2025, 12, 21)
PROCESSORS = (
    {},
    {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"},
    {"OPENBLAS_CORETYPE": "Prescott"},
)
"""What makes numpy and BLAS compute as they do on other processors than this one."""


def nudged(rows: pa.Table, table: Table, units: float) -> pa.Table:
    """Return rows as another processor may have derived them: each rounded number on by units of its last digit."""
    for column in table.columns:
        if column.decimals is not None and column.name not in table.key:
            place = rows.column_names.index(column.name)
            values = rows.column(place).to_numpy() + units * 10.0**-column.decimals
            shifted = pa.array(rounded_values_of(values, column.decimals), from_pandas=True)
            rows = rows.set_column(place, rows.field(place), shifted)
    return rows


FIXES = orbit(range(0, 600, 5))


def test_numbers_are_rounded_halves_to_even_and_have_one_zero():
    values = np.array([0.125, 0.375, -0.001, np.nan, 3.6e17 + 64])

    found = rounded_values_of(values, 2)
    assert found.tolist()[:3] == [0.12, 0.38, 0.0]
    assert not np.signbit(found[2])
    assert np.isnan(found[3])
    assert found[4] == values[4]


def test_rounding_again_changes_nothing():
    values = np.random.default_rng(5).uniform(-7e3, 7e3, 100_000)

    for decimals in range(11):
        once = rounded_values_of(values, decimals)
        assert np.array_equal(rounded_values_of(once, decimals), once)


def test_only_derived_columns_are_rounded_and_null_stays_null():
    row = dict.fromkeys(POSITIONS.column_names) | {"latitude_deg": 1 / 3, "distance_to_paris_km": 1 / 3}
    schema = pa.schema([field.with_nullable(True) for field in POSITIONS.schema])

    (found,) = rounded(pa.Table.from_pylist([row], schema=schema), POSITIONS).to_pylist()
    assert found["latitude_deg"] == 1 / 3
    assert found["distance_to_paris_km"] == 0.333333
    assert found["velocity_km_s"] is None


def test_a_unit_in_the_last_digit_is_the_same_two_are_not_and_longitude_is_a_circle():
    (longitude,) = (column for column in WINDOW_STATS.columns if column.name == "avg_longitude_deg")
    ours = pa.chunked_array([pa.array([1.0, 1.0, 180.0, None, None, 1.0])])
    theirs = pa.chunked_array([pa.array([1.00000001, 1.00000002, -180.0, None, 1.0, None])])

    assert same(ours, theirs, longitude).tolist() == [True, False, True, True, False, False]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_keys_are_printed_numbers_and_every_derived_angle_speed_and_length_has_its_digits(table):
    for column in table.columns:
        assert column.decimals is None or column.type == pa.float64()
        assert column.decimals is None or column.name not in table.key
    printed = {"oem_issues", "trajectory_events", "oem_covariances"}
    assert (table.name in printed) == all(column.decimals is None for column in table.columns)


def test_every_derived_row_is_rounded_where_it_is_made():
    for table, rows in derived(FIXES).items():
        assert rounded(rows, table).equals(rows)
        assert rows.schema.equals(table.schema)


@pytest.mark.parametrize(("units", "is_news"), [(1, False), (-1, False), (2, True)])
def test_a_day_closed_again_is_the_same_up_to_a_unit(lake, units, is_news):
    for table, rows in derived(FIXES).items():
        replaced = [put_closed(lake, table, DAY, some) for some in (rows, nudged(rows, table, units), rows)]

        assert replaced == [True, is_news, is_news]


@pytest.mark.parametrize(("units", "is_news"), [(1, False), (-1, False), (2, True)])
def test_a_fix_that_comes_again_makes_no_news_of_a_unit(lake, units, is_news):
    for table, rows in derived(FIXES).items():
        put_live(lake, table, nudged(rows, table, units))
    outcome = write_aside(lake, of_base(FIXES), Buckets.of(lake, 1), 0)

    assert outcome.rows == 0
    assert bool(outcome.corrected) == is_news
    assert {table for table, *_ in outcome.files} == ({"positions", "window_stats"} if is_news else set())


INGEST_AND_DERIVE = """
import json, sys
from pathlib import Path
from tests.test_digits import closed_day, ingested
from orbitlake.lake import Lake
root = Path(sys.argv[1])
lake = Lake(root)
print(json.dumps({"oem": ingested(lake, sys.argv[2]), "day": closed_day(lake)}))
"""


def ingested(lake, source: str) -> dict:
    """Take a file in; return its outcome and a checksum of the bytes of each table."""
    (outcome,) = ingest_source(source, lake, from_environment({}))
    files = [file for table in OEM_TABLES for file in sorted(lake.closed(table).rglob("*.parquet"))]
    return {
        "outcome": outcome["outcome"],
        "tables": {file.parts[-4]: hashlib.sha256(file.read_bytes()).hexdigest() for file in files[:-1]},
        "rows": {file.parts[-4]: pq.ParquetFile(file).metadata.num_rows for file in files},
    }


def closed_day(lake) -> dict:
    """Close a day of fixes, or close it again; return whether that was news and a checksum of each table's rows."""
    news = {}
    for table, rows in derived(FIXES).items():
        replaced = put_closed(lake, table, DAY, rows)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows.combine_chunks())
        news[table.name] = [replaced, hashlib.sha256(sink.getvalue()).hexdigest()]
    return news


def on(processor: dict[str, str], root: Path, source: Path) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", INGEST_AND_DERIVE, str(root), str(source)],
        env={**os.environ, **processor, "PYTHONPATH": "plugins:."},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def issue(tmp_path_factory) -> Path:
    """An issue with a burn, from the simulator: the same bytes for all."""
    path = tmp_path_factory.mktemp("issue") / "issue.txt"
    before = issues_before(station(), np.datetime64("2025-12-21"))
    with_burn = next(each for each in before if any(event.delta_v_m_s for event in each.events))
    path.write_bytes(write_issue(with_burn, OemFormat.KVN))
    return path


def test_unlike_processors_write_the_same_tables_and_find_no_news_in_each_others(tmp_path, issue):
    apart = [on(processor, tmp_path / str(number), issue) for number, processor in enumerate(PROCESSORS)]

    assert [each["oem"]["outcome"] for each in apart] == ["ingested"] * 3
    assert apart[0]["oem"]["rows"]["thrust_episodes"] == 1
    assert [each["oem"]["tables"] for each in apart[1:]] == [apart[0]["oem"]["tables"]] * 2
    assert [each["day"] for each in apart[1:]] == [apart[0]["day"]] * 2

    after_first = [on(processor, tmp_path / "0", issue) for processor in PROCESSORS[1:]]
    assert [each["oem"]["outcome"] for each in after_first] == ["unchanged"] * 2
    assert [news for each in after_first for news, _ in each["day"].values()] == [False] * 4
