"""sites.toml: read strictly, refused by file, line, key and reason; a site is added whole or not at all."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orbitlake.lake import files
from orbitlake.lake.paths import folder_name
from orbitlake.passes import PARIS, Places, Point, Site, SitesError, add_site, read_places

ROME = Site("Rome", 41.9, 12.5, 21.0, 5.0, "Europe/Rome")
SITE = '[[sites]]\nname = "Rome"\nlatitude_deg = 41.9\nlongitude_deg = 12.5\n'
POINT = '[[points]]\nname = "Kourou"\nlatitude_deg = 5.2\nlongitude_deg = -52.8\nwithin_km = 500\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sites.toml"


def written(file: Path, content: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_without_a_file_there_is_paris_alone(file):
    assert read_places(file) == Places((PARIS,), ())
    assert (PARIS.latitude_deg, PARIS.longitude_deg, PARIS.horizon_deg) == (48.8566, 2.3522, 10.0)


def test_an_empty_file_names_no_site(file):
    assert read_places(written(file, "# none\n")) == Places((), ())


def test_what_may_be_left_out_has_defaults(file):
    places = read_places(written(file, SITE + POINT))

    assert places.sites == (Site("Rome", 41.9, 12.5, 0.0, 10.0, "UTC"),)
    assert places.points == (Point("Kourou", 5.2, -52.8, 500.0),)


@pytest.mark.parametrize("content", [SITE.replace("\n", "\r\n"), b"\xef\xbb\xbf" + SITE.encode()], ids=["crlf", "bom"])
def test_a_file_as_editors_elsewhere_write_it_is_read(file, content):
    assert read_places(written(file, content)).sites[0].name == "Rome"


@pytest.mark.parametrize(
    "name", ["São Paulo", "Île d'Yeu", "東京", "St. John's - East", "A" * 64, "NULL", "Nowhere_2", "Ne\u0301vache"]
)
def test_names_of_any_script_are_taken_and_can_name_a_folder(file, name):
    (site,) = read_places(written(file, SITE.replace("Rome", name))).sites

    assert "/" not in folder_name(site.name)
    assert site.name == name.replace("e\u0301", "é")


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "../etc", "a/b", "a\\\\b", ".hidden", "_hidden", "-x", "1st", "Rome ", " Rome", "A" * 65, "語" * 64),
        *("a=b", "a%2Fb", "a*b", "a?b", "a:b", "a|b", "a;b", "$HOME", "a\\nb", "a\\u0000b", "Rome\\u202E", "a\\u200bb"),
    ],
)
def test_hostile_names_are_refused(file, name):
    with pytest.raises(SitesError, match=r"sites.toml:2: site 1: name is .*"):
        read_places(written(file, "\n" + SITE.replace("Rome", name)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SITE.replace("41.9", "90.1"), r":1: site 1: latitude_deg is 90.1: expected a number from -90 to 90"),
        (SITE.replace("41.9", "nan"), r":1: site 1: latitude_deg is nan: expected a number from -90 to 90"),
        (SITE.replace("41.9", "true"), r":1: site 1: latitude_deg is True: expected a number"),
        (SITE.replace("41.9", "'41'"), r":1: site 1: latitude_deg is '41': expected a number"),
        (SITE.replace("12.5", "9" * 400), r":1: site 1: longitude_deg is 999.*\.\.\.: expected a number"),
        (SITE.replace("12.5", "-180.5"), r":1: site 1: longitude_deg is -180.5"),
        (SITE + "height_m = inf\n", r":1: site 1: height_m is inf"),
        (SITE + "horizon_deg = 90\n", r":1: site 1: horizon_deg is 90: expected a number from 0 to 89"),
        (SITE + "time_zone = 'Mars/Olympus'\n", r":1: site 1: time_zone is 'Mars/Olympus': expected a time zone"),
        (SITE + "time_zone = '../../etc/passwd'\n", r":1: site 1: time_zone is"),
        (SITE + "altitude = 3\n", r":1: site 1: 'altitude': not a key of it; its keys are name, latitude_deg"),
        (SITE.replace("latitude_deg = 41.9\n", ""), r":1: site 1: latitude_deg is missing"),
        (SITE + "# again\n" + SITE, r":6: site 2: name 'Rome': there is 'Rome' before it"),
        (SITE + SITE.replace("Rome", "ROME"), r":5: site 2: name 'ROME': there is 'Rome' before it"),
        (POINT.replace("500", "0"), r":1: point 1: within_km is 0: expected a number above 0 up to 5000"),
        (POINT.replace("within_km = 500\n", ""), r":1: point 1: within_km is missing"),
        ("sites = 3\n", r"sites.toml: sites: expected tables that begin with \[\[sites\]\]"),
        ("sites = [3]\n", r"sites.toml: sites: expected tables"),
        ("[sites]\nname = 'Rome'\n", r"sites.toml: sites: expected tables"),
        ("places = []\n", r"sites.toml: places: expected nothing but"),
        (SITE + "name = 'again'\n", r"sites.toml: is not TOML: .*line 5"),
        ("[[sites\n", r"sites.toml: is not TOML: .*line 1"),
        (b"# fine\n# \xff\n", r"sites.toml:2: is not UTF-8"),
        (b"#" * 2**21, r"sites.toml: is larger than 1048576 bytes"),
    ],
    ids=range(24),
)
def test_a_bad_file_is_refused_by_line_key_and_reason(file, content, message):
    with pytest.raises(SitesError, match=message):
        read_places(written(file, content))


def test_a_folder_in_the_place_of_the_file_is_named(file):
    file.mkdir(parents=True)

    with pytest.raises(SitesError, match=r"sites.toml: Is a directory"):
        read_places(file)


def test_the_first_site_added_stands_beside_paris(file):
    assert add_site(file, ROME)

    assert read_places(file) == Places((PARIS, ROME), ())


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "  # no newline"])
def test_a_site_is_added_after_the_text_that_is_there(file, end):
    before = f"# ours\n{SITE.replace('Rome', 'Oslo')}# of the point\n{POINT.rstrip()}{end}"
    written(file, before)

    assert add_site(file, ROME)

    assert file.read_text().startswith(before)
    assert [site.name for site in read_places(file).sites] == ["Oslo", "Rome"]
    assert [path.name for path in file.parent.iterdir()] == ["sites.toml"]


def test_a_link_stays_one_and_the_file_behind_it_grows(file, tmp_path):
    kept = written(tmp_path / "etc" / "places.toml", SITE.replace("Rome", "Oslo"))
    file.parent.mkdir()
    file.symlink_to(kept)

    assert add_site(file, ROME, file.parent / "staging")

    assert file.is_symlink()
    assert [site.name for site in read_places(kept).sites] == ["Oslo", "Rome"]
    assert [path.name for path in kept.parent.iterdir()] == ["places.toml"]


def test_the_same_site_again_changes_nothing(file):
    add_site(file, ROME)
    before = file.stat()

    assert not add_site(file, ROME)

    assert file.stat() == before


@pytest.mark.parametrize("other", [replace(ROME, latitude_deg=41.0), replace(ROME, name="ROME")])
def test_another_site_of_a_name_is_refused_by_name(file, other):
    add_site(file, ROME)
    before = file.read_bytes()

    with pytest.raises(SitesError, match=f"name '{other.name}': there is another site of that name: .*'Rome'"):
        add_site(file, other)
    assert file.read_bytes() == before


@pytest.mark.parametrize("bad", [replace(ROME, name="../x"), replace(ROME, horizon_deg=float("nan"))])
def test_a_site_that_no_file_may_hold_is_not_added(file, bad):
    with pytest.raises(SitesError, match=r"name is|horizon_deg is"):
        add_site(file, bad)
    assert not file.exists()


def test_a_file_that_cannot_be_used_or_grow_stays_as_it_is(file):
    for content in (SITE + "altitude = 3\n", "sites = [{name = 'Oslo', latitude_deg = 1, longitude_deg = 1}]\n"):
        written(file, content)

        with pytest.raises(SitesError, match=r"altitude|a site cannot be appended"):
            add_site(file, ROME)
        assert file.read_text() == content


def test_a_write_that_fails_leaves_the_file(file, monkeypatch):
    add_site(file, ROME)
    before = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "publish_file", full)

    with pytest.raises(OSError, match="No space left"):
        add_site(file, replace(ROME, name="Oslo"))
    assert [path.name for path in file.parent.iterdir()] == ["sites.toml"]
    assert file.read_bytes() == before


def test_sites_added_at_once_are_all_there(file):
    file.parent.mkdir()
    sites = [replace(ROME, name=f"Rome {letter}") for letter in "ABCDEFGH"]
    threads = [threading.Thread(target=add_site, args=(file, site)) for site in sites]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {site.name for site in read_places(file).sites} == {"Paris", *(site.name for site in sites)}
