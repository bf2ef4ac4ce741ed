"""The checks of an issue: each can fail, says why, and leaves a sound issue alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.oem.real_issues import read_once
from tests.oem.sample_oem import kvn

from orbitlake.oem import read_bytes
from orbitlake.oem.reader.checks import examine

SAMPLE = read_bytes(kvn(), "sample.oem")
ROW = SAMPLE.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
(SEGMENT,) = SAMPLE.segment_table.to_pylist()


def problems(states: pa.Table = SAMPLE.states, *, count: int | None = None, **segment: object) -> tuple[str, ...]:
    """What is wrong with states of the sample's one segment, changed as said."""
    counted = {"state_count": states.num_rows if count is None else count}
    return examine(ROW | counted, [SEGMENT | counted | segment], states, SAMPLE.episodes).problems


def at(states: pa.Table, epochs: list[datetime]) -> pa.Table:
    """The states at other epochs; TAI is UTC + 37 s here."""
    for name, shift in (("epoch", timedelta()), ("epoch_tai", timedelta(seconds=37))):
        field = states.schema.field(name)
        moved = [(epoch + shift).replace(tzinfo=epoch.tzinfo if field.type.tz else None) for epoch in epochs]
        states = states.set_column(states.column_names.index(name), field, pa.array(moved, field.type))
    return states


def scaled(factor: float, *names: str) -> pa.Table:
    states = SAMPLE.states
    for name in names:
        place = states.column_names.index(name)
        states = states.set_column(place, states.schema.field(name), pc.multiply(states[name], factor))
    return states


def test_a_sound_issue_has_figures_and_no_problem():
    report = examine(ROW, [SEGMENT], SAMPLE.states, SAMPLE.episodes)

    assert report.problems == ()
    assert report.figures == {
        "states": 3,
        "segments": 1,
        "thrust_episodes": 0,
        "two_second_rows": 0,
        "radius_km": pytest.approx([6803.7, 6804.4], abs=0.5),
        "speed_km_s": pytest.approx([7.65, 7.66], abs=0.01),
        "coverage": 1.0,
        "steps_s": {"240.000": 2},
        "days_past_earth_orientation": 0.0,
    }


def test_counts_must_agree():
    assert problems(count=4) == (
        "3 states where the header counts 4",
        "3 states where the segment counts 4",
    )
    assert problems(SAMPLE.states.slice(0, 0)) == ("the issue holds no state",)
    missing = examine(ROW | {"segment_count": 2}, [SEGMENT, SEGMENT | {"segment": 1}], SAMPLE.states, SAMPLE.episodes)
    assert missing.problems == ("2 segments, 1 with states, where the header counts 2",)


def test_a_cadence_of_two_seconds_is_no_problem():
    place = SAMPLE.states.column_names.index("on_thrust")
    on_thrust = pa.array([False, True, True])

    assert problems(SAMPLE.states.set_column(place, SAMPLE.states.schema.field("on_thrust"), on_thrust)) == ()


def test_epochs_must_increase_within_a_segment():
    backwards = SAMPLE.states.take([0, 2, 1])
    place = backwards.column_names.index("segment")
    next_segment = backwards.set_column(place, backwards.schema.field("segment"), pa.array([0, 0, 1], pa.int32()))
    two = [SEGMENT | {"state_count": 2}, SEGMENT | {"segment": 1, "state_count": 1}]

    assert problems(backwards) == ("epochs do not increase at 2023-03-24T18:45:29.004000Z",)
    assert examine(ROW | {"segment_count": 2}, two, next_segment, SAMPLE.episodes).problems == ()


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (scaled(0.9, "x_km", "y_km", "z_km"), "inside EARTH"),
        (scaled(1000, "vx_km_s", "vy_km_s", "vz_km_s"), "beyond any flight"),
        (scaled(3280.84, "vx_km_s", "vy_km_s", "vz_km_s"), "beyond any flight"),
    ],
)
def test_states_must_be_possible_at_their_centre(states, reason):
    (problem,) = problems(states)

    assert reason in problem
    assert "2023-03-24T18:4" in problem
    assert problems(states, center_name="ASTEROID 4 VESTA") == ()


@pytest.mark.parametrize(
    ("radius_km", "speed_km_s", "center_name", "reason"),
    [
        (365e6, 49.2, "EARTH", None),
        (924e3, 49.2, "EARTH", "beyond any flight at EARTH"),
        (925e3, 49.2, "EARTH", None),
        (365e6, 49_200.0, "EARTH", "beyond any flight far from EARTH"),
        (60e3, 40.0, "MOON", "beyond any flight at MOON"),
        (70e3, 40.0, "MOON", None),
        (100e6, 55.0, "SUN", None),
        (5e9, 60.0, "SUN", "beyond any flight at SUN"),
    ],
)
def test_speed_is_bounded_within_the_sphere_of_influence_and_loosely_beyond(radius_km, speed_km_s, center_name, reason):
    first = SAMPLE.states.slice(0, 1).to_pylist()[0]
    state = first | dict.fromkeys(("y_km", "z_km", "vx_km_s", "vz_km_s"), 0.0)
    states = pa.Table.from_pylist([state | {"x_km": radius_km, "vy_km_s": speed_km_s}], schema=SAMPLE.states.schema)
    found = problems(states, center_name=center_name)

    assert found == () if reason is None else reason in found[0]


def test_each_segment_is_judged_by_its_own_centre():
    moon = SAMPLE.states.slice(2, 1).to_pylist()[0] | {"segment": 1, "x_km": 1838.0, "y_km": 0.0, "z_km": 0.0}
    moon |= {"vx_km_s": 0.0, "vy_km_s": 1.63, "vz_km_s": 0.0}
    states = pa.Table.from_pylist([*SAMPLE.states.slice(0, 2).to_pylist(), moon], schema=SAMPLE.states.schema)
    earth_rows = [SEGMENT | {"state_count": 2}, SEGMENT | {"segment": 1, "state_count": 1}]
    moon_rows = [earth_rows[0], earth_rows[1] | {"center_name": "MOON"}]
    two = ROW | {"segment_count": 2}

    assert examine(two, moon_rows, states, SAMPLE.episodes).problems == ()
    (problem,) = examine(two, earth_rows, states, SAMPLE.episodes).problems
    assert problem.startswith("segment 1: radius 1838.000 km at 2023-03-24T18:49:29.004000Z lies inside EARTH")


def test_the_states_must_reach_the_promised_span_but_for_one_step():
    end = datetime(2023, 3, 24, 19, 13, 29, 4000, UTC)
    beyond = datetime(2023, 3, 24, 19, 13, 29, 5000, UTC)
    start = SEGMENT["start_time"]
    eight = at(SAMPLE.states.take([0] * 8), [start + timedelta(minutes=minute) for minute in range(0, 32, 4)])

    assert problems(eight, stop_time=end) == ()
    assert problems(eight, stop_time=beyond) == ("the states reach 87.5% of the span that the header promises",)
    assert problems(eight, stop_time=beyond, useable_stop_time=end) == ()
    # Fewer states are a printed example, shortened by hand.
    assert problems(eight.slice(0, 7), stop_time=beyond) == ()


def test_a_segment_cut_short_is_not_made_good_by_another():
    start, stop = SEGMENT["start_time"], SEGMENT["stop_time"]
    minutes = [start + timedelta(minutes=minute) for minute in range(9)]
    numbers = pa.array([0] * 8 + [1] * 9, pa.int32())
    states = at(SAMPLE.states.take([0] * 17), [*minutes[:8], *minutes])
    place = states.column_names.index("segment")
    states = states.set_column(place, states.schema.field("segment"), numbers)
    rows = [SEGMENT | {"segment": number, "state_count": count} for number, count in enumerate((8, 9))]
    counted = ROW | {"segment_count": 2, "state_count": 17}
    later = stop + timedelta(minutes=2)
    cut = examine(counted, [rows[0] | {"stop_time": later}, rows[1]], states, SAMPLE.episodes)

    assert examine(counted, rows, states, SAMPLE.episodes).problems == ()
    assert cut.problems == ("segment 0: the states reach 70.0% of the span that the header promises",)


def test_the_histogram_names_the_commonest_steps_and_counts_the_rest():
    count = 2000
    steps_s = np.concatenate(([240.0] * 1000, [2.0] * 900, np.linspace(3, 50, 99)))
    epochs = np.datetime64("2023-03-24", "us") + np.concatenate(([0], np.cumsum(np.rint(steps_s * 1e6)))).astype(int)
    moments = [moment.replace(tzinfo=UTC) for moment in epochs.tolist()]
    states = at(SAMPLE.states.take(np.zeros(count, dtype=int)), moments)
    histogram = examine(ROW, [SEGMENT], states, SAMPLE.episodes).figures["steps_s"]

    assert list(histogram)[:2] == ["240.000", "2.000"]
    assert histogram["240.000"] == 1000
    assert sum(histogram.values()) == count - 1
    assert len(histogram) == 9


def test_epochs_past_the_orientation_table_are_counted():
    states = at(SAMPLE.states, [datetime(2090, 1, 1, 0, minute, tzinfo=UTC) for minute in (0, 4, 8)])

    assert examine(ROW, [SEGMENT], states, SAMPLE.episodes).figures["days_past_earth_orientation"] > 20_000


@pytest.mark.real
def test_every_real_issue_passes_and_is_reached_to_its_end(real_data):
    for path in sorted((real_data / "oem" / "iss").iterdir()):
        issue = read_once(path)
        row = issue.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
        report = examine(row, issue.segment_table.to_pylist(), issue.states, issue.episodes)

        assert report.problems == (), path
        assert report.figures["coverage"] == 1.0, path
