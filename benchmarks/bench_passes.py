"""How long a year of passes takes over a hundred sites, beside Skyfield over one, and ten sites after a new issue.

The path is the simulated station's at steps of 240 s. The year is found in one call of `passes`; the new issue by the
job as it is run by hand, beside so many issues before it. Skyfield has the same states, and searches as its users do.

PYTHONPATH=plugins:. python benchmarks/bench_passes.py [--sites 100] [--days 365] [--issues 60]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from bars import Bar, print_machine, scaled, verdict
from bench_audit import ingest

from orbitlake.lake import Lake
from orbitlake.passes import Site, add_site, passes
from orbitlake.physics.interpolation import HermitePath
from orbitlake.physics.leap_seconds import tai_from_utc
from orbitlake.simulator.issues import newest_issues
from orbitlake.simulator.station import Station
from orbitlake.trajectory import Arc, Trajectory
from orbitlake.trajectory.arcs import Path as StatePath

CHECKOUT = Path(__file__).resolve().parents[1]
JOB = CHECKOUT / "jobs" / "predict_passes.py"
NOW = np.datetime64("2026-03-01T00:00:00", "us")
START = datetime(2025, 3, 1, tzinfo=UTC)
STEP_S = 240
GOLDEN_ANGLE_DEG = 137.50776405003785
SITES_OF_ISSUE = 10
SKYFIELD_DAYS = 3
MOST_SECONDS_A_YEAR = 30
MOST_SECONDS_AN_ISSUE = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=scaled(100, 3))
    parser.add_argument("--days", type=int, default=scaled(365, 10))
    parser.add_argument("--issues", type=int, default=scaled(60, 2))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    print_machine()
    station = Station()
    trajectory = flown(station, arguments.days + 2)
    start = START + timedelta(days=1)
    began = time.perf_counter()
    found = passes(spread(arguments.sites), trajectory, start, start + timedelta(days=arguments.days))
    year_s = time.perf_counter() - began
    days = arguments.sites * arguments.days
    print(
        f"     {found.num_rows:,} passes over {arguments.sites} sites in {arguments.days} days: {year_s:.1f} s",
        flush=True,
    )
    if (theirs_s := by_skyfield(trajectory, start)) is not None:
        print(
            f"     a day over a site: {1e3 * year_s / days:.2f} ms, by Skyfield {1e3 * theirs_s:.0f} ms, "
            f"{theirs_s * days / year_s:,.0f} times as long"
        )
    first_s, issue_s = after_an_issue(station, arguments.issues)
    print(
        f"     {SITES_OF_ISSUE} sites, {arguments.issues} issues at once: {first_s:.1f} s; a new issue: {issue_s:.1f} s"
    )
    bars = [
        Bar(f"seconds for {days / 365:.0f} years of a site", year_s, MOST_SECONDS_A_YEAR, at_least=False),
        Bar("seconds after a new issue", issue_s, MOST_SECONDS_AN_ISSUE, at_least=False),
    ]
    return verdict(bars, arguments.json)


def spread(count: int) -> list[Site]:
    """Return so many sites, spread evenly over the globe."""
    numbers = np.arange(count)
    latitude_deg = np.degrees(np.arcsin(1.0 - (2.0 * numbers + 1.0) / count))
    longitude_deg = (numbers * GOLDEN_ANGLE_DEG + 180.0) % 360.0 - 180.0
    return [Site(f"S{number}", lat, lon) for number, lat, lon in zip(numbers, latitude_deg, longitude_deg, strict=True)]


def flown(station: Station, days: int) -> Trajectory:
    """Return the station's path over so many days as one issue."""
    epochs = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(days * 86_400 // STEP_S) * np.timedelta64(
        STEP_S, "s"
    )
    tai_us = tai_from_utc(epochs).astype(np.int64)
    path = StatePath(
        int(tai_us[0]),
        HermitePath.through((tai_us - tai_us[0]) * 1e-6, *station.states(epochs)),
        np.empty((0, 2), dtype=np.int64),
    )
    arc = Arc(int(epochs[0].astype(np.int64)), 0, int(tai_us[0]), int(tai_us[-1]), "EARTH", "EME2000", lambda: path)
    return Trajectory([arc])


def by_skyfield(trajectory: Trajectory, start: datetime) -> float | None:
    """Return how long Skyfield takes for a day over one site (s); None where it is not installed."""
    try:
        from tests.passes.skyfield_sky import passes_by_skyfield
    except ImportError:
        return None
    (site,) = spread(1)
    began = time.perf_counter()
    passes_by_skyfield(site, trajectory, start, start + timedelta(days=SKYFIELD_DAYS))
    return (time.perf_counter() - began) / SKYFIELD_DAYS


def after_an_issue(station: Station, count: int) -> tuple[float, float]:
    """Return how long ten sites take beside so many issues: for all of them, and for one more (s)."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "data")
        *issues, newest = reversed(newest_issues(station, NOW, count + 1))
        for site in spread(SITES_OF_ISSUE):
            add_site(lake.root / "sites.toml", site)
        for issue in issues:
            ingest(lake, issue)
        first_s = predicted(lake)
        ingest(lake, newest)
        return first_s, predicted(lake)


def predicted(lake: Lake) -> float:
    """Run the job; return how long it took (s)."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, str(JOB), "--data", str(lake.root)],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT / "plugins")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
