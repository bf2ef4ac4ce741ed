"""What becomes of a pass from issue to issue: revised, moved, cancelled, flown; one pass all the time."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from tests.passes.orbits import START, arc_on_a_circle, hours, period_s

from orbitlake.passes import Point, Site
from orbitlake.passes.burn_plans import NEVER_US
from orbitlake.passes.ground_approaches import approaches_of_issue
from orbitlake.passes.kinds import OF_APPROACHES, OF_PASSES, Columns, Kind, columns_from, nothing_told, rows_of
from orbitlake.passes.revisions import Teller, revise
from orbitlake.passes.site_passes import passes_of_issue
from orbitlake.trajectory import Arc, Trajectory
from orbitlake.trajectory.bands import NO_BANDS, Band, Bands
from orbitlake.trajectory.issues import utc_us_of

SITE = Site("Below", 0.0, 20.0)
POINT = Point("Below", 0.0, 20.0, 300.0)
SPEED_KM_S = 7.66
BETWEEN_S = 1.0 / (1.0 / period_s() - 1.0 / 86_164.1)
"""From pass to pass of an orbit above the equator."""


def bands_of(p90_s: float) -> Bands:
    """Return bounds that are the same at every lead, half of it for p50."""
    band = Band(np.array([0.0, 1e7]), np.full(2, p90_s / 2 * SPEED_KM_S), np.full(2, p90_s * SPEED_KM_S))
    return Bands(np.array([0]), ((band, band),))


def issue(created_h: float, start_h: float, stop_h: float, *, early_s: float = 0.0, **what: float) -> Arc:
    return arc_on_a_circle(created_h, start_h, stop_h, early_s=early_s, inclination_deg=0.0, **what)


def revised(
    issues: Sequence[Arc],
    bands: Bands = NO_BANDS,
    differ_h: float | None = None,
    kind: Kind = OF_PASSES,
    site: Site = SITE,
) -> list[dict]:
    """Return the rows after some issues; from `differ_h` on the burns of any two of them differ."""
    columns: Columns = nothing_told(kind)
    for arc in issues:
        span_us = utc_us_of(np.array([arc.start_tai_us, arc.stop_tai_us]))
        since, until = span_us.astype("datetime64[us]")
        if kind is OF_PASSES:
            rows = passes_of_issue([site], Trajectory([arc], bands), since, until, None, False)
        else:
            rows = approaches_of_issue([POINT], Trajectory([arc], bands), since, until)
        differ_us = NEVER_US if differ_h is None else round(hours(differ_h).timestamp() * 1e6)
        teller = Teller(arc.creation_us, span_us.reshape(1, 2), lambda _, differ_us=differ_us: differ_us)
        columns = revise(kind, columns, columns_from(rows.select(kind.told)), teller)
    return rows_of(kind, columns, "1998-067A", site.name).to_pylist()


def test_what_is_told_first_is_predicted_and_what_was_flown_by_then_is_flown():
    rows = revised([issue(6, 0, 24)])

    assert [row["status"] for row in rows] == ["FLOWN"] * 4 + ["PREDICTED"] * (len(rows) - 4)
    assert {row["revision"] for row in rows} == {0}
    assert {row["shift_s"] for row in rows} == {None}
    between_s = [(after["rise_time"] - row["rise_time"]).total_seconds() for row, after in pairwise(rows)]
    assert np.allclose(between_s, BETWEEN_S, atol=2.0)


def test_another_issue_revises_each_pass_and_makes_none_twice():
    first = revised([issue(6, 0, 24)])

    rows = revised([issue(6, 0, 24), issue(12, 6, 30, early_s=5.0)])

    assert [row["pass_id"] for row in rows[: len(first)]] == [row["pass_id"] for row in first]
    later = [row for row in rows if row["creation_date"] == hours(12)]
    assert {row["status"] for row in later if row["set_time"] <= hours(12)} == {"FLOWN"}
    again = [row for row in later if row["rise_time"] > hours(12) and row["set_time"] < hours(24)]
    assert again
    assert {(row["status"], row["revision"]) for row in again} == {("REVISED", 1)}
    # The Earth turns on below: a pass that comes 5 s earlier in space comes 5.3 s earlier over a site.
    assert [row["shift_s"] for row in again] == pytest.approx([-5.0 * BETWEEN_S / period_s()] * len(again), abs=0.01)
    assert {row["revision"] for row in rows if row["rise_time"] > hours(24)} == {0}


def test_what_the_issue_has_no_word_on_stays_as_it_was_told():
    before = revised([issue(6, 0, 24)])

    rows = revised([issue(6, 0, 24), issue(18, 12, 36, early_s=5.0)])

    assert rows[:6] == before[:6]


@pytest.mark.parametrize(
    ("early_s", "p90_s", "differ_h", "status"),
    [
        (20.0, 30.0, None, "REVISED"),
        (40.0, 30.0, None, "MOVED"),
        (20.0, 30.0, 13.0, "MOVED"),
        (20.0, 30.0, 23.5, "REVISED"),
        (0.5, 0.1, 13.0, "REVISED"),
        (400.0, None, None, "REVISED"),
        (400.0, None, 13.0, "MOVED"),
    ],
)
def test_a_pass_moves_by_more_than_its_bound_or_by_another_plan_before_it(early_s, p90_s, differ_h, status):
    bands = NO_BANDS if p90_s is None else bands_of(p90_s)

    rows = revised([issue(6, 0, 24), issue(12, 6, 30, early_s=early_s)], bands, differ_h)

    asked = [row for row in rows if row["revision"] and hours(14) < row["rise_time"] < hours(23)]
    assert asked
    assert {row["status"] for row in asked} == {status}


LOWER = {"radius_km": 6760.0}
"""An orbit that is a degree lower in the sky of a site 12 degrees beside it."""


def low_site() -> Site:
    """Return a site that sees all passes of the usual orbit, and none of the lower one."""
    site = Site(SITE.name, 12.0, 20.0, horizon_deg=3.0)
    highest_deg = [row["max_elevation_deg"] for row in revised([issue(6, 0, 30)], site=site)]
    return Site(SITE.name, 12.0, 20.0, horizon_deg=min(highest_deg) - 0.05)


def test_a_low_pass_that_an_issue_has_no_more_is_cancelled_and_comes_back_as_the_same():
    site = low_site()
    first = revised([issue(6, 0, 24)], site=site)

    gone = revised([issue(6, 0, 24), issue(7, 5, 30, **LOWER)], site=site)
    back = revised([issue(6, 0, 24), issue(7, 5, 30, **LOWER), issue(8, 6, 30)], site=site)

    cancelled = [row for row in gone if row["status"] == "CANCELLED"]
    assert len(cancelled) >= 8
    kept = {row["pass_id"]: row for row in first}
    for row in cancelled:
        before = kept[row["pass_id"]]
        told_anew = {"status", "revision", "creation_date"}
        assert {name for name, value in row.items() if value != before[name]} == told_anew
        assert (row["revision"], row["creation_date"], row["shift_s"]) == (1, hours(7), None)
    again = {row["pass_id"]: row for row in back}
    revived = [again[row["pass_id"]] for row in cancelled if row["rise_time"] > hours(8)]
    assert {(row["status"], row["revision"], row["shift_s"]) for row in revived} == {("REVISED", 2, 0.0)}
    assert len(again) == len(back)


def test_a_pass_near_the_end_of_an_issue_may_only_be_cut_and_is_not_cancelled():
    site = low_site()
    first = revised([issue(6, 0, 24)], site=site)
    edge_h = (first[8]["rise_time"] - START) / timedelta(hours=1)

    rows = revised([issue(6, 0, 24), issue(7, 5, edge_h + 0.5, **LOWER)], site=site)

    assert [row["status"] for row in rows[7:9]] == ["CANCELLED", "PREDICTED"]


def test_an_approach_is_revised_likewise():
    rows = revised([issue(6, 0, 24), issue(12, 6, 30, early_s=5.0)], kind=OF_APPROACHES)

    assert {row["status"] for row in rows} == {"FLOWN", "REVISED", "PREDICTED"}
    # Since J2000 the equator has turned by a seventh of a degree.
    assert max(row["distance_km"] for row in rows) < 17.0
    (first, *_) = rows
    assert first["entry_time"] < first["closest_time"] < first["exit_time"]
    length_km = SPEED_KM_S * 6371.0 / 6790.0 * period_s() / BETWEEN_S
    assert (first["exit_time"] - first["entry_time"]).total_seconds() == pytest.approx(600.0 / length_km, rel=0.01)
