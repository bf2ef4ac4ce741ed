"""The way of a pass through the sky agrees with what the table of passes tells of it."""

import numpy as np
import pytest
from skyfield.api import wgs84
from tests.exports.flown import flown
from tests.passes.skyfield_sky import loader

from orbitlake.passes import PARIS, passes
from orbitlake.passes.sky_path import sky_path, sun_elevation_deg
from orbitlake.trajectory import Trajectory

HUNDREDTH_DEG = 0.01


@pytest.fixture(scope="module")
def trajectory() -> Trajectory:
    return Trajectory(flown().arcs)


@pytest.fixture(scope="module")
def rows(trajectory: Trajectory) -> list[dict]:
    created = flown().creation_date
    return passes(PARIS, trajectory, created, created.replace(day=24)).to_pylist()


def test_way_goes_through_rise_culmination_and_set_of_the_table(trajectory, rows):
    for row in rows:
        way = sky_path(PARIS, trajectory, [row[f"{name}_time"] for name in ("rise", "culmination", "set")])

        assert way.elevation_deg == pytest.approx([10.0, row["max_elevation_deg"], 10.0], abs=HUNDREDTH_DEG)
        azimuth_deg = [row[f"{name}_azimuth_deg"] for name in ("rise", "culmination", "set")]
        apart_deg = np.abs((way.azimuth_deg - azimuth_deg + 180.0) % 360.0 - 180.0)
        assert (apart_deg * np.cos(np.radians(way.elevation_deg)) < HUNDREDTH_DEG).all()
        assert way.range_km[1] == pytest.approx(row["range_km"], abs=0.1)


def test_way_is_sunlit_in_the_dark_where_the_table_has_a_pass_visible_and_nowhere_else(trajectory, rows):
    seen = [row for row in rows if row["visible_from"]]
    assert seen
    for row in rows:
        length = row["set_time"] - row["rise_time"]
        times = [row["rise_time"] + length * share for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
        way = sky_path(PARIS, trajectory, times)
        told = [bool(row["visible_from"]) and row["visible_from"] < time < row["visible_until"] for time in times]

        assert (way.is_sunlit & way.is_dark).tolist() == told


def test_refraction_lifts_what_is_low(trajectory, rows):
    times = [rows[0]["rise_time"]]

    lifted_deg = sky_path(PARIS, trajectory, times, refraction=True).elevation_deg[0]

    assert lifted_deg - sky_path(PARIS, trajectory, times).elevation_deg[0] == pytest.approx(5.3 / 60, abs=0.005)


def test_nothing_is_known_where_no_issue_tells(trajectory, rows):
    way = sky_path(PARIS, trajectory, [rows[0]["rise_time"].replace(year=2030)])

    assert np.isnan(way.elevation_deg).all()


def test_sun_stands_where_skyfield_has_it(rows):
    scale, planets = loader()
    paris = planets["earth"] + wgs84.latlon(PARIS.latitude_deg, PARIS.longitude_deg)
    times = [row["rise_time"] for row in rows]
    altitude_deg = paris.at(scale.from_datetimes(times)).observe(planets["sun"]).apparent().altaz()[0].degrees

    assert sun_elevation_deg(PARIS, times) == pytest.approx(altitude_deg, abs=HUNDREDTH_DEG)
