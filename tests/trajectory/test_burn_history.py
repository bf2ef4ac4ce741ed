"""burn_history: one burn through its plans, whatever they call it and wherever they move it, to what was flown."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.oem.real_issues import read_once
from tests.trajectory.audited import ISS, at, audited, telling

from orbitlake.trajectory.burn_history import burn_history
from orbitlake.trajectory.issues import Issue, Issues


def unseen(_issues: Issues, _earlier: int, _later: int, _raised_km: Sequence[float]) -> None:
    """Judge nothing by the path."""


def flown(_issues: Issues, _earlier: int, _later: int, raised_km: Sequence[float]) -> list[bool]:
    return [True] * len(raised_km)


def not_flown(_issues: Issues, _earlier: int, _later: int, raised_km: Sequence[float]) -> list[bool]:
    return [False] * len(raised_km)


def nothing_between(_issues: Issues, _earlier: int, _later: int) -> None:
    """Find no burn between two issues."""


def rows(*issues: Issue, judge=unseen, detect=nothing_between) -> list[dict]:
    """Return the rows in order of creation."""
    found = burn_history(Issues(ISS, issues), judge, detect).to_pylist()
    return sorted(found, key=lambda row: (row["creation_date"], row["burn_id"]))


def told(*issues: Issue, judge=unseen) -> list[tuple]:
    return [
        (row["status"], row["ignition_time"].strftime("%dT%H:%M"), row["delta_v_m_s"])
        for row in rows(*issues, judge=judge)
    ]


def test_a_plan_that_stays_is_told_once_and_one_that_changes_each_time():
    plan, same = telling("17T23:02", ("30T00:16", 1.2, "Reboost")), telling("19T21:52", ("30T00:16", 1.2, "Reboost"))
    moved = telling("28T17:57", ("30T00:31", 1.1, "Reboost"))

    first, second = rows(plan, same, moved)

    assert (first["status"], second["status"]) == ("PLANNED", "REVISED")
    assert first["burn_id"] == second["burn_id"] == "20230430T001600Z-20230417T230200Z"
    assert (first["ignition_shift_s"], first["delta_v_change_m_s"]) == (None, None)
    assert (second["ignition_shift_s"], second["delta_v_change_m_s"]) == (900.0, -0.1)
    assert second["creation_date"] == at("28T17:57")
    assert (second["cutoff_time"] - second["ignition_time"]).total_seconds() == 720


def test_a_burn_that_no_plan_told_of_is_flown_between_two_issues_and_no_more_is_known_of_it():
    def between(_issues: Issues, _earlier: int, later: int) -> float | None:
        return -0.25 if later == 1 else None

    first, second, third = telling("15T12:00"), telling("17T12:00"), telling("19T12:00")

    (row,) = rows(first, second, third, detect=between)

    assert (row["status"], row["told_by"], row["delta_v_m_s"]) == ("FLOWN", "JUMP", -0.25)
    assert (row["creation_date"], row["burn_id"]) == (at("17T12:00"), "20230417T000000Z-20230417T120000Z")
    assert (row["earliest_time"], row["latest_time"]) == (at("15T12:00"), at("17T00:00"))
    assert {row[name] for name in ("ignition_time", "cutoff_time", "event_name", "ignition_shift_s")} == {None}


def test_another_name_alone_is_a_revision_of_the_same_burn():
    found = rows(
        telling("17T23:02", ("30T00:16", 1.2, "Reboost GMT 120")), telling("24T19:46", ("30T00:16", 1.2, "Prelim"))
    )

    assert [(row["status"], row["event_name"]) for row in found] == [
        ("PLANNED", "Reboost GMT 120"),
        ("REVISED", "Prelim"),
    ]
    assert len({row["burn_id"] for row in found}) == 1


@pytest.mark.parametrize("ignition", ["21T00:16", "19T00:16"])
def test_a_burn_that_moves_by_a_day_with_another_name_and_delta_v_is_the_same(ignition):
    found = rows(telling("15T12:00", ("20T00:16", 1.2, "Reboost")), telling("16T12:00", (ignition, 0.9, "Optional")))

    assert [row["status"] for row in found] == ["PLANNED", "REVISED"]
    assert abs(found[1]["ignition_shift_s"]) == 86_400.0


def test_one_that_moves_by_two_days_is_another():
    first, second = telling("15T12:00", ("20T00:16", 1.2, "Reboost")), telling("16T12:00", ("22T00:16", 1.2, "Reboost"))

    assert told(first, second) == [
        ("PLANNED", "20T00:16", 1.2),
        ("DROPPED", "20T00:16", 1.2),
        ("PLANNED", "22T00:16", 1.2),
    ]


def test_two_burns_of_one_day_stay_apart_when_both_move():
    plan = telling("15T12:00", ("20T14:16", 1.1, "#1"), ("20T22:48", 1.1, "#2"))
    moved = telling("16T12:00", ("21T14:16", 1.1, "#1"), ("21T22:48", 1.1, "#2"))

    found = rows(plan, moved)

    assert {row["burn_id"][:15]: row["ignition_shift_s"] for row in found[2:]} == {
        "20230420T141600": 86_400.0,
        "20230420T224800": 86_400.0,
    }


def test_a_burn_gone_from_a_path_that_covers_it_is_dropped_and_may_come_back():
    plan, without, again = (
        telling("15T12:00", ("20T00:16", 1.2, "Reboost")),
        telling("16T12:00"),
        telling("17T12:00", ("20T01:16", 1.2, "Reboost")),
    )

    assert told(plan, without, again) == [
        ("PLANNED", "20T00:16", 1.2),
        ("DROPPED", "20T00:16", 1.2),
        ("REVISED", "20T01:16", 1.2),
    ]


@pytest.mark.parametrize(
    "silent",
    [
        telling("16T12:00", days=3.0),
        telling("21T12:00", start="20T12:00"),
        telling("16T12:00", least_burn_m_s=None),
        telling("16T12:00", least_burn_m_s=2.0),
    ],
    ids=["ends before", "begins after", "shows no burn", "shows only greater ones"],
)
def test_an_issue_that_cannot_show_a_burn_drops_none(silent):
    assert told(telling("15T12:00", ("20T00:16", 1.2, "Reboost")), silent) == [("PLANNED", "20T00:16", 1.2)]


def test_flown_is_a_burn_in_the_arc_of_the_first_issue_created_after_its_cutoff_and_no_later_one_says_it_again():
    plan = telling("15T12:00", ("20T00:16", 1.2, "Reboost"))
    after, later = (
        telling(created, ("20T00:16", 1.2, "Reboost"), start="19T12:00") for created in ("20T06:00", "21T06:00")
    )

    found = rows(plan, after, later)

    assert [(row["status"], row["told_by"]) for row in found] == [("PLANNED", "STATES"), ("FLOWN", "STATES")]
    assert found[1]["creation_date"] == at("20T06:00")


def test_a_burn_still_burning_when_an_issue_is_made_is_not_yet_flown():
    under_way = telling("20T00:20", ("20T00:16", 1.2, "Reboost"))

    assert [row[0] for row in told(under_way)] == ["PLANNED"]


def test_a_burn_that_no_plan_told_of_is_flown_from_the_first():
    assert told(telling("15T12:00"), telling("20T06:00", ("20T00:16", 0.7, None), start="19T12:00")) == [
        ("FLOWN", "20T00:16", 0.7)
    ]


def test_a_burn_flown_a_day_before_is_not_the_next_plan():
    done = telling("20T06:00", ("20T00:16", 1.2, "Reboost"), start="19T12:00")
    plan = telling("20T18:00", ("21T00:16", 1.2, "Reboost"), start="20T12:00")

    assert told(done, plan) == [("FLOWN", "20T00:16", 1.2), ("PLANNED", "21T00:16", 1.2)]


@pytest.mark.parametrize(("judge", "status"), [(flown, "FLOWN"), (not_flown, "DROPPED"), (unseen, None)])
def test_where_an_issue_begins_after_a_burn_its_path_tells_whether_it_was_flown(judge, status):
    found = rows(telling("15T12:00", ("20T00:16", 1.2, "Reboost")), telling("21T12:00", start="20T12:00"), judge=judge)

    assert [(row["status"], row["told_by"]) for row in found[1:]] == ([(status, "PATH")] if status else [])


def test_a_burn_that_the_path_shows_unflown_and_a_later_plan_holds_has_moved():
    plan = telling("15T12:00", ("20T00:16", 1.2, "Reboost"))
    later = telling("20T14:00", ("21T00:16", 1.2, "Reboost"), start="20T12:00")

    assert told(plan, later, judge=not_flown) == [("PLANNED", "20T00:16", 1.2), ("REVISED", "21T00:16", 1.2)]
    assert told(plan, later, judge=flown)[1:] == [("FLOWN", "20T00:16", 1.2), ("PLANNED", "21T00:16", 1.2)]


def test_an_event_that_no_state_flies_is_a_plan_without_a_cutoff():
    (row,) = rows(telling("15T12:00", events=[("20T00:16", 0.4, "Progress")]))

    assert (row["status"], row["told_by"], row["cutoff_time"], row["delta_v_m_s"]) == ("PLANNED", "EVENT", None, 0.4)


PLANS = st.lists(
    st.tuples(
        st.integers(1, 20),
        st.lists(
            st.tuples(st.integers(2, 24), st.sampled_from([0.4, 1.2]), st.sampled_from(["A", "B", None])),
            max_size=2,
            unique_by=lambda burn: burn[0],
        ),
    ),
    min_size=2,
    max_size=6,
    unique_by=lambda plan: plan[0],
)


@given(PLANS, st.randoms(use_true_random=False))
def test_any_order_of_arrival_gives_the_same_rows(plans, order):
    issues = [
        telling(f"{day:02}T12:00", *((f"{on:02}T06:00", delta_v, name) for on, delta_v, name in burns))
        for day, burns in plans
    ]
    shuffled = order.sample(issues, len(issues))

    assert rows(*shuffled) == rows(*issues)


@pytest.fixture(scope="module")
def real_history(real_data: Path) -> pa.Table:
    """The burn_history of NASA's issues of the ISS."""
    found = {
        issue.creation_date: issue for file in (real_data / "oem" / "iss").iterdir() for issue in [read_once(file)]
    }
    return burn_history(audited(*found.values()))


def of_day(history: pa.Table, year: int, day: int) -> list[tuple]:
    """Return created day, status, ignition, delta-v and name of the rows of the burns first planned for a day."""
    return [
        (
            row["creation_date"].strftime("%m-%d"),
            row["status"],
            row["ignition_time"].strftime("%j:%H:%M:%S"),
            row["delta_v_m_s"],
            row["event_name"],
        )
        for row in sorted(history.to_pylist(), key=lambda row: row["creation_date"])
        if row["ignition_time"] and row["ignition_time"].strftime("%Y:%j") == f"{year}:{day:03}"
    ]


@pytest.mark.real
def test_burns_of_nasas_issues_are_reconstructed_as_their_event_tables_tell(real_history):
    assert of_day(real_history, 2023, 51) == [
        ("02-16", "PLANNED", "051:02:58:00", 1.7, "GMT 051 ISS Reboost"),
        ("02-23", "FLOWN", "051:02:58:00", 1.7, "GMT 051 ISS Reboost"),
    ]
    assert of_day(real_history, 2023, 120) == [
        ("04-17", "PLANNED", "120:00:16:00", 1.2, "Reboost GMT 120"),
        ("04-24", "REVISED", "120:00:16:00", 1.2, "GMT120 Reboost Preli"),
        ("04-28", "REVISED", "120:00:31:00", 1.1, "GMT120 Reboost Optio"),
        ("05-12", "FLOWN", "120:00:31:00", 1.1, "GMT120 Reboost Optio"),
    ]
    assert of_day(real_history, 2024, 55) == [
        ("02-16", "PLANNED", "055:00:21:00", 1.6, "GMT055 Reboost Preli"),
        ("02-22", "REVISED", "055:00:21:00", 1.7, "GMT055 Reboost (Opti"),
        ("03-14", "FLOWN", "055:00:21:00", 1.7, "GMT055 Reboost (Opti"),
    ]


@pytest.mark.real
def test_a_burn_that_nasas_path_shows_unflown_is_dropped_and_one_flown_before_its_issue_is_flown_by_its_states(
    real_history,
):
    assert of_day(real_history, 2022, 37)[-1][:2] == ("02-07", "DROPPED")
    (flown_by_states,) = real_history.filter(
        pa.compute.and_(
            pa.compute.equal(real_history.column("status"), "FLOWN"),
            pa.compute.equal(real_history.column("told_by"), "STATES"),
        )
    ).to_pylist()
    assert flown_by_states["creation_date"].strftime("%Y-%m-%d") == "2025-08-14"
    assert flown_by_states["ignition_shift_s"] == -900.0


@pytest.mark.real
def test_what_is_flown_is_never_told_again_and_each_burn_is_planned_once(real_history):
    for burn_id in set(real_history.column("burn_id").to_pylist()):
        of_burn = real_history.filter(pa.compute.equal(real_history.column("burn_id"), burn_id)).sort_by(
            "creation_date"
        )
        status = of_burn.column("status").to_pylist()
        assert "PLANNED" not in status[1:]
        assert "FLOWN" not in status[:-1]
        assert np.isnan(of_burn.column("ignition_shift_s").to_numpy()[0])


@pytest.mark.real
def test_three_burns_of_the_station_lie_between_issues_that_plan_none(real_history):
    """The one of December 2021 lowered the orbit; of July 2024 the issue before ends four days too early to plan it."""
    jumps = [row for row in real_history.to_pylist() if row["told_by"] == "JUMP"]
    known = [
        (row["earliest_time"].strftime("%Y-%m-%d"), row["latest_time"].strftime("%Y-%m-%d"), row["delta_v_m_s"])
        for row in jumps
        if row["creation_date"].strftime("%Y-%m") in ("2021-09", "2021-12", "2024-07")
    ]

    assert known == [
        ("2021-08-26", "2021-09-15", pytest.approx(0.34, abs=0.02)),
        ("2021-12-02", "2021-12-20", pytest.approx(-0.29, abs=0.02)),
        ("2024-07-12", "2024-07-31", pytest.approx(1.62, abs=0.05)),
    ]
