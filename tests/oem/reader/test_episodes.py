"""Powered flight: runs, true ends, delta-v and manoeuvres, on states made here and on every real issue."""

import csv
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from orbitlake.oem import read
from orbitlake.oem.reader.episodes import find_episodes, thrust_flags
from orbitlake.physics.frames import rotation_to_itrs
from orbitlake.physics.gravity import gravity_itrs_km_s2
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.orbit import orbital_axes
from orbitlake.tables import THRUST_EPISODES, TRAJECTORY_EVENTS, UTC_MICROSECONDS

START = datetime(2023, 3, 30, 16, 40, tzinfo=UTC)
IDENTITY = {"object_id": "1998-067A", "creation_date": START}
BURN_M_S2 = np.array([0.0001, 0.001, -0.0002])
"""Radial, in-track, cross-track; the second is what an ISS reboost makes."""
INTEGRATION_M_S = 1e-5
PRINTED_M_S = 0.06
"""The events print one decimal; the rest is what gravity to degree and order 4 leaves out."""
BAR_M_S, BAR_SHARE = 0.1, 0.07


def flags(*step_s: float) -> tuple[list[bool], list[int]]:
    on_thrust, episode = thrust_flags(np.array([np.nan, *step_s]), np.zeros(len(step_s) + 1, dtype=np.int32))
    return on_thrust.tolist(), episode.tolist()


def flown(*step_s: float, segment: list[int] | None = None) -> pa.Table:
    """Return states of one coast in EME2000 under the full field, whose velocity gains BURN in steps up to 2 s."""
    state = np.array([4482.28542, -1945.87905, -4735.454317, 5.092194343892, 4.987268857019, 2.771174646982])
    elapsed_s, gained_km_s, rows = 0.0, np.zeros(3), [state]

    def rate(at: np.ndarray, after_s: float) -> np.ndarray:
        epoch = np.array([START.replace(tzinfo=None) + timedelta(seconds=after_s)], "datetime64[us]")
        turn = rotation_to_itrs("EME2000", epoch)
        return np.concatenate((at[3:], (gravity_itrs_km_s2(np.matvec(turn, at[:3])) @ turn[0])[0]))

    for step in step_s:
        k1 = rate(state, elapsed_s)
        k2 = rate(state + step / 2 * k1, elapsed_s + step / 2)
        k3 = rate(state + step / 2 * k2, elapsed_s + step / 2)
        k4 = rate(state + step * k3, elapsed_s + step)
        earlier, state = state, state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        elapsed_s += step
        if step <= 2.0:
            middle = (earlier + state) / 2
            axes = orbital_axes(middle[np.newaxis, :3], middle[np.newaxis, 3:])[0]
            gained_km_s = gained_km_s + axes.T @ BURN_M_S2 * step / 1000
        rows.append(state + np.concatenate((np.zeros(3), gained_km_s)))
    segments = np.array(segment or [0] * len(rows), dtype=np.int32)
    on_thrust, episode = thrust_flags(np.array([np.nan, *step_s]), segments)
    epochs = np.datetime64(START.replace(tzinfo=None), "us") + np.cumsum([0, *(round(s * 1e6) for s in step_s)])
    vectors = dict(zip(("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s"), np.array(rows).T, strict=True))
    return pa.table(
        {
            "segment": segments,
            "epoch": pa.array(epochs).cast(UTC_MICROSECONDS),
            "epoch_tai": pa.array(tai_from_utc(epochs)),
        }
        | vectors
        | {"on_thrust": on_thrust, "thrust_episode": episode}
    )


def events(*planned: tuple[float, float]) -> pa.Table:
    """Return events (seconds after START, m/s)."""
    rows = [
        IDENTITY
        | {
            "event_name": f"event {number}",
            "ignition_time": START + timedelta(seconds=after_s),
            "delta_v_m_s": delta_v_m_s,
            "is_burn": delta_v_m_s > 0,
        }
        for number, (after_s, delta_v_m_s) in enumerate(planned)
    ]
    return pa.Table.from_pylist(rows, schema=TRAJECTORY_EVENTS.schema)


def episodes(states: pa.Table, planned: pa.Table | None = None) -> list[dict]:
    return judged(states, "EARTH", "EME2000", planned)[0]


def judged(
    states: pa.Table, center_name: str, ref_frame: str, planned: pa.Table | None = None
) -> tuple[list[dict], list[str]]:
    places = [(center_name, ref_frame)] * (pc.max(states.column("segment")).as_py() + 1)
    found = find_episodes(**IDENTITY, states=states, events=events() if planned is None else planned, places=places)
    assert found.episodes.schema == THRUST_EPISODES.schema
    return found.episodes.to_pylist(), found.warnings


def test_only_a_step_of_two_seconds_to_the_millisecond_is_powered():
    assert flags(240.0, 2.0, 2.0004, 1.991, 2.001, 2.0) == (
        [False, False, True, True, False, False, True],
        [0, 0, 1, 1, 2, 2, 3],
    )


def test_a_segment_begins_unpowered():
    on_thrust, episode = thrust_flags(np.array([np.nan, 2.0, 2.0, 2.0]), np.array([0, 0, 1, 1], dtype=np.int32))

    assert on_thrust.tolist() == [False, True, False, True]
    assert episode.tolist() == [0, 1, 2, 3]


def test_one_state_and_no_state_have_no_flags_to_raise():
    assert flags() == ([False], [0])
    assert [part.size for part in thrust_flags(np.array([]), np.array([], dtype=np.int32))] == [0, 0]


def test_a_coast_has_no_episode():
    assert episodes(flown(240.0, 240.0)) == []


def test_a_run_begins_a_state_early_and_ends_with_the_short_step():
    (burn,) = episodes(flown(240.0, *[2.0] * 50, 0.727, 240.0), events((240.0, 0.1)))

    assert burn["thrust_episode"] == 1
    assert burn["ignition_time"] == START + timedelta(seconds=240)
    assert burn["cutoff_time"] == START + timedelta(seconds=340.727)
    assert burn["duration_s"] == pytest.approx(100.727)
    assert burn["two_second_rows"] == 50


@pytest.mark.parametrize("after", [(240.0,), (2.001,), ()])
def test_without_a_short_step_the_last_two_second_state_is_the_end(after):
    (burn,) = episodes(flown(240.0, *[2.0] * 50, *after))

    assert burn["duration_s"] == 100.0


def test_a_short_step_in_the_next_segment_is_not_the_runs():
    (burn,) = episodes(flown(240.0, 2.0, 2.0, 1.5, 1.5, segment=[0, 0, 0, 0, 1, 1]))

    assert burn["duration_s"] == 4.0


def test_delta_v_is_what_gravity_does_not_explain_along_the_axes_of_each_moment():
    (burn,) = episodes(flown(240.0, *[2.0] * 300, 1.5, 240.0))
    expected_m_s = BURN_M_S2 * 601.5

    parts = [burn[f"delta_v_{axis}_m_s"] for axis in ("radial", "intrack", "crosstrack")]
    assert parts == pytest.approx(expected_m_s, abs=INTEGRATION_M_S)
    assert burn["delta_v_m_s"] == pytest.approx(np.linalg.norm(expected_m_s), abs=INTEGRATION_M_S)
    assert burn["mean_acceleration_mm_s2"] == pytest.approx(1000 * np.linalg.norm(BURN_M_S2), abs=INTEGRATION_M_S)


@pytest.mark.parametrize(
    ("center_name", "ref_frame"),
    [("EARTH", "TDR"), ("EARTH", "MCI"), ("MARS", "ITRF2000"), ("EARTH-MOON BARYCENTER", "ICRF"), ("APOPHIS", "ICRF")],
)
def test_where_no_gravity_is_known_no_burn_is_claimed_and_the_file_hears_it(center_name, ref_frame):
    found, (warning,) = judged(flown(240.0, *[2.0] * 5, 240.0), center_name, ref_frame)

    assert found == []
    assert warning == (
        f"segment 0: states every 2 s about {center_name} in {ref_frame} cannot be told from a coast, "
        "since no gravity is known there: no thrust episode"
    )


def test_states_that_no_gravity_of_their_centre_explains_are_no_burn():
    found, (warning,) = judged(flown(240.0, *[2.0] * 5, 240.0), "MOON", "ICRF")

    assert found == []
    assert warning == (
        "segment 0: gravity leaves so much of its coasts unexplained that a thrust below 1.7e+04 mm/s^2 is no episode"
    )


def test_events_match_from_ignition_to_before_the_cut_off():
    states = flown(240.0, *[2.0] * 50, 0.5, 240.0)
    planned = events((239.999, 1.0), (240.0, 0.1), (300.0, 1.0), (310.0, 0.0), (340.5, 1.0))
    (burn,) = episodes(states, planned)

    assert burn["event_names"] == ["event 1", "event 2"]
    assert burn["event_delta_v_m_s"] == pytest.approx(1.1)


@pytest.mark.parametrize(("gap_s", "manoeuvres"), [(59.999, [1, 1, 1]), (60.0, [1, 2, 3])])
def test_runs_less_than_a_minute_apart_are_one_manoeuvre(gap_s, manoeuvres):
    states = flown(240.0, 2.0, 2.0, 0.5, gap_s, 2.0, 2.0, 0.5, gap_s, 2.0, 240.0)

    assert [burn["manoeuvre"] for burn in episodes(states)] == manoeuvres


@pytest.mark.real
def test_every_run_of_every_issue_is_a_planned_burn_and_every_planned_burn_a_run(real_data):
    with (real_data / "PROVENANCE.csv").open() as source:
        counted = {row["path"]: row for row in csv.DictReader(source) if row["path"].startswith("oem/iss/")}
    assert counted
    differences = []
    for path, row in counted.items():
        issue = read(real_data / path)
        found = issue.episodes.to_pylist()
        assert len(found) == int(row["reboost_runs"]), path
        assert sum(burn["two_second_rows"] for burn in found) == int(row["two_second_rows"]), path
        first, last = (issue.states.column("epoch")[i].as_py() for i in (0, -1))
        planned = [
            event for event in issue.events.to_pylist() if event["is_burn"] and first <= event["ignition_time"] <= last
        ]
        matched = [name for burn in found for name in burn["event_names"]]
        assert sorted(matched) == sorted(event["event_name"] for event in planned), path
        ignitions = {event["event_name"]: event["ignition_time"] for event in planned}
        for burn in found:
            assert burn["event_names"], f"{path}: a run that nobody planned"
            assert ignitions[burn["event_names"][0]] == burn["ignition_time"], path
            difference = burn["delta_v_m_s"] - burn["event_delta_v_m_s"]
            assert abs(difference) <= max(BAR_M_S, BAR_SHARE * burn["event_delta_v_m_s"]), path
            differences.append(difference)

    assert len(differences) == sum(int(row["reboost_runs"]) for row in counted.values())
    assert np.abs(differences).max() < PRINTED_M_S


@pytest.mark.real
@pytest.mark.parametrize(
    ("day", "manoeuvres"),
    [("2025-12-15", [1, 1]), ("2024-05-15", [1, 2]), ("2024-08-14", [1, 2]), ("2025-10-13", [1]), ("2021-12-21", [1])],
)
def test_split_burns_are_one_manoeuvre_and_separate_ones_two(real_data, day, manoeuvres):
    found = read(real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.{day}.txt.gz").episodes.to_pylist()

    assert [burn["manoeuvre"] for burn in found] == manoeuvres
    for burn, later in pairwise(found):
        assert burn["cutoff_time"] <= later["ignition_time"]


@pytest.mark.real
@pytest.mark.parametrize(("day", "sign"), [("2021-12-21", -1), ("2023-03-24", 1)])
def test_a_deboost_lowers_the_orbit_and_a_reboost_raises_it(real_data, day, sign):
    """da/dv = 2 a^2 v / mu, about 1.78 km for each m/s at the station's height."""
    (burn,) = read(real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.{day}.txt.gz").episodes.to_pylist()
    raised_km = burn["semi_major_axis_after_km"] - burn["semi_major_axis_before_km"]

    assert np.sign(burn["delta_v_intrack_m_s"]) == sign
    assert raised_km / burn["delta_v_intrack_m_s"] == pytest.approx(1.77, abs=0.05)
