"""States between states: exact where the truth is known, and blind to what lies beyond a burn edge."""

import numpy as np
import pytest

from orbitlake.physics.interpolation import hermite

STEP_S = 240.0
RADIUS_KM = 6798.0
MEAN_MOTION_RAD_S = np.sqrt(398600.4418 / RADIUS_KM**3)
FIVE_CM_KM = 5e-5
ONE_MICROMETRE_KM = 1e-9


def circular(at_s):
    angle = MEAN_MOTION_RAD_S * np.asarray(at_s)
    zero = np.zeros_like(angle)
    position_km = RADIUS_KM * np.stack([np.cos(angle), np.sin(angle), zero], axis=-1)
    velocity_km_s = RADIUS_KM * MEAN_MOTION_RAD_S * np.stack([-np.sin(angle), np.cos(angle), zero], axis=-1)
    return position_km, velocity_km_s


def coast_with_a_kick(at_s, kick_s):
    """One dimension at rest, then 0.01 km/s^2 from `kick_s` on: two polynomials of degree 2 at most."""
    powered_s = np.maximum(np.asarray(at_s) - kick_s, 0.0)
    zero = np.zeros_like(powered_s)
    return (
        np.stack([0.005 * powered_s**2, zero, zero], axis=-1),
        np.stack([0.01 * powered_s, zero, zero], axis=-1),
    )


def test_circular_orbit_on_a_grid_of_240_s_is_met_within_centimetres():
    epoch_s = np.arange(0.0, 6000.0, STEP_S)
    at_s = np.linspace(0.0, epoch_s[-1], 997)

    error_km = np.linalg.norm(hermite(epoch_s, *circular(epoch_s), at_s) - circular(at_s)[0], axis=1)

    assert error_km[(at_s > STEP_S) & (at_s < epoch_s[-2])].max() < FIVE_CM_KM


def test_states_themselves_are_returned_at_their_epochs():
    epoch_s = np.array([0.0, 240.0, 479.999, 720.0, 722.0, 724.0, 725.3, 960.0])
    position_km, velocity_km_s = circular(epoch_s)

    at_epochs = hermite(epoch_s, position_km, velocity_km_s, epoch_s)

    np.testing.assert_allclose(at_epochs, position_km, rtol=0, atol=ONE_MICROMETRE_KM)


def test_no_polynomial_reaches_across_a_burn_edge():
    epoch_s = np.array([0.0, 240.0, 480.0, 482.0, 484.0, 486.0])
    at_s = np.array([100.0, 400.0, 481.0, 485.0])
    truth_km, _ = coast_with_a_kick(at_s, 480.0)
    edge = epoch_s == 480.0

    with_edge = hermite(epoch_s, *coast_with_a_kick(epoch_s, 480.0), at_s, edge=edge)
    without_edge = hermite(epoch_s, *coast_with_a_kick(epoch_s, 480.0), at_s)

    np.testing.assert_allclose(with_edge, truth_km, rtol=0, atol=ONE_MICROMETRE_KM)
    assert np.abs(without_edge - truth_km).max() > FIVE_CM_KM


def test_a_piece_of_two_states_is_a_cubic():
    epoch_s = np.array([0.0, 1.5, 300.0])
    edge = np.array([False, True, False])
    at_s = np.array([0.7])

    np.testing.assert_allclose(
        hermite(epoch_s, *circular(epoch_s), at_s, edge=edge), circular(at_s)[0], rtol=0, atol=FIVE_CM_KM
    )


def test_nothing_is_extrapolated():
    epoch_s = np.arange(0.0, 1000.0, STEP_S)

    outside = hermite(epoch_s, *circular(epoch_s), np.array([-0.001, epoch_s[-1] + 0.001]))

    assert np.isnan(outside).all()


def test_one_state_alone_gives_nothing():
    assert np.isnan(hermite(np.array([0.0]), *circular(np.array([0.0])), np.array([0.0]))).all()


def test_epochs_that_do_not_rise_are_refused():
    epoch_s = np.array([0.0, 240.0, 240.0, 480.0])

    with pytest.raises(ValueError, match="rise"):
        hermite(epoch_s, *circular(epoch_s), np.array([100.0]))
