"""Kinematics on the sphere: reference distances, the ends of the formulas, and independence from the batch."""

import numpy as np
import pytest

from orbitlake.physics.kinematics import (
    SPHERE_RADIUS_KM,
    circular_means_deg,
    distance_to_paris_km,
    great_circle_km,
    ground_speed_km_s,
    latitude_trend,
)

DISTANCE_TOLERANCE_KM = 0.01
ROUNDING_KM = 1e-9
ROUNDING_DEG = 1e-9


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected_km"),
    [(-15.3681, 6.4226, 7152.78), (-16.2085, 7.0882, 7250.06), (-17.7096, 8.2984, 7425.22), (48.8566, 2.3522, 0.0)],
)
def test_distance_to_paris_matches_the_reference_values(latitude, longitude, expected_km):
    assert distance_to_paris_km(latitude, longitude) == pytest.approx(expected_km, abs=DISTANCE_TOLERANCE_KM)


def test_antipodes_are_half_the_circumference_apart():
    assert great_circle_km(48.0, 2.0, -48.0, -178.0) == pytest.approx(np.pi * SPHERE_RADIUS_KM, abs=1e-3)


def test_the_way_over_180_degrees_is_the_short_one():
    assert great_circle_km(0, 179.9, 0, -179.9) == pytest.approx(np.radians(0.2) * SPHERE_RADIUS_KM, abs=ROUNDING_KM)


def test_the_pole_is_one_place_whatever_its_longitude():
    assert great_circle_km(90, 0, 90, 123) == pytest.approx(0, abs=ROUNDING_KM)


def test_speed_is_undefined_where_no_time_has_passed():
    speed = ground_speed_km_s([10.0, 10.0, 10.0], [2.0, 0.0, np.nan])

    np.testing.assert_array_equal(speed, [5.0, np.nan, np.nan])


def test_trend_is_unknown_where_latitude_stays_or_is_missing():
    np.testing.assert_array_equal(latitude_trend([1, 1, 1, 1.0], [0, 2, 1, np.nan]), [1, -1, 0, 0])


def test_a_mean_across_180_degrees_lies_near_180():
    means = circular_means_deg(np.array([179.0, -179.0, 178.0, -178.0, 10.0, 20.0]), np.array([0, 4]))

    assert abs(means[0]) == pytest.approx(180, abs=ROUNDING_DEG)
    assert means[1] == pytest.approx(15, abs=ROUNDING_DEG)


def test_opposite_directions_have_no_mean():
    assert np.isnan(circular_means_deg(np.array([0.0, 180.0]), np.array([0])))[0]


def test_a_result_does_not_depend_on_its_neighbours_in_the_batch():
    random = np.random.default_rng(3)
    latitude, longitude = random.uniform(-90, 90, 501), random.uniform(-180, 180, 501)
    together = distance_to_paris_km(latitude, longitude)

    alone = [distance_to_paris_km(latitude[i], longitude[i]) for i in range(latitude.size)]

    np.testing.assert_array_equal(together, alone)


def test_a_mean_does_not_depend_on_its_neighbours_in_the_batch():
    longitude = np.random.default_rng(4).uniform(-180, 180, 500)
    starts = np.array([0, 7, 60, 61, 300])
    together = circular_means_deg(longitude, starts)

    alone = [circular_means_deg(run.copy(), np.array([0]))[0] for run in np.split(longitude, starts[1:])]

    np.testing.assert_array_equal(together, alone)
