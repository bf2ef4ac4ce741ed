"""How long the audit's tables take to follow a new issue, a closed day, and nothing at all, beside years of both.

The issues are the simulator's, the polls a minute apart, with a silent quarter of an hour a day. Whole commands are
timed, as the job is run by hand.

PYTHONPATH=plugins python benchmarks/bench_audit.py [--issues 200] [--days 365]
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from bars import Bar, print_machine, scaled, verdict

from orbitlake.lake import Lake
from orbitlake.lake.parquet import write_table
from orbitlake.lake.paths import day_folder
from orbitlake.oem.ingest.steps import ingest_source
from orbitlake.positions.derive.minutes import minutes_of
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.record import OPEN_NOTIFY, RawRecord
from orbitlake.settings import from_environment
from orbitlake.simulator.feeds import geocentric_deg
from orbitlake.simulator.issues import Issue, newest_issues
from orbitlake.simulator.nasa_layout import OemFormat, file_name, write_issue
from orbitlake.simulator.station import Station
from orbitlake.tables import POSITIONS, UTC_MICROSECONDS, WINDOW_STATS, Table

CHECKOUT = Path(__file__).resolve().parents[1]
JOB = CHECKOUT / "jobs" / "audit_positions.py"
NOW = np.datetime64("2026-03-01T00:00:00", "us")
ISS = "1998-067A"
MINUTE_US = 60_000_000
SILENT = range(600, 615)
"""Minutes of a day without a poll."""
MOST_SECONDS = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--issues", type=int, default=scaled(200, 3))
    parser.add_argument("--days", type=int, default=scaled(365, 3))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "data")
        station = Station()
        *issues, newest = reversed(newest_issues(station, NOW, arguments.issues + 1))
        days = NOW - np.arange(arguments.days + 1, 0, -1) * np.timedelta64(1, "D")
        began = time.perf_counter()
        for issue in issues:
            ingest(lake, issue)
        for day in days[:-1]:
            put_day(lake, station, day)
        made_s = time.perf_counter() - began
        print(f"     {len(issues)} issues and {len(days) - 1} days, made in {made_s:.0f} s", flush=True)
        seconds = {"all at first": audited(lake)[0]}
        seconds["without news"], rows = audited(lake)
        if rows:
            print(f"MISS without news {rows} rows were written")
            return 1
        ingest(lake, newest)
        seconds["a new issue"], _ = audited(lake)
        put_day(lake, station, days[-1])
        seconds["a closed day"], _ = audited(lake)
    for what, taken_s in seconds.items():
        print(f"     {what}: {taken_s:.1f} s")
    bars = [
        Bar(f"seconds after {what}", seconds[what], MOST_SECONDS, at_least=False)
        for what in ("a new issue", "a closed day")
    ]
    return verdict(bars, arguments.json)


def ingest(lake: Lake, issue: Issue) -> None:
    """Publish the tables of an issue."""
    lake.inbox_oem.mkdir(parents=True, exist_ok=True)
    file = lake.inbox_oem / file_name(issue, OemFormat.KVN)
    file.write_bytes(write_issue(issue, OemFormat.KVN))
    settings = from_environment({"ORBITLAKE_DATA": str(lake.root)})
    (outcome,) = ingest_source(str(file), lake, settings)
    assert outcome["outcome"] == "ingested", outcome


def put_day(lake: Lake, station: Station, midnight: np.datetime64) -> None:
    """Put a day's polls into a sealed raw file, and its positions into the closed tables."""
    minutes = np.array([minute for minute in range(1440) if minute not in SILENT])
    at_us = midnight.astype(np.int64) + minutes * MINUTE_US
    latitude_deg, longitude_deg = (
        np.round(each, 4) for each in geocentric_deg(station, at_us.astype("datetime64[us]"))
    )
    day = midnight.astype("datetime64[D]").item()
    segment = lake.raw_open_notify / day_folder(day) / f"{day:%Y%m%d}T000000.000000Z-c0ffee00.jsonl.gz"
    segment.parent.mkdir(parents=True)
    segment.write_bytes(gzip.compress(b"".join(records(at_us, latitude_deg, longitude_deg)), mtime=0))
    fixes = pa.table(
        {
            "object_id": pa.repeat(ISS, at_us.size),
            "source": pa.repeat(OPEN_NOTIFY, at_us.size),
            "event_time": pa.array(at_us).cast(UTC_MICROSECONDS),
            "fetch_time": pa.array(at_us + 200_000).cast(UTC_MICROSECONDS),
            "latitude_deg": latitude_deg,
            "longitude_deg": longitude_deg,
            "altitude_km": pa.nulls(at_us.size, pa.float64()),
        }
    )
    positions = positions_of(fixes)
    put(POSITIONS, lake.day(POSITIONS, day), positions)
    put(WINDOW_STATS, lake.day(WINDOW_STATS, day), minutes_of(positions))


def records(at_us: np.ndarray, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Iterator[bytes]:
    """Yield the lines of polls that were answered a fifth of a second later."""
    for time_us, *place in zip(at_us.tolist(), latitude_deg.tolist(), longitude_deg.tolist(), strict=True):
        fetched = datetime.fromtimestamp(time_us // 1_000_000, UTC) + timedelta(milliseconds=200)
        yield RawRecord(ISS, OPEN_NOTIFY, fetched, 200.0, 200, None, *place, time_us // 1_000_000).to_json()


def put(table: Table, file: Path, rows: pa.Table) -> None:
    file.parent.mkdir(parents=True)
    write_table(rows, table, file)


def audited(lake: Lake) -> tuple[float, int]:
    """Run the job; return how long it took (s) and how many rows it wrote."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(JOB), "--data", str(lake.root)],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    taken_s = time.perf_counter() - began
    return taken_s, sum(json.loads(line)["rows_written"] for line in done.stdout.splitlines())


if __name__ == "__main__":
    sys.exit(main())
