"""state_at on NASA's files: left-out states are met within a metre, midpoints as a polynomial of degree 15 has them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orbitlake.oem import read
from orbitlake.physics.interpolation import HermitePath
from orbitlake.trajectory import Trajectory, arcs_of

FILES = ("2021-09-15.xml.gz", "2023-03-24.txt.gz", "2024-08-14.txt.gz", "2025-12-15.txt.gz", "2026-07-01.txt.gz")
GRID_US = 240_000_000
AROUND = 4
"""States on either side of a midpoint that a polynomial of degree 15 passes through."""
ONE_METRE_KM = 1e-3
TEN_CM_KM = 1e-4


def trajectory(file: Path) -> tuple[Trajectory, np.ndarray, np.ndarray]:
    """Return the trajectory of a file, its epochs in UTC (us) and its states (n, 6)."""
    issue = read(file)
    epoch_us = issue.states.column("epoch").to_numpy().astype("datetime64[us]").astype(np.int64)
    names = ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s")
    states = np.column_stack([issue.states.column(name).to_numpy() for name in names])
    return Trajectory(arcs_of(issue.segment_table, issue.states, issue.episodes)), epoch_us, states


def coasts(epoch_us: np.ndarray) -> Iterator[slice]:
    """Yield the stretches of steps of 240 s, to the millisecond: no burn has one."""
    is_grid = np.concatenate(([False], np.abs(np.diff(epoch_us) - GRID_US) <= 1000, [False]))
    edges = np.flatnonzero(np.diff(is_grid.astype(np.int8)))
    yield from (slice(first, last + 1) for first, last in edges.reshape(-1, 2) if last - first > 2 * AROUND)


def weights_of_degree_15() -> tuple[np.ndarray, np.ndarray]:
    """Return what each of 8 states' position and velocity, in steps, weighs at the middle: solved, not recursed."""
    at = np.arange(-AROUND, AROUND) + 0.5
    power = np.arange(4 * AROUND)
    values = at[:, np.newaxis] ** power
    slopes = power * at[:, np.newaxis] ** np.maximum(power - 1, 0)
    of_middle = np.linalg.inv(np.vstack((values, slopes)))[0]
    return of_middle[: 2 * AROUND], of_middle[2 * AROUND :]


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_midpoints_are_those_of_degree_15(real_data, name):
    path, epoch_us, states = trajectory(real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.{name}")
    of_position, of_velocity = weights_of_degree_15()
    differences = []
    for coast in coasts(epoch_us):
        times_us, flown = epoch_us[coast], states[coast]
        windows = np.lib.stride_tricks.sliding_window_view(flown, 2 * AROUND, axis=0)
        expected_km = windows[:, :3] @ of_position + GRID_US / 1e6 * windows[:, 3:] @ of_velocity
        middle_us = (times_us[AROUND - 1 : -AROUND] + times_us[AROUND : 1 - AROUND]) // 2
        found = path.state_at(middle_us.astype("datetime64[us]"))
        # Where an epoch of the eight is rounded by a millisecond, degree 15 is the worse of the two.
        is_even = np.lib.stride_tricks.sliding_window_view(np.diff(times_us) == GRID_US, 2 * AROUND - 1).all(axis=1)
        differences.append(np.linalg.norm(found.position_km - expected_km, axis=1)[is_even])

    assert sum(map(len, differences)) > 3000
    assert np.concatenate(differences).max() < TEN_CM_KM


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_left_out_states_on_a_grid_of_480_s_are_met_within_a_metre(real_data, name):
    _, epoch_us, states = trajectory(real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.{name}")
    errors = []
    for coast in coasts(epoch_us):
        at_s, flown = (epoch_us[coast] - epoch_us[0]) / 1e6, states[coast]
        kept = HermitePath.through(at_s[::2], flown[::2, :3], flown[::2, 3:])
        found_km, _ = kept.states(at_s[1::2])
        errors.append(np.linalg.norm(found_km - flown[1::2, :3], axis=1))
    error_km = np.concatenate(errors)

    assert np.isfinite(error_km).sum() > 1500
    assert np.nanmedian(error_km) < ONE_METRE_KM
