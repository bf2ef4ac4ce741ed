"""jobs/predict_passes.py: the same tables in any order of arrival and wherever a run is killed; what it prints."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.jobs.test_audit_positions import FILES, KILLED, contents, ingest

from orbitlake.lake import Lake, derived
from orbitlake.lake.derived import Published
from orbitlake.lake.files import write_file
from orbitlake.passes import pass_tables, read_places, update_approaches, update_passes
from orbitlake.tables import OEM_ISSUES, PASSES, PLACE_TABLES
from orbitlake.trajectory.audit_tables import update_prediction_bands, update_prediction_error

CHECKOUT = Path(__file__).resolve().parents[2]
JOB = CHECKOUT / "jobs" / "predict_passes.py"
PLACES = """
[[sites]]
name = "Below"
latitude_deg = 0
longitude_deg = 20
time_zone = "Africa/Kinshasa"

[[sites]]
name = "Île d'Ouest"
latitude_deg = 2
longitude_deg = -60

[[sites]]
name = "Far north"  # never sees an orbit above the equator
latitude_deg = 60
longitude_deg = 0

[[points]]
name = "Zero"
latitude_deg = 0
longitude_deg = 0
within_km = 300
"""


def run(lake: Lake, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *(command or [str(JOB)]), "--data", str(lake.root)],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT / "plugins"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def predict(lake: Lake) -> dict[str, Published]:
    """Do what the job does to the tables; return what became of each."""
    places = read_places(lake.root / "sites.toml")
    return {each.table: each for each in (update_passes(lake, places), update_approaches(lake, places))}


def passes_of(lake: Lake) -> dict[str, bytes]:
    return contents(lake, *PLACE_TABLES)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "data")
    write_file(lake.root / "sites.toml", PLACES.encode(), lake.staging)
    return lake


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the tables hold in the end."""
    lake = Lake(tmp_path_factory.mktemp("expected") / "data")
    write_file(lake.root / "sites.toml", PLACES.encode(), lake.staging)
    ingest(lake, *FILES)
    predict(lake)
    return passes_of(lake)


def test_each_place_has_one_file_of_a_fixed_name_if_anything_passes_there(expected):
    assert list(expected) == [
        "lake/passes/object_id=1998-067A/site=%C3%8Ele%20d%27Ouest/part-0.parquet",
        "lake/passes/object_id=1998-067A/site=Below/part-0.parquet",
        "lake/approaches/object_id=1998-067A/point=Zero/part-0.parquet",
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(FILES)), ids=" ".join)
def test_any_order_of_arrival_gives_the_same_bytes(lake: Lake, order, expected):
    for name in order:
        ingest(lake, name)
        predict(lake)

    assert passes_of(lake) == expected


def test_a_newer_issue_goes_on_from_the_files_and_no_older_one_is_asked_again(lake: Lake, expected, monkeypatch):
    asked = []
    teller_of = pass_tables.History._teller

    def counted(history, number):
        asked.append(number)
        return teller_of(history, number)

    monkeypatch.setattr(pass_tables.History, "_teller", counted)
    ingest(lake, "first", "second")
    predict(lake)
    first, asked[:] = asked.copy(), []
    ingest(lake, "third")

    predict(lake)

    assert sorted(first) == [0, 0, 1, 1]
    assert asked == [2, 2]
    assert passes_of(lake) == expected


def test_a_run_without_news_writes_nothing(lake: Lake):
    ingest(lake, *FILES)
    first = predict(lake)
    before = {file: file.stat() for table in PLACE_TABLES for file in lake.closed(table).rglob("*.parquet")}

    again = predict(lake)

    assert [(each.written, each.removed) for each in first.values()] == [(2, 0), (1, 0)]
    assert [(each.written, each.rows_written) for each in again.values()] == [(0, 0), (0, 0)]
    assert {file: file.stat() for file in before} == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("renames", range(10))
def test_a_run_killed_at_any_rename_and_run_again_gives_the_same_bytes(lake: Lake, renames, when, expected):
    """Five renames make the tables of two issues, five more go on from them with the third."""
    ingest(lake, "first", "second")
    if renames >= 5:
        predict(lake)
        ingest(lake, "third")
    killed = run(lake, "-c", KILLED, str(renames % 5), when, str(JOB))
    assert killed.returncode == -9, killed.stderr
    if renames < 5:
        ingest(lake, "third")

    predict(lake)

    assert passes_of(lake) == expected


def test_bounds_that_are_learned_later_count_for_the_issues_that_could_know_them(lake: Lake):
    ingest(lake, *FILES)
    predict(lake)
    before = passes_of(lake)
    update_prediction_error(lake)
    update_prediction_bands(lake)

    predict(lake)

    # The third issue was created after the second had judged the first.
    assert passes_of(lake) != before


def test_a_site_that_leaves_the_file_takes_its_own_with_it_and_a_changed_one_is_made_anew(lake: Lake, expected):
    ingest(lake, *FILES)
    predict(lake)
    fewer = PLACES.replace('name = "Île d\'Ouest"', 'name = "West"').replace("longitude_deg = 20", "longitude_deg = 25")
    (lake.root / "sites.toml").write_text(fewer)

    published = predict(lake)["passes"]

    assert (published.written, published.removed) == (2, 1)
    names = [name.split("/")[3] for name in passes_of(lake)]
    assert names == ["site=Below", "site=West", "point=Zero"]
    (lake.root / "sites.toml").write_text(PLACES)
    predict(lake)
    assert passes_of(lake) == expected


def test_it_prints_the_passes_of_the_days_asked_for_in_both_times(lake: Lake):
    ingest(lake, *FILES)

    done = run(lake, str(JOB), "--site", "Below", "--since", "2023-03-25T12:00", "--days", "0.25")

    first, *lines = done.stdout.splitlines()[:-2]
    assert first == "Below: 4 passes within 0.25 days from 2023-03-25 12:00 UTC"
    assert len(lines) == 4
    assert lines[0].startswith("Below  Sat 2023-03-25 13:")
    assert " WAT (12:" in lines[0]
    assert "1998-067A  from W, 8" in lines[0]
    assert lines[0].endswith("; not visible; REVISED")
    tables = [json.loads(line) for line in done.stdout.splitlines()[-2:]]
    assert [(each["table"], each["written"]) for each in tables] == [("passes", 2), ("approaches", 1)]


def test_an_ephemeris_of_another_version_ends_the_run_with_a_word(lake: Lake):
    ingest(lake, "first")
    (segments,) = lake.closed(OEM_ISSUES).parent.glob("oem_segments/*/*/part-0.parquet")
    table = pq.read_table(segments)
    pq.write_table(table.replace_schema_metadata({"orbitlake.version": "1"}), segments)

    done = run(lake)

    assert done.returncode == 1
    assert done.stderr.startswith("predict_passes: ")
    assert "--rebuild" in done.stderr


def test_a_site_that_is_not_in_the_file_is_refused_by_name(lake: Lake):
    done = run(lake, str(JOB), "--site", "Paris")

    assert done.returncode == 3
    assert done.stderr == "predict_passes: no site is called 'Paris'; there is Below, Île d'Ouest, Far north\n"


def test_a_file_of_places_that_cannot_be_used_ends_the_run_and_leaves_the_tables(lake: Lake, expected):
    ingest(lake, *FILES)
    predict(lake)
    (lake.root / "sites.toml").write_text(PLACES.replace("= 60", "= 95"))

    done = run(lake)

    assert done.returncode == 3
    assert done.stderr.endswith("sites.toml:13: site 3: latitude_deg is 95: expected a number from -90 to 90\n")
    assert passes_of(lake) == expected


def test_a_file_that_somebody_else_wrote_is_made_anew(lake: Lake):
    ingest(lake, "first")
    predict(lake)
    (file,) = lake.closed(PASSES).glob("*/site=Below/*")
    file.write_bytes(next(lake.closed(OEM_ISSUES).rglob("*.parquet")).read_bytes())
    ingest(lake, "second")

    assert predict(lake)["passes"].written == 2


def test_help_says_what_is_written():
    done = run(Lake(Path("unused")), str(JOB), "--help")

    assert done.returncode == 0
    for table in PLACE_TABLES:
        assert table.name in done.stdout


def test_the_rules_are_of_sources_that_are_there():
    for pattern in pass_tables.RULES:
        assert list(derived.PACKAGE.glob(pattern)), pattern
