"""Powered flight in an ephemeris: its cadence state by state, and each burn as the states fly it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import erfa
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.oem.reader.thrust import (
    LEAST_THRUST_KM_S2,
    Coast,
    Flight,
    Rows,
    coast_of,
    last_digit,
    powered_stretches,
    velocity_gained_km_s,
)
from orbitlake.physics.fields import fields_about, inertial_states
from orbitlake.physics.orbit import mean_semi_major_axis_km, orbital_axes, period_s
from orbitlake.tables import THRUST_EPISODES

THRUST_STEP_MS: Final = 2000
"""NASA tabulates powered flight every 2.000 s; the short steps at its end come as close as 1.991 s."""
OWN_CADENCE_SHARE: Final = 0.5
"""Where regular steps of 2.000 s fill more of a segment than this, they are its cadence and no sign of a burn."""
SAME_MANOEUVRE_GAP_US: Final = 60_000_000
SECOND_US: Final = 1_000_000
M_PER_KM: Final = 1e3
MM_PER_M: Final = 1e3
MM_PER_KM: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment: the row of its first state in the issue, its states, how it coasts, and its runs.

    A run is of steps of 2.000 s: rows of its first state, of its last one on_thrust, and of that at its true end (m,).
    """

    start: int
    flight: Flight
    coast: Coast
    is_earths: bool
    first: Rows
    last: Rows
    cutoff: Rows


@dataclass(frozen=True, slots=True)
class _Burn:
    """One burn: rows of its first state, its last state on_thrust and the state at its true end, in its segment."""

    segment: _Segment
    first: int
    last: int
    cutoff: int


def thrust_flags(
    step_s: NDArray[np.float64], segment: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Return on_thrust and thrust_episode of every state of an issue, (n,) -> two (n,).

    `step_s` is NaN at the first state of each segment; on_thrust is a step of 2.000 s to the millisecond.
    """
    first = np.ones(segment.shape, dtype=bool)
    first[1:] = segment[1:] != segment[:-1]
    step_ms = np.rint(np.where(first, 0.0, step_s) * 1000.0)
    on_thrust = step_ms == THRUST_STEP_MS
    changes = on_thrust[1:] != on_thrust[:-1]
    episode = np.concatenate(([0], np.cumsum(changes)))[: on_thrust.size].astype(np.int32)
    return on_thrust, episode


def find_episodes(
    object_id: str,
    creation_date: datetime,
    states: pa.Table,
    events: pa.Table,
    *,
    places: Sequence[tuple[str, str]],
) -> tuple[pa.Table, list[str]]:
    """Return one row a burn of `states`, in the schema of thrust_episodes, and warnings on what cannot be judged.

    `states` and `events` are the issue's state_vectors and trajectory_events, `places` centre and frame of each
    segment. A burn is a stretch of a run of steps of 2.000 s that gravity does not explain (see thrust). Delta-v sums,
    in the radial, in-track and cross-track axes of each moment, the change of velocity that gravity leaves.
    """
    segments, warnings = _segments(states, places)
    burns = [burn for segment in segments for burn in _burns(segment)]
    epoch_us = _micros(states, "epoch")
    episode = _column(states, "thrust_episode")
    rows: list[dict[str, object]] = []
    manoeuvre = 0
    end_us: int | None = None
    for nth, burn in enumerate(burns):
        start, flight = burn.segment.start, burn.segment.flight
        ignition_us, cutoff_us = int(epoch_us[start + burn.first]), int(epoch_us[start + burn.cutoff])
        manoeuvre += end_us is None or int(flight.tai_us[burn.first]) - end_us >= SAME_MANOEUVRE_GAP_US
        end_us = int(flight.tai_us[burn.cutoff])
        duration_s = (end_us - int(flight.tai_us[burn.first])) / SECOND_US
        beside = [burns[other] if 0 <= other < len(burns) else None for other in (nth - 1, nth + 1)]
        before, after = (other if other and other.segment is burn.segment else None for other in beside)
        rows.append(
            {
                "object_id": object_id,
                "creation_date": creation_date,
                "thrust_episode": int(episode[start + burn.last]),
                "ignition_time": ignition_us,
                "cutoff_time": cutoff_us,
                "duration_s": duration_s,
                "two_second_rows": burn.last - burn.first,
                "manoeuvre": manoeuvre,
            }
            | _delta_v(burn, duration_s)
            | _semi_major_axes(burn, before.cutoff if before else 0, after.first if after else None)
            | _matching_events(events, ignition_us, cutoff_us)
        )
    return rounded(pa.Table.from_pylist(rows, schema=THRUST_EPISODES.schema), THRUST_EPISODES), warnings


def _segments(states: pa.Table, places: Sequence[tuple[str, str]]) -> tuple[list[_Segment], list[str]]:
    """Return the segments that have a run of steps of 2.000 s, and what is to be said of them."""
    number, on_thrust = _column(states, "segment"), _column(states, "on_thrust")
    segments: list[_Segment] = []
    warnings: list[str] = []
    for nth in np.unique(number[on_thrust]):
        start, stop = (int(np.searchsorted(number, nth, side=side)) for side in ("left", "right"))
        center_name, ref_frame = places[nth]
        segment = states.slice(start, stop - start)
        tai_us = _micros(segment, "epoch_tai")
        fields = fields_about(center_name, ref_frame, int(tai_us[0]))
        if not fields:
            warnings.append(
                f"segment {nth}: states every 2 s about {center_name[:40]} in {ref_frame[:40]} cannot be told from a "
                "coast, since no gravity is known there: no thrust episode"
            )
            continue
        position_km = _vectors(segment, "x_km", "y_km", "z_km")
        velocity_km_s = _vectors(segment, "vx_km_s", "vy_km_s", "vz_km_s")
        digits = last_digit(position_km), last_digit(velocity_km_s)
        flight = Flight(tai_us, *inertial_states(ref_frame, tai_us, position_km, velocity_km_s), *digits)
        coast = coast_of(flight, fields, on_thrust[start + 1 : stop])
        first, last, cutoff = _runs(on_thrust[start:stop], tai_us)
        if (tai_us[last] - tai_us[first]).sum() > OWN_CADENCE_SHARE * (tai_us[-1] - tai_us[0]):
            warnings.append(
                f"segment {nth}: states stand every 2 s in coast as in powered flight: on_thrust tells this cadence, "
                "a thrust episode is what gravity does not explain"
            )
        if coast.least_thrust_km_s2 > LEAST_THRUST_KM_S2:
            warnings.append(
                f"segment {nth}: gravity leaves so much of its coasts unexplained that a thrust below "
                f"{coast.least_thrust_km_s2 * MM_PER_KM:.2g} mm/s^2 is no episode"
            )
        is_earths = center_name.strip().upper() == "EARTH"
        segments.append(_Segment(start, flight, coast, is_earths, first, last, cutoff))
    return segments, warnings


def _column(states: pa.Table, name: str) -> NDArray[Any]:
    values: NDArray[Any] = states.column(name).to_numpy()
    return values


def _micros(states: pa.Table, name: str) -> NDArray[np.int64]:
    return _column(states, name).astype("datetime64[us]").astype(np.int64)


def _vectors(states: pa.Table, *names: str) -> NDArray[np.float64]:
    return np.column_stack([_column(states, name) for name in names])


def _runs(on_thrust: NDArray[np.bool_], tai_us: NDArray[np.int64]) -> tuple[Rows, Rows, Rows]:
    """Return first state, last one on_thrust and true end of each run: a shorter step after it belongs to it."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on_thrust, [False])).astype(np.int8)))
    first, last = edges[::2] - 1, edges[1::2] - 1
    after = np.minimum(last + 1, tai_us.size - 1)
    step_ms = np.rint((tai_us[after] - tai_us[last]) / 1000.0)
    return first, last, np.where(step_ms < THRUST_STEP_MS, after, last)


def _burns(segment: _Segment) -> Iterator[_Burn]:
    for run, first, last in powered_stretches(segment.flight, segment.coast, segment.first, segment.last):
        yield _Burn(segment, first, last, int(segment.cutoff[run]) if last == segment.last[run] else last)


def _delta_v(burn: _Burn, duration_s: float) -> dict[str, object]:
    begin = np.arange(burn.first, burn.cutoff)
    field = burn.segment.coast.field
    gained_km_s, middle_km, middle_km_s = velocity_gained_km_s(burn.segment.flight, field, begin, begin + 1)
    parts_m_s = erfa.rxp(orbital_axes(middle_km, middle_km_s), gained_km_s).sum(axis=0) * M_PER_KM
    total_m_s = float(erfa.pm(parts_m_s))
    return {
        "delta_v_m_s": total_m_s,
        "delta_v_radial_m_s": float(parts_m_s[0]),
        "delta_v_intrack_m_s": float(parts_m_s[1]),
        "delta_v_crosstrack_m_s": float(parts_m_s[2]),
        "mean_acceleration_mm_s2": total_m_s / duration_s * MM_PER_M,
    }


def _semi_major_axes(burn: _Burn, coast_from: int, coast_to: int | None) -> dict[str, object]:
    """Return the mean semi-major axis over at most one orbit of coast on either side, at least of the edge state."""
    flight = burn.segment.flight
    if not burn.segment.is_earths:
        return {}
    at_ignition = flight.rows(slice(burn.first, burn.first + 1))
    (axis_km,) = mean_semi_major_axis_km(at_ignition.position_km, at_ignition.velocity_km_s)
    orbit_us = period_s(float(axis_km)) * SECOND_US
    if not np.isfinite(orbit_us):
        return {}
    tai_us = flight.tai_us
    since = int(np.searchsorted(tai_us, tai_us[burn.first] - orbit_us, side="right"))
    until = int(np.searchsorted(tai_us, tai_us[burn.cutoff] + orbit_us, side="left"))
    before = flight.rows(slice(max(since, coast_from), burn.first + 1))
    after = flight.rows(slice(burn.cutoff, until if coast_to is None else min(until, coast_to + 1)))
    return {
        f"semi_major_axis_{side}_km": float(np.mean(mean_semi_major_axis_km(coast.position_km, coast.velocity_km_s)))
        for side, coast in (("before", before), ("after", after))
    }


def _matching_events(events: pa.Table, ignition_us: int, cutoff_us: int) -> dict[str, object]:
    """Return names and summed delta-v of the burns planned within the run, its first moment included."""
    at_us = pc.cast(events.column("ignition_time"), pa.int64())
    within = pc.and_(pc.greater_equal(at_us, ignition_us), pc.less(at_us, cutoff_us))
    burns = events.filter(pc.and_(within, events.column("is_burn"))).sort_by("ignition_time")
    planned = pc.sum(burns.column("delta_v_m_s")).as_py()
    return {"event_names": burns.column("event_name").to_pylist(), "event_delta_v_m_s": planned}
