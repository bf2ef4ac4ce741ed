"""Whether planned burns were flown: by how high the path of an issue runs that begins after them."""

import pytest
from tests.trajectory.audited import audited
from tests.trajectory.circles import circling

from orbitlake.trajectory.burn_evidence import were_flown

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
