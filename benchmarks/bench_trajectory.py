"""How many states a second state_at gives, beside the oem package's sampling of the same file, and how far both agree.

PYTHONPATH=plugins python benchmarks/bench_trajectory.py [--data FOLDER]
"""

import argparse
import gzip
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.time import Time
from bars import SMALL, Bar, print_machine, scaled, verdict

import oem as oem_package
from orbitlake.oem import read
from orbitlake.trajectory import Trajectory, arcs_of
from orbitlake.trajectory.bands import Band, Bands

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = "oem/iss/ISS.OEM_J2K_EPH.2023-03-24.txt.gz"
ROUNDS = scaled(7, 1)
INSTANTS = scaled(1_000_000, 10_000)
SAMPLED = scaled(300, 3)
"""Instants that the oem package is asked for: it takes milliseconds for each."""
LEAST_STATES_A_SECOND = 1_000_000
SEED = 20230324
LEAD_S = np.arange(16.0) * 86_400
BAND = Band(LEAD_S, 9 * (LEAD_S / 259_200) ** 1.76, 55 * (LEAD_S / 259_200) ** 1.76)
BANDS = Bands(np.zeros(1, np.int64), ((BAND, BAND),))
"""Bounds of errors as prediction_bands has them, by whole days of lead."""


def best_rate(run: Callable[[], object], count: int, rounds: int) -> float:
    """Return states a second, by the best of some rounds."""
    times_s = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        times_s.append(time.perf_counter() - begin)
    return count / min(times_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("ORBITLAKE_REAL_DATA") or str(CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder of the real files")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    file = arguments.data / FILE
    if SMALL and not file.exists():
        print(f"     no real files at {arguments.data}: nothing was sampled")
        return 0
    issue = read(file)
    epoch = issue.states.column("epoch").to_numpy().astype("datetime64[us]")
    random = np.random.default_rng(SEED)
    span_us = int((epoch[-1] - epoch[0]).astype(np.int64))
    at = epoch[0] + random.integers(0, span_us, INSTANTS).astype("timedelta64[us]")
    in_order = np.sort(at)

    begin = time.perf_counter()
    trajectory = Trajectory(arcs_of(issue.segment_table, issue.states, issue.episodes), BANDS)
    trajectory.state_at(at[:1])
    prepared_s = time.perf_counter() - begin
    ours = {
        "in order": best_rate(lambda: trajectory.state_at(in_order), INSTANTS, ROUNDS),
        "in random order": best_rate(lambda: trajectory.state_at(at), INSTANTS, ROUNDS),
    }

    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.oem"
        text.write_bytes(gzip.decompress(file.read_bytes()))
        theirs = oem_package.OrbitEphemerisMessage.open(text)
    coast = random.choice(np.flatnonzero(~issue.states.column("on_thrust").to_numpy())[4:-4], SAMPLED, replace=False)
    sampled = epoch[coast] + np.timedelta64(100, "s")
    instants = [Time(str(instant), scale="utc") for instant in sampled]
    their_rate = best_rate(lambda: [theirs(instant) for instant in instants], SAMPLED, 1)
    their_km = np.array([theirs(instant).position for instant in instants])
    apart_m = np.linalg.norm(trajectory.state_at(sampled).position_km - their_km, axis=1) * 1000

    print_machine()
    print(f"     polynomials of {issue.states.num_rows} states: {prepared_s * 1e3:.0f} ms, once an issue")
    for order, rate in ours.items():
        print(f"     state_at with bounds, {INSTANTS} instants {order}: {rate / 1e6:.2f} million states/s")
    print(f"     oem package, {SAMPLED} instants: {their_rate:.0f} states/s")
    print(f"     apart by {np.median(apart_m):.3f} m in the median, {apart_m.max():.3f} m at most")
    bars = [Bar(f"states a second {order}", rate, LEAST_STATES_A_SECOND, at_least=True) for order, rate in ours.items()]
    bars.append(Bar("times as fast as the oem package", ours["in random order"] / their_rate, 100, at_least=True))
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
