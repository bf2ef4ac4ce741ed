"""state_at on a lake: what was ingested counts from the next call on, each object by itself, issues read once."""

import numpy as np
import pytest
from tests.oem.sample_oem import METADATA, kvn

from orbitlake.lake import Lake
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.trajectory import state_at, trajectory_of

WITHIN = np.array(["2023-03-24T18:43:00"], "datetime64[us]")
ISS, OTHER = "1998-067A", "2021-035A"


def ingest(lake: Lake, tmp_path, **metadata: str) -> None:
    created = metadata.pop("created", "2023-03-24T22:55:31.604")
    file = tmp_path / "sample.oem"
    header = (f"CREATION_DATE = {created}", "ORIGINATOR = TEST")
    file.write_bytes(kvn(header=header, metadata=METADATA | metadata))
    (outcome,) = ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))
    assert outcome["outcome"] == "ingested", outcome


def test_a_lake_without_the_object_covers_nothing(lake: Lake):
    assert np.isnan(state_at(WITHIN, ISS, lake.root).position_km).all()


def test_the_object_and_the_root_are_those_of_the_settings(lake: Lake, tmp_path, monkeypatch):
    ingest(lake, tmp_path)
    monkeypatch.setenv("ORBITLAKE_DATA", str(lake.root))

    assert np.isfinite(state_at(WITHIN).position_km).all()


def test_a_new_issue_counts_from_the_next_call_on(lake: Lake, tmp_path):
    ingest(lake, tmp_path)
    before = state_at(WITHIN, ISS, lake.root)
    ingest(lake, tmp_path, created="2023-03-25T00:00:00")

    after = state_at(WITHIN, ISS, lake.root)

    assert str(before.creation_date[0]) == "2023-03-24T22:55:31.604000"
    assert str(after.creation_date[0]) == "2023-03-25T00:00:00.000000"


def test_without_news_nothing_is_read_again(lake: Lake, tmp_path):
    ingest(lake, tmp_path)

    assert trajectory_of(ISS, lake.root) is trajectory_of(ISS, lake.root)


def test_each_object_has_a_path_of_its_own(lake: Lake, tmp_path):
    ingest(lake, tmp_path)
    ingest(lake, tmp_path, OBJECT_ID="2021-035-A", REF_FRAME="GCRF")

    assert state_at(WITHIN, ISS, lake.root).ref_frame.tolist() == ["EME2000"]
    assert state_at(WITHIN, OTHER, lake.root).ref_frame.tolist() == ["GCRF"]


def test_objects_whose_id_names_none_are_told_apart_by_name(lake: Lake, tmp_path):
    ingest(lake, tmp_path, OBJECT_ID="UNKNOWN", OBJECT_NAME="ONE")
    assert np.isfinite(state_at(WITHIN, "UNKNOWN", lake.root).position_km).all()
    ingest(lake, tmp_path, OBJECT_ID="UNKNOWN", OBJECT_NAME="TWO", REF_FRAME="GCRF")

    with pytest.raises(LookupError, match="ONE, TWO"):
        state_at(WITHIN, "UNKNOWN", lake.root)
    assert state_at(WITHIN, "UNKNOWN", lake.root, object_name="TWO").ref_frame.tolist() == ["GCRF"]
