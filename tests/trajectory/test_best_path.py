"""trajectory: each state of the best known path once, on its day, by the issue that holds there."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.trajectory.audited import audited
from tests.trajectory.circles import circling

from orbitlake.oem import Issue, read
from orbitlake.tables import TRAJECTORY
from orbitlake.trajectory import Trajectory, arcs_of
from orbitlake.trajectory.best_path import BestPath


def days(*issues: Issue) -> dict[date, pa.Table]:
    path = BestPath(audited(*issues))
    return {day.day: path.rows(day) for day in path.days()}


def holding(rows: pa.Table, *hours: int) -> list[datetime]:
    """Return the creation dates of the rows at some hours of a day."""
    by_epoch = dict(zip(rows.column("epoch").to_pylist(), rows.column("creation_date").to_pylist(), strict=True))
    return [by_epoch[datetime(2023, 3, 25, hour, tzinfo=UTC)] for hour in hours]


def test_the_issue_created_last_holds_where_it_covers_and_the_others_beyond():
    old, new = circling(4, 0, 36), circling(12, 10, 22)
    found = days(new, old)

    assert list(found) == [date(2023, 3, 24), date(2023, 3, 25), date(2023, 3, 26)]
    assert holding(found[date(2023, 3, 25)], 3, 4, 16, 17) == [
        old.creation_date,
        new.creation_date,
        new.creation_date,
        old.creation_date,
    ]


def test_each_day_has_its_own_states_and_each_state_is_there_once():
    found = days(circling(4, 0, 36), circling(12, 10, 22))

    for day, rows in found.items():
        epochs = rows.column("epoch").to_pylist()
        assert {epoch.date() for epoch in epochs} == {day}
        assert len(set(epochs)) == len(epochs)
    assert sum(rows.num_rows for rows in found.values()) == 36 * 15 + 1


def test_age_is_negative_for_what_was_flown_and_positive_for_what_was_predicted():
    rows = pa.concat_tables(days(circling(4, 0, 8)).values())

    assert rows.column("age_s").to_pylist() == [240.0 * number - 4 * 3600 for number in range(121)]


def test_a_rule_of_a_day_changes_with_what_holds_on_it_and_with_nothing_else():
    def rules(*issues: Issue) -> dict[date, list[str]]:
        path = BestPath(audited(*issues))
        return {day.day: path.inputs(day) for day in path.days()}

    old, new = circling(4, 0, 60), circling(40, 38, 60)
    before, after = rules(old), rules(old, new)

    changed = {day for day in before if before[day] != after[day]}
    assert changed == {date(2023, 3, 26), date(2023, 3, 27)}


@pytest.mark.real
def test_nasas_states_are_as_published_and_as_state_at_says(real_data: Path):
    files = [real_data / "oem" / "iss" / f"ISS.OEM_J2K_EPH.2023-04-{day}.txt.gz" for day in ("17", "19", "28")]
    issues = [read(file) for file in files]
    rows = pa.concat_tables(days(*issues).values()).select(TRAJECTORY.column_names)
    path = Trajectory(arc for issue in issues for arc in arcs_of(issue.segment_table, issue.states, issue.episodes))

    expected = path.state_at(rows.column("epoch").to_numpy())

    position_km = np.column_stack([rows.column(name).to_numpy() for name in ("x_km", "y_km", "z_km")])
    assert rows.num_rows > 9_000
    assert np.abs(position_km - expected.position_km).max() < 1e-3
    assert (rows.column("creation_date").to_numpy() == expected.creation_date).all()
    np.testing.assert_array_equal(rows.column("is_powered"), expected.is_powered)
    np.testing.assert_allclose(rows.column("age_s"), expected.age_s)
    assert 300 < rows.column("is_powered").to_numpy().sum() < 400
    assert rows.column("latitude_deg").null_count == 0
