"""States between states: exact where the truth is known, and blind to what lies beyond a burn edge."""

import numpy as np
import pytest

from orbitlake.physics.gravity import gravity_km_s2
from orbitlake.physics.interpolation import HermitePath
from orbitlake.physics.propagation import Arc, propagate

STEP_S = 240.0
RADIUS_KM = 6798.0
MEAN_MOTION_RAD_S = np.sqrt(398600.4418 / RADIUS_KM**3)
FIVE_CM_KM = 5e-5
TEN_CM_KM = 1e-4
ONE_MILLIMETRE_S_KM_S = 1e-6
ONE_MICROMETRE_KM = 1e-9
LOW_ORBIT = np.array([4482.28542, -1945.87905, -4735.454317, 5.092194343892, 4.987268857019, 2.771174646982])


def circular(at_s):
    angle = MEAN_MOTION_RAD_S * np.asarray(at_s)
    zero = np.zeros_like(angle)
    position_km = RADIUS_KM * np.stack([np.cos(angle), np.sin(angle), zero], axis=-1)
    velocity_km_s = RADIUS_KM * MEAN_MOTION_RAD_S * np.stack([-np.sin(angle), np.cos(angle), zero], axis=-1)
    return position_km, velocity_km_s


def coast_with_a_kick(at_s, kick_s):
    """Return one dimension at rest far off the centre, then 0.01 km/s^2 from `kick_s` on: two polynomials."""
    powered_s = np.maximum(np.asarray(at_s) - kick_s, 0.0)
    zero = np.zeros_like(powered_s)
    return (
        np.stack([0.005 * powered_s**2, zero + 7000.0, zero], axis=-1),
        np.stack([0.01 * powered_s, zero, zero], axis=-1),
    )


def path(epoch_s, flown=circular, edge=None):
    return HermitePath.through(epoch_s, *flown(epoch_s), edge=edge)


def distance(found, expected):
    return np.linalg.norm(found - expected, axis=1)


def test_circular_orbit_on_a_grid_of_240_s_is_met_within_centimetres():
    epoch_s = np.arange(0.0, 6000.0, STEP_S)
    at_s = np.linspace(0.0, epoch_s[-1], 997)
    inner = (at_s > STEP_S) & (at_s < epoch_s[-2])

    position_km, velocity_km_s = path(epoch_s).states(at_s)

    assert distance(position_km, circular(at_s)[0])[inner].max() < FIVE_CM_KM
    assert distance(velocity_km_s, circular(at_s)[1])[inner].max() < ONE_MILLIMETRE_S_KM_S


def test_an_integrated_orbit_in_an_oblate_field_is_met_between_its_states_within_a_decimetre():
    """The integrator knows no polynomial of ours: Chebyshev arcs of degree 32, settled to a micrometre."""
    ends_s = np.arange(2400.0, 86_401.0, 2400.0)
    orbit = propagate(LOW_ORBIT, [Arc(end_s, lambda _, position, __: gravity_km_s2(position)) for end_s in ends_s])
    epoch_s = np.arange(0.0, 86_400.0, STEP_S)
    middle_s = epoch_s[2:-2] + STEP_S / 2
    states, truth = orbit.states(epoch_s), orbit.states(middle_s)

    position_km, velocity_km_s = HermitePath.through(epoch_s, states[:, :3], states[:, 3:]).states(middle_s)

    assert distance(position_km, truth[:, :3]).max() < TEN_CM_KM
    assert distance(velocity_km_s, truth[:, 3:]).max() < ONE_MILLIMETRE_S_KM_S


def test_states_themselves_are_returned_at_their_epochs():
    epoch_s = np.array([0.0, 240.0, 479.999, 720.0, 722.0, 724.0, 725.3, 960.0])

    position_km, velocity_km_s = path(epoch_s).states(epoch_s)

    np.testing.assert_allclose(position_km, circular(epoch_s)[0], rtol=0, atol=ONE_MICROMETRE_KM)
    np.testing.assert_allclose(velocity_km_s, circular(epoch_s)[1], rtol=0, atol=ONE_MICROMETRE_KM)


def test_times_come_back_in_the_order_in_which_they_were_asked_however_many():
    epoch_s = np.arange(0.0, 6000.0, STEP_S)
    at_s = np.random.default_rng(0).uniform(480.0, 5000.0, 20_001)

    position_km, _ = path(epoch_s).states(at_s)

    assert distance(position_km, circular(at_s)[0]).max() < FIVE_CM_KM


def test_a_state_right_beside_another_does_not_multiply_the_rounding_of_their_epochs():
    """Printed 1 ms late, a state 3 s after a grid point would swing the next polynomial by kilometres."""
    epoch_s = np.array([0.0, 240.0, 480.0, 483.0, 720.0, 960.0, 1200.0])
    late_s = np.where(epoch_s == 483.0, 0.001, 0.0)
    at_s = np.array([600.0])

    (position_km,), _ = HermitePath.through(epoch_s, *circular(epoch_s + late_s)).states(at_s)

    assert np.linalg.norm(position_km - circular(600.0)[0]) < 0.02


def test_no_polynomial_reaches_across_a_burn_edge():
    epoch_s = np.array([0.0, 240.0, 480.0, 720.0, 960.0])
    at_s = np.array([100.0, 400.0, 500.0, 900.0])
    truth_km, truth_km_s = coast_with_a_kick(at_s, 480.0)

    def flown(at_s):
        return coast_with_a_kick(at_s, 480.0)

    position_km, velocity_km_s = path(epoch_s, flown, epoch_s == 480.0).states(at_s)
    without_edge_km, _ = path(epoch_s, flown).states(at_s)

    np.testing.assert_allclose(position_km, truth_km, rtol=0, atol=ONE_MICROMETRE_KM)
    np.testing.assert_allclose(velocity_km_s, truth_km_s, rtol=0, atol=ONE_MICROMETRE_KM)
    assert np.abs(without_edge_km - truth_km).max() > FIVE_CM_KM


def test_a_piece_of_two_states_is_a_cubic():
    epoch_s = np.array([0.0, 1.5, 300.0])
    at_s = np.array([0.7])

    position_km, _ = path(epoch_s, edge=np.array([False, True, False])).states(at_s)

    np.testing.assert_allclose(position_km, circular(at_s)[0], rtol=0, atol=FIVE_CM_KM)


def test_nothing_is_extrapolated():
    epoch_s = np.arange(0.0, 1000.0, STEP_S)

    position_km, velocity_km_s = path(epoch_s).states(np.array([-0.001, epoch_s[-1] + 0.001]))

    assert np.isnan(position_km).all()
    assert np.isnan(velocity_km_s).all()


def test_a_hole_of_a_sixth_of_an_orbit_is_not_bridged():
    epoch_s = np.concatenate([np.arange(0.0, 1201.0, STEP_S), np.arange(2160.0, 3400.0, STEP_S)])

    position_km, _ = path(epoch_s).states(np.array([600.0, 1680.0, 2300.0]))

    assert np.isnan(position_km).any(axis=1).tolist() == [False, True, False]


def test_states_at_the_centre_turn_nowhere():
    position_km, _ = HermitePath.through(np.array([0.0, 60.0]), np.zeros((2, 3)), np.zeros((2, 3))).states(
        np.array([30.0])
    )

    assert (position_km == 0.0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_states_give_nothing(count):
    assert np.isnan(path(np.zeros(count)).states(np.array([0.0]))[0]).all()


def test_epochs_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="rise"):
        path(np.array([0.0, 240.0, 240.0, 480.0]))
