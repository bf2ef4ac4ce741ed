"""Thrust told from coast by the dynamics: files printed every 2 s, few digits, other centres, earth-fixed frames."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.oem.sample_oem import kvn

from orbitlake.oem import Issue, read, read_bytes
from orbitlake.oem.reader.thrust import last_digit
from orbitlake.physics.fields import CENTRES, Pull, fields_about
from orbitlake.physics.frames import itrs_from_tai
from orbitlake.physics.gravity import MU_KM3_S2
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.orbit import orbital_axes

START = np.datetime64("2023-03-24T18:41:29", "ms")
LOW_ORBIT = np.array([4482.28542, -1945.87905, -4735.454317, 5.092194343892, 4.987268857019, 2.771174646982])
LOW_ABOUT_MOON = np.array([1838.0, 0.0, 0.0, 0.0, 1.4, 0.8])
REBOOST = (0.0, 1e-6, 0.0)
"""Radial, in-track, cross-track in km/s^2: 1 mm/s^2, as an ISS reboost has."""
FULL, ZONAL, OBLATE, POINT = fields_about("EARTH", "EME2000", int(tai_from_utc(np.array([START])).astype(np.int64)[0]))


def tai_us(after_s: float) -> np.ndarray:
    return tai_from_utc(np.array([START]).astype("datetime64[us]")).astype(np.int64) + round(after_s * 1e6)


def flown(
    pull: Pull,
    steps_s: Sequence[float],
    burns_s: Sequence[tuple[float, float]] = (),
    state: np.ndarray = LOW_ORBIT,
    thrust_km_s2: Sequence[float] = REBOOST,
) -> tuple[np.ndarray, np.ndarray]:
    """Return seconds after START (n,) and states (n, 6) by Runge and Kutta; thrust acts from ... to of `burns_s`."""

    def rate(at: np.ndarray, after_s: float, push: np.ndarray) -> np.ndarray:
        return np.concatenate((at[3:], pull(tai_us(after_s), at[np.newaxis, :3])[0] + push))

    elapsed_s, states = [0.0], [state]
    for step in steps_s:
        parts = max(1, round(step / 20))
        for _ in range(parts):
            h, t = step / parts, elapsed_s[-1]
            is_on = any(since <= t < until for since, until in burns_s)
            axes = orbital_axes(state[np.newaxis, :3], state[np.newaxis, 3:])[0]
            push = axes.T @ np.array(thrust_km_s2) * is_on
            k1 = rate(state, t, push)
            k2 = rate(state + h / 2 * k1, t + h / 2, push)
            k3 = rate(state + h / 2 * k2, t + h / 2, push)
            k4 = rate(state + h * k3, t + h, push)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            elapsed_s[-1] = t + h
        elapsed_s[-1] -= step
        elapsed_s.append(elapsed_s[-1] + step)
        states.append(state)
    return np.array(elapsed_s), np.array(states)


def issue_of(
    flight: tuple[np.ndarray, np.ndarray],
    digits: tuple[int, int] = (9, 12),
    center_name: str = "EARTH",
    ref_frame: str = "EME2000",
) -> Issue:
    """Return the issue of a file that prints so many decimals of km and km/s."""
    lines = [
        " ".join(
            [
                str(START + np.timedelta64(round(after_s * 1000), "ms")),
                *(f"{value:.{digits[place > 2]}f}" for place, value in enumerate(state)),
            ]
        )
        for after_s, state in zip(*flight, strict=True)
    ]
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0]}
    metadata = {"CENTER_NAME": center_name, "REF_FRAME": ref_frame} | span
    return read_bytes(kvn(metadata=metadata, states=lines), "flown.oem")


def stretches(issue: Issue) -> list[tuple[float, float]]:
    """Return ignition and cut-off of each episode in seconds after START."""
    times = [issue.episodes.column(name).to_numpy() for name in ("ignition_time", "cutoff_time")]
    since, until = (((time - START) / np.timedelta64(1, "ms") / 1000).tolist() for time in times)
    return list(zip(since, until, strict=True))


EVERY_2_S = [2.0] * 150
OWN_CADENCE = (
    "segment 0: states stand every 2 s in coast as in powered flight: on_thrust tells this cadence, "
    "a thrust episode is what gravity does not explain"
)


@pytest.mark.parametrize("field", [FULL, ZONAL, OBLATE, POINT], ids=lambda field: field.name)
@pytest.mark.parametrize("digits", [(9, 12), (6, 9), (3, 6), (3, 5), (0, 3)])
def test_a_coast_printed_every_2_s_is_no_burn_in_whatever_gravity_it_was_flown(field, digits):
    issue = issue_of(flown(field.pull_km_s2, EVERY_2_S), digits)

    assert issue.episodes.num_rows == 0
    assert OWN_CADENCE in issue.warnings
    assert sum(issue.states.column("on_thrust").to_pylist()) == 150


@pytest.mark.parametrize("field", [FULL, ZONAL, OBLATE, POINT], ids=lambda field: field.name)
@pytest.mark.parametrize(("digits", "within_s"), [((9, 12), 0.0), ((6, 9), 0.0), ((3, 6), 6.0)])
def test_a_burn_in_a_file_printed_every_2_s_is_an_episode_and_its_coasts_are_none(field, digits, within_s):
    issue = issue_of(flown(field.pull_km_s2, EVERY_2_S, [(100, 200)]), digits)
    (burn,) = issue.episodes.to_pylist()

    assert np.abs(np.array(stretches(issue)) - [(100, 200)]).max() <= within_s
    assert burn["two_second_rows"] == burn["duration_s"] / 2
    assert burn["delta_v_intrack_m_s"] == pytest.approx(0.1, abs=0.012 if within_s else 1e-4)


def test_two_burns_of_one_run_are_two_episodes_with_keys_of_their_own():
    issue = issue_of(flown(FULL.pull_km_s2, EVERY_2_S, [(0, 60), (240, 300)]))

    assert stretches(issue) == [(0, 60), (240, 300)]
    assert [burn["manoeuvre"] for burn in issue.episodes.to_pylist()] == [1, 2]
    assert issue.episodes.column("thrust_episode").to_pylist() == [1, 1]


def test_a_grid_point_2_s_from_an_event_is_no_burn_even_where_epochs_are_rounded():
    elapsed_s, states = flown(FULL.pull_km_s2, [240.0, 2.0004, 237.9996, 240.0])

    assert issue_of((elapsed_s, states)).episodes.num_rows == 0


def test_one_step_of_2_s_with_thrust_is_a_burn():
    issue = issue_of(flown(FULL.pull_km_s2, [240.0, 2.0, 238.0, 240.0], [(240, 242)]))

    assert stretches(issue) == [(240, 242)]


def test_about_the_moon_the_point_mass_judges_and_its_lumps_are_no_thrust():
    (moon,) = fields_about("MOON", "ICRF", 0)

    def lumpy_km_s2(at_us: np.ndarray, position_km: np.ndarray) -> np.ndarray:
        return moon.pull_km_s2(at_us, position_km) * (1 + 1e-3 * np.sin(position_km[:, :1] / 100))

    coast = issue_of(flown(lumpy_km_s2, EVERY_2_S, state=LOW_ABOUT_MOON), center_name="MOON", ref_frame="ICRF")
    descent = flown(lumpy_km_s2, EVERY_2_S, [(100, 200)], LOW_ABOUT_MOON, (0.0, -5e-4, 0.0))
    issue = issue_of(descent, center_name="MOON", ref_frame="ICRF")
    (burn,) = issue.episodes.to_pylist()

    assert coast.episodes.num_rows == 0
    assert stretches(issue) == [(100, 200)]
    assert burn["delta_v_intrack_m_s"] == pytest.approx(-50, abs=0.2)
    assert burn["semi_major_axis_before_km"] is None


@pytest.mark.parametrize("center", [name for name in CENTRES if name != "MOON"])
def test_a_coast_about_any_known_body_is_no_burn(center):
    (field,) = fields_about(center, "EME2000", 0)
    mu, radius, _ = CENTRES[center]
    state = np.array([1.2 * radius, 0.0, 0.0, 0.0, np.sqrt(mu / radius), 0.0])

    assert issue_of(flown(field.pull_km_s2, EVERY_2_S, state=state), center_name=center).episodes.num_rows == 0


def test_in_an_earth_fixed_frame_states_are_judged_in_inertial_axes():
    elapsed_s, states = flown(FULL.pull_km_s2, EVERY_2_S, [(100, 200)])
    epochs = np.concatenate([tai_us(after_s) for after_s in elapsed_s]).astype("datetime64[us]")
    inertial = issue_of((elapsed_s, states)).episodes.to_pylist()[0]

    def fixed(shift_ms: int) -> np.ndarray:
        ahead = epochs + np.timedelta64(shift_ms, "ms")
        return itrs_from_tai("EME2000", ahead, states[:, :3] + shift_ms / 1000 * states[:, 3:])

    velocity_km_s = (fixed(1) - fixed(-1)) / 0.002
    issue = issue_of((elapsed_s, np.hstack((fixed(0), velocity_km_s))), (9, 9), ref_frame="ITRF2014")
    (burn,) = issue.episodes.to_pylist()

    assert stretches(issue) == [(100, 200)]
    for name in ("delta_v_intrack_m_s", "delta_v_radial_m_s", "delta_v_crosstrack_m_s"):
        assert burn[name] == pytest.approx(inertial[name], abs=1e-3)
    assert burn["semi_major_axis_after_km"] == pytest.approx(inertial["semi_major_axis_after_km"], abs=0.01)


def test_far_from_earth_the_moon_beside_the_path_is_no_thrust():
    """2,000 km over the Moon it pulls with 0.35 m/s^2; seen from Earth that is no gravity of Earth's."""
    moon_km = np.array([384_000.0, 0.0, 0.0])
    state = np.array([384_000.0 - 60_000.0, 20_000.0, 10_000.0, 0.9, 0.2, 0.1])

    def pull_km_s2(_: np.ndarray, position_km: np.ndarray) -> np.ndarray:
        to_moon = moon_km - position_km
        toward_moon = 4902.8 * to_moon / np.linalg.norm(to_moon, axis=1, keepdims=True) ** 3
        return toward_moon - MU_KM3_S2 * position_km / np.linalg.norm(position_km, axis=1, keepdims=True) ** 3

    coast = issue_of(flown(pull_km_s2, [600.0] * 10 + [2.0] * 60 + [600.0] * 10, state=state))

    assert coast.episodes.num_rows == 0


def test_segments_are_judged_each_by_its_own_centre_and_frame():
    earth = issue_of(flown(FULL.pull_km_s2, [2.0] * 60, [(20, 80)]))
    assert stretches(earth) == [(20, 80)]
    lines = [
        f"{START + np.timedelta64(round(after_s), 's')} " + " ".join(f"{value:.9f}" for value in state)
        for after_s, state in zip(*flown(FULL.pull_km_s2, [2.0] * 60, [(20, 80)]), strict=True)
    ]
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0]}
    second = kvn(metadata={"REF_FRAME": "TDR"} | span, states=lines).decode().split("\n\n", 1)[1]
    both = read_bytes(kvn(metadata=span, states=lines) + b"\n" + second.encode(), "two.oem")

    assert stretches(both) == [(20, 80)]
    assert sum("segment 1: states every 2 s about Earth in TDR" in warning for warning in both.warnings) == 1


def test_a_burn_across_a_leap_second_lasts_as_long_as_its_engine_runs():
    """30 s by TAI from 23:59:50 to 00:00:19 UTC, at the end of 2016."""
    start = np.datetime64("2016-12-31T23:55:50")
    begin_us = int(tai_from_utc(np.array([start]).astype("datetime64[us]")).astype(np.int64)[0])

    def pull_km_s2(at_us: np.ndarray, position_km: np.ndarray) -> np.ndarray:
        return FULL.pull_km_s2(at_us - tai_us(0) + begin_us, position_km)

    elapsed_s, states = flown(pull_km_s2, [240.0] + [2.0] * 15 + [240.0], [(240, 270)])

    def label(after_s: float) -> str:
        second = round(after_s) - 250
        if second == 0:
            return "2016-12-31T23:59:60"
        return str(np.datetime64("2017-01-01") + np.timedelta64(second - (second > 0), "s"))

    lines = [
        f"{label(t)} " + " ".join(f"{value:.12f}" for value in state)
        for t, state in zip(elapsed_s, states, strict=True)
    ]
    span = {"START_TIME": lines[0].split()[0], "STOP_TIME": lines[-1].split()[0]}
    (burn,) = read_bytes(kvn(metadata=span, states=lines), "leap.oem").episodes.to_pylist()

    assert burn["duration_s"] == 30.0
    assert burn["delta_v_m_s"] == pytest.approx(0.030, abs=1e-4)
    assert burn["mean_acceleration_mm_s2"] == pytest.approx(1.0, abs=0.01)


def test_the_last_digit_is_told_from_the_numbers():
    assert last_digit(np.array([[1.5, 0.0, 0.25], [2.0, 0.0, 0.125]])) == pytest.approx(np.hypot(0.1, 0.001))
    assert last_digit(np.array([[6777.983, 9.526, 12.02]])) == pytest.approx(np.sqrt(2e-6 + 1e-4))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "warns"), [("m1_2s.oem", True), ("t09_event2s.oem", False), ("d09_leapburn.oem", False)]
)
def test_coasts_that_were_once_taken_for_burns(real_data, name, warns):
    issue = read(real_data / "reported" / "oem" / name)

    assert issue.episodes.num_rows == 0
    assert any(issue.states.column("on_thrust").to_pylist())
    assert (OWN_CADENCE in issue.warnings) == warns
