"""Fixes and raw lines to vary in tests: one base row, and an orbit of them."""

import json
import math
from datetime import UTC, datetime, timedelta

ISS = "1998-067A"
START = datetime(2025, 12, 21, 12, 0, tzinfo=UTC)


def fix(second: float = 0, latitude: float = 10.0, longitude: float = 20.0, **other) -> dict:
    """A fix, `second` seconds after START and received half a second later."""
    at = START + timedelta(seconds=second)
    return {
        "object_id": ISS,
        "source": "open_notify",
        "event_time": at,
        "fetch_time": at + timedelta(seconds=0.5),
        "latitude_deg": latitude,
        "longitude_deg": longitude,
        "altitude_km": None,
    } | other


def orbit(seconds, **other) -> list[dict]:
    """Fixes along a made-up ground track that crosses 180 degrees."""
    return [
        fix(
            s,
            round(51.6 * math.sin(2 * math.pi * s / 5560), 4),
            round((150 + 0.0647 * s + 180) % 360 - 180, 4),
            **other,
        )
        for s in seconds
    ]


def line(row: dict) -> str:
    """The raw record of a fix."""
    return json.dumps(
        {
            "object_id": row["object_id"],
            "source": row["source"],
            "fetch_time": row["fetch_time"].isoformat().replace("+00:00", "Z") if row["fetch_time"] else None,
            "latency_ms": 12.5,
            "http_status": 200,
            "error": None,
            "latitude": row["latitude_deg"],
            "longitude": row["longitude_deg"],
            "timestamp": row["event_time"].timestamp(),
            "altitude_km": row["altitude_km"],
        }
    )


def lines(rows: list[dict]) -> list[str]:
    return [line(row) for row in rows]
