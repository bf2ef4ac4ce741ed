"""The cross-track of a late feed, against a circle that is turned under Earth step by step."""

import numpy as np
import pytest

from orbitlake.physics.fields import EARTH_RATE_RAD_S
from orbitlake.physics.ground_lag import cross_track_of_lag
from orbitlake.physics.separation import separation

RADIUS_KM = 6371.0
RATE_RAD_S = 1.13e-3
INCLINATION_RAD = np.radians(51.6)
ONE_METRE_KM = 1e-3


def on_the_ground(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places, and inertial velocities, along the axes of a turning Earth: two (n, 3)."""
    angle, turn = RATE_RAD_S * seconds, EARTH_RATE_RAD_S * seconds
    along = np.column_stack(
        (np.cos(angle), np.cos(INCLINATION_RAD) * np.sin(angle), np.sin(INCLINATION_RAD) * np.sin(angle))
    )
    ahead = np.column_stack(
        (-np.sin(angle), np.cos(INCLINATION_RAD) * np.cos(angle), np.sin(INCLINATION_RAD) * np.cos(angle))
    )
    place, velocity = RADIUS_KM * along, RADIUS_KM * RATE_RAD_S * ahead
    return tuple(
        np.column_stack((np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x, z))
        for x, y, z in (place.T, velocity.T)
    )


@pytest.mark.parametrize("lag_s", [-900.0, -30.0, 0.5, 300.0, 900.0])
def test_it_is_that_of_the_place_passed_then(lag_s):
    seconds = np.arange(0.0, 6000.0, 50.0)
    reference_km, reference_km_s = on_the_ground(seconds)
    passed_km, _ = on_the_ground(seconds + lag_s)
    seen = separation(passed_km, reference_km, reference_km_s)

    found = cross_track_of_lag(reference_km, reference_km_s, seen.in_track_km / RADIUS_KM)

    assert np.abs(found * RADIUS_KM - seen.cross_track_km).max() < ONE_METRE_KM


def test_half_a_minute_is_up_to_eleven_kilometres():
    reference = on_the_ground(np.arange(0.0, 6000.0, 10.0))
    found = cross_track_of_lag(*reference, np.full(600, -30.0 * RATE_RAD_S))

    assert np.abs(found * RADIUS_KM).max() == pytest.approx(30 * 0.4646 * np.sin(INCLINATION_RAD), rel=0.1)
