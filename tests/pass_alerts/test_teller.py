"""Each alert is told once, some minutes before, whatever is revised, restarted, killed or set back in between."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.pass_alerts.passing import NINE, OBJECT, Killed, MemoryNotes, Receivers, coming, near_kourou

from orbitlake.pass_alerts import Teller, Timetable
from orbitlake.pass_alerts.teller import KEPT
from orbitlake.passes import rule_of

MINUTE = timedelta(minutes=1)
RULE = rule_of(name="evenings", site="Paris", minutes_before=10)


class Duty:
    """A sender at work: its notes and receivers, and what it is run with."""

    def __init__(self, *channels: str) -> None:
        self.notes = MemoryNotes()
        self.receivers = Receivers(self.notes)
        self.teller = Teller(self.notes, channels or ("log",), self.receivers)

    def look(self, now: datetime, *what, rules=(RULE,), created=None):
        return self.teller.heed(rules, Timetable(what, created), now)


@pytest.fixture
def duty() -> Duty:
    return Duty()


def test_a_pass_is_told_once_in_plain_words_ten_minutes_before(duty: Duty):
    for minutes in range(-15, 10):
        duty.look(NINE + minutes * MINUTE, coming())

    assert [message.text for _, message in duty.receivers.sent] == [
        "ISS over Paris at 21:03:10 (CET) in 10 minutes: rises in the west-northwest, up to 67° in the "
        "south-southwest, visible until 21:07:10, magnitude -3.1, +-2 s"
    ]


def test_an_approach_is_told_as_well(duty: Duty):
    duty.look(NINE - 5 * MINUTE, near_kourou(), rules=[rule_of(name="launch site", point="Kourou", minutes_before=10)])

    assert [message.text for _, message in duty.receivers.sent] == [
        "ISS near Kourou at 20:03:10 (UTC) in 5 minutes: nearest at 20:04:20, 120 km away"
    ]


def test_without_a_rule_nobody_is_told(duty: Duty):
    duty.look(NINE - 5 * MINUTE, coming(), rules=[])

    assert duty.receivers.sent == []


@pytest.mark.parametrize(
    ("keys", "is_told"),
    [
        ({}, True),
        ({"site": "Paris"}, True),
        ({"site": "Rome"}, False),
        ({"point": "Kourou"}, False),
        ({"min_elevation_deg": 67.2}, True),
        ({"min_elevation_deg": 67.3}, False),
        ({"visible_only": True}, False),
        ({"quiet_hours": "21:03-21:04"}, False),
        ({"quiet_hours": "21:04-21:03"}, True),
        ({"quiet_hours": "20:00-20:30"}, True),
        ({"quiet_hours": "20:00-20:30", "time_zone": "UTC"}, False),
        ({"quiet_hours": "22:00-21:30"}, False),
    ],
)
def test_a_rule_says_which_passes_are_told(duty: Duty, keys: dict, is_told: bool):
    duty.look(NINE - 5 * MINUTE, coming(visible=False), rules=[rule_of(name="some", minutes_before=10, **keys)])

    assert bool(duty.receivers.sent) is is_told


def test_a_rule_of_all_places_that_asks_for_what_a_pass_has_speaks_of_no_point(duty: Duty):
    rules = [
        rule_of(name="all", minutes_before=10),
        rule_of(name="seen", minutes_before=10, visible_only=True),
        rule_of(name="high", minutes_before=10, min_elevation_deg=30),
    ]
    duty.look(NINE - 5 * MINUTE, near_kourou(), rules=rules)

    assert [message.facts["rule"] for _, message in duty.receivers.sent] == ["all"]


def test_a_rule_that_keeps_its_name_tells_of_no_pass_twice(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    duty.look(NINE - 5 * MINUTE, coming(), rules=[replace(RULE, minutes_before=5, site=None)])

    assert duty.receivers.kinds() == ["alert"]
    assert len(duty.receivers.sent) == 1


def test_a_revision_that_lifts_a_pass_over_the_limit_just_before_is_told_at_once(duty: Duty):
    rules = [replace(RULE, min_elevation_deg=67.5)]
    duty.look(NINE - 10 * MINUTE, coming(), rules=rules)
    duty.look(NINE - 2 * MINUTE, coming(max_elevation_deg=67.6, status="REVISED"), rules=rules)
    duty.look(NINE - 1 * MINUTE, coming(), rules=rules)

    assert [message.text[:45] for _, message in duty.receivers.sent] == [
        "ISS over Paris at 21:03:10 (CET) in 2 minutes"
    ]


def moved(by: timedelta, **changes):
    """Return the base pass as a later issue has it."""
    return coming(NINE + by, pass_id=coming().identity, status="MOVED", **changes)


@pytest.mark.parametrize(("seconds", "kinds"), [(50, ["alert"]), (-50, ["alert"]), (301, ["alert", "moved"])])
def test_a_pass_that_moves_by_more_than_a_minute_after_it_was_told_is_corrected_once(duty: Duty, seconds, kinds):
    duty.look(NINE - 10 * MINUTE, coming())
    for minutes in range(-9, 10):
        duty.look(NINE + minutes * MINUTE, moved(timedelta(seconds=seconds)))

    assert duty.receivers.kinds() == kinds
    assert len(duty.receivers.sent) == len(kinds)


def test_a_correction_says_how_much_later(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    duty.look(NINE - 9 * MINUTE, moved(timedelta(seconds=301)))

    assert duty.receivers.sent[-1][1].text.startswith(
        "correction: ISS over Paris at 21:08:11 (CET) in 14 minutes, 5 min 1 s later than told: rises in the west-"
    )


def test_one_that_moves_before_it_is_told_is_told_by_its_new_time_alone(duty: Duty):
    duty.look(NINE - 11 * MINUTE, coming())
    for minutes in range(-10, 10):
        duty.look(NINE + minutes * MINUTE, moved(5 * MINUTE))

    assert [message.kind for _, message in duty.receivers.sent] == ["alert"]
    assert duty.receivers.sent[0][1].text.startswith("ISS over Paris at 21:08:10 (CET) in 10 minutes")


def test_a_cancelled_pass_is_not_told(duty: Duty):
    looks = [duty.look(NINE + minutes * MINUTE, coming(status="CANCELLED")) for minutes in (-5, -15, 2)]

    assert duty.receivers.sent == []
    assert [look.late for look in looks] == [[], [], []]


def test_one_that_is_cancelled_while_a_channel_is_down_is_not_told_to_it_any_more():
    duty = Duty("webhook:duty")
    duty.receivers.down = {"webhook:duty"}
    duty.look(NINE - 10 * MINUTE, coming())
    duty.receivers.down = set()
    duty.look(NINE - 9 * MINUTE, coming(status="CANCELLED"))

    assert duty.receivers.kinds("webhook:duty") == ["cancelled"]


def test_what_an_issue_has_flown_is_not_told_whatever_the_clock_says(duty: Duty):
    late = duty.look(NINE - 5 * MINUTE, coming(is_flown=True)).late

    assert duty.receivers.sent == late == []


def test_a_told_pass_that_is_cancelled_is_corrected_once_and_never_told_again(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    for minutes in range(-9, -5):
        duty.look(NINE + minutes * MINUTE, coming(status="CANCELLED"))
    duty.look(NINE - 4 * MINUTE, coming(status="REVISED"))

    assert [message.kind for _, message in duty.receivers.sent] == ["alert", "cancelled"]
    assert duty.receivers.sent[1][1].text == (
        "correction: ISS over Paris at 21:03:10 (CET) is cancelled: the newest ephemeris has it no more"
    )


def test_what_comes_too_late_is_not_told_and_said_so_once(duty: Duty):
    duty.look(NINE - 30 * MINUTE, coming())
    late = [duty.look(NINE + minutes * MINUTE, coming()).late for minutes in (2, 3, 4)]

    assert duty.receivers.sent == []
    assert late == [
        ["evenings: ISS over Paris at 21:03:10 (CET) was due while nobody looked: nobody was told"], [], []
    ]  # fmt: skip


def test_a_first_run_has_missed_nothing(duty: Duty):
    assert duty.look(NINE + 2 * MINUTE, coming()).late == []


def test_a_channel_that_is_down_is_told_later_and_the_other_once():
    duty = Duty("log", "webhook:duty")
    duty.receivers.down = {"webhook:duty"}
    failed = duty.look(NINE - 10 * MINUTE, coming())
    duty.receivers.down = set()
    duty.look(NINE - 9 * MINUTE, coming())
    duty.look(NINE - 8 * MINUTE, coming())

    assert [channel for channel, _ in duty.receivers.sent] == ["log", "webhook:duty"]
    assert failed.failures[0].endswith("no answer")


def test_a_channel_that_is_down_until_the_pass_begins_is_not_told_and_said_so_once():
    duty = Duty("webhook:duty")
    duty.receivers.down = {"webhook:duty"}
    duty.look(NINE - 10 * MINUTE, coming())
    duty.receivers.down = set()
    late = [duty.look(NINE + minutes * MINUTE, coming()).late for minutes in (2, 3)]

    assert duty.receivers.sent == []
    assert late == [["evenings: ISS over Paris at 21:03:10 (CET) began before webhook:duty took it"], []]


def test_a_channel_that_is_down_until_the_told_begin_is_told_while_the_pass_has_yet_to_begin():
    duty = Duty("webhook:duty")
    duty.receivers.down = {"webhook:duty"}
    duty.look(NINE - 10 * MINUTE, coming())
    duty.receivers.down = set()
    duty.look(NINE + timedelta(seconds=80), moved(timedelta(seconds=50)))

    assert duty.receivers.kinds("webhook:duty") == ["alert"]


def test_a_channel_that_a_killed_sender_left_out_hears_of_the_new_time_of_a_pass_that_moved_since():
    duty = Duty("log", "webhook:duty")
    duty.notes.kills_in = 1
    with pytest.raises(Killed):
        duty.look(NINE - 2 * MINUTE, coming())
    duty.look(NINE + 2 * MINUTE, moved(8 * MINUTE))
    duty.look(NINE + 3 * MINUTE, moved(8 * MINUTE))

    assert duty.receivers.kinds("log") == ["alert", "moved"]
    assert duty.receivers.kinds("webhook:duty") == ["moved"]


@pytest.mark.parametrize("step", range(6))
def test_a_killed_sender_repeats_at_most_what_has_the_same_id(step: int):
    duty = Duty("log", "webhook:duty")
    duty.notes.kills_in = step
    with pytest.raises(Killed):
        duty.look(NINE - 10 * MINUTE, coming())
    duty.look(NINE - 9 * MINUTE, coming())
    duty.look(NINE - 8 * MINUTE, coming())

    assert duty.receivers.kinds("log") == duty.receivers.kinds("webhook:duty") == ["alert"]
    assert len(duty.receivers.sent) <= 3


def test_a_clock_set_back_or_forward_tells_nothing_twice(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    for hours in (-48, -3, 1, 200, -1, 0):
        for minutes in (-10, -5):
            duty.look(NINE + timedelta(hours=hours) + minutes * MINUTE, coming())

    assert len(duty.receivers.sent) == 1


def test_a_clock_that_was_ahead_for_a_while_loses_no_alert(duty: Duty):
    duty.look(NINE - 30 * MINUTE, coming())
    late = duty.look(NINE + 60 * MINUTE, coming()).late
    duty.look(NINE - 10 * MINUTE, coming())

    assert len(late) == 1
    assert duty.receivers.kinds() == ["alert"]


def test_a_table_made_anew_under_other_names_tells_nothing_twice(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    duty.look(NINE - 9 * MINUTE, coming(NINE + timedelta(seconds=3), pass_id="20261120T200613Z-older"))

    assert len(duty.receivers.sent) == 1


def test_a_notice_goes_once_issues_have_flown_its_pass_and_is_not_told_again_then(duty: Duty):
    duty.look(NINE - 10 * MINUTE, coming())
    created = {(OBJECT, "Paris", True): NINE + KEPT + 7 * MINUTE}
    duty.look(NINE + timedelta(days=3), created=created)
    names = duty.notes.names()
    duty.look(NINE - 10 * MINUTE, coming(is_flown=True), created=created)

    assert names == ["last-run"]
    assert len(duty.receivers.sent) == 1


def test_the_day_is_told_where_it_is_another_one(duty: Duty):
    duty.look(datetime(2026, 11, 20, 4, tzinfo=UTC), coming(), rules=[replace(RULE, minutes_before=1440)])
    duty.look(
        datetime(2026, 11, 20, 23, tzinfo=UTC),
        coming(NINE + timedelta(days=1)),
        rules=[replace(RULE, minutes_before=1440)],
    )
    duty.look(
        datetime(2026, 11, 21, 22, 30, tzinfo=UTC),
        coming(NINE + timedelta(days=2)),
        rules=[replace(RULE, minutes_before=1440)],
    )

    assert [message.text[:40] for _, message in duty.receivers.sent] == [
        "ISS over Paris at 21:03:10 (CET) in 16 h",
        "ISS over Paris at 21:03:10 (CET) in 21 h",
        "ISS over Paris at Sunday 2026-11-22 21:0",
    ]
