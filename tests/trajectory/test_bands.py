"""prediction_bands and the bounds of state_at: learned from the past alone, by lead and by burns, null beyond it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.jobs.test_audit_positions import ingest
from tests.trajectory.test_states import after, every_240_s, issue, trajectory

from orbitlake.lake import Lake
from orbitlake.tables import PREDICTION_ERROR
from orbitlake.trajectory import Trajectory, audit_tables, state_at
from orbitlake.trajectory.bands import Bands
from orbitlake.trajectory.learned_bands import learn_bands

FIRST = datetime(2022, 1, 1, tzinfo=UTC)
DAY_S = 86_400.0
HALF_A_METRE_KM = 5e-4


def compared(number: int, lead_d: float, error_km: float, *, burn: bool = False) -> list[dict]:
    """Return three hours of a pair: an issue of day `number`, and the later one that judges it after `lead_d` days."""
    created = FIRST + timedelta(days=number)
    later = created + timedelta(days=lead_d, hours=2)
    return [
        {
            "object_id": "1998-067A",
            "creation_date": created,
            "later_creation_date": later,
            "epoch": created + timedelta(days=lead_d, hours=hour),
            "lead_s": lead_d * DAY_S + 3600 * hour,
            **dict.fromkeys(("radial_km", "in_track_km", "cross_track_km", "in_track_s"), 0.0),
            "total_km": error_km,
            "burn_between": burn,
        }
        for hour in (-1, 0, 1)
    ]


def errors(*pairs: list[dict]) -> pa.Table:
    return pa.Table.from_pylist([row for pair in pairs for row in pair], schema=PREDICTION_ERROR.schema)


def nine(lead_d: float = 2.0, **what: bool) -> list[list[dict]]:
    """Return nine pairs whose errors are 1 to 9 km."""
    return [compared(number, lead_d, number + 1.0, **what) for number in range(9)]


def bands_of(*pairs: list[dict]) -> Bands:
    return Bands.of(learn_bands(errors(*pairs)))


def last(bands: Bands) -> tuple:
    return bands.by(np.iinfo(np.int64).max)


def test_nine_pairs_give_the_worst_for_nine_tenths_and_the_middle_for_half():
    quiet, _ = last(bands_of(*nine()))
    p50_km, p90_km = quiet.at(np.array([2.0 * DAY_S]))

    assert (p50_km[0], p90_km[0]) == (5.0, 9.0)


def test_eight_say_nothing_of_the_worst():
    quiet, _ = last(bands_of(*nine()[:8]))
    p50_km, p90_km = quiet.at(np.array([DAY_S]))

    assert np.isfinite(p50_km).all()
    assert np.isnan(p90_km).all()


def test_errors_of_other_leads_count_by_what_errors_grow_with():
    """Errors of 1 km at one day, 3 at three and so on grow with lead itself."""
    quiet, _ = last(bands_of(*(compared(number, 1.0 + number, 1.0 + number) for number in range(9))))
    p50_km, p90_km = quiet.at(np.array([2.0, 5.0]) * DAY_S)

    np.testing.assert_allclose(p50_km, [2.0, 5.0], atol=HALF_A_METRE_KM)
    np.testing.assert_allclose(p90_km, [2.0, 5.0], atol=HALF_A_METRE_KM)


def test_beyond_the_longest_lead_seen_nothing_is_known_and_below_the_shortest_its_bound_holds():
    quiet, _ = last(bands_of(*nine()))
    lead_s = 2.0 * DAY_S + 3600 * np.array([-40.0, -1.0, 1.0, 1.1])
    p50_km, p90_km = quiet.at(lead_s)

    assert p90_km[0] == p90_km[1] > 8.5
    assert np.isfinite(p90_km).tolist() == np.isfinite(p50_km).tolist() == [True, True, True, False]


def test_what_was_flown_has_no_bound():
    quiet, _ = last(bands_of(*nine()))

    assert np.isnan(quiet.at(np.array([-3600.0, 0.0]))).all()


def test_predictions_with_a_burn_are_learned_from_such_ones():
    quiet, burning = last(bands_of(*nine(), *(compared(20 + n, 2.0, 100.0 + n, burn=True) for n in range(9))))

    assert quiet.at(np.array([2.0 * DAY_S]))[1][0] == 9.0
    assert burning.at(np.array([2.0 * DAY_S]))[1][0] == 108.0


def test_without_a_comparison_there_is_no_row_and_no_complaint(recwarn):
    assert learn_bands(errors()).num_rows == 0
    assert not recwarn.list


def test_comparisons_in_any_order_give_the_same_table():
    pairs = [*nine(), *nine(5.0, burn=True)]

    assert learn_bands(errors(*pairs)).equals(learn_bands(errors(*reversed(pairs))))


def test_an_issue_knows_only_what_was_compared_before_it_and_a_moment_all_until_then():
    bands = bands_of(*nine(), compared(20, 2.0, 1000.0))
    judged_us = int(bands.known_from_us[-1])
    lead_s = np.array([2.0 * DAY_S])

    assert bands.before(judged_us)[0].at(lead_s)[1][0] == 9.0
    assert bands.by(judged_us - 1)[0].at(lead_s)[1][0] == 9.0
    assert bands.by(judged_us)[0].at(lead_s)[1][0] == 1000.0 == bands.before(judged_us + 1)[0].at(lead_s)[1][0]
    assert np.isnan(bands.before(0)[0].at(lead_s)).all()


def test_states_carry_the_bounds_of_their_leads_and_of_no_burn_until_one_begins():
    read = issue(every_240_s(0, 12 * 3600), created="2023-03-24T20:00:00")
    arc = trajectory(read).arcs
    bands = bands_of(*nine(), *(compared(20 + n, 2.0, 100.0 + n, burn=True) for n in range(9)))
    found = Trajectory(arc, bands).state_at(np.array([after(3600), after(3 * 3600), after(13 * 3600)]))

    assert np.isnan(found.p90_km).tolist() == [True, False, True]
    assert found.p50_km[1] < found.p90_km[1] < 9.0
    assert not found.burn_between.any()
    assert np.isnan(Trajectory(arc).state_at(np.array([after(3 * 3600)])).p90_km).all()


def test_a_burn_after_the_creation_counts_from_its_ignition_on():
    burn_s = (6 * 3600, 6 * 3600 + 600)
    read = issue(every_240_s(0, 12 * 3600), created="2023-03-24T20:00:00")
    (arc,) = trajectory(read).arcs
    path = arc.path()
    burns = np.array([[after(second).astype(np.int64) for second in burn_s]])

    def with_burn():
        return type(path)(path.origin_tai_us, path.states, burns)

    burning = type(arc)(**{name: getattr(arc, name) for name in arc.__slots__} | {"path": with_burn})
    bands = bands_of(*nine(), *(compared(20 + n, 2.0, 100.0 + n, burn=True) for n in range(9)))
    found = Trajectory([burning], bands).state_at(np.array([after(burn_s[0] - 1), after(burn_s[0])]))

    assert found.burn_between.tolist() == [False, True]
    assert found.p90_km[0] < 10.0 < 90.0 < found.p90_km[1]


def test_as_of_a_moment_later_issues_are_unknown():
    early, late = issue(every_240_s(0, 12 * 3600)), issue(every_240_s(0, 12 * 3600), created="2023-03-24T22:00:00")
    path = Trajectory(trajectory(early, late).arcs, as_of=datetime(2023, 3, 24, 21, tzinfo=UTC))

    assert str(path.state_at(np.array([after(5 * 3600)])).creation_date[0])[11:19] == "20:00:00"


@pytest.fixture
def audited(lake: Lake) -> Lake:
    ingest(lake, "first", "second", "third")
    audit_tables.update_prediction_error(lake)
    audit_tables.update_prediction_bands(lake)
    return lake


def test_a_lake_tells_the_bounds_that_its_table_holds_and_newer_ones_from_the_next_call_on(lake: Lake):
    ingest(lake, "first", "second", "third")
    at = np.array([after(27 * 3600)])
    before = state_at(at, "1998-067A", lake.root)
    audit_tables.update_prediction_error(lake)
    audit_tables.update_prediction_bands(lake)

    found = state_at(at, "1998-067A", lake.root)

    assert np.isnan(before.p50_km).all()
    # Known before the third issue: the first is 1 s, 7.66 km, before the second, ten to twelve hours on.
    assert 7.66 * (10 / 12) ** 2 < found.p50_km[0] < 7.66
    assert np.isnan(found.p90_km[0])


def test_a_lake_answers_as_of_a_moment(audited: Lake):
    moment = datetime(2023, 3, 25, 7, tzinfo=UTC)
    found = state_at(np.array([after(27 * 3600)]), "1998-067A", audited.root, as_of=moment)

    assert str(found.creation_date[0])[:13] == "2023-03-25T06"
    assert state_at(np.array([after(27 * 3600)]), "1998-067A", audited.root).creation_date[0] > found.creation_date[0]
