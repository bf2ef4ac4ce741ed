"""What must hold of an issue before anyone reads it: counts, order, physical bounds and coverage, with figures."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.oem.reader.rules import SHORTENED_STATES
from orbitlake.physics.frames import earth_orientation

HISTOGRAM_STEPS: Final = 8
UNIX_EPOCH_MJD: Final = 40_587
EXCESS_SPEED_KM_S: Final = 25.0
"""Above escape speed, what no flight has had near a body: New Horizons left Earth with 12.6 km/s."""
FAR_SPEED_KM_S: Final = 750.0
"""What nothing has relative to a body that it is far from: escape speed at the Sun's surface, 618 km/s, and up to 59 of
the body's own motion. A metre taken for a kilometre is a thousand times off, and still found."""


class Body(NamedTuple):
    """Shortest radius, gravitational parameter (IAU 2015 report; JPL DE440) and sphere of influence of a body.

    The sphere of influence is Laplace's, a (m/M)^(2/5), with a of Standish's mean elements; the Sun's has no end.
    """

    radius_km: float
    mu_km3_s2: float
    influence_km: float


BODIES: Final = {
    "SUN": Body(695_658.0, 132_712_440_041.3, inf),
    "MERCURY": Body(2438.2, 22_031.9, 0.112e6),
    "VENUS": Body(6051.7, 324_858.6, 0.616e6),
    "EARTH": Body(6356.7, 398_600.4, 0.924e6),
    "MOON": Body(1728.0, 4902.8, 0.0662e6),
    "MARS": Body(3368.0, 42_828.4, 0.577e6),
    "JUPITER": Body(66_844.0, 126_686_531.9, 48.2e6),
    "SATURN": Body(54_354.0, 37_931_206.2, 54.5e6),
    "URANUS": Body(24_953.0, 5_793_951.3, 51.8e6),
    "NEPTUNE": Body(24_311.0, 6_835_099.9, 86.7e6),
}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an issue, fit for JSON, and a sentence for each check that failed."""

    figures: dict[str, Any]
    problems: tuple[str, ...]


class _Segment(NamedTuple):
    """One segment: its row of oem_segments, and its states' epochs, radii and speeds, each (n,)."""

    row: Mapping[str, Any]
    epoch_us: NDArray[np.int64]
    elapsed_us: NDArray[np.int64]
    radius_km: NDArray[np.float64]
    speed_km_s: NDArray[np.float64]

    @property
    def step_us(self) -> NDArray[np.int64]:
        return np.diff(self.elapsed_us)


def examine(
    issue: Mapping[str, Any], segments: Sequence[Mapping[str, Any]], states: pa.Table, episodes: pa.Table
) -> Report:
    """Check an issue: its row of oem_issues and its rows of oem_segments as mappings, state_vectors, thrust_episodes.

    Each segment is judged by its own centre and its own span. Radius and speed are held against the centre where it is
    the Sun, a planet or the Moon; other centres have no bounds here. Coverage is the share of the useable spans, or of
    START to STOP, that the states reach; what is missing at a segment's ends may be as long as its longest step. An
    example shortened for print, as the reader knows it, is not held to its span.
    """
    if not states.num_rows:
        return Report({"states": 0}, ("the issue holds no state",))
    parts = _segments(segments, states)
    radius_km = np.concatenate([part.radius_km for part in parts])
    speed_km_s = np.concatenate([part.speed_km_s for part in parts])
    last_us = max(int(part.epoch_us.max()) for part in parts)
    promised_us = sum(_span(part)[0] for part in parts)
    missing_us = sum(_span(part)[1] for part in parts)
    past_days = max(0.0, last_us / 86_400e6 + UNIX_EPOCH_MJD - earth_orientation().mjd_utc[-1])
    figures = {
        "states": states.num_rows,
        "segments": len(parts),
        "thrust_episodes": episodes.num_rows,
        "two_second_rows": int(np.sum(states.column("on_thrust").to_numpy())),
        "radius_km": [round(float(radius_km.min()), 3), round(float(radius_km.max()), 3)],
        "speed_km_s": [round(float(speed_km_s.min()), 6), round(float(speed_km_s.max()), 6)],
        "coverage": round(1.0 - missing_us / promised_us if promised_us else 1.0, 6),
        "steps_s": _histogram(np.concatenate([part.step_us for part in parts])),
        "days_past_earth_orientation": round(past_days, 3),
    }

    def problems() -> Iterator[str]:
        if issue["state_count"] != states.num_rows:
            yield f"{states.num_rows} states where the header counts {issue['state_count']}"
        counted = issue["segment_count"]
        if not counted == len(segments) == len(parts):
            yield f"{len(segments)} segments, {len(parts)} with states, where the header counts {counted}"
        for part in parts:
            for problem in _problems(part):
                yield problem if len(parts) == 1 else f"segment {part.row['segment']}: {problem}"

    return Report(figures, tuple(problems()))


def _segments(segments: Sequence[Mapping[str, Any]], states: pa.Table) -> list[_Segment]:
    """Return each segment that has states; states of a segment without a row of oem_segments count for none."""
    number = states.column("segment").to_numpy()
    epoch_us = states.column("epoch").to_numpy().astype("datetime64[us]").astype(np.int64)
    elapsed_us = states.column("epoch_tai").to_numpy().astype("datetime64[us]").astype(np.int64)
    radius_km = _length(states, "x_km", "y_km", "z_km")
    speed_km_s = _length(states, "vx_km_s", "vy_km_s", "vz_km_s")
    parts = []
    for row in segments:
        own = number == row["segment"]
        if own.any():
            parts.append(_Segment(row, epoch_us[own], elapsed_us[own], radius_km[own], speed_km_s[own]))
    return parts


def _problems(part: _Segment) -> Iterator[str]:
    """Yield a sentence for each check that a segment fails."""
    if part.row["state_count"] != len(part.epoch_us):
        yield f"{len(part.epoch_us)} states where the segment counts {part.row['state_count']}"
    step_us = part.step_us
    if step_us.size and step_us.min() <= 0:
        yield f"epochs do not increase at {_shown(part.epoch_us[1:][int(np.argmax(step_us <= 0))])}"
    promised_us, missing_us = _span(part)
    longest_step_us = int(step_us.max()) if step_us.size else 0
    if missing_us > longest_step_us and len(part.epoch_us) >= SHORTENED_STATES:
        yield f"the states reach {1.0 - missing_us / promised_us:.1%} of the span that the header promises"
    center_name = str(part.row["center_name"])
    if body := BODIES.get(center_name.strip().upper()):
        yield from _outside_bounds(part, center_name, body)


def _outside_bounds(part: _Segment, center_name: str, body: Body) -> Iterator[str]:
    """Yield what no flight does: radius inside the body, or a speed beyond escape within its sphere of influence.

    Farther out the body's own motion round the Sun is part of the speed, so that only FAR_SPEED_KM_S bounds it.
    """
    lowest = int(np.argmin(part.radius_km))
    if part.radius_km[lowest] < body.radius_km:
        when = _shown(part.epoch_us[lowest])
        yield f"radius {part.radius_km[lowest]:.3f} km at {when} lies inside {center_name} ({body.radius_km} km)"
    with np.errstate(divide="ignore"):
        bound_km2_s2 = EXCESS_SPEED_KM_S**2 + 2.0 * body.mu_km3_s2 / part.radius_km
    is_near = part.radius_km <= body.influence_km
    excess = part.speed_km_s**2 - np.where(is_near, bound_km2_s2, FAR_SPEED_KM_S**2)
    worst = int(np.argmax(excess))
    if excess[worst] > 0:
        speed = f"speed {part.speed_km_s[worst]:.3f} km/s at {_shown(part.epoch_us[worst])}"
        yield f"{speed} is beyond any flight {'at' if is_near[worst] else 'far from'} {center_name}"


def _length(states: pa.Table, *names: str) -> NDArray[np.float64]:
    vector = np.column_stack([states.column(name).to_numpy() for name in names])
    length: NDArray[np.float64] = np.linalg.norm(vector, axis=1)
    return length


def _span(part: _Segment) -> tuple[int, int]:
    """Return how long the promised span is, and how much of it lies before the first or after the last state."""
    begin = _microseconds(part.row["useable_start_time"] or part.row["start_time"])
    end = _microseconds(part.row["useable_stop_time"] or part.row["stop_time"])
    first_us, last_us = int(part.epoch_us.min()), int(part.epoch_us.max())
    return end - begin, min(end - begin, max(0, first_us - begin) + max(0, end - last_us))


def _microseconds(moment: datetime) -> int:
    return int(pa.scalar(moment, pa.timestamp("us", tz="UTC")).value)


def _shown(epoch_us: int) -> str:
    return f"{np.datetime64(int(epoch_us), 'us')}Z"


def _histogram(step_us: NDArray[np.int64]) -> dict[str, int]:
    """Return the commonest steps to the millisecond with their counts, the rest summed under `other`."""
    counts = Counter(np.rint(step_us / 1000.0).astype(np.int64).tolist())
    common = counts.most_common(HISTOGRAM_STEPS)
    rest = counts.total() - sum(count for _, count in common)
    return {f"{step_ms / 1000:.3f}": count for step_ms, count in common} | ({"other": rest} if rest else {})
