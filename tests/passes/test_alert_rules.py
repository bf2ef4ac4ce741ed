"""[[alerts]] of the file of places: what a rule may say, and what is refused with file, line, key and reason."""

from datetime import time
from pathlib import Path

import pytest

from orbitlake.passes import AlertRule, Site, SitesError, add_site, read_places
from orbitlake.passes.alert_rules import QuietHours

PLACES = """[[sites]]
name = "Paris"
latitude_deg = 48.8566
longitude_deg = 2.3522

[[points]]
name = "Kourou"
latitude_deg = 5.239
longitude_deg = -52.768
within_km = 500

[[alerts]]
name = "evenings"
minutes_before = 10
"""


def read(folder: Path, more: str = "") -> tuple[AlertRule, ...]:
    file = folder / "sites.toml"
    file.write_text(PLACES + more)
    return read_places(file).alerts


def test_a_rule_needs_a_name_and_the_minutes_alone(tmp_path: Path):
    assert read(tmp_path) == (AlertRule("evenings", 10.0),)


def test_a_rule_may_say_all_this(tmp_path: Path):
    more = (
        'site = "Paris"\nmin_elevation_deg = 30\nvisible_only = true\nquiet_hours = "23:00-06:30"\n'
        'time_zone = "Europe/London"\nchannels = ["mqtt", "webhook:duty", "mqtt"]\n'
    )
    hours = QuietHours(time(23), time(6, 30))

    assert read(tmp_path, more) == (
        AlertRule(
            *("evenings", 10.0, "Paris", None, 30.0, True),
            *(hours, "Europe/London", ("mqtt", "webhook:duty")),
        ),
    )


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('site = "Rome"', "site is 'Rome': there is Paris"),
        ('point = "Paris"', "point is 'Paris': there is Kourou"),
        ('site = "Paris"\npoint = "Kourou"', "point: a rule has a site or a point, or none of both for all"),
        ('point = "Kourou"\nvisible_only = true', "visible_only is of passes over a site"),
        ('point = "Kourou"\nmin_elevation_deg = 3', "min_elevation_deg is of passes over a site"),
        ("min_elevation_deg = 91", "min_elevation_deg is 91: expected a number from 0 to 90"),
        ("visible_only = 1", "visible_only is 1: expected true or false"),
        ('quiet_hours = "23-6"', "quiet_hours is '23-6': expected two times of day such as 22:30-07:00"),
        ('quiet_hours = "24:00-06:00"', "quiet_hours is '24:00-06:00'"),
        ('quiet_hours = "06:00-06:00"', "quiet_hours is '06:00-06:00'"),
        ('channels = "log"', "channels is 'log': expected a list of log, mqtt, "),
        ("channels = []", r"channels is \[\]: expected a list"),
        ('channels = ["pager"]', "channels holds 'pager': expected log, mqtt, "),
        ('time_zone = "Mars"', "time_zone is 'Mars': expected a time zone"),
        ("minutes = 3", "'minutes': not a key of it"),
    ],
)
def test_what_cannot_be_is_refused_by_file_line_and_key(tmp_path: Path, more: str, reason: str):
    with pytest.raises(SitesError, match=f"sites.toml:12: alert 1: {reason}"):
        read(tmp_path, more)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ('name = "late"', "alert 2: minutes_before is missing"),
        ("minutes_before = 5", "alert 2: name is missing"),
        ('name = "late"\nminutes_before = 0.5', "alert 2: minutes_before is 0.5: expected a number from 1 to 1440"),
        ('name = "Evenings"\nminutes_before = 5', "alert 2: name 'Evenings': there is 'evenings' before it"),
    ],
)
def test_a_second_rule_is_named_by_its_own_line(tmp_path: Path, rule: str, reason: str):
    with pytest.raises(SitesError, match=f"sites.toml:16: {reason}"):
        read(tmp_path, f"\n[[alerts]]\n{rule}\n")


def test_a_site_that_is_added_leaves_the_rules(tmp_path: Path):
    before = read(tmp_path)
    add_site(tmp_path / "sites.toml", Site("Rome", 41.9, 12.5))

    assert read_places(tmp_path / "sites.toml").alerts == before
