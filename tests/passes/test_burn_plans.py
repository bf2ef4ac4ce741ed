"""From when on two issues fly different burns: of those that both could tell of, one that is only in one of them."""

import pytest
from tests.trajectory.audited import at, telling

from orbitlake.passes.burn_plans import NEVER_US, burns_differ_from_us

BURN = ("20T10:00", 1.2, "Reboost")
LATER = ("25T10:00", 0.9, "Reboost")


def us(text: str) -> int:
    return round(at(text).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("former", "later", "since"),
    [
        ([], [], None),
        ([BURN], [BURN], None),
        ([BURN], [("20T10:09", 1.1, "Renamed")], None),
        ([BURN], [("20T10:31", 1.2, "Reboost")], "20T10:00"),
        ([BURN], [("20T09:29", 1.2, "Reboost")], "20T09:29"),
        ([BURN], [("20T10:00", 1.5, "Reboost")], "20T10:00"),
        ([BURN, LATER], [BURN], "25T10:00"),
        ([BURN], [BURN, LATER], "25T10:00"),
        ([], [BURN, LATER], "20T10:00"),
    ],
)
def test_plans_differ_from_the_first_burn_that_has_no_counterpart(former, later, since):
    found = burns_differ_from_us(telling("17T12:00", *former), telling("19T12:00", *later))

    assert found == (NEVER_US if since is None else us(since))


def test_a_burn_before_the_later_issue_begins_tells_nothing():
    flown_since = ("18T20:00", 1.2, "Reboost")

    assert burns_differ_from_us(telling("17T12:00", flown_since), telling("19T12:00")) == NEVER_US
    assert burns_differ_from_us(telling("17T12:00", flown_since), telling("19T12:00", start="18T12:00")) == us(
        "18T20:00"
    )


def test_a_burn_that_was_over_when_the_former_issue_was_made_tells_nothing():
    assert burns_differ_from_us(
        telling("17T12:00"), telling("19T12:00", ("17T06:00", 1.0, None), start="16T12:00")
    ) == (NEVER_US)
