"""The bodies of the two feeds: rounding as the services round, and positions on the orbit of the issues."""

import json
import math
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from orbitlake.physics.frames import itrs_from
from orbitlake.simulator.feeds import Moment, open_notify, where_the_iss
from orbitlake.simulator.issues import issue_of
from orbitlake.simulator.nasa_layout import OemFormat, write_issue
from orbitlake.simulator.station import station

AT = np.datetime64("2026-11-20T18:00:00.900000", "us")
FOUR_DECIMALS_KM = 0.0079
"""Half of 0.0001 degrees in both coordinates, on the ground."""
QUARTER_OF_THE_GLOBE_KM = 6371.0 * math.pi / 2
SPEED_LIMITS_KM_H = (27_400, 27_700)


def moment(at: np.datetime64) -> Moment:
    return Moment(at, at)


def great_circle_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, place)) for place in (one, other))
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(chord))


def fix(at: np.datetime64) -> tuple[int, float, float]:
    body = json.loads(open_notify(station(), moment(at)))
    return body["timestamp"], float(body["iss_position"]["latitude"]), float(body["iss_position"]["longitude"])


def test_open_notify_writes_coordinates_as_strings_with_four_decimals():
    body = json.loads(open_notify(station(), moment(AT)))

    assert body["message"] == "success"
    assert list(body) == ["message", "timestamp", "iss_position"]
    assert all(len(text.partition(".")[2]) == 4 for text in body["iss_position"].values())


def test_the_timestamp_is_rounded_down_and_the_position_is_not():
    early, late = AT - np.timedelta64(900_000, "us"), AT

    assert fix(early)[0] == fix(late)[0] == 1795197600
    # 0.9 s of flight over the ground.
    assert great_circle_km(fix(early)[1:], fix(late)[1:]) == pytest.approx(0.9 * 7.2, abs=0.6)


def test_polling_every_five_seconds_scatters_the_speed_as_the_real_feed_does():
    fixes = [fix(AT + np.timedelta64(5_170_000 * step, "us")) for step in range(60)]
    speeds = [great_circle_km(one[1:], other[1:]) / (other[0] - one[0]) for one, other in pairwise(fixes)]

    assert max(speeds) - min(speeds) > 1.0
    assert 5.7 < min(speeds) < max(speeds) < 8.8


def test_fixes_lie_on_the_states_of_the_issue():
    rows = [
        line.split()
        for line in write_issue(issue_of(station(), date(2026, 11, 20)), OemFormat.KVN).decode().split("\r\n")
        if line.startswith("20")
    ][::100]
    epochs = np.array([row[0] for row in rows], dtype="datetime64[us]")
    itrs_km = itrs_from("EME2000", epochs, np.array([row[1:4] for row in rows], dtype=float))

    assert len(rows) == 60
    for epoch, (x, y, z) in zip(epochs, itrs_km, strict=True):
        geocentric = math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))
        assert great_circle_km(fix(epoch)[1:], geocentric) < FOUR_DECIMALS_KM


def test_where_the_iss_adds_height_and_speed_and_agrees_on_the_longitude():
    body = json.loads(where_the_iss(station(), moment(AT)))
    timestamp, latitude_deg, longitude_deg = fix(AT)

    assert body["id"] == 25544
    assert body["units"] == "kilometers"
    assert body["timestamp"] == timestamp
    assert 400 < body["altitude"] < 440
    assert SPEED_LIMITS_KM_H[0] < body["velocity"] < SPEED_LIMITS_KM_H[1]
    assert body["longitude"] == pytest.approx(longitude_deg, abs=1e-4)
    # Geodetic latitude exceeds geocentric by up to 0.19 degrees.
    assert 0 < (body["latitude"] - latitude_deg) * math.copysign(1, latitude_deg) < 0.2


def test_the_sun_stands_south_in_november_and_overhead_at_noon():
    body = json.loads(where_the_iss(station(), moment(np.datetime64("2026-11-20T12:00:00", "us"))))

    assert body["solar_lat"] == pytest.approx(-19.8, abs=0.2)
    # The equation of time is 14.4 minutes on this day.
    assert body["solar_lon"] == pytest.approx(360 - 14.4 / 4, abs=0.2)


@pytest.mark.parametrize(
    ("day", "minutes_in_shadow"),
    [("2026-11-21", 36), ("2026-12-06", 0)],
    ids=["Sun near the orbit's plane", "Sun 73 degrees off the orbit's plane"],
)
def test_the_station_crosses_the_shadow_unless_the_sun_stands_far_off_its_plane(day: str, minutes_in_shadow: int):
    start = np.datetime64(day, "us")
    bodies = [where_the_iss(station(), moment(start + np.timedelta64(minute, "m"))) for minute in range(93)]

    dark = [body for body in map(json.loads, bodies) if body["visibility"] == "eclipsed"]
    assert len(dark) == minutes_in_shadow
    for body in dark:
        below, under_sun = (body["latitude"], body["longitude"]), (body["solar_lat"], body["solar_lon"])
        assert great_circle_km(below, under_sun) > QUARTER_OF_THE_GLOBE_KM
