"""The station's orbit: closed on itself, subject to gravity, drag and thrust, and the same for every start."""

from dataclasses import astuple

import numpy as np
import pytest

from orbitlake.physics.frames import rotation_to_itrs
from orbitlake.physics.gravity import MU_KM3_S2, gravity_itrs_km_s2
from orbitlake.simulator.closure import CLOSED_KM, gap_of
from orbitlake.simulator.station import (
    BURN_DELTA_V_M_S,
    BURN_DURATION_S,
    CYCLE,
    Design,
    Station,
    station,
)

NOON = np.datetime64("2026-11-20T12:00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")
ONE_MILLIMETRE_KM = 1e-6
TRAPEZOID_M_S = 1e-4
KM_PER_M_S = 1.78
"""By how much a metre a second along the velocity raises the semi-major axis of this orbit."""


def semi_major_axis_km(epochs: np.ndarray) -> np.ndarray:
    position, velocity = station().states(epochs)
    return 1.0 / (2.0 / np.linalg.norm(position, axis=1) - (velocity**2).sum(axis=1) / MU_KM3_S2)


def gravity_km_s2(epochs: np.ndarray, position_km: np.ndarray) -> np.ndarray:
    """Gravity in EME2000, by way of the real Earth's orientation."""
    to_itrs = rotation_to_itrs("EME2000", epochs)
    return np.matvec(to_itrs.transpose(0, 2, 1), gravity_itrs_km_s2(np.matvec(to_itrs, position_km)))


def mean_axis_km(epoch: np.datetime64) -> float:
    return float(semi_major_axis_km(epoch + np.arange(0, 5560, 10) * SECOND).mean())


def test_the_cycle_closes_to_centimetres():
    gap = gap_of(np.array(astuple(Design())))

    assert np.abs(gap).max() < CLOSED_KM


@pytest.mark.parametrize("cycle", [-3, 0, 251, 2000])
def test_the_orbit_runs_smoothly_from_one_cycle_into_the_next(cycle: int):
    edge = np.datetime64("2020-01-01", "us") + cycle * CYCLE
    position, velocity = station().states(edge + np.array([-1, 0, 1]) * SECOND)

    # Over one second a straight line along the mean velocity misses the arc by a millimetre, before the edge as after.
    miss_km = position[1:] - position[:-1] - 0.5 * (velocity[1:] + velocity[:-1])

    assert np.abs(miss_km).max() < 2 * ONE_MILLIMETRE_KM + CLOSED_KM
    assert np.abs(miss_km[1] - miss_km[0]).max() < ONE_MILLIMETRE_KM + CLOSED_KM


def test_the_orbit_is_that_of_the_space_station():
    position, velocity = station().states(NOON + np.arange(0, 20 * 86_400, 60) * SECOND)
    normal = np.cross(position, velocity)
    inclination_deg = np.degrees(np.arccos(normal[:, 2] / np.linalg.norm(normal, axis=1)))
    height_km = np.linalg.norm(position, axis=1) - 6378.137

    # To the equator of J2000, which the orbit does not keep to: it turns about the pole of date.
    assert 51.4 < inclination_deg.min() < inclination_deg.max() < 51.9
    assert 400 < height_km.min() < height_km.max() < 430


def test_the_force_is_gravity_with_drag_in_coast():
    epochs = NOON + np.arange(0, 5560, 60) * SECOND
    before, after = station().states(epochs - SECOND)[1], station().states(epochs + SECOND)[1]
    position, velocity = station().states(epochs)
    push_km_s2 = (after - before) / 2.0 - gravity_km_s2(epochs, position)

    along_mm_s2 = 1e6 * (push_km_s2 * velocity).sum(axis=1) / np.linalg.norm(velocity, axis=1)

    # A difference quotient over two seconds is good to 1e-5 mm/s^2 here; drag is a hundred times that.
    assert -3e-3 < along_mm_s2.min() < along_mm_s2.max() < -5e-4


def test_drag_lowers_the_orbit_and_a_burn_brings_it_back():
    burn = next(event for event in station().events(NOON, NOON + CYCLE) if event.cutoff_utc is not None)
    orbit = 5560 * SECOND
    before, after = mean_axis_km(burn.ignition_utc - orbit), mean_axis_km(burn.cutoff_utc)

    assert after - before == pytest.approx(BURN_DELTA_V_M_S * KM_PER_M_S, abs=0.1)
    assert mean_axis_km(burn.cutoff_utc + CYCLE // 2) < after - 0.5
    assert mean_axis_km(burn.ignition_utc - orbit + CYCLE) == pytest.approx(before, abs=0.01)


def test_the_burn_integrates_to_its_delta_v():
    burn = next(event for event in station().events(NOON, NOON + CYCLE) if event.cutoff_utc is not None)
    assert burn.cutoff_utc - burn.ignition_utc == np.timedelta64(round(BURN_DURATION_S * 1e6), "us")
    seconds = np.append(np.arange(0, int(BURN_DURATION_S), 1), BURN_DURATION_S)
    epochs = burn.ignition_utc + np.round(seconds * 1e6).astype("timedelta64[us]")
    position, velocity = station().states(epochs)

    pull_km_s2 = gravity_km_s2(epochs, position)
    gained_km_s = np.diff(velocity, axis=0) - 0.5 * (pull_km_s2[1:] + pull_km_s2[:-1]) * np.diff(seconds)[:, np.newaxis]
    along = velocity[:-1] / np.linalg.norm(velocity[:-1], axis=1, keepdims=True)
    delta_v_m_s = 1000.0 * (gained_km_s * along).sum()

    # Drag over 19 minutes takes 2 mm/s off; the trapezoids add less than 0.1 mm/s.
    assert delta_v_m_s == pytest.approx(BURN_DELTA_V_M_S, abs=2e-3 + TRAPEZOID_M_S)
    assert delta_v_m_s < BURN_DELTA_V_M_S


def test_a_burn_lasts_from_its_ignition_to_its_cutoff():
    burn = next(event for event in station().events(NOON, NOON + CYCLE) if event.cutoff_utc is not None)
    millisecond = np.timedelta64(1, "ms")
    edges = (burn.ignition_utc - millisecond, burn.ignition_utc, burn.cutoff_utc, burn.cutoff_utc + millisecond)

    assert [station().is_burning(epoch) for epoch in edges] == [False, True, True, False]


def test_nodes_lie_on_the_equator_going_north_and_count_up():
    numbers, epochs = station().ascending_nodes(NOON, NOON + np.timedelta64(15, "D"))
    _, velocity = station().states(epochs)

    assert np.abs(station().itrs_states(epochs)[0][:, 2]).max() < 1e-5
    assert velocity[:, 2].min() > 5
    assert np.diff(numbers).tolist() == [1] * (len(numbers) - 1)
    assert 5500 < (np.diff(epochs) / SECOND).min() < (np.diff(epochs) / SECOND).max() < 5600


def test_two_stations_are_one_to_the_bit():
    epochs = NOON + np.arange(0, 86_400, 777) * SECOND

    assert np.array_equal(Station().states(epochs), station().states(epochs))
