"""The Sun where Skyfield sees it, the Earth's shadow where geometry has it, brightness by its definition."""

import numpy as np
import pytest
from skyfield.framelib import itrs
from tests.passes.skyfield_sky import loader

from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.sunlight import EQUATORIAL_RADIUS_KM, apparent_sun_itrs, magnitude, out_of_shadow_km

THOUSANDTH_RAD = np.radians(0.001)
SUN = np.array([[1.0, 0.0, 0.0]])


def test_the_sun_stands_where_skyfield_sees_it():
    scale, planets = loader()
    utc = np.arange("2021-01-01", "2026-07-01", np.timedelta64(17 * 3600 + 431, "s"), dtype="datetime64[us]")
    tai_us = tai_from_utc(utc).astype(np.int64)
    at = scale.tt_jd(2_440_587.5 + (tai_us * 1e-6 + 32.184) / 86_400.0)

    theirs = planets["earth"].at(at).observe(planets["sun"]).apparent().frame_xyz(itrs).km

    assert utc.size > 2000
    ours = apparent_sun_itrs(tai_us)
    apart = np.linalg.norm(ours - (theirs / np.linalg.norm(theirs, axis=0)).T, axis=1)
    assert apart.max() < THOUSANDTH_RAD


@pytest.mark.parametrize(
    ("place", "out_km"),
    [
        ((-7000.0, 0.0, 0.0), -EQUATORIAL_RADIUS_KM),
        ((-7000.0, 6400.0, 0.0), 6400.0 - EQUATORIAL_RADIUS_KM),
        ((-400_000.0, 0.0, -6300.0), 6300.0 - EQUATORIAL_RADIUS_KM),
        ((7000.0, 0.0, 0.0), 7000.0 - EQUATORIAL_RADIUS_KM),
        ((0.0, 6800.0, 0.0), 6800.0 - EQUATORIAL_RADIUS_KM),
    ],
)
def test_shadow_is_a_cylinder_behind_the_earth(place, out_km):
    assert out_of_shadow_km(np.array([place]), SUN)[0] == pytest.approx(out_km)


def test_brightness_is_the_standard_one_at_1000_km_and_half_lit():
    assert magnitude(-1.8, 1000.0, np.pi / 2) == pytest.approx(-1.8)


def test_brightness_falls_with_the_square_of_distance_and_with_phase():
    near, far, full, thin = (
        float(magnitude(-1.8, *how)) for how in ((500.0, 1.0), (1000.0, 1.0), (500.0, 0.0), (500.0, 3.0))
    )

    assert far - near == pytest.approx(5.0 * np.log10(2.0))
    # A full sphere gives pi times the light of a half one.
    assert full == pytest.approx(-1.8 - 5.0 * np.log10(2.0) - 2.5 * np.log10(np.pi))
    assert full < near < thin
    # Of a new one there is nothing to see.
    assert magnitude(-1.8, 500.0, np.pi) > 30.0
