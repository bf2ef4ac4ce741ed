"""The calendar of issues and the time grid of their states."""

from datetime import date

import numpy as np

from orbitlake.simulator.issues import issue_of, newest_issue, newest_issues
from orbitlake.simulator.station import station

FRIDAY = date(2026, 11, 20)
SECOND = np.timedelta64(1_000_000, "us")


def steps_s(issue) -> np.ndarray:
    return np.diff(issue.epochs_utc) / SECOND


def test_issues_appear_three_times_a_week_some_hours_after_their_first_state():
    issues = newest_issues(station(), np.datetime64("2026-11-21T00:00", "us"), 6)

    days = [issue.creation_utc.astype("datetime64[D]").item() for issue in issues]
    hours = [(issue.creation_utc - issue.start_utc) / SECOND / 3600 for issue in issues]
    assert [day.isoformat() for day in days[:4]] == ["2026-11-20", "2026-11-18", "2026-11-16", "2026-11-13"]
    assert all(2 < hour < 61 for hour in hours)
    assert len(set(hours)) == len(hours)


def test_an_issue_is_the_newest_from_its_creation_on():
    issue = issue_of(station(), FRIDAY)

    before, at = (newest_issue(station(), issue.creation_utc - back) for back in (np.timedelta64(1, "us"), 0 * SECOND))
    assert before.start_utc == np.datetime64("2026-11-18T12:00", "us")
    assert at.start_utc == issue.start_utc


def test_a_saturday_has_no_issue():
    assert issue_of(station(), date(2026, 11, 21)) is None


def test_states_lie_240_s_apart_and_2_s_under_thrust_up_to_the_true_cutoff():
    issue = issue_of(station(), FRIDAY)
    burn = next(event for event in issue.events if event.cutoff_utc is not None)
    epochs, steps = issue.epochs_utc, steps_s(issue)

    ignition, cutoff = np.searchsorted(epochs, [burn.ignition_utc, burn.cutoff_utc])
    assert epochs[[0, -1]].tolist() == [issue.start_utc.item(), issue.stop_utc.item()]
    assert epochs[ignition] == burn.ignition_utc
    assert epochs[cutoff] == burn.cutoff_utc
    assert steps[ignition:cutoff].tolist() == [2.0] * 561 + [0.727]
    assert steps[cutoff : cutoff + 5].tolist() == [240.0] * 5
    assert np.count_nonzero(steps == 2.0) == 561 * sum(event.cutoff_utc is not None for event in issue.events)
    assert steps.max() == 240.0


def test_every_issue_of_two_years_holds_a_whole_burn_and_another_event():
    days = np.arange(np.datetime64("2026-01-01"), np.datetime64("2028-01-01")).tolist()
    issues = [issue for day in days if (issue := issue_of(station(), day)) is not None]

    assert len(issues) > 300
    for issue in issues:
        burns = [event for event in issue.events if event.cutoff_utc is not None]
        assert burns
        assert len(issue.events) > len(burns)
        assert all(event.cutoff_utc < issue.stop_utc for event in burns)


def test_an_issue_that_would_begin_or_end_within_a_burn_begins_later():
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2040-01-01")).tolist()
    issues = [issue for day in days if (issue := issue_of(station(), day)) is not None]
    late = [issue for issue in issues if issue.start_utc.item().hour != 12 or issue.start_utc.item().minute]

    assert 0 < len(late) < len(issues) / 100
    assert not any(station().is_burning(edge) for issue in issues for edge in (issue.start_utc, issue.stop_utc))
    assert all(issue.creation_utc - issue.start_utc > np.timedelta64(2, "h") for issue in late)


def test_each_event_falls_on_a_state():
    issue = issue_of(station(), FRIDAY)

    assert {event.ignition_utc for event in issue.events} <= set(issue.epochs_utc)


def test_heights_are_those_of_the_orbit_before_the_event():
    issue = issue_of(station(), FRIDAY)

    apogee_km, perigee_km = issue.heights_km(issue.events[0])
    assert 400 < perigee_km < apogee_km < 430
