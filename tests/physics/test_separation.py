"""How far one path is off another: along the orbit, not along a straight line."""

import numpy as np
import pytest

from orbitlake.physics.separation import separation

RADIUS_KM, SPEED_KM_S = 6800.0, 7.656
AT_KM, AT_KM_S = np.array([[RADIUS_KM, 0.0, 0.0]]), np.array([[0.0, SPEED_KM_S, 0.0]])


def place_km(angle_rad: float, across_rad: float = 0.0, above_km: float = 0.0) -> np.ndarray:
    return (RADIUS_KM + above_km) * np.array(
        [[np.cos(across_rad) * np.cos(angle_rad), np.cos(across_rad) * np.sin(angle_rad), np.sin(across_rad)]]
    )


@pytest.mark.parametrize("seconds", [-250.0, -1.0, 0.0, 1.0, 250.0])
def test_an_object_ahead_on_the_same_circle_is_so_many_seconds_early_and_neither_above_nor_below(seconds):
    way_km = seconds * SPEED_KM_S

    found = separation(place_km(way_km / RADIUS_KM), AT_KM, AT_KM_S)

    assert found.in_track_s[0] == pytest.approx(seconds)
    assert found.in_track_km[0] == pytest.approx(way_km)
    assert found.radial_km[0] == pytest.approx(0.0, abs=1e-9)
    assert found.total_km[0] == pytest.approx(2 * RADIUS_KM * np.sin(abs(way_km) / RADIUS_KM / 2), abs=1e-9)


def test_what_is_above_and_what_is_across_is_told_apart():
    found = separation(place_km(0.0, across_rad=1e-3, above_km=2.0), AT_KM, AT_KM_S)

    assert found.radial_km[0] == pytest.approx(2.0)
    assert found.cross_track_km[0] == pytest.approx(6.8)
    assert found.in_track_km[0] == pytest.approx(0.0, abs=1e-9)
