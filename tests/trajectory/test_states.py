"""Where an object is at any instant: by the latest issue that covers it, and by nothing where none does."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.oem.sample_oem import kvn

from orbitlake.oem import Issue, read_bytes
from orbitlake.trajectory import Trajectory, arcs_of

START = np.datetime64("2023-03-24T18:00:00", "us")
RADIUS_KM = 6798.0
MEAN_MOTION_RAD_S = np.sqrt(398600.4418 / RADIUS_KM**3)
ONE_METRE_KM = 1e-3


def after(seconds: float) -> np.datetime64:
    return START + np.timedelta64(round(seconds * 1e6), "us")


def state(seconds: float, radius_km: float = RADIUS_KM, thrust_s: float | None = None) -> np.ndarray:
    """Return a state on a circle; from `thrust_s` on the object is pushed off the plane with 10 mm/s^2."""
    angle = MEAN_MOTION_RAD_S * seconds
    speed_km_s = radius_km * MEAN_MOTION_RAD_S
    powered_s = 0.0 if thrust_s is None else max(0.0, seconds - thrust_s)
    return np.array(
        [
            *(radius_km * np.cos(angle), radius_km * np.sin(angle), 5e-6 * powered_s**2),
            *(-speed_km_s * np.sin(angle), speed_km_s * np.cos(angle), 1e-5 * powered_s),
        ]
    )


def lines_of(seconds: Sequence[float], radius_km: float = RADIUS_KM) -> list[str]:
    return [
        f"{str(after(second))[:-3]} {' '.join(f'{value:.12f}' for value in state(second, radius_km))}"
        for second in seconds
    ]


def issue(
    seconds: Sequence[float],
    created: str = "2023-03-24T20:00:00",
    radius_km: float = RADIUS_KM,
    useable: tuple[float, float] | None = None,
    frame: str = "EME2000",
) -> Issue:
    """Return an issue whose states lie on a circle, so many seconds after START."""
    lines = lines_of(seconds, radius_km)
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0], "REF_FRAME": frame}
    if useable:
        span |= {"USEABLE_START_TIME": str(after(useable[0])), "USEABLE_STOP_TIME": str(after(useable[1]))}
    header = (f"CREATION_DATE = {created}", "ORIGINATOR = TEST")
    return read_bytes(kvn(header=header, metadata=span, states=lines), "circle.oem")


def trajectory(*issues: Issue) -> Trajectory:
    return Trajectory(arc for each in issues for arc in arcs_of(each.segment_table, each.states, each.episodes))


def every_240_s(start: float, stop: float) -> list[float]:
    return np.arange(start, stop + 1, 240.0).tolist()


def test_states_between_states_lie_on_the_orbit():
    path = trajectory(issue(every_240_s(0, 6000)))
    seconds = np.arange(300.0, 5600.0, 17.0)

    found = path.state_at(np.array([after(second) for second in seconds]))
    truth = np.array([state(second) for second in seconds])

    assert np.abs(found.position_km - truth[:, :3]).max() < ONE_METRE_KM
    assert np.abs(found.velocity_km_s - truth[:, 3:]).max() < ONE_METRE_KM / 100
    assert set(found.ref_frame) == {"EME2000"}
    assert set(found.center_name) == {"EARTH"}


def test_datetimes_count_by_their_zone_and_one_is_as_good_as_many():
    path = trajectory(issue(every_240_s(0, 6000)))
    paris = datetime.fromisoformat("2023-03-24T19:05:00+01:00")

    found = path.state_at(paris)

    assert found.epoch_utc.tolist() == [datetime.fromisoformat("2023-03-24T18:05:00")]
    np.testing.assert_allclose(found.position_km[0], state(300)[:3], atol=ONE_METRE_KM)


def test_a_datetime_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no zone"):
        trajectory().state_at([datetime(2023, 3, 24)])  # noqa: DTZ001


def test_outside_of_the_usable_span_nothing_is_said():
    path = trajectory(issue(every_240_s(0, 2400), useable=(240, 1200)))

    found = path.state_at(np.array([after(second) for second in (0, 239.9, 240, 1200, 1200.1, 2401)]))

    assert np.isfinite(found.position_km).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert np.isfinite(found.velocity_km_s).all(axis=1).tolist() == [False, False, True, True, False, False]
    assert np.isnat(found.creation_date).tolist() == [True, True, False, False, True, True]
    assert np.isfinite(found.age_s).tolist() == [False, False, True, True, False, False]
    assert found.ref_frame.tolist() == [None, None, "EME2000", "EME2000", None, None]
    assert found.segment.tolist() == [-1, -1, 0, 0, -1, -1]


def test_without_an_issue_nothing_is_covered():
    assert np.isnan(trajectory().state_at(np.array([START])).position_km).all()
    assert trajectory().state_at([]).position_km.shape == (0, 3)


def test_the_issue_created_last_holds_wherever_it_covers_in_whatever_order_issues_come():
    old = issue(every_240_s(0, 4800), "2023-03-24T19:00:00", 6798.0)
    new = issue(every_240_s(1920, 2880), "2023-03-24T20:00:00", 6799.0)
    times = np.array([after(second) for second in (2400, 1900, 1920, 2880, 2881, 4800, 4801)])

    for issues in ((old, new), (new, old)):
        found = trajectory(*issues).state_at(times)

        radius_km = np.linalg.norm(found.position_km, axis=1)
        np.testing.assert_allclose(radius_km[:6], [6799, 6798, 6799, 6799, 6798, 6798], atol=ONE_METRE_KM)
        assert np.isnan(radius_km[6])
        assert str(found.creation_date[0]) == "2023-03-24T20:00:00.000000"
        assert found.age_s[:2].tolist() == [-4800, 1900 - 3600]


def test_what_stands_between_two_issues_is_not_bridged():
    path = trajectory(
        issue(every_240_s(0, 960), "2023-03-24T19:00:00"), issue(every_240_s(1200, 2400), "2023-03-24T20:00:00")
    )

    assert np.isnan(path.state_at(np.array([after(1000)])).position_km).all()


def burning() -> Issue:
    """Return an issue that burns from 480 s to 600 s, printed every 2 s: states as flown, nothing but a push."""
    seconds = [*every_240_s(0, 480), *np.arange(482.0, 601.0, 2.0), 720.0, 960.0, 1200.0]
    lines = [f"{str(after(second))[:-3]} {' '.join(f'{value:.12f}' for value in pushed(second))}" for second in seconds]
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0]}
    return read_bytes(kvn(metadata=span, states=lines), "burning.oem")


def pushed(second: float) -> np.ndarray:
    """Return the circle, off its plane by a push of 10 mm/s^2 from 480 s to 600 s, gravity of the offset left out."""
    flown = state(second, thrust_s=480.0)
    if second > 600.0:
        flown[2], flown[5] = 5e-6 * 120**2 + 1.2e-3 * (second - 600), 1.2e-3
    return flown


def test_a_burn_is_told_from_its_coasts_and_no_polynomial_reaches_across_its_edges():
    found_issue = burning()
    assert found_issue.episodes.num_rows == 1
    seconds = np.array([470.0, 479.999, 480.0, 481.0, 599.0, 600.0, 610.0])

    found = trajectory(found_issue).state_at(np.array([after(second) for second in seconds]))

    assert found.is_powered.tolist() == [False, False, True, True, True, False, False]
    off_plane_km = [pushed(second)[2] for second in seconds]
    np.testing.assert_allclose(found.position_km[:, 2], off_plane_km, rtol=0, atol=1e-9)


def test_segments_of_one_issue_hold_each_in_its_frame_the_later_where_they_meet():
    first = kvn(states=lines_of(every_240_s(0, 960)), metadata=span_of(0, 960, "EME2000"))
    second = kvn(states=lines_of(every_240_s(960, 1920)), metadata=span_of(960, 1920, "GCRF"))
    both = read_bytes(first + b"\n" + second.split(b"\n\n", 1)[1], "two.oem")

    found = trajectory(both).state_at(np.array([after(second) for second in (900, 960, 1000)]))

    assert found.ref_frame.tolist() == ["EME2000", "GCRF", "GCRF"]
    assert found.segment.tolist() == [0, 1, 1]


def span_of(start: float, stop: float, frame: str) -> dict[str, str]:
    return {"START_TIME": str(after(start)), "STOP_TIME": str(after(stop)), "REF_FRAME": frame}


def test_a_leap_second_takes_its_second():
    """At the end of 2016: 2 s of UTC's clock last 3 s."""
    lines = [
        f"{epoch} {' '.join(f'{value:.12f}' for value in state(elapsed))}"
        for epoch, elapsed in (
            ("2016-12-31T23:52:00", 0.0),
            ("2016-12-31T23:56:00", 240.0),
            ("2017-01-01T00:00:00", 481.0),
            ("2017-01-01T00:04:00", 721.0),
            ("2017-01-01T00:08:00", 961.0),
        )
    ]
    span = {"START_TIME": "2016-12-31T23:52:00", "STOP_TIME": "2017-01-01T00:08:00"}
    path = trajectory(read_bytes(kvn(metadata=span, states=lines), "leap.oem"))
    midnight = datetime(2017, 1, 1, tzinfo=UTC)

    found = path.state_at([midnight - timedelta(seconds=1), midnight + timedelta(seconds=1)])

    truth = [state(479.0)[:3], state(482.0)[:3]]
    np.testing.assert_allclose(found.position_km, truth, rtol=0, atol=ONE_METRE_KM)
