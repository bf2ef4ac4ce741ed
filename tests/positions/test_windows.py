"""minutes_of against the reference window and against plain Python."""

import random
from datetime import UTC, datetime

import pytest
from tests.positions.published import of_base
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import fix, orbit

from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import positions_of

TOLERANCE = 1e-4


def aggregated(rows):
    """Aggregate the minutes of rows; the answer is sorted."""
    return minutes_of(positions_of(of_base(rows))).to_pylist()


def test_the_reference_window_is_reproduced():
    places = [("12:35:31", 47.6153, -60.4797), ("12:35:47", 47.19, -59.1003), ("12:35:55", 46.9774, -58.44)]
    rows = [
        fix(latitude=latitude, longitude=longitude) | {"event_time": datetime.fromisoformat(f"2025-12-21T{time}+00:00")}
        for time, latitude, longitude in places
    ]

    (row,) = aggregated(rows)

    assert row["window_start"] == datetime(2025, 12, 21, 12, 35, tzinfo=UTC)
    assert row["window_end"] == datetime(2025, 12, 21, 12, 36, tzinfo=UTC)
    assert row["data_points"] == 3
    assert row["avg_latitude_deg"] == pytest.approx(47.2609, abs=TOLERANCE)
    assert row["avg_longitude_deg"] == pytest.approx(-59.34, abs=TOLERANCE)
    assert row["avg_velocity_km_s"] == pytest.approx(7.0213, abs=TOLERANCE)
    assert row["min_velocity_km_s"] == pytest.approx(6.9128, abs=TOLERANCE)
    assert row["max_velocity_km_s"] == pytest.approx(7.1298, abs=TOLERANCE)
    assert row["velocity_stddev_km_s"] == pytest.approx(0.1534, abs=TOLERANCE)
    assert row["ground_speed_km_s"] == pytest.approx((7.1298 * 16 + 6.9128 * 8) / 24, abs=TOLERANCE)


def test_a_window_across_180_degrees_averages_near_180():
    (row,) = aggregated([fix(0, 1.0, 179.0), fix(5, 1.1, -179.0), fix(10, 1.2, 179.5), fix(15, 1.3, -179.5)])

    assert abs(row["avg_longitude_deg"]) == pytest.approx(180, abs=1e-9)


def test_a_lone_fix_has_no_speeds():
    (row,) = aggregated([fix(0)])

    assert row["data_points"] == 1
    names = ("avg_velocity_km_s", "max_velocity_km_s", "min_velocity_km_s", "velocity_stddev_km_s", "ground_speed_km_s")
    assert [row[name] for name in names] == [None] * len(names)


def test_the_first_instant_of_a_minute_belongs_to_it():
    assert [row["data_points"] for row in aggregated([fix(59.999999), fix(60, 11.0), fix(60.000001, 12.0)])] == [1, 2]


def test_any_order_gives_the_same_bits_and_what_plain_python_gives():
    chance = random.Random(5)
    rows = orbit(sorted(chance.choices(range(3000), k=400))) + orbit(range(0, 900, 13), object_id="2021-035A")
    expected = expected_minutes(expected_positions(rows))
    results = []
    for _ in range(3):
        chance.shuffle(rows)
        results.append(aggregated(rows))

    assert results[0] == results[1] == results[2]
    assert results[0] == [
        {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in row.items()}
        for row in expected
    ]
