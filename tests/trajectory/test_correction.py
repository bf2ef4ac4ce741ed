"""Predictions moved along their track by what was seen: where that was shown to help, not elsewhere."""

from dataclasses import replace
from datetime import UTC

import numpy as np
import pyarrow as pa
import pytest
from tests.published import publish
from tests.trajectory.circles import file_of
from tests.trajectory.test_states import ONE_METRE_KM, after, issue, state, trajectory

from orbitlake.lake import Lake
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.settings import from_environment
from orbitlake.tables import POSITION_AUDIT
from orbitlake.trajectory import Trajectory, state_at
from orbitlake.trajectory.arcs import Arc, Path
from orbitlake.trajectory.correction import FEED_SIGMA_S, NO_END_US, Correction, Observations
from orbitlake.trajectory.lake_observations import observations

DAY_S = 86_400.0
CREATED_S = 7200.0
LEADS_D = np.arange(1.0, 7.0)
DRAG_S = 0.05 * LEADS_D**2


def fit(ahead_s, sigma_s: float = FEED_SIGMA_S) -> Correction:
    return Correction.fit(LEADS_D * DAY_S, np.asarray(ahead_s), np.full(LEADS_D.size, sigma_s), DRAG_S)


def at(correction: Correction, lead_d: float) -> float:
    ahead_s, _ = correction.at(np.array([lead_d * DAY_S]), np.array([0.05 * lead_d**2]))
    return float(ahead_s[0])


def test_what_grows_as_drag_does_goes_on_growing_so():
    assert at(fit(0.2 * DRAG_S, sigma_s=1e-4), 10.0) == pytest.approx(0.2 * 0.05 * 100, rel=0.01)


def test_what_grows_with_time_goes_on_growing_so():
    assert at(fit(3.0 * LEADS_D, sigma_s=1e-4), 10.0) == pytest.approx(30.0, rel=0.01)


def test_noise_alone_moves_less_than_it_may_be_off():
    correction = fit(np.random.default_rng(5).normal(0.0, FEED_SIGMA_S, LEADS_D.size))
    ahead_s, sigma_s = correction.at(np.array([8.0 * DAY_S]), np.array([0.05 * 64]))

    assert abs(ahead_s[0]) < 2.0 * sigma_s[0]


def test_days_of_fixes_count_once_each_by_their_medians():
    hours = np.array([1, 2, 3, 30, 31, 60])
    ahead_s = np.array([1.0, 2.0, 99.0, -4.0, -6.0, 7.0])
    order = np.array([5, 0, 3, 1, 4, 2])
    found = Observations.of_fixes((hours * 3_600_000_000)[order], ahead_s[order])

    assert found.ahead_s.tolist() == [2.0, -5.0, 7.0]
    assert (found.seen_us / 3_600_000_000).tolist() == [2.0, 30.5, 60.0]


@pytest.fixture(scope="module")
def arc() -> Arc:
    """The arc of a fortnight on one circle, without drag, created two hours after its start."""
    read = issue(np.arange(0.0, 14.5 * DAY_S, 240.0).tolist())
    (found,) = trajectory(read).arcs
    path = found.path()
    return replace(found, path=lambda: path)


def seen_until(last_d: float, ahead_s_a_day: float = 3.0) -> Observations:
    lead_d = np.arange(1.0, last_d + 0.01)
    seen_us = [after(CREATED_S + each * DAY_S).astype(np.int64) for each in lead_d]
    return Observations(np.array(seen_us), ahead_s_a_day * lead_d, np.full(lead_d.size, FEED_SIGMA_S))


def at_lead(arc: Arc, lead_d: float, seen: Observations | None):
    times = np.array([after(CREATED_S + lead_d * DAY_S)])
    return Trajectory([arc]).state_at(times, None if seen is None else lambda *_: seen)


def test_a_prediction_is_moved_to_where_the_object_will_be(arc):
    found = at_lead(arc, 8.0, seen_until(6.0))
    truth = state(CREATED_S + 8.0 * DAY_S + float(found.ahead_s[0]))

    assert found.is_corrected.all()
    assert found.ahead_s[0] == pytest.approx(24.0, rel=0.03)
    assert np.abs(found.position_km[0] - truth[:3]).max() < ONE_METRE_KM
    assert np.abs(found.velocity_km_s[0] - truth[3:]).max() < ONE_METRE_KM / 1000


@pytest.mark.parametrize(
    ("lead_d", "last_d"),
    [(5.9, 5.0), (10.0, 4.0), (14.0, 8.0), (14.1, 13.0)],
    ids=["lead too short", "last seen too early", "last seen too early for the lead", "lead too long"],
)
def test_where_it_was_not_shown_to_help_the_state_is_as_the_issue_has_it(arc, lead_d, last_d):
    found = at_lead(arc, lead_d, seen_until(last_d))

    assert not found.is_corrected.any()
    np.testing.assert_array_equal(found.position_km, at_lead(arc, lead_d, None).position_km)
    assert found.ahead_s[0] == 0.0


def test_what_the_noise_drowns_moves_nothing(arc):
    assert not at_lead(arc, 8.0, seen_until(6.0, ahead_s_a_day=0.01)).is_corrected.any()


def test_without_an_observation_nothing_is_moved(arc):
    assert not at_lead(arc, 8.0, seen_until(0.0)).is_corrected.any()


def test_in_axes_that_turn_with_earth_nothing_is_moved(arc):
    assert not at_lead(replace(arc, ref_frame="ITRF2000"), 8.0, seen_until(6.0)).is_corrected.any()


def test_from_a_burn_on_that_nobody_has_seen_nothing_is_moved(arc):
    path, ignition_s = arc.path(), CREATED_S + 7.0 * DAY_S
    burns = np.array([[after(ignition_s).astype(np.int64), after(ignition_s + 600).astype(np.int64)]])
    burning = replace(arc, path=lambda: Path(path.origin_tai_us, path.states, burns))

    assert at_lead(burning, 6.9, seen_until(6.0)).is_corrected.all()
    assert not at_lead(burning, 7.1, seen_until(6.0)).is_corrected.any()


def audit_of(
    lake: Lake, created: np.datetime64, times: np.ndarray, along_track_s: list[float], **more: list[str]
) -> None:
    """Write rows of position_audit, all of the first one's day."""
    columns = {
        "object_id": ["1998-067A"] * times.size,
        "source": ["open_notify"] * times.size,
        "event_time": pa.array(times).cast(pa.timestamp("us", "UTC")),
        "creation_date": pa.array([created] * times.size).cast(pa.timestamp("us", "UTC")),
        "along_track_s": along_track_s,
        "verdict": ["OK"] * times.size,
    }
    nothing = {name: [0.0] * times.size for name in POSITION_AUDIT.column_names}
    day = times[0].astype("datetime64[D]").item()
    publish(pa.table(nothing | columns | more), POSITION_AUDIT, lake.day(POSITION_AUDIT, day), lake.staging)


def test_observations_are_the_fixes_of_the_issue_that_the_audit_calls_ok(lake: Lake, arc):
    times = np.array([after(CREATED_S + hour * 3600) for hour in (-1.0, 5.0, 6.0, 7.0, 8.0)])
    more = {"object_id": ["1998-067A"] * 4 + ["2021-035A"], "verdict": ["OK", "OK", "OK", "STALE", "OK"]}
    audit_of(lake, np.datetime64(arc.creation_us, "us"), times, [9.0, 1.0, 2.0, 50.0, 60.0], **more)
    other = replace(arc, creation_us=arc.creation_us - 3_600_000_000)

    assert observations(lake, "1998-067A", arc, NO_END_US).ahead_s.tolist() == [1.5]
    assert observations(lake, "1998-067A", arc, int(times[1].astype(np.int64))).ahead_s.tolist() == [1.0]
    assert observations(lake, "1998-067A", other, NO_END_US).ahead_s.size == 0


def test_a_lake_moves_its_predictions_once_the_audit_tells_of_fixes(lake: Lake, tmp_path):
    file = tmp_path / "circle.oem"
    file.write_bytes(file_of(CREATED_S / 3600, 0, 14 * 24))
    ingest_source(str(file), lake, from_environment({"ORBITLAKE_DATA": str(lake.root)}))
    times = np.array([after(CREATED_S + 8.0 * DAY_S)])
    before = state_at(times, "1998-067A", lake.root, corrected=True)
    for day in np.arange(1.0, 7.0):
        audit_of(lake, after(CREATED_S), np.array([after(CREATED_S + day * DAY_S)]), [3.0 * day])

    found = state_at(times, "1998-067A", lake.root, corrected=True)

    assert not before.is_corrected.any()
    assert found.is_corrected.all()
    assert found.ahead_s[0] == pytest.approx(24.0, rel=0.03)
    assert not state_at(times, "1998-067A", lake.root).is_corrected.any()
    early = after(CREATED_S + 4.5 * DAY_S).item().replace(tzinfo=UTC)
    assert not state_at(times, "1998-067A", lake.root, corrected=True, as_of=early).is_corrected.any()
