"""The derived columns once more, in plain Python and by their definitions, to compare the engine's results with."""

import math
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, stdev

RADIUS_KM = 6371.0
Row = dict[str, object]


def distance_km(latitude, longitude, to_latitude, to_longitude):
    """Angle between two unit vectors, by atan2 of cross and dot product: another formula than the one under test."""
    one, other = ((math.radians(a), math.radians(b)) for a, b in ((latitude, longitude), (to_latitude, to_longitude)))
    turn = other[1] - one[1]
    cross = math.hypot(
        math.cos(other[0]) * math.sin(turn),
        math.cos(one[0]) * math.sin(other[0]) - math.sin(one[0]) * math.cos(other[0]) * math.cos(turn),
    )
    dot = math.sin(one[0]) * math.sin(other[0]) + math.cos(one[0]) * math.cos(other[0]) * math.cos(turn)
    return RADIUS_KM * math.atan2(cross, dot)


def order(fix: Row):
    fetched = fix["fetch_time"]
    return (
        fix["event_time"],
        fetched is not None,
        fetched or fix["event_time"],
        fix["latitude_deg"],
        fix["longitude_deg"],
    )


def expected_positions(fixes: list[Row]) -> list[Row]:
    """Positions of fixes (base columns), sorted by object, source and the order of fixes."""
    distinct: dict[tuple, Row] = {}
    for fix in fixes:
        key = tuple(fix[n] for n in ("object_id", "source", "event_time", "latitude_deg", "longitude_deg"))
        other = distinct.get(key)
        known = fix["fetch_time"] is not None
        if other is None or (known and (other["fetch_time"] is None or fix["fetch_time"] < other["fetch_time"])):
            distinct[key] = fix
    of_object = defaultdict(list)
    for fix in distinct.values():
        of_object[fix["object_id"], fix["source"]].append(fix)
    rows = []
    for _, group in sorted(of_object.items()):
        group.sort(key=order)
        for i, fix in enumerate(group):
            earlier = [g for g in group[:i] if g["event_time"] < fix["event_time"]]
            near = earlier and fix["event_time"] - earlier[-1]["event_time"] <= timedelta(seconds=120)
            rows.append(fix | derived(fix, earlier[-1] if near else None))
    return rows


def derived(fix: Row, earlier: Row | None) -> Row:
    latitude, longitude = fix["latitude_deg"], fix["longitude_deg"]
    speed, phase = None, "UNKNOWN"
    if earlier is not None:
        elapsed = (fix["event_time"] - earlier["event_time"]).total_seconds()
        speed = distance_km(earlier["latitude_deg"], earlier["longitude_deg"], latitude, longitude) / elapsed
        if latitude != earlier["latitude_deg"]:
            phase = "ASCENDING" if latitude > earlier["latitude_deg"] else "DESCENDING"
    return {
        "velocity_km_s": speed,
        "orbit_phase": phase,
        "hemisphere_ns": "North" if latitude >= 0 else "South",
        "hemisphere_ew": "East" if longitude >= 0 else "West",
        "distance_to_paris_km": distance_km(latitude, longitude, 48.8566, 2.3522),
    }


def expected_minutes(positions: list[Row]) -> list[Row]:
    """window_stats of positions as `expected_positions` sorts them."""
    minutes = defaultdict(list)
    for row in positions:
        minutes[row["object_id"], row["source"], row["event_time"].replace(second=0, microsecond=0)].append(row)
    return [minute(*key, rows) for key, rows in sorted(minutes.items())]


def minute(object_id: str, source: str, start: datetime, rows: list[Row]) -> Row:
    speeds = [row["velocity_km_s"] for row in rows if row["velocity_km_s"] is not None]
    places = [(row["latitude_deg"], row["longitude_deg"]) for row in rows]
    span = (rows[-1]["event_time"] - rows[0]["event_time"]).total_seconds()
    path = sum(distance_km(*one, *other) for one, other in pairwise(places))
    angles = [math.radians(longitude) for _, longitude in places]
    return {
        "object_id": object_id,
        "source": source,
        "window_start": start,
        "window_end": start + timedelta(minutes=1),
        "data_points": len(rows),
        "avg_latitude_deg": fmean(latitude for latitude, _ in places),
        "avg_longitude_deg": math.degrees(math.atan2(fmean(map(math.sin, angles)), fmean(map(math.cos, angles)))),
        "avg_velocity_km_s": fmean(speeds) if speeds else None,
        "max_velocity_km_s": max(speeds, default=None),
        "min_velocity_km_s": min(speeds, default=None),
        "velocity_stddev_km_s": stdev(speeds) if len(speeds) > 1 else None,
        "ground_speed_km_s": path / span if span else None,
        "first_event_time": rows[0]["event_time"],
        "last_event_time": rows[-1]["event_time"],
    }
