"""positions_of against reference values and against plain Python."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from tests.positions.published import of_base
from tests.positions.reference import expected_positions, order
from tests.positions.samples import fix, orbit

from orbitlake.positions.derive.motion import positions_of

SPEED_TOLERANCE_KM_S = 1e-4
DISTANCE_TOLERANCE_KM = 0.01
ROUNDING = 1e-9
REFERENCE = [
    ("12:58:46", -15.3681, 6.4226, None, 7152.78, "UNKNOWN"),
    ("12:58:51", -15.6155, 6.6177, 6.9104, 7181.36, "DESCENDING"),
    ("12:58:58", -15.9368, 6.8722, 6.4175, 7218.55, "DESCENDING"),
    ("12:59:03", -16.2085, 7.0882, 7.6037, 7250.06, "DESCENDING"),
    ("12:59:09", -16.4798, 7.3049, 6.3349, 7281.58, "DESCENDING"),
    ("12:59:17", -16.8740, 7.6212, 6.9107, 7327.49, "DESCENDING"),
    ("12:59:22", -17.1446, 7.8396, 7.6017, 7359.08, "DESCENDING"),
    ("12:59:28", -17.4395, 8.0786, 6.9104, 7393.57, "DESCENDING"),
    ("12:59:34", -17.7096, 8.2984, 6.3353, 7425.22, "DESCENDING"),
]


def derive(rows):
    """Derive positions of rows; the answer is sorted."""
    return sorted(positions_of(of_base(rows)).to_pylist(), key=order)


def test_the_reference_values_are_reproduced():
    rows = [
        fix(latitude=latitude, longitude=longitude) | {"event_time": datetime.fromisoformat(f"2025-12-21T{time}+00:00")}
        for time, latitude, longitude, *_ in REFERENCE
    ]
    random.Random(1).shuffle(rows)

    for row, (_, _, _, speed, paris_km, phase) in zip(derive(rows), REFERENCE, strict=True):
        assert row["velocity_km_s"] == (None if speed is None else pytest.approx(speed, abs=SPEED_TOLERANCE_KM_S))
        assert row["distance_to_paris_km"] == pytest.approx(paris_km, abs=DISTANCE_TOLERANCE_KM)
        assert row["orbit_phase"] == phase
        assert (row["hemisphere_ns"], row["hemisphere_ew"]) == ("South", "East")


def test_a_repeat_counts_once_with_its_earliest_known_arrival():
    first = fix()
    later = first | {"fetch_time": first["fetch_time"] + timedelta(seconds=9)}
    unknown = first | {"fetch_time": None}

    (row,) = derive([later, unknown, first, later])

    assert row["fetch_time"] == first["fetch_time"]


def test_two_fixes_in_one_second_are_measured_from_the_second_before_and_the_next_from_the_later():
    rows = derive(
        [fix(0, 1.0), fix(5, 2.0), fix(5, 2.5, fetch_time=fix(5)["fetch_time"] + timedelta(seconds=1)), fix(6, 3.0)]
    )

    assert rows == approximately(expected_positions([fix(0, 1.0), fix(5, 2.0), rows_base(rows[2]), fix(6, 3.0)]))
    assert rows[2]["velocity_km_s"] > rows[1]["velocity_km_s"]
    assert rows[3]["velocity_km_s"] == pytest.approx(55.597, abs=0.001)


@pytest.mark.parametrize(("gap_s", "is_measured"), [(119, True), (120, True), (121, False), (300, False)])
def test_a_hole_longer_than_two_minutes_leaves_speed_and_phase_open(gap_s, is_measured):
    _, row = derive([fix(0, 1.0), fix(gap_s, 2.0)])

    assert (row["velocity_km_s"] is not None) is is_measured
    assert row["orbit_phase"] == ("ASCENDING" if is_measured else "UNKNOWN")


def test_a_latitude_that_stays_has_no_phase():
    _, row = derive([fix(0, 1.0, 20.0), fix(5, 1.0, 20.1)])

    assert row["orbit_phase"] == "UNKNOWN"
    assert row["velocity_km_s"] > 0


def test_the_pole_and_180_degrees_are_places_like_any_other():
    places = [fix(0, 89.9, 0.0), fix(5, 90.0, 180.0), fix(10, 89.9, -180.0), fix(15, -90.0, 0.0)]

    assert derive(places) == approximately(expected_positions(places))


def test_zero_is_north_and_east():
    (row,) = derive([fix(0, 0.0, 0.0)])

    assert (row["hemisphere_ns"], row["hemisphere_ew"]) == ("North", "East")


def test_objects_and_sources_do_not_touch_each_other():
    rows = [fix(0, 1.0), fix(5, 2.0, object_id="2021-035A"), fix(6, 3.0, source="other")]

    assert [row["velocity_km_s"] for row in derive(rows)] == [None, None, None]


@pytest.mark.parametrize("seed", range(3))
def test_any_order_with_repeats_gives_what_plain_python_gives(seed):
    chance = random.Random(seed)
    seconds = sorted(chance.choices(range(2000), k=300))
    rows = (
        orbit(seconds)
        + orbit(seconds[::7], fetch_time=datetime(2025, 12, 22, tzinfo=UTC))
        + orbit(seconds[::9], object_id="2021-035A")
    )
    expected = expected_positions(rows)
    chance.shuffle(rows)

    assert derive(rows) == approximately(sorted(expected, key=order))


def approximately(rows):
    """Rows equal but for rounding."""
    return [
        {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in row.items()} for row in rows
    ]


def rows_base(row):
    return {name: row[name] for name in fix()}
