"""Earth's pull: each acceleration is the slope of the potential that its coefficients define."""

import numpy as np
import pytest

from orbitlake.physics.gravity import (
    EARTH_RADIUS_KM,
    J2,
    J3,
    J4,
    MU_KM3_S2,
    NORMALISED_EGM96,
    egm2008,
    gravity_itrs_km_s2,
    gravity_km_s2,
)

SLOPE_KM_S2 = 1e-12
"""What a central difference over 1 km leaves of an acceleration of 9e-3 km/s^2."""
TESSERAL_KM_S2 = 3e-7

rng = np.random.default_rng(1)
DIRECTIONS = rng.normal(size=(200, 3))
POSITIONS_KM = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True) * rng.uniform(6500, 42_000, (200, 1))


def zonal_potential(position_km: np.ndarray) -> np.ndarray:
    """The textbook form: Legendre polynomials of the latitude's sine."""
    r = np.linalg.norm(position_km, axis=-1)
    s, q = position_km[..., 2] / r, EARTH_RADIUS_KM / r
    legendre = np.polynomial.legendre.legval(s, [0, 0, J2, 0]) * q**2
    legendre += np.polynomial.legendre.legval(s, [0, 0, 0, J3]) * q**3
    legendre += np.polynomial.legendre.legval(s, [0, 0, 0, 0, J4]) * q**4
    return MU_KM3_S2 / r * (1 - legendre)


def slope(potential, position_km: np.ndarray) -> np.ndarray:
    half_km = 0.5
    return np.stack(
        [potential(position_km + half_km * axis) - potential(position_km - half_km * axis) for axis in np.eye(3)],
        axis=-1,
    )


def test_the_zonal_pull_is_the_slope_of_its_potential():
    expected = slope(zonal_potential, POSITIONS_KM)

    assert np.abs(gravity_km_s2(POSITIONS_KM) - expected).max() < 100 * SLOPE_KM_S2


def test_one_position_gives_one_acceleration():
    alone = gravity_km_s2(POSITIONS_KM[3])

    assert alone.shape == (3,)
    assert alone == pytest.approx(gravity_km_s2(POSITIONS_KM)[3], rel=1e-15)


def test_both_sets_of_coefficients_agree_on_the_zonal_part():
    unnormalised = {n: -c * np.sqrt(2 * n + 1) for n, m, c, _ in NORMALISED_EGM96 if m == 0}

    assert unnormalised == pytest.approx({2: J2, 3: J3, 4: J4}, rel=1e-8)


def test_a_whole_turn_of_the_earth_averages_the_full_field_to_the_zonal_one():
    turns = np.deg2rad(np.arange(0, 360, 10))
    position_km = np.array([4000.0, -3000.0, 4600.0])
    rotations = np.array([[[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]] for a in turns])
    pulls = np.matvec(rotations.transpose(0, 2, 1), gravity_itrs_km_s2(np.matvec(rotations, position_km)))

    assert pulls.mean(axis=0) == pytest.approx(gravity_km_s2(position_km), abs=SLOPE_KM_S2)
    assert SLOPE_KM_S2 < np.abs(pulls - pulls.mean(axis=0)).max() < TESSERAL_KM_S2


def test_the_full_field_has_no_source_and_no_curl_outside_the_earth():
    half_km = 0.5
    slopes = np.stack(
        [
            gravity_itrs_km_s2(POSITIONS_KM + half_km * axis) - gravity_itrs_km_s2(POSITIONS_KM - half_km * axis)
            for axis in np.eye(3)
        ],
        axis=-1,
    )

    assert np.abs(np.trace(slopes, axis1=1, axis2=2)).max() < SLOPE_KM_S2
    assert np.abs(slopes - slopes.transpose(0, 2, 1)).max() < SLOPE_KM_S2


def test_the_equator_bulges_towards_15_degrees_west():
    """The long axis of Earth's equator lies at 14.9 W (from C22 and S22): there the pull has no eastward part."""
    longitudes = np.deg2rad(np.arange(-30, 0, 0.1))
    circle = 42_164.0 * np.stack((np.cos(longitudes), np.sin(longitudes), 0 * longitudes), axis=-1)
    east = np.stack((-np.sin(longitudes), np.cos(longitudes), 0 * longitudes), axis=-1)
    eastward = np.einsum("ij,ij->i", gravity_itrs_km_s2(circle), east)
    still = np.rad2deg(longitudes[np.argmin(np.abs(eastward))])

    assert still == pytest.approx(-11.5, abs=1.0)  # geostationary unstable point 11.5 W, higher tesserals included


def test_the_finer_field_has_neither_source_nor_curl_and_every_term_to_degree_20():
    """So is the slope of any potential outside of its masses; a wrong recursion or a swapped term is not."""
    low_km = DIRECTIONS[:50] / np.linalg.norm(DIRECTIONS[:50], axis=1, keepdims=True) * 6800.0
    half_km = 0.5

    def pull(position_km: np.ndarray) -> np.ndarray:
        return gravity_itrs_km_s2(position_km, egm2008())

    slopes = np.stack([pull(low_km + half_km * axis) - pull(low_km - half_km * axis) for axis in np.eye(3)], axis=1)

    assert len(egm2008()) == 21 * 22 // 2 - 3
    assert np.abs(np.trace(slopes, axis1=1, axis2=2)).max() < SLOPE_KM_S2
    assert np.abs(slopes - slopes.transpose(0, 2, 1)).max() < SLOPE_KM_S2


def test_both_models_agree_to_degree_4_and_the_rest_is_a_ten_thousandth_of_the_pull():
    low_km = DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True) * 6800.0
    to_degree_4 = [term for term in egm2008() if term[0] <= 4]
    coarse = gravity_itrs_km_s2(low_km)

    assert np.abs(gravity_itrs_km_s2(low_km, to_degree_4) - coarse).max() < 2e-10
    assert 1e-7 < np.abs(gravity_itrs_km_s2(low_km, egm2008()) - coarse).max() < 1e-6
