"""What a collector would have kept if it had polled the simulated feed for days: raw records, one segment an hour.

A first look at the lake then finds days behind it, and the present goes on where the history ends.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from orbitlake.lake.paths import day_folder
from orbitlake.simulator.feeds import geocentric_deg
from orbitlake.simulator.station import Station

SOURCE: Final = "open_notify"
LATENCY_MS: Final = (2.0, 12.0)
"""How long the simulated service takes to answer on loopback, evenly spread: the past looks like the present."""
SEED: Final = 25544
HOUR: Final = timedelta(hours=1)


def write_history(
    raw: Path, station: Station, object_id: str, start: datetime, stop: datetime, interval_s: float
) -> int:
    """Write the records of polls from `start` to `stop` below `raw`, the folder of raw records; return their number.

    A segment holds the records of one hour, a line each, in the form of "Raw records" in docs/tables.md. Each is put
    aside and renamed, so that a stream at work never meets half of one. Raises ValueError for moments without a zone.
    """
    if start.tzinfo is None or stop.tzinfo is None:
        raise ValueError("a history is told from and to moments with a time zone")
    count = 0
    random = np.random.default_rng(SEED)
    for begin, end in hours(start.astimezone(UTC), stop.astimezone(UTC)):
        ticks_s = np.arange(0.0, (end - begin).total_seconds(), interval_s)
        latency_ms = random.uniform(*LATENCY_MS, ticks_s.size)
        lines = records(station, object_id, begin, ticks_s, latency_ms)
        folder = raw / day_folder(begin.date())
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{begin:%Y%m%dT%H%M%S}.000000Z-history.jsonl"
        aside = target.with_name(f".{target.name}")
        aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        aside.replace(target)
        count += ticks_s.size
    return count


def hours(start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of a span that lie in one hour of UTC each."""
    while start < stop:
        end = min(stop, start.replace(minute=0, second=0, microsecond=0) + HOUR)
        yield start, end
        start = end


def records(
    station: Station, object_id: str, begin: datetime, ticks_s: np.ndarray, latency_ms: np.ndarray
) -> Iterator[str]:
    """Yield a raw record a poll, at seconds `ticks_s` (n,) after `begin` with `latency_ms` (n,)."""
    begun = np.datetime64(begin.replace(tzinfo=None), "us")
    # The service computes the position half-way between question and answer.
    computed = begun + np.rint(ticks_s * 1e6 + latency_ms * 500.0).astype("timedelta64[us]")
    latitude_deg, longitude_deg = geocentric_deg(station, computed)
    stamps = computed.astype("datetime64[s]").astype(np.int64)
    for nth, tick_s in enumerate(ticks_s):
        fetched = begin + timedelta(seconds=float(tick_s), milliseconds=float(latency_ms[nth]))
        yield json.dumps(
            {
                "object_id": object_id,
                "source": SOURCE,
                "fetch_time": fetched.isoformat().replace("+00:00", "Z"),
                "latency_ms": round(float(latency_ms[nth]), 3),
                "http_status": 200,
                "error": None,
                "latitude": round(float(latitude_deg[nth]), 4),
                "longitude": round(float(longitude_deg[nth]), 4),
                "timestamp": int(stamps[nth]),
                "altitude_km": None,
            }
        )
