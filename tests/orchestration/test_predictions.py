"""The tasks of predict_passes: the form's site is added once, or refused for good; both tables are told of."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tests.jobs.test_audit_positions import ingest

from orbitlake.lake import Lake
from orbitlake.orchestration.assets import APPROACHES, PASSES
from orbitlake.orchestration.forms import FORMS
from orbitlake.orchestration.predictions import add_site_of_form, predict_approaches, predict_passes
from orbitlake.passes import read_places

ROME = {"new_site": "Rome", "latitude_deg": 41.9, "longitude_deg": 12.5, "time_zone": "Europe/Rome"}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("ORBITLAKE_DATA", str(tmp_path / "data"))
    return Lake(tmp_path / "data")


def params(**given) -> dict:
    """Return a form as it is filled in."""
    return {name: field.default for name, field in FORMS["predict_passes"].items()} | given


def context_of(asset, **given) -> dict:
    pushed: dict = {}
    return {
        "params": params(**given),
        "ti": SimpleNamespace(xcom_push=pushed.__setitem__, pushed=pushed),
        "task": SimpleNamespace(outlets=[asset]),
        "outlet_events": {asset: SimpleNamespace(extra={})},
    }


def test_an_empty_form_adds_nothing(lake):
    assert add_site_of_form(params()) == ["Paris"]
    assert not (lake.root / "sites.toml").exists()


def test_the_site_of_the_form_is_added_once_however_often_the_task_is_tried(lake):
    names = [add_site_of_form(params(**ROME)) for _ in range(3)]

    assert names == [["Paris", "Rome"]] * 3
    (_, rome) = read_places(lake.root / "sites.toml").sites
    assert (rome.latitude_deg, rome.horizon_deg, rome.time_zone) == (41.9, 10.0, "Europe/Rome")
    assert [path.name for path in lake.root.iterdir() if path.is_file()] == ["sites.toml"]


def test_the_site_goes_into_the_file_that_the_settings_name(lake, tmp_path, monkeypatch):
    monkeypatch.setenv("ORBITLAKE_SITES", str(tmp_path / "etc" / "places.toml"))

    add_site_of_form(params(**ROME))

    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["places.toml"]
    assert not lake.root.exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"new_site": "Rome"}, "new_site needs a place: latitude_deg and longitude_deg must be given."),
        ({"latitude_deg": 1.0}, "latitude_deg is of a new site: new_site must name it."),
        (ROME | {"new_site": "Paris"}, "name 'Paris': there is another site of that name"),
        (ROME | {"new_site": "../Rome"}, "name is '../Rome': expected a name"),
        (ROME | {"latitude_deg": 91}, "latitude_deg is 91: expected a number from -90 to 90"),
        ({"site": "Oslo"}, "no site is called 'Oslo'; there is Paris"),
    ],
)
def test_what_trying_again_would_not_mend_fails_for_good_with_the_reason(lake, given, reason):
    with pytest.raises(AirflowFailException, match=reason):
        add_site_of_form(params(**given))
    assert not (lake.root / "sites.toml").exists()


@pytest.mark.parametrize(("task", "asset"), [(predict_passes, PASSES), (predict_approaches, APPROACHES)])
def test_a_file_of_places_that_cannot_be_used_fails_for_good(lake, task, asset):
    lake.root.mkdir()
    (lake.root / "sites.toml").write_text("[[sites]]\nname = 'Rome'\n")

    with pytest.raises(AirflowFailException, match=r"sites.toml:1: site 1: latitude_deg is missing"):
        task(asset, context_of(asset))


def test_passes_are_predicted_printed_and_told_of(lake, monkeypatch, capsys):
    ingest(lake, "first")
    add_site_of_form(params(new_site="Below", latitude_deg=0, longitude_deg=20, time_zone="Africa/Kinshasa"))
    began = datetime(2023, 3, 24, 18, tzinfo=UTC)
    monkeypatch.setattr(
        "orbitlake.orchestration.predictions.datetime", SimpleNamespace(now=lambda _: began + timedelta(hours=1))
    )
    context = context_of(PASSES, site="Below", days=0.5)

    published = predict_passes(PASSES, context)

    assert (published["written"], context["outlet_events"][PASSES].extra) == (1, {"rows": published["rows_written"]})
    assert context["ti"].pushed["outcome"] == "within 0.5 days: Below 7 passes, 1 visible"
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Below  ")]
    assert len(lines) == 7
    again = context_of(PASSES, days=1)
    assert predict_passes(PASSES, again)["written"] == 0
    assert again["task"].outlets == []
    assert "; Below " in again["ti"].pushed["outcome"]


def test_approaches_are_predicted_and_told_of(lake):
    ingest(lake, "first")
    (lake.root / "sites.toml").write_text(
        "[[points]]\nname = 'Zero'\nlatitude_deg = 0\nlongitude_deg = 0\nwithin_km = 100\n"
    )
    context = context_of(APPROACHES)

    published = predict_approaches(APPROACHES, context)

    assert published["written"] == 1
    assert context["ti"].pushed["outcome"].startswith("approaches: 1 file written with ")
