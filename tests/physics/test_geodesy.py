"""Geodetic coordinates: known places, and there and back again."""

import numpy as np
import pytest

from orbitlake.physics.geodesy import geodetic_from_itrs, itrs_from_geodetic

ONE_MICROMETRE_KM = 1e-9
EQUATORIAL_RADIUS_KM = 6378.137
POLAR_RADIUS_KM = 6356.752314245
"""Both axes of WGS-84, NGA.STND.0036_1.0.0."""


def test_the_axes_of_the_ellipsoid_are_at_height_zero():
    latitude_deg, longitude_deg, height_km = geodetic_from_itrs(
        np.array([[EQUATORIAL_RADIUS_KM, 0, 0], [0, -EQUATORIAL_RADIUS_KM, 0], [0, 0, -POLAR_RADIUS_KM]])
    )

    assert latitude_deg == pytest.approx([0, 0, -90])
    assert longitude_deg[:2] == pytest.approx([0, -90])
    assert height_km == pytest.approx([0, 0, 0], abs=ONE_MICROMETRE_KM)


def test_there_and_back_from_the_ground_to_beyond_the_moon():
    rng = np.random.default_rng(2)
    given = (rng.uniform(-90, 90, 500), rng.uniform(-180, 180, 500), 10 ** rng.uniform(-3, 5.7, 500))
    position_km = itrs_from_geodetic(*given)
    back_km = itrs_from_geodetic(*geodetic_from_itrs(position_km))

    assert np.abs(back_km / position_km - 1).max() < 1e-9
    assert geodetic_from_itrs(position_km)[2] == pytest.approx(given[2], abs=1e-6)


def test_an_unknown_position_has_no_coordinates():
    latitude_deg, _, height_km = geodetic_from_itrs(np.array([[np.nan, np.nan, np.nan]]))

    assert np.isnan(latitude_deg).all()
    assert np.isnan(height_km).all()


def test_a_latitude_beyond_the_pole_is_refused():
    with pytest.raises(ValueError, match="latitude_deg"):
        itrs_from_geodetic([90.1], [0.0], [0.0])
