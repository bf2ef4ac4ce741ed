"""A feed's verdicts on flights that are known: clean ones, and each trouble that a feed can have, told of once."""

from dataclasses import replace

import numpy as np
import pytest
from tests.audit.flights import (
    BEGIN_US,
    OPEN_NOTIFY,
    SECOND_US,
    ephemeris,
    geocentric,
    geodetic,
    joined,
    judged,
    of_old_elements,
    polled,
    stamped,
)

from orbitlake.audit.conventions import convention_of
from orbitlake.audit.fix_errors import Fixes, errors_of
from orbitlake.audit.fix_verdicts import FeedState, judge
from orbitlake.columns import NEVER_US
from orbitlake.positions.record import WHERETHEISS
from orbitlake.simulator import station as simulated
from orbitlake.simulator.station import Design, Station

DAY_S, HOUR_S, MINUTE_S = 86_400.0, 3600.0, 60.0
FIVE_S = 5.0
ORBIT_S, USUAL_LAG_S = 5573.0, 0.85
CYCLE_S = 241_060.0
"""After BEGIN: a cycle of the simulated station begins, from a state that all designs share."""
BURNT_S = CYCLE_S - simulated.CYCLE_S + simulated.BURN_START_S + simulated.BURN_DURATION_S
"""The reboost of the cycle before is over: before BEGIN."""


@pytest.fixture(scope="module")
def week():
    return ephemeris(7)


@pytest.fixture(scope="module")
def without_drag():
    return Station(replace(Design(), drag_per_km=0.0))


def every(interval_s: float, begin_s: float, end_s: float) -> np.ndarray:
    """Polls at odd fractions of a second."""
    return np.arange(begin_s, end_s, interval_s) + 0.37


def around(trouble: Fixes, begin_s: float, end_s: float, interval_s: float = FIVE_S) -> Fixes:
    """Return a trouble with twenty minutes of good fixes before it, and after it."""
    before, after = (every(interval_s, at, at + 1200) for at in (begin_s - 1200, end_s))
    return joined(polled(before), trouble, polled(after))


def without_fetch_time(fixes: Fixes) -> Fixes:
    return replace(fixes, fetch_us=np.full(fixes.fetch_us.size, NEVER_US))


def told_once(found: list[tuple[float, str]], verdict: str, since_s: float, within_s: float) -> bool:
    """Whether a trouble was told of in time, and cleared, once each."""
    return [each for _, each in found] == [verdict, "OK"] and 0 <= found[0][0] - since_s <= within_s


def test_thirty_clean_days_have_no_verdict_but_ok_though_the_issue_is_up_to_a_week_old():
    """The feed's elements are as good as usual: they swing by 6 km along the track, once an orbit."""
    weekly = ephemeris(30, every_days=7)
    chance = np.random.default_rng(20_260_302)
    seconds = np.arange(0.0, 30 * DAY_S, 30.0)
    seconds += chance.uniform(0.0, 9.0, seconds.size)

    found = judged(polled(seconds, lag_s=USUAL_LAG_S * np.sin(seconds * 2 * np.pi / ORBIT_S)), weekly)

    assert found.errors.error_km.size == seconds.size
    assert 8.0 < np.abs(found.errors.along_km).max() < 10.0
    assert set(found.verdicts) == {"OK"}


@pytest.mark.parametrize("interval_s", [5.0, 61.0])
def test_elements_two_days_old_that_know_of_no_drag_are_stale_within_five_minutes(week, without_drag, interval_s):
    begin_s = CYCLE_S + 2 * DAY_S
    trouble = polled(every(interval_s, begin_s, begin_s + 2 * HOUR_S), path=without_drag)

    found = judged(around(trouble, begin_s, begin_s + 2 * HOUR_S, interval_s), week)

    assert told_once(found.changes, "STALE", begin_s, 5 * MINUTE_S), found.changes


def test_elements_that_missed_a_reboost_are_stale_and_ahead(week, monkeypatch):
    monkeypatch.setattr(simulated, "BURN_DELTA_V_M_S", 0.0)
    begin_s, end_s = 0.0, 4 * HOUR_S
    found = judged(around(polled(every(FIVE_S, begin_s, end_s), path=Station()), begin_s, end_s), week)

    assert told_once(found.changes, "STALE", begin_s, 5 * MINUTE_S), found.changes
    is_stale = np.array(found.verdicts) == "STALE"
    drift_km = 3 * 1.1e-3 * (begin_s - BURNT_S) * 6371 / 6795
    assert np.median(found.errors.along_km[is_stale]) == pytest.approx(drift_km, rel=0.2)


@pytest.mark.parametrize("lag_s", [30.0, 300.0])
def test_a_position_of_some_seconds_ago_is_stale_although_earth_turned_meanwhile(week, lag_s):
    begin_s, end_s = 20_000.0, 20_000.0 + 2 * HOUR_S
    found = judged(around(polled(every(FIVE_S, begin_s, end_s), lag_s=lag_s), begin_s, end_s), week)

    assert told_once(found.changes, "STALE", begin_s, 5 * MINUTE_S), found.changes
    is_stale = np.array(found.verdicts) == "STALE"
    assert np.abs(found.errors.cross_km[is_stale]).max() > 8.0


@pytest.mark.parametrize("is_known", [True, False])
def test_a_stamp_that_stands_while_the_position_goes_on_is_frozen_within_a_minute(week, is_known):
    begin_s, end_s = 30_000.0, 30_900.0
    moving = polled(every(FIVE_S, begin_s, end_s))
    trouble = replace(moving, event_us=np.full(moving.event_us.size, moving.event_us[0]))
    fixes = around(trouble, begin_s, end_s)

    found = judged(fixes if is_known else without_fetch_time(fixes), week)

    verdicts = np.array(found.verdicts)
    frozen_us = np.where(verdicts == "FROZEN", fixes.fetch_us, np.iinfo(np.int64).max).min()
    assert (frozen_us - BEGIN_US) / SECOND_US - begin_s < MINUTE_S
    assert set(verdicts) == {"OK", "FROZEN"}
    assert [each for _, each in found.changes][-1] == "OK"
    after = verdicts[found.errors.fixes.event_us > BEGIN_US + int((end_s + 15) * SECOND_US)]
    assert set(after) == {"OK"}


def test_a_position_that_stands_under_new_stamps_is_frozen_within_a_minute_and_nothing_else(week):
    begin_s, end_s = 30_000.0, 40_000.0
    seconds = every(FIVE_S, begin_s, end_s)
    first = polled(seconds[:1])
    trouble = stamped(
        BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64),
        *(np.repeat(place, seconds.size) for place in (first.latitude_deg, first.longitude_deg)),
    )

    found = judged(around(trouble, begin_s, end_s), week)

    assert told_once(found.changes, "FROZEN", begin_s, MINUTE_S), found.changes


def test_an_answer_that_a_cache_repeats_for_twenty_seconds_is_no_news(week):
    seconds = every(FIVE_S, 30_000.0, 33_000.0)
    cached = polled(seconds - np.arange(seconds.size) % 4 * FIVE_S)
    asked_us = BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64)

    assert judged(stamped(asked_us, cached.latitude_deg, cached.longitude_deg), week).changes == []


@pytest.mark.parametrize("begin_s", np.arange(30_000.0, 36_000.0, 430.0))
@pytest.mark.parametrize("direction", ["north", "south", "cross"])
def test_an_offset_of_200_km_is_told_of_within_three_fixes_and_once(week, begin_s, direction):
    end_s = begin_s + HOUR_S
    seconds = every(FIVE_S, begin_s, end_s)
    trouble = polled(seconds)
    if direction == "cross":
        position_km, velocity_km_s = simulated.station().itrs_states(trouble.fetch_us.astype("datetime64[us]"))
        normal = np.cross(position_km, velocity_km_s)
        aside_km = np.linalg.norm(position_km, axis=1) * 200 / 6371
        place_km = position_km + (aside_km / np.linalg.norm(normal, axis=1))[:, np.newaxis] * normal
        trouble = stamped(trouble.fetch_us, *geocentric(place_km))
    else:
        shift_deg = 200 / 111.2 * (1 if direction == "north" else -1)
        trouble = replace(trouble, latitude_deg=(trouble.latitude_deg + shift_deg).round(4))

    found = judged(around(trouble, begin_s, end_s), week)

    assert told_once(found.changes, "OFFSET", begin_s, 2 * FIVE_S + 1), found.changes


def test_two_fixes_far_off_change_no_verdict(week):
    seconds = every(FIVE_S, 30_000.0, 33_000.0)
    fixes = polled(seconds)
    for row in (100, 101, 300):
        fixes.latitude_deg[row] += 2.0

    assert judged(fixes, week).changes == []


def flipped(fixes: Fixes) -> Fixes:
    return replace(fixes, longitude_deg=-fixes.longitude_deg)


def hours_late(fixes: Fixes) -> Fixes:
    return replace(fixes, event_us=fixes.event_us + round(5.5 * HOUR_S) * SECOND_US)


def of_another(fixes: Fixes) -> Fixes:
    """Of an object at the inclination of Tiangong."""
    other = Station(replace(Design(), inclination_rad=np.radians(41.5)))
    position_km, _ = other.itrs_states(fixes.fetch_us.astype("datetime64[us]"))
    return stamped(fixes.fetch_us, *geocentric(position_km))


@pytest.mark.parametrize("fault", [geodetic, flipped, hours_late, of_another], ids=lambda fault: fault.__name__)
def test_what_is_off_the_track_is_one_offset_for_as_long_as_it_lasts(week, fault):
    begin_s, end_s = 30_000.0, 30_000.0 + 6 * HOUR_S
    found = judged(fault(polled(every(FIVE_S, begin_s, end_s))), week)

    assert [each for _, each in found.changes] in (["OFFSET"], ["STALE", "OFFSET"]), found.changes
    verdicts = np.array(found.verdicts)
    assert (verdicts == "OFFSET").mean() > 0.8


def test_a_feed_of_geodetic_latitude_is_read_as_such_and_one_that_nobody_knows_either_way(week):
    seconds = every(FIVE_S, 30_000.0, 36_000.0)
    exact = replace(polled(seconds), event_us=BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64))

    assert np.abs(judged(geodetic(exact), week, WHERETHEISS).errors.error_km).max() < 0.1
    assert judged(exact, week, WHERETHEISS).changes[0][1] == "OFFSET"
    for fixes in (exact, geodetic(exact)):
        assert np.abs(judged(fixes, week, "another").errors.error_km).max() < 0.1


@pytest.mark.parametrize("interval_s", [600.0, DAY_S / 2])
def test_where_fixes_are_rare_each_one_counts(interval_s):
    month = ephemeris(12, every_days=7)
    seconds = every(interval_s, 0.0, 12 * DAY_S if interval_s > HOUR_S else DAY_S)
    fixes = polled(seconds)
    for row in (9, 10, 11):
        fixes.latitude_deg[row], fixes.longitude_deg[row] = fixes.latitude_deg[8], fixes.longitude_deg[8]
    fixes.latitude_deg[15] = -fixes.latitude_deg[15]

    found = judged(fixes, month)

    rows = [(number, verdict) for number, verdict in enumerate(found.verdicts) if verdict != "OK"]
    assert rows == [(9, "FROZEN"), (10, "FROZEN"), (11, "FROZEN"), (15, "OFFSET")]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("days_between_issues", [7, 14])
def test_elements_that_grow_old_for_four_weeks_are_one_trouble_though_fixes_and_issues_are_rare(
    side, days_between_issues
):
    seconds = every(DAY_S, 3600.0, 40 * DAY_S)
    days = seconds / DAY_S
    old_d = np.where((days >= 5) & (days < 33), days - 5, 0.0)

    found = judged(of_old_elements(seconds, side * 0.5 * old_d**2), ephemeris(40, every_days=days_between_issues))

    assert [verdict for _, verdict in found.changes] == ["STALE", "OK"]
    stale_s, well_s = (at_s for at_s, _ in found.changes)
    assert 5 * DAY_S < stale_s < 9 * DAY_S
    assert well_s == pytest.approx(33 * DAY_S + 3600, abs=1)
    assert np.abs(found.errors.along_km).max() > 2500


def test_an_error_that_stays_is_not_cleared_by_the_age_of_the_issue_alone():
    """100 km: five times what a day old issue explains, a quarter of what one of ten days does."""
    only = ephemeris(1, every_days=7)
    seconds = every(DAY_S, DAY_S, 14 * DAY_S)

    found = judged(of_old_elements(seconds, np.where(seconds < 12 * DAY_S, 14.0, 0.0)), only)

    assert found.errors.bound_km.max() > 4 * 100
    assert [verdict for _, verdict in found.changes] == ["STALE", "OK"]
    assert found.changes[1][0] >= 12 * DAY_S - 1


def test_fixes_in_any_order_and_days_apart_are_judged_alike(week):
    begin_s, end_s = 30_000.0, 31_500.0
    fixes = around(polled(every(FIVE_S, begin_s, end_s), lag_s=40.0), begin_s, end_s)
    whole = judged(fixes, week)
    assert whole.changes
    keys = [tuple(key) for key in np.column_stack((fixes.event_us, fixes.latitude_deg, fixes.longitude_deg)).tolist()]
    by_fix = dict(zip(keys, whole.verdicts, strict=True))

    order = np.random.default_rng(7).permutation(fixes.event_us.size)
    assert judged(fixes.take(order), week).verdicts == [whole.verdicts[row] for row in order]
    for cut in (100, 241, 242, 243, 400, 545):
        state, verdicts = FeedState(), []
        for part in (fixes.take(np.arange(cut)), fixes.take(np.arange(cut, fixes.event_us.size))):
            verdicts += judged(part, week, state=state).verdicts
            state = FeedState.read(state.text)
        assert verdicts == [by_fix[key] for key in keys]


def test_a_position_that_stands_over_midnight_is_frozen_on_the_day_after(week):
    seconds = every(FIVE_S, 30_000.0, 30_030.0)
    still = polled(np.repeat(seconds[:1], seconds.size))
    fixes = stamped(BEGIN_US + np.rint(seconds * SECOND_US).astype(np.int64), still.latitude_deg, still.longitude_deg)
    state = FeedState()
    assert set(judged(fixes, week, state=state).verdicts) == {"OK"}

    next_day = replace(fixes, event_us=fixes.event_us + 30 * SECOND_US)
    assert set(judged(next_day, week, state=FeedState.read(state.text)).verdicts) == {"FROZEN"}


def test_a_fix_that_the_feed_went_on_to_repeat_is_frozen_and_the_next_one_is_not(week):
    fixes = polled(np.array([0.0, 5.0, 10.0, 900.0, 905.0]))
    errors = errors_of(fixes, convention_of(OPEN_NOTIFY), week)
    repeated = np.array([False, False, True, False, False])

    assert judge(errors, repeated, FeedState()) == ["OK", "OK", "FROZEN", "OK", "OK"]


def test_no_fix_is_no_verdict_and_outside_of_the_issues_there_is_none(week):
    assert judged(polled(np.array([])), week).verdicts == []
    assert judged(polled(np.array([-40 * DAY_S, 60 * DAY_S])), week).verdicts == []
