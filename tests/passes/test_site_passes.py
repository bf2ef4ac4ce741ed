"""passes() and approaches() on trajectories of one issue and of several: who has the word, how sure, what is cut."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from tests.oem.sample_oem import kvn
from tests.passes.orbits import START, arc_on_a_circle, circling, hours, period_s
from tests.passes.test_revisions import BETWEEN_S, LOWER, POINT, SITE, bands_of, issue, low_site

from orbitlake.oem import read
from orbitlake.passes import PARIS, Site, approaches, passes
from orbitlake.tables import PASSES
from orbitlake.trajectory import Trajectory, arcs_of
from orbitlake.trajectory.bands import Bands

MID_NORTH = Site("Mid north", 45.0, 10.0)
OTHERS = [Site(f"S{number}", latitude, 30.0 * number - 180.0) for number, latitude in enumerate(range(-60, 61, 10))]


def rows_of(*arcs, sites=SITE, start=START, stop=None, **how) -> list[dict]:
    return passes(sites, Trajectory(arcs), start, stop or hours(72), **how).to_pylist()


def test_an_issue_that_is_read_from_a_file_gives_passes_in_three_lines(tmp_path):
    file = tmp_path / "issue.oem"
    file.write_bytes(kvn())

    read_issue = read(file)
    trajectory = Trajectory(arcs_of(read_issue.segment_table, read_issue.states, read_issue.episodes))
    found = passes(PARIS, trajectory, read_issue.creation_date, read_issue.creation_date + timedelta(days=1))

    assert set(found.column_names) < set(PASSES.column_names)
    assert "rise_time" in found.column_names


def test_all_sites_at_once_give_what_each_gives_alone():
    trajectory, start = circling(stop_h=48.0)

    together = passes([MID_NORTH, *OTHERS], trajectory, start, hours(48)).to_pylist()

    alone = [passes(site, trajectory, start, hours(48)).to_pylist() for site in (MID_NORTH, *OTHERS)]
    assert together == sorted((row for rows in alone for row in rows), key=lambda row: (row["site"], row["rise_time"]))
    assert len(together) > 50


def test_whatever_span_is_asked_for_a_pass_is_the_same_and_counts_by_its_culmination():
    whole = rows_of(issue(6, 0, 48))
    cut = whole[5]["culmination_time"]

    before, after = rows_of(issue(6, 0, 48), stop=cut), rows_of(issue(6, 0, 48), start=cut)

    assert before + after == whole
    assert after[0] == whole[5]


def test_a_pass_that_begins_before_the_first_state_or_ends_after_the_last_one_is_not_told():
    whole = rows_of(issue(6, 0, 48))
    inside = (whole[3]["culmination_time"] - START) / timedelta(hours=1)

    assert rows_of(issue(6, inside, 48)) == whole[4:]
    assert rows_of(issue(6, 0, inside)) == whole[:3]


def test_a_pass_across_a_hole_in_the_states_is_not_told():
    whole = rows_of(issue(6, 0, 48))
    inside = (whole[3]["culmination_time"] - START) / timedelta(hours=1)

    found = rows_of(issue(6, 0, 48, without_h=(inside - 0.3, inside + 0.3)))

    assert found == whole[:3] + whole[4:]


def test_the_newest_issue_that_covers_all_of_a_pass_has_the_word():
    old, new = issue(6, 0, 48), issue(12, 10, 30, early_s=60.0)
    by_old, by_new = rows_of(old), rows_of(new)

    both = rows_of(old, new)

    assert both == rows_of(new, old)
    assert [row for row in both if row["creation_date"] == hours(12)] == by_new
    others = [row for row in both if row["creation_date"] == hours(6)]
    assert [row for row in by_old if row["set_time"] < hours(10) or row["rise_time"] > hours(30)] == others
    assert len(both) == len(by_old)


def test_a_pass_that_the_newest_issue_cuts_is_told_by_the_one_before():
    old = issue(6, 0, 48)
    whole = rows_of(old)
    inside = (whole[7]["culmination_time"] - START) / timedelta(hours=1)

    both = rows_of(old, issue(12, inside, 48))

    assert [row["creation_date"] for row in both] == [hours(6)] * 8 + [hours(12)] * (len(whole) - 8)
    assert [row["rise_time"] for row in both] == [row["rise_time"] for row in whole]


def test_a_pass_that_the_newest_issue_covers_and_has_not_is_not_told():
    site, lower = low_site(), issue(12, 10, 30, **LOWER)
    by_old = rows_of(issue(6, 0, 48), sites=site)

    both = rows_of(issue(6, 0, 48), lower, sites=site)

    assert both == [row for row in by_old if row["set_time"] < hours(10) or row["rise_time"] > hours(30)]
    assert 0 < len(both) < len(by_old)


def test_a_pass_that_the_newest_issue_has_later_is_not_told_as_it_was_before_as_well():
    whole = rows_of(issue(6, 0, 48))
    inside = (whole[7]["rise_time"] - START) / timedelta(hours=1) + 0.01

    both = rows_of(issue(6, 0, 48), issue(12, inside, 48, early_s=-100.0))

    assert len(both) == len(whole)
    assert (both[7]["rise_time"] - whole[7]["rise_time"]).total_seconds() == pytest.approx(107.0, abs=1.0)


def test_segments_of_an_issue_that_meet_are_one_stretch():
    whole = rows_of(issue(6, 0, 48))
    inside = (whole[3]["culmination_time"] - START) / timedelta(hours=1)
    joint = round(inside * 60.0) / 60.0

    assert rows_of(issue(6, 0, joint), issue(6, joint, 48)) == whole


def test_an_object_about_another_body_or_in_an_unknown_frame_passes_nowhere():
    for what in ({"center_name": "MOON"}, {"ref_frame": "MOON_ME"}):
        assert rows_of(replace(issue(6, 0, 48), **what)) == []


def test_an_object_that_never_sets_has_no_pass():
    still = arc_on_a_circle(radius_km=42_164.0, inclination_deg=0.0, stop_h=48.0)

    assert rows_of(still, sites=OTHERS) == []


def test_refraction_lifts_the_object_and_the_hour_is_that_of_the_apparent_horizon():
    plain, lifted = (rows_of(issue(6, 0, 48), refraction=each) for each in (False, True))

    earlier_s = [(p["rise_time"] - r["rise_time"]).total_seconds() for p, r in zip(plain, lifted, strict=True)]
    assert 0.5 < min(earlier_s) <= max(earlier_s) < 3.0
    low = Site("Low", 15.0, 20.0, horizon_deg=2.0)
    plain, lifted = (rows_of(issue(6, 0, 48), sites=low, refraction=each)[0] for each in (False, True))
    assert 0.05 < lifted["max_elevation_deg"] - plain["max_elevation_deg"] < 0.3


def test_time_is_as_sure_as_the_bound_along_the_track_over_a_site_that_moves_on():
    trajectory = Trajectory([issue(6, 0, 48)], bands_of(30.0))

    rows = passes(SITE, trajectory, START, hours(48)).to_pylist()

    predicted = [row for row in rows if row["rise_time"] > hours(6)]
    for row in predicted:
        # Overhead a late object meets a site that the Earth has carried on by 1/15 of the way.
        assert row["time_p90_s"] == pytest.approx(30.0 * BETWEEN_S / period_s(), rel=0.02)
        assert row["time_sigma_s"] == pytest.approx(row["time_p90_s"] / 1.645, abs=0.1)
    flown = [row for row in rows if row["rise_time"] <= hours(6)]
    assert flown
    assert {row["time_p90_s"] for row in flown} == {row["time_sigma_s"] for row in flown} == {None}
    near = approaches(POINT, trajectory, START, hours(48)).to_pylist()
    for row in near:
        expected_s = None if row["closest_time"] <= hours(6) else pytest.approx(30.0 * BETWEEN_S / period_s(), rel=0.02)
        assert row["time_p90_s"] == expected_s


def test_where_only_the_bound_for_half_of_the_errors_is_known_it_makes_the_deviation():
    ((quiet, _),) = bands_of(30.0).bands
    half = replace(quiet, p90_km=np.full(2, np.nan))
    trajectory = Trajectory([issue(6, 0, 48)], Bands(np.array([0]), ((half, half),)))

    row = passes(SITE, trajectory, START, hours(48)).to_pylist()[-1]

    assert row["time_p90_s"] is None
    assert row["time_sigma_s"] == pytest.approx(15.0 * BETWEEN_S / period_s() / 0.6745, rel=0.02)


def test_a_burn_between_creation_and_rise_is_told():
    rows = rows_of(issue(6, 0, 48, burns_h=((5.0, 5.1), (20.0, 20.1))))

    assert [row["burn_between"] for row in rows] == [row["rise_time"] > hours(20.0) for row in rows]


def test_a_magnitude_is_told_where_it_is_visible_and_the_object_has_one():
    trajectory, start = circling(stop_h=24.0 * 5)

    bright = passes(OTHERS, trajectory, start, hours(120), standard_magnitude=-1.8).to_pylist()
    unknown = passes(OTHERS, trajectory, start, hours(120)).to_pylist()

    visible = [row for row in bright if row["visible_from"]]
    assert 20 < len(visible) < len(bright)
    assert all((row["magnitude"] is None) == (row["visible_from"] is None) for row in bright)
    assert {row["magnitude"] for row in unknown} == {None}
    assert all(-5.0 < row["magnitude"] < 4.0 for row in visible)
    assert [row | {"magnitude": None} for row in bright] == unknown
