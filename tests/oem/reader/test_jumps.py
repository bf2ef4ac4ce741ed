"""Burns at any cadence: found between states, told from coasts, from rounded epochs and from what nobody knows."""

from pathlib import Path

import erfa
import numpy as np
import pytest
from tests.oem.reader.test_thrust import FULL, LOW_ORBIT, POINT, ZONAL, flown, issue_of, stretches, tai_us
from tests.oem.real_issues import read_once

from orbitlake.oem import Issue
from orbitlake.oem.reader import jumps
from orbitlake.oem.reader.jumps import find_jumps
from orbitlake.oem.reader.thrust import LEAST_THRUST_KM_S2, Coast, Flight
from orbitlake.physics.fields import fields_about, finer_field
from orbitlake.physics.interpolation import HermitePath
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.physics.orbit import period_s

ORBIT = [240.0] * 36
WITHIN_S = 60.0
WITHIN_M_S, WITHIN_SHARE = 0.1, 0.1


def least_burn_m_s(issue: Issue) -> float | None:
    (least,) = issue.segment_table.column("least_burn_m_s").to_pylist()
    return least


def test_a_burn_between_states_is_found_with_its_edges_and_its_velocity():
    issue = issue_of(flown(FULL.pull_km_s2, ORBIT, [(3420.0, 4100.0)]))
    (burn,) = issue.episodes.to_pylist()

    assert np.abs(np.array(stretches(issue)) - [(3420.0, 4100.0)]).max() < 10
    assert burn["delta_v_intrack_m_s"] == pytest.approx(0.68, abs=0.02)
    assert burn["delta_v_m_s"] == pytest.approx(0.68, abs=0.02)
    assert burn["two_second_rows"] == 0
    assert burn["powered_steps"] == 4
    assert 0 < burn["ignition_sigma_s"] < 10
    assert burn["semi_major_axis_after_km"] - burn["semi_major_axis_before_km"] == pytest.approx(1.2, abs=0.1)


@pytest.mark.parametrize("field", [FULL, ZONAL, POINT], ids=lambda field: field.name)
def test_a_coast_has_no_burn_in_whatever_gravity_it_was_flown(field):
    issue = issue_of(flown(field.pull_km_s2, ORBIT))

    assert issue.episodes.num_rows == 0
    assert least_burn_m_s(issue) == 0.1


@pytest.mark.parametrize("step_s", [20.0, 60.0, 120.0])
def test_at_a_finer_cadence_edges_are_finer(step_s):
    issue = issue_of(flown(FULL.pull_km_s2, [step_s] * round(5000 / step_s), [(2400.0, 3000.0)]))

    assert np.abs(np.array(stretches(issue)) - [(2400.0, 3000.0)]).max() < 5


def test_neither_a_lesser_burn_soon_after_nor_one_at_the_beginning_is_lost():
    burns = [(480.0, 880.0), (4800.0, 6000.0), (7000.0, 7260.0)]
    issue = issue_of(flown(FULL.pull_km_s2, ORBIT, burns))

    assert np.abs(np.array(stretches(issue)) - burns).max() < 15
    assert [burn["manoeuvre"] for burn in issue.episodes.to_pylist()] == [1, 2, 3]


def test_a_burn_across_a_hole_is_found():
    steps_s = [240.0] * 14 + [400.0] + [240.0] * 14
    issue = issue_of(flown(FULL.pull_km_s2, steps_s, [(3300.0, 3900.0)]))

    assert np.abs(np.array(stretches(issue)) - [(3300.0, 3900.0)]).max() < WITHIN_S


def test_where_printed_digits_hide_a_burn_the_least_that_shows_is_told():
    """Velocities to a metre a second: what gains a third of that is lost among them."""
    flight = flown(FULL.pull_km_s2, ORBIT, [(3420.0, 3720.0)])

    assert issue_of(flight, (6, 9)).episodes.num_rows == 1
    coarse = issue_of(flight, (3, 3))
    assert coarse.episodes.num_rows == 0
    assert 0.3 < least_burn_m_s(coarse) < 20


def test_an_epoch_printed_a_millisecond_late_is_no_burn():
    elapsed_s, states = flown(FULL.pull_km_s2, ORBIT)
    late_s = np.where(np.arange(elapsed_s.size) >= 18, 0.001, 0.0)

    assert issue_of((elapsed_s + late_s, states)).episodes.num_rows == 0


def test_too_few_states_and_unknown_gravity_show_no_burn_and_say_so():
    few = issue_of(flown(FULL.pull_km_s2, [240.0] * 3))
    somewhere = issue_of(flown(FULL.pull_km_s2, ORBIT[:8]), center_name="APOPHIS", ref_frame="ICRF")

    assert (few.episodes.num_rows, least_burn_m_s(few)) == (0, None)
    assert (somewhere.episodes.num_rows, least_burn_m_s(somewhere)) == (0, None)


def test_a_burn_printed_every_2_s_is_found_once():
    steps_s = [240.0] * 12 + [2.0] * 300 + [240.0] * 12
    issue = issue_of(flown(FULL.pull_km_s2, steps_s, [(2880.0, 3480.0)]))

    assert stretches(issue) == [(2880.0, 3480.0)]
    assert issue.episodes.column("two_second_rows").to_pylist() == [300]


def resampled(issue: Issue, offset_s: float) -> Flight:
    """Return the path of an issue on a plain grid of 240 s: no cadence and no short step tells of a burn."""
    names = ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s")
    states = np.column_stack([issue.states.column(name).to_numpy() for name in names])
    epoch_us = issue.states.column("epoch_tai").to_numpy().astype("datetime64[us]").astype(np.int64)
    edges_us = np.concatenate([edge_tai_us(issue, name) for name in ("ignition_time", "cutoff_time")])
    at_s = (epoch_us - epoch_us[0]) / 1e6
    path = HermitePath.through(at_s, states[:, :3], states[:, 3:], edge=np.isin(epoch_us, edges_us))
    grid_s = np.arange(offset_s, at_s[-1], 240.0)
    return Flight(epoch_us[0] + np.rint(grid_s * 1e6).astype(np.int64), *path.states(grid_s), 1e-9, 1e-12)


def edge_tai_us(issue: Issue, name: str) -> np.ndarray:
    return tai_from_utc(issue.episodes.column(name).to_numpy().astype("datetime64[us]")).astype(np.int64)


def physical_burns(issue: Issue) -> list[tuple[float, float, float]]:
    """Return ignition and cut-off (TAI, s) and delta-v (m/s) of each manoeuvre, its runs together."""
    ignitions_s, cutoffs_s = (edge_tai_us(issue, name) / 1e6 for name in ("ignition_time", "cutoff_time"))
    delta_v = issue.episodes.column("delta_v_m_s").to_numpy()
    manoeuvre = issue.episodes.column("manoeuvre").to_numpy()
    return [
        (ignitions_s[of].min(), cutoffs_s[of].max(), delta_v[of].sum())
        for number in np.unique(manoeuvre)
        for of in [manoeuvre == number]
    ]


@pytest.mark.real
def test_on_a_plain_grid_of_240_s_every_burn_of_every_issue_is_found_and_none_invented(real_data: Path):
    field = fields_about("EARTH", "EME2000", tai_us(0.0).item())[0]
    coast, finer = Coast(field, LEAST_THRUST_KM_S2), finer_field(field, "EME2000")
    judged = 0
    for number, file in enumerate(sorted((real_data / "oem" / "iss").iterdir())):
        issue = read_once(file)
        # Most burns are in several issues, and so on grids that begin at several times.
        jumps, least_km_s = find_jumps(resampled(issue, 80.0 * (number % 3)), coast, finer, [])
        found = [
            (jump.ignition_tai_us / 1e6, jump.cutoff_tai_us / 1e6, 1000 * np.linalg.norm(jump.gained_km_s))
            for jump in jumps
        ]
        for ignition_s, cutoff_s, delta_v_m_s in physical_burns(issue):
            near = [burn for burn in found if burn[0] < cutoff_s and burn[1] > ignition_s]
            if delta_v_m_s < 0.3 and not near:
                continue
            (burn,) = near
            found.remove(burn)
            if delta_v_m_s >= 0.3:
                judged += 1
                assert burn[0] == pytest.approx(ignition_s, abs=WITHIN_S), file.name
                assert burn[1] == pytest.approx(cutoff_s, abs=WITHIN_S), file.name
                assert burn[2] == pytest.approx(delta_v_m_s, abs=max(WITHIN_M_S, WITHIN_SHARE * delta_v_m_s))
        assert found == [], f"{file.name}: burns that nobody flew"
        assert least_km_s < 0.2e-3

    assert judged == 52


@pytest.mark.real
def test_translunar_injection_printed_every_minute_is_found(real_data: Path):
    (file,) = (real_data / "oem" / "other").glob("*Artemis_II*")
    issue = read_once(file)
    (burn,) = [row for row in issue.episodes.to_pylist() if row["delta_v_m_s"] > 100]

    assert str(burn["ignition_time"])[:19] == "2026-04-02 23:49:50"
    # States stand at 23:54:50 and 23:56:22; the engine ran for 349 s of what lies between.
    assert "2026-04-02 23:54:50" < str(burn["cutoff_time"])[:19] <= "2026-04-02 23:56:22"
    assert burn["delta_v_m_s"] == pytest.approx(388, abs=2)
    assert burn["two_second_rows"] == 0


def test_where_many_velocities_change_the_largest_are_sought_and_the_least_says_so(monkeypatch):
    most = 12
    monkeypatch.setattr(jumps, "MOST_AT_ONCE", most)
    orbits, steps = 60, 24
    axis_km = 1.0 / (2.0 / erfa.pm(LOW_ORBIT[:3]) - erfa.pm(LOW_ORBIT[3:]) ** 2 / POINT.mu_km3_s2)
    step_s = round(period_s(float(axis_km)) / steps, 6)
    _, once = flown(POINT.pull_km_s2, [step_s] * (steps - 1))
    # In a point's field each orbit repeats the first one; between two of them the plane is turned, by 1 to 40 m/s.
    angles = np.cumsum(np.random.default_rng(1).uniform(1e-3, 40e-3, orbits) / 7.6)
    turns = np.stack([erfa.rz(angle, np.eye(3)) for angle in angles])
    position_km, velocity_km_s = (
        np.einsum("kij,nj->kni", turns, once[:, part]).reshape(-1, 3) for part in (slice(0, 3), slice(3, 6))
    )
    at_us = tai_us(0.0) + np.rint(step_s * 1e6 * np.arange(orbits * steps)).astype(np.int64)
    flight = Flight(at_us, position_km, velocity_km_s, 1e-9, 1e-9)
    fitted = []
    fit_ramp = jumps.fit_ramp

    def fit(record, *span):
        fitted.append(record.at_s.size)
        return fit_ramp(record, *span)

    monkeypatch.setattr(jumps, "fit_ramp", fit)

    found, least_km_s = find_jumps(flight, Coast(POINT, 0.0), POINT, [])

    assert most / 3 < len(found) <= most
    assert len(fitted) <= 4 * most
    assert max(fitted) <= jumps.MOST_STATES + 2
    assert least_km_s > 5e-3
