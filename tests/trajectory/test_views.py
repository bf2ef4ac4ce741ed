"""The audited tables as readers find them: views with the keys of their folders, and files by day."""

from datetime import date

import pytest
from tests.jobs.test_audit_positions import ingest

from orbitlake.lake import Lake
from orbitlake.lake.errors import LakeError
from orbitlake.query import connect, files
from orbitlake.tables import AUDIT_TABLES
from orbitlake.trajectory import audit_tables


@pytest.fixture
def audited(lake: Lake) -> Lake:
    """Three issues on circles and their tables."""
    ingest(lake, "first", "second", "third")
    audit_tables.update_trajectory(lake)
    audit_tables.update_prediction_error(lake)
    audit_tables.update_prediction_error_summary(lake)
    audit_tables.update_prediction_bands(lake)
    audit_tables.update_burn_history(lake)
    return lake


def test_each_table_has_a_view_with_the_keys_of_its_folders_before_its_columns(audited: Lake):
    tables = connect(audited.root)

    for table in AUDIT_TABLES:
        view = tables.table(table.name)
        keys = [key for key in table.partition_by if key != "object_id"]
        assert view.columns == [*keys, *table.column_names]
        assert view.fetchall()


def test_days_of_the_path_are_dates_and_earlier_ones_can_be_left_out(audited: Lake):
    days = "SELECT DISTINCT date FROM trajectory ORDER BY date"
    since = date(2023, 3, 25)

    assert connect(audited.root).sql(days).fetchall() == [(date(2023, 3, day),) for day in (24, 25, 26)]
    assert connect(audited.root, since=since).sql(days).fetchall() == [(date(2023, 3, day),) for day in (25, 26)]
    assert [file.split("date=")[1][:10] for file in files("trajectory", audited.root, since=since)] == [
        "2023-03-25",
        "2023-03-26",
    ]


def test_errors_are_found_by_the_issue_that_judged(audited: Lake):
    found = connect(audited.root, issue="20230325T180000Z").sql(
        "SELECT DISTINCT later_creation_date FROM prediction_error"
    )

    ((later,),) = found.fetchall()
    assert f"{later:%Y%m%dT%H%M%SZ}" == "20230325T180000Z"


def test_a_file_of_another_version_is_named(audited: Lake):
    (file,) = audited.closed(AUDIT_TABLES[-1]).rglob("*.parquet")
    file.write_bytes(next(audited.closed(AUDIT_TABLES[0]).rglob("*.parquet")).read_bytes())

    with pytest.raises(LakeError, match="burn_history of version 1, this program knows version 2"):
        connect(audited.root).sql("SELECT * FROM burn_history")
