"""Elevation, azimuth and range of what stands where by construction, light time, and refraction by its textbook."""

import numpy as np
import pytest

from orbitlake.physics.fields import EARTH_RATE_RAD_S
from orbitlake.physics.sky import LIGHT_KM_S, Grounds, azimuth_deg, refraction_deg, sight, true_elevation_deg

STILL = np.zeros((1, 3))
ONE_MILLIMETRE_KM = 1e-6


def carried(position_km: np.ndarray) -> np.ndarray:
    """Return the velocity relative to Earth of what stands still in space."""
    x, y, _ = position_km.T
    return np.column_stack((EARTH_RATE_RAD_S * y, -EARTH_RATE_RAD_S * x, np.zeros_like(x)))


@pytest.mark.parametrize("azimuth", [0.0, 45.0, 90.0, 181.0, 270.0, 359.0])
@pytest.mark.parametrize("elevation", [-5.0, 0.0, 30.0, 89.0])
@pytest.mark.parametrize("latitude", [0.0, 48.8566, -54.8, 89.9])
def test_what_is_put_into_a_direction_is_seen_there(latitude, elevation, azimuth):
    ground = Grounds.of([latitude], [179.9], [0.5])
    level, heading = np.radians(elevation), np.radians(azimuth)
    toward = np.cos(level) * (np.cos(heading) * ground.north + np.sin(heading) * ground.east)
    position_km = ground.position_km + 700.0 * (toward + np.sin(level) * ground.up)

    seen = sight(ground, position_km, carried(position_km))

    assert np.degrees(np.arcsin(seen.sine))[0] == pytest.approx(elevation, abs=1e-9)
    assert (azimuth_deg(ground, seen.direction)[0] - azimuth + 180.0) % 360.0 == pytest.approx(180.0, abs=1e-9)
    assert seen.range_km[0] == pytest.approx(700.0, abs=ONE_MILLIMETRE_KM)


def test_light_shows_where_an_object_was():
    ground = Grounds.of([0.0], [0.0], [0.0])
    position_km = ground.position_km + np.array([[1000.0, 0.0, 0.0]])
    north_km_s = np.array([[0.0, 0.0, 7.5]])

    seen = sight(ground, position_km, carried(position_km) + north_km_s)

    behind_km = 7.5 * 1000.0 / LIGHT_KM_S
    assert seen.direction[0, 2] * seen.range_km[0] == pytest.approx(-behind_km, rel=1e-6)


def test_the_rate_is_that_of_the_sine():
    ground = Grounds.of([40.0], [10.0], [0.0])
    position_km, velocity_km_s = ground.position_km + np.array([[300.0, 500.0, 400.0]]), np.array([[-3.0, 5.0, 4.0]])
    before, after = (sight(ground, position_km + step * velocity_km_s, velocity_km_s).sine for step in (-0.01, 0.01))

    assert sight(ground, position_km, velocity_km_s).rate[0] == pytest.approx((after - before)[0] / 0.02, rel=1e-4)


@pytest.mark.parametrize(("true_deg", "lifted_arcmin"), [(0.5541, 24.618), (0.0, 29.0), (10.0, 5.4), (45.0, 1.0)])
def test_refraction_is_that_of_the_book(true_deg, lifted_arcmin):
    """Meeus, Astronomical Algorithms, example 16.a, and the tables of the Astronomical Almanac around it."""
    tolerance = 0.001 if true_deg == 0.5541 else 0.15

    assert 60.0 * refraction_deg(true_deg) == pytest.approx(lifted_arcmin, abs=tolerance)


def test_the_true_elevation_is_what_refraction_lifts_to_the_apparent_one():
    apparent_deg = np.array([0.0, 1.0, 10.0, 89.0])

    true_deg = true_elevation_deg(apparent_deg)

    assert np.abs(true_deg + refraction_deg(true_deg) - apparent_deg).max() < 1e-9
    assert (true_deg[:3] < apparent_deg[:3]).all()
