"""The checks of an issue: each can fail, says why, and leaves a sound issue alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.oem.sample_oem import kvn

from orbitlake.oem import read, read_bytes
from orbitlake.oem.checks import examine

SAMPLE = read_bytes(kvn(), "sample.oem")
ROW = SAMPLE.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]


def problems(states: pa.Table = SAMPLE.states, episodes: pa.Table = SAMPLE.episodes, **row: object) -> tuple[str, ...]:
    return examine(ROW | row, states, episodes).problems


def scaled(factor: float, *names: str) -> pa.Table:
    states = SAMPLE.states
    for name in names:
        place = states.column_names.index(name)
        states = states.set_column(place, states.schema.field(name), pc.multiply(states[name], factor))
    return states


def test_a_sound_issue_has_figures_and_no_problem():
    report = examine(ROW, SAMPLE.states, SAMPLE.episodes)

    assert report.problems == ()
    assert report.figures == {
        "states": 3,
        "thrust_episodes": 0,
        "two_second_rows": 0,
        "radius_km": pytest.approx([6803.7, 6804.4], abs=0.5),
        "speed_km_s": pytest.approx([7.65, 7.66], abs=0.01),
        "coverage": 1.0,
        "steps_s": {"240.000": 2},
        "days_past_earth_orientation": 0.0,
    }


def test_counts_must_agree():
    assert problems(state_count=4) == ("3 states where the header counts 4",)
    assert problems(states=SAMPLE.states.slice(0, 0)) == ("the issue holds no state",)


def test_rows_on_thrust_must_lie_in_episodes():
    place = SAMPLE.states.column_names.index("on_thrust")
    powered = SAMPLE.states.set_column(place, SAMPLE.states.schema.field("on_thrust"), pa.array([False, True, True]))

    assert problems(states=powered) == ("2 rows on thrust, but 0 in thrust episodes",)


def test_epochs_must_increase_within_a_segment():
    backwards = SAMPLE.states.take([0, 2, 1])
    place = backwards.column_names.index("segment")
    next_segment = backwards.set_column(place, backwards.schema.field("segment"), pa.array([0, 0, 1], pa.int32()))

    assert problems(states=backwards) == ("epochs do not increase at 2023-03-24T18:45:29.004000Z",)
    assert problems(states=next_segment) == ()


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (scaled(0.9, "x_km", "y_km", "z_km"), "inside EARTH"),
        (scaled(1000, "vx_km_s", "vy_km_s", "vz_km_s"), "beyond any flight"),
        (scaled(3280.84, "vx_km_s", "vy_km_s", "vz_km_s"), "beyond any flight"),
    ],
)
def test_states_must_be_possible_at_their_centre(states, reason):
    (problem,) = problems(states=states)

    assert reason in problem
    assert "2023-03-24T18:4" in problem
    assert problems(states=states, center_name="ASTEROID 4 VESTA") == ()


def test_the_states_must_reach_the_promised_span_but_for_one_step():
    end = datetime(2023, 3, 24, 19, 13, 29, 4000, UTC)
    beyond = datetime(2023, 3, 24, 19, 13, 29, 5000, UTC)
    place = SAMPLE.states.column_names.index("epoch")
    field = SAMPLE.states.schema.field("epoch")
    start = ROW["start_time"]
    epochs = pa.array([start + timedelta(minutes=minute) for minute in range(0, 32, 4)], field.type)
    eight = SAMPLE.states.take([0] * 8).set_column(place, field, epochs)

    assert problems(eight, state_count=8, stop_time=end) == ()
    assert problems(eight, state_count=8, stop_time=beyond) == (
        "the states reach 87.5% of the span that the header promises",
    )
    assert problems(eight, state_count=8, stop_time=beyond, useable_stop_time=end) == ()
    # The same states shared out over two segments are printed examples, shortened by hand.
    assert problems(eight, state_count=8, stop_time=beyond, segment_count=2) == ()


def test_the_histogram_names_the_commonest_steps_and_counts_the_rest():
    count = 2000
    steps_s = np.concatenate(([240.0] * 1000, [2.0] * 900, np.linspace(3, 50, 99)))
    epochs = np.datetime64("2023-03-24", "us") + np.concatenate(([0], np.cumsum(np.rint(steps_s * 1e6)))).astype(int)
    states = SAMPLE.states.take(np.zeros(count, dtype=int))
    place = states.column_names.index("epoch")
    field = states.schema.field("epoch")
    states = states.set_column(place, field, pa.array(epochs).cast(field.type))
    histogram = examine(ROW, states, SAMPLE.episodes).figures["steps_s"]

    assert list(histogram)[:2] == ["240.000", "2.000"]
    assert histogram["240.000"] == 1000
    assert sum(histogram.values()) == count - 1
    assert len(histogram) == 9


def test_epochs_past_the_orientation_table_are_counted():
    place = SAMPLE.states.column_names.index("epoch")
    field = SAMPLE.states.schema.field("epoch")
    far = [datetime(2090, 1, 1, 0, minute, tzinfo=UTC) for minute in (0, 4, 8)]
    states = SAMPLE.states.set_column(place, field, pa.array(far, field.type))

    assert examine(ROW, states, SAMPLE.episodes).figures["days_past_earth_orientation"] > 20_000


@pytest.mark.real
def test_every_real_issue_passes_and_is_reached_to_its_end(real_data):
    for path in sorted((real_data / "oem" / "iss").iterdir()):
        issue = read(path)
        row = issue.row(source_url=None, retrieved_at=None, raw_path=None).to_pylist()[0]
        report = examine(row, issue.states, issue.episodes)

        assert report.problems == (), path
        assert report.figures["coverage"] == 1.0, path
