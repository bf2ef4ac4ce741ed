"""Passes are those that Skyfield finds on the same states, by its own frames, Sun, shadow and search."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from tests.passes.orbits import circling
from tests.passes.skyfield_sky import passes_by_skyfield

from orbitlake.oem import Issue, read, read_bytes
from orbitlake.passes import PARIS, Site, passes
from orbitlake.simulator.issues import newest_issues
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import Station
from orbitlake.trajectory import Trajectory, arcs_of

ONE_SECOND = timedelta(seconds=1)
HUNDREDTH_DEG = 0.01
TIE_S = 2.0
"""Skyfield is asked second by second: what it sees for so long at most we may not see, and the other way round."""
SITES = (
    PARIS,
    Site("North Pole", 90.0, 0.0, horizon_deg=0.0),
    Site("South Pole", -90.0, 0.0, horizon_deg=0.0),
    Site("Date line", 10.0, 180.0),
    Site("Equator", 0.0, -10.0, height_m=500.0),
    Site("Tromso", 69.65, 18.96, horizon_deg=0.0),
    Site("Reykjavik", 64.15, -21.94, horizon_deg=5.0),
    Site("Ushuaia", -54.8, -68.3),
    Site("Aleutians", 51.6, -179.9, horizon_deg=30.0),
    Site("Denver", 39.7, -105.0, height_m=1600.0),
)
POLES = SITES[1:3]
FILES = {"2025-12-15.txt.gz": "winter", "2024-06-28.txt.gz": "summer"}


def trajectory_of(issue: Issue) -> Trajectory:
    return Trajectory(arcs_of(issue.segment_table, issue.states, issue.episodes))


def compare(sites: tuple[Site, ...], trajectory: Trajectory, start: datetime, stop: datetime) -> int:
    """Hold all passes over sites between two instants against Skyfield's; return how many there are."""
    count = 0
    for site in sites:
        theirs = passes_by_skyfield(site, trajectory, start, stop)
        ours = [row for row in passes(site, trajectory, start, stop).to_pylist() if within(row, start, stop)]
        assert len(ours) == len(theirs), site
        for row, seen in zip(ours, theirs, strict=True):
            for name, expected in (("rise", seen.rise), ("culmination", seen.peak), ("set", seen.fall)):
                assert abs(row[f"{name}_time"] - expected) < ONE_SECOND, (site, row, name)
            assert abs(row["max_elevation_deg"] - seen.elevation_deg) < HUNDREDTH_DEG
            # A step of 1 s turns the azimuth by 0.6 degrees overhead, and more as it goes through the zenith.
            turned_deg = (row["culmination_azimuth_deg"] - seen.azimuth_deg + 180.0) % 360.0 - 180.0
            assert abs(turned_deg) * np.cos(np.radians(seen.elevation_deg)) < HUNDREDTH_DEG
            assert abs(row["range_km"] - seen.range_km) < 0.05
            check_visible(row, seen.visible_s)
        count += len(ours)
    return count


def within(row: dict, start: datetime, stop: datetime) -> bool:
    """Whether Skyfield, which is asked for eight minutes on either side of a culmination, can know of a pass."""
    around = timedelta(minutes=8)
    return row["culmination_time"] - around > start and row["culmination_time"] + around < stop


def check_visible(row: dict, visible_s: float) -> None:
    if row["visible_from"] is None:
        assert visible_s <= TIE_S, row
        return
    seen_s = (row["visible_until"] - row["visible_from"]).total_seconds()
    assert abs(seen_s - visible_s) <= TIE_S, row
    assert row["rise_time"] <= row["visible_from"] <= row["visible_until"] <= row["set_time"]
    assert row["visible_max_elevation_deg"] <= row["max_elevation_deg"]


@pytest.mark.real
@pytest.mark.parametrize("name", FILES, ids=FILES.get)
def test_a_hundred_passes_of_a_real_issue_over_ten_sites(real_data, name):
    issue = read(real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.{name}")
    start = issue.creation_date

    assert compare(SITES, trajectory_of(issue), start, start + timedelta(days=3.5)) >= 100
    # From the poles the ISS is below the horizon always.
    assert passes(POLES, trajectory_of(issue), start, start + timedelta(days=10)).num_rows == 0


def test_passes_of_the_simulated_station():
    (issue, *_) = newest_issues(Station(), np.datetime64("2026-03-01T00:00:00", "us"), 1)
    read_issue = read_bytes(write_issue(issue, OemFormat.KVN), "simulated.oem")
    start = read_issue.creation_date

    assert compare((PARIS, SITES[5]), trajectory_of(read_issue), start, start + timedelta(days=2)) >= 10


def test_an_orbit_over_the_poles_passes_over_both_each_time():
    trajectory, start = circling(inclination_deg=90.0)

    assert compare(POLES, trajectory, start, start + timedelta(hours=12)) >= 12
