"""What the environment may say, and what is refused by name."""

from pathlib import Path

import pytest

from orbitlake.settings import CHECKOUT, PARTITION_KEYS, SettingError, from_environment
from orbitlake.tables import TABLES


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ("", CHECKOUT / "data"),
        ("/srv/lake", Path("/srv/lake")),
        ("lake", Path.cwd() / "lake"),
        ("file:///srv/lake%201", Path("/srv/lake 1")),
        ("file://localhost/srv/lake", Path("/srv/lake")),
    ],
)
def test_the_data_root_is_a_folder_or_its_url(given: str, root: Path):
    assert from_environment({"ORBITLAKE_DATA": given}).data == root


@pytest.mark.parametrize("url", ["s3://bucket/lake", "https://example.org/lake", "file://elsewhere/lake", "file://"])
def test_a_data_root_that_cannot_rename_is_refused_by_name(url: str):
    with pytest.raises(SettingError, match=f"ORBITLAKE_DATA is '{url}': expected a folder"):
        from_environment({"ORBITLAKE_DATA": url})


def test_a_data_root_below_a_partition_of_any_table_is_refused():
    keys = {f"{key}=" for table in TABLES.values() for key in table.partition_by}

    assert set(PARTITION_KEYS) == keys
    for key in keys:
        with pytest.raises(SettingError, match="for a partition of every table"):
            from_environment({"ORBITLAKE_DATA": f"/srv/{key}x/lake"})


def test_places_are_in_the_data_root_unless_a_file_is_named():
    assert from_environment({"ORBITLAKE_DATA": "/srv/lake"}).sites_file == Path("/srv/lake/sites.toml")
    named = from_environment({"ORBITLAKE_DATA": "/srv/lake", "ORBITLAKE_SITES": "~/places.toml"})
    assert named.sites_file == Path.home() / "places.toml"


def test_refraction_is_off_or_that_of_a_standard_air():
    assert [from_environment({"ORBITLAKE_REFRACTION": word}).refraction for word in ("", "standard")] == [
        "off",
        "standard",
    ]
    with pytest.raises(SettingError, match="ORBITLAKE_REFRACTION is 'on': expected off or standard"):
        from_environment({"ORBITLAKE_REFRACTION": "on"})


@pytest.mark.parametrize("text", ["soon", "0", "1.5", "1025"])
def test_a_number_of_buckets_is_whole_and_bounded(text: str):
    with pytest.raises(SettingError, match="ORBITLAKE_BUCKETS is"):
        from_environment({"ORBITLAKE_BUCKETS": text})


@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf", "nan"])
def test_a_number_that_is_none_is_refused_by_name(text: str):
    with pytest.raises(SettingError, match="ORBITLAKE_HTTP_TIMEOUT_S is"):
        from_environment({"ORBITLAKE_HTTP_TIMEOUT_S": text})
