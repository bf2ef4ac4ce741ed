"""What must hold of an issue before anyone reads it: counts, order, physical bounds and coverage, with figures."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.oem.rules import SHORTENED_STATES
from orbitlake.physics.frames import earth_orientation

HISTOGRAM_STEPS: Final = 8
UNIX_EPOCH_MJD: Final = 40_587
EXCESS_SPEED_KM_S: Final = 25.0
"""Above escape speed, what no flight has had at its centre body: New Horizons left Earth with 12.6 km/s."""


class Body(NamedTuple):
    """The shortest radius of a body and its gravitational parameter (IAU 2015 report; JPL DE440)."""

    radius_km: float
    mu_km3_s2: float


BODIES: Final = {
    "SUN": Body(695_658.0, 132_712_440_041.3),
    "MERCURY": Body(2438.2, 22_031.9),
    "VENUS": Body(6051.7, 324_858.6),
    "EARTH": Body(6356.7, 398_600.4),
    "MOON": Body(1728.0, 4902.8),
    "MARS": Body(3368.0, 42_828.4),
    "JUPITER": Body(66_844.0, 126_686_531.9),
    "SATURN": Body(54_354.0, 37_931_206.2),
    "URANUS": Body(24_953.0, 5_793_951.3),
    "NEPTUNE": Body(24_311.0, 6_835_099.9),
}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an issue, fit for JSON, and a sentence for each check that failed."""

    figures: dict[str, Any]
    problems: tuple[str, ...]


def examine(issue: Mapping[str, Any], states: pa.Table, episodes: pa.Table) -> Report:
    """Check an issue: its row of oem_issues as a mapping, its state_vectors and its thrust_episodes.

    Radius and speed are held against the centre body where it is the Sun, a planet or the Moon; other centres have
    no bounds here. Coverage is the share of the useable span, or of START to STOP, that the states reach; what is
    missing at its ends may be as long as the longest step. An example shortened for print, as the reader knows it,
    is not held to its span.
    """
    if not states.num_rows:
        return Report({"states": 0}, ("the issue holds no state",))
    segment = states.column("segment").to_numpy()
    epoch_us = states.column("epoch").to_numpy().astype("datetime64[us]").astype(np.int64)
    same_segment = segment[1:] == segment[:-1]
    step_us = np.diff(epoch_us)[same_segment]
    radius_km = _length(states, "x_km", "y_km", "z_km")
    speed_km_s = _length(states, "vx_km_s", "vy_km_s", "vz_km_s")
    on_thrust = pc.sum(states.column("on_thrust")).as_py()
    longest_step_us = int(step_us.max()) if step_us.size else 0
    span_us, missing_us = _span(issue, int(epoch_us.min()), int(epoch_us.max()))
    coverage = 1.0 - missing_us / span_us if span_us else 1.0
    past_days = max(0.0, float(epoch_us.max()) / 86_400e6 + UNIX_EPOCH_MJD - earth_orientation().mjd_utc[-1])
    figures = {
        "states": states.num_rows,
        "thrust_episodes": episodes.num_rows,
        "two_second_rows": on_thrust,
        "radius_km": [round(float(radius_km.min()), 3), round(float(radius_km.max()), 3)],
        "speed_km_s": [round(float(speed_km_s.min()), 6), round(float(speed_km_s.max()), 6)],
        "coverage": round(coverage, 6),
        "steps_s": _histogram(step_us),
        "days_past_earth_orientation": round(past_days, 3),
    }

    def problems() -> Iterator[str]:
        if issue["state_count"] != states.num_rows:
            yield f"{states.num_rows} states where the header counts {issue['state_count']}"
        in_runs = pc.sum(episodes.column("two_second_rows")).as_py() or 0
        if in_runs != on_thrust:
            yield f"{on_thrust} rows on thrust, but {in_runs} in thrust episodes"
        if step_us.size and step_us.min() <= 0:
            at = epoch_us[1:][same_segment][int(np.argmax(step_us <= 0))]
            yield f"epochs do not increase at {np.datetime64(int(at), 'us')}Z"
        if missing_us > longest_step_us and states.num_rows >= SHORTENED_STATES * issue["segment_count"]:
            yield f"the states reach {coverage:.1%} of the span that the header promises"
        yield from _outside_bounds(str(issue["center_name"]), epoch_us, radius_km, speed_km_s)

    return Report(figures, tuple(problems()))


def _length(states: pa.Table, *names: str) -> NDArray[np.float64]:
    vector = np.column_stack([states.column(name).to_numpy() for name in names])
    length: NDArray[np.float64] = np.linalg.norm(vector, axis=1)
    return length


def _span(issue: Mapping[str, Any], first_us: int, last_us: int) -> tuple[int, int]:
    """Return how long the promised span is, and how much of it lies before the first or after the last state."""
    begin = _microseconds(issue["useable_start_time"] or issue["start_time"])
    end = _microseconds(issue["useable_stop_time"] or issue["stop_time"])
    return end - begin, min(end - begin, max(0, first_us - begin) + max(0, end - last_us))


def _microseconds(moment: datetime) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", tz="UTC")).value)


def _histogram(step_us: NDArray[np.int64]) -> dict[str, int]:
    """Return the commonest steps to the millisecond with their counts, the rest summed under `other`."""
    counts = Counter(np.rint(step_us / 1000.0).astype(np.int64).tolist())
    common = counts.most_common(HISTOGRAM_STEPS)
    rest = counts.total() - sum(count for _, count in common)
    return {f"{step_ms / 1000:.3f}": count for step_ms, count in common} | ({"other": rest} if rest else {})


def _outside_bounds(
    center_name: str, epoch_us: NDArray[np.int64], radius_km: NDArray[np.float64], speed_km_s: NDArray[np.float64]
) -> Iterator[str]:
    body = BODIES.get(center_name.strip().upper())
    if body is None:
        return
    lowest = int(np.argmin(radius_km))
    if radius_km[lowest] < body.radius_km:
        when = np.datetime64(int(epoch_us[lowest]), "us")
        yield f"radius {radius_km[lowest]:.3f} km at {when}Z lies inside {center_name} ({body.radius_km} km)"
    with np.errstate(divide="ignore"):
        excess = speed_km_s**2 - 2.0 * body.mu_km3_s2 / radius_km
    fastest = int(np.argmax(excess))
    if excess[fastest] > EXCESS_SPEED_KM_S**2:
        when = np.datetime64(int(epoch_us[fastest]), "us")
        yield f"speed {speed_km_s[fastest]:.3f} km/s at {when}Z is beyond any flight at {center_name}"
