"""Which burns were flown, planned or not: by how high the path of an issue runs that begins after them."""

import math
from dataclasses import replace

import pytest
from tests.trajectory.audited import audited
from tests.trajectory.circles import circling
from tests.trajectory.test_states import RADIUS_KM, after

from orbitlake.physics.orbit import period_s
from orbitlake.trajectory.burn_evidence import untold_burn, were_flown
from orbitlake.trajectory.told_burns import ToldBurn

DAY_H = 24.0


def verdict(above_km: float, raised_km: list[float], later_h: float = 2 * DAY_H) -> list[bool] | None:
    """Say which burns were flown where the plan's circle is so much above that of an issue which begins at an hour."""
    planned, later = circling(0, -2, 3 * DAY_H, above_km=above_km), circling(later_h + 4, later_h, later_h + 12)
    return were_flown(audited(planned, later), 0, 1, raised_km)


@pytest.mark.parametrize(
    ("above_km", "expected"), [(0.0, [True]), (0.3, [True]), (1.0, None), (1.8, [False]), (2.0, [False]), (4.0, None)]
)
def test_a_burn_was_flown_where_the_path_is_as_high_as_predicted_and_not_where_it_is_lower_by_what_it_raises(
    above_km, expected
):
    assert verdict(above_km, [2.0]) == expected


def test_of_several_burns_the_missing_one_is_named_unless_two_raise_alike():
    assert verdict(1.0, [2.0, 1.0]) == [True, False]
    assert verdict(3.0, [2.0, 1.0]) == [False, False]
    assert verdict(2.0, [2.0, 2.0]) is None


def test_a_prediction_that_ended_days_before_is_carried_on_and_one_that_ended_weeks_before_is_not():
    assert verdict(2.0, [2.0], later_h=6 * DAY_H) == [False]
    assert verdict(2.0, [2.0], later_h=11 * DAY_H) is None


def untold(above_km: float, later_h: float = 2 * DAY_H, *plans: ToldBurn) -> float | None:
    """Return the delta-v found where an issue that begins at an hour lies so much above the circle of one before."""
    before, later = circling(0, -2, 3 * DAY_H), circling(later_h + 4, later_h, later_h + 12, above_km=above_km)
    issues = audited(before, later)
    issues.all[0].__dict__["burns"] = tuple(plans)
    return untold_burn(issues, 0, 1)


@pytest.mark.parametrize("above_km", [-1.0, -0.3, 0.3, 2.0])
def test_a_path_that_no_plan_lifted_was_lifted_by_a_burn_of_half_the_mean_motion_times_its_height(above_km):
    assert untold(above_km) == pytest.approx(above_km * 1000 * math.pi / period_s(RADIUS_KM + above_km), rel=0.01)


@pytest.mark.parametrize("above_km", [-0.09, 0.0, 0.09])
def test_what_drag_may_have_done_is_no_burn(above_km):
    assert untold(above_km) is None


def test_what_a_plan_explains_flown_or_not_is_no_untold_burn():
    noon_us = int(after(DAY_H * 3600).astype("datetime64[us]").astype(int))
    plan = ToldBurn(noon_us, noon_us + 600_000_000, 0.0, 1.0, 1.0, 2.0, "Reboost", "STATES")

    # The prediction has flown it: the circle is as high as it is with the burn.
    assert untold(0.0, 2 * DAY_H, plan) is None
    assert untold(-2.0, 2 * DAY_H, plan) is None
    assert untold(-1.0, 2 * DAY_H, plan) < 0
    assert untold(-1.0, 2 * DAY_H, replace(plan, raised_km=None)) is None


def test_weeks_after_the_end_of_the_one_before_nothing_is_known():
    assert untold(2.0, 11 * DAY_H) is None
