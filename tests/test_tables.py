"""tables.py is the only truth: files carry what it says, and nothing changes without the table's version rising."""

import dataclasses
import hashlib
import json
import re
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.audit.patterns import line, put
from tests.oem.sample_oem import kvn
from tests.positions.published import derived, put_closed, put_live
from tests.positions.samples import orbit

from orbitlake.audit import update
from orbitlake.lake import LakeError
from orbitlake.lake.parquet import check_file
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.tables import FEED_TABLES, OEM_TABLES, POSITION_TABLES, POSITIONS, TABLES, Table

DAY = date(2025, 12, 21)
FINGERPRINTS = {
    "positions": {1: "7a3f137ade512b12"},
    "window_stats": {1: "642fbaa088d3c11d"},
    "oem_issues": {1: "fcc310d2e80535aa", 2: "5e80a56d0e0bd756"},
    "oem_segments": {1: "69d3ed9529d95cdc", 2: "dc73838456d9b676"},
    "state_vectors": {1: "8c06ee18a76dc302", 2: "2f82d329cc98f5f9"},
    "trajectory_events": {1: "6d23b74f3a544a11", 2: "bc4bb5a029ee61f2"},
    "thrust_episodes": {1: "30987d35c047c71d", 2: "72e260881235cff6", 3: "52ff85904f77e939"},
    "oem_covariances": {1: "28e42d0dcd00e7ec", 2: "0ba65dfd6768a186"},
    "trajectory": {1: "c0237583cee2bd51"},
    "prediction_error": {1: "35e2deb49a1940c3"},
    "prediction_error_summary": {1: "88093258534d49de"},
    "prediction_bands": {1: "8354dd6d9892868c"},
    "burn_history": {1: "7e7cfbad3d28c2f2", 2: "a2cbe278c64d40c6"},
    "position_audit": {1: "147f393dc91b2bce"},
    "coverage": {1: "18dbeca014b3ad7e"},
    "gaps": {1: "7833b462ea86eba8"},
    "positions_filled": {1: "879ae016d18887d6"},
    "passes": {1: "835c474176d6d028"},
    "approaches": {1: "4668ae2b024adf96"},
}
"""What each table is, by version: add a line when a version rises, change none."""


def fingerprint(table: Table) -> str:
    """A checksum of all that a reader of the table relies on."""
    columns = [[c.name, str(c.type), c.unit, c.meaning, c.required] for c in table.columns]
    whole = [table.name, columns, table.key, table.partition_by, table.sort_by, table.frame]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:16]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_no_table_changes_without_its_version_rising(table):
    known = FINGERPRINTS[table.name]

    assert table.version == max(known)
    assert fingerprint(table) == known[table.version], "raise the version, then record the new fingerprint"


def write_live(lake, rows):
    for table in POSITION_TABLES:
        put_live(lake, table, rows[table])
    return [(table, file) for table in POSITION_TABLES for file in lake.live(table).rglob("*.parquet")]


def write_closed(lake, rows):
    for table in POSITION_TABLES:
        for some in (rows[table].slice(2), rows[table]):
            put_closed(lake, table, DAY, some)
    return [(table, lake.day(table, DAY)) for table in POSITION_TABLES]


def write_oem(lake, _rows):
    lake.inbox_oem.mkdir(parents=True)
    (lake.inbox_oem / "issue.txt").write_bytes(kvn())
    ingest_source(str(lake.inbox_oem / "issue.txt"), lake, from_environment({}))
    return [(table, file) for table in OEM_TABLES for file in lake.closed(table).rglob("*.parquet")]


def write_feeds(lake, rows):
    begin = rows[POSITIONS].column("event_time")[0].as_py()
    lines = b"".join(line(begin + timedelta(seconds=second)) for second in (0, 5, 10, 15, 60, 65))
    put(lake, {f"date={DAY}/20251221T000000.000000Z-c0ffee00.jsonl": lines})
    update(lake, "1998-067A", begin + timedelta(seconds=65))
    return [(table, lake.day(table, DAY)) for table in FEED_TABLES]


@pytest.mark.parametrize("write", [write_live, write_closed, write_oem, write_feeds])
def test_every_file_says_what_is_in_it_whoever_wrote_it(lake, write):
    written = write(lake, derived(orbit(range(0, 600, 5))))
    assert len(written) >= 2
    for table, file in written:
        schema, metadata = pq.read_schema(file), pq.read_metadata(file)
        about = {key.decode(): value.decode() for key, value in schema.metadata.items()}
        assert about["orbitlake.table"] == table.name
        assert about["orbitlake.version"] == str(table.version)
        assert about["orbitlake.description"] == table.meaning
        assert about["orbitlake.time_scale"] == "UTC"
        assert about.get("orbitlake.frame") == table.frame
        for column, field in zip(table.columns, schema, strict=True):
            said = {key.decode(): value.decode() for key, value in field.metadata.items()}
            assert (field.name, said["description"], said.get("unit")) == (column.name, column.meaning, column.unit)
            assert said.get("decimals") == (None if column.decimals is None else str(column.decimals))
            assert said.get("time_scale") == (column.unit if pa.types.is_timestamp(column.type) else None)
        # Where no row is, nothing is least and greatest and no page begins.
        for group in range(metadata.num_row_groups if metadata.num_rows else 0):
            for number in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(number)
                assert chunk.compression == "ZSTD"
                is_list = pa.types.is_list(table.columns[number].type)
                assert chunk.is_stats_set or is_list
                # Small files are a page a column: an index over its pages would find nothing.
                assert write is not write_oem or (chunk.has_offset_index and chunk.has_column_index)
        check_file(file, table)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_name_with_a_unit_has_that_unit_and_every_time_its_scale(table):
    ending = {"_km": "km", "_deg": "deg", "_km_s": "km/s", "_m_s": "m/s", "_rad": "rad", "_kg": "kg", "_m2": "m^2"}
    for column in table.columns:
        suffix = re.search(r"(_km2?_s2?|_m_s|_km|_deg|_rad|_kg|_m2)$", column.name)
        if suffix and suffix.group() in ending:
            assert column.unit == ending[suffix.group()]
        assert (column.unit in ("UTC", "TAI")) == pa.types.is_timestamp(column.type)
        assert (column.unit == "TAI") == column.name.endswith("_tai") == (column.type == pa.timestamp("us"))


def test_tables_with_coordinates_say_their_frame():
    coordinates = re.compile(r"_deg$|^[xyz]_km$|^c[xyz]_|crosstrack")
    with_coordinates = {t.name for t in TABLES.values() if any(coordinates.search(c.name) for c in t.columns)}

    assert with_coordinates - {t.name for t in TABLES.values() if t.frame} == {"oem_issues"}


def test_a_file_of_another_version_is_refused_by_name(lake):
    newer = dataclasses.replace(POSITIONS, version=2)
    put_live(lake, newer, derived(orbit(range(0, 60, 5)))[POSITIONS])
    (file,) = lake.live(POSITIONS).rglob("*.parquet")

    with pytest.raises(LakeError, match="positions of version 2, this program knows version 1"):
        check_file(file, POSITIONS)
