"""Powered flight in an ephemeris: its cadence state by state, and each burn as the states fly it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import erfa
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.oem.reader.burns import Burn, Segment, rows_of
from orbitlake.oem.reader.jumps import Jump, find_jumps
from orbitlake.oem.reader.thrust import (
    LEAST_THRUST_KM_S2,
    Flight,
    Rows,
    coast_of,
    last_digit,
    powered_stretches,
    velocity_gained_km_s,
)
from orbitlake.physics.fields import fields_about, finer_field, inertial_states
from orbitlake.physics.orbit import orbital_axes
from orbitlake.tables import LEAST_BURN_DECIMALS, THRUST_EPISODES

THRUST_STEP_MS: Final = 2000
"""NASA tabulates powered flight every 2.000 s; the short steps at its end come as close as 1.991 s."""
OWN_CADENCE_SHARE: Final = 0.5
"""Where regular steps of 2.000 s fill more of a segment than this, they are its cadence and no sign of a burn."""
M_PER_KM: Final = 1e3
MM_PER_KM: Final = 1e6


@dataclass(frozen=True, slots=True)
class Judged:
    """The burns of an issue, the least change of velocity that each segment would show (m/s), and warnings.

    The least is None where no burn can be sought: no gravity is known, or too few states.
    """

    episodes: pa.Table
    least_burn_m_s: list[float | None]
    warnings: list[str]


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
) -> Judged:
    """Return one row a burn of `states`, in the schema of thrust_episodes, and what else is to be said.

    `states` and `events` are the issue's state_vectors and trajectory_events, `places` centre and frame of each
    segment. A burn is what gravity does not explain: a stretch of a run of steps of 2.000 s (see thrust), or a change
    of velocity between states at any cadence (see jumps). Delta-v sums what gravity leaves, in the radial, in-track and
    cross-track axes of each moment.
    """
    segments, warnings = _segments(states, places)
    least_m_s: list[float | None] = [None] * len(places)
    burns: list[Burn] = []
    for segment in segments:
        printed = list(_burns(segment))
        jumps, least_km_s = find_jumps(
            segment.flight, segment.coast, segment.finer, [(burn.first, burn.cutoff) for burn in printed]
        )
        least_m_s[segment.number] = None if least_km_s is None else round(least_km_s * M_PER_KM, LEAST_BURN_DECIMALS)
        burns += sorted([*printed, *(_burn_of(segment, jump) for jump in jumps)], key=lambda burn: burn.ignition_tai_us)
    rows = rows_of(burns, object_id, creation_date, states, events)
    episodes = rounded(pa.Table.from_pylist(rows, schema=THRUST_EPISODES.schema), THRUST_EPISODES)
    return Judged(episodes, least_m_s, warnings)


def _segments(states: pa.Table, places: Sequence[tuple[str, str]]) -> tuple[list[Segment], list[str]]:
    """Return the segments whose gravity is known, and what is to be said of these and others with steps of 2.000 s."""
    number, on_thrust = _column(states, "segment"), _column(states, "on_thrust")
    segments: list[Segment] = []
    warnings: list[str] = []
    for nth in np.unique(number).tolist():
        start, stop = (int(np.searchsorted(number, nth, side=side)) for side in ("left", "right"))
        center_name, ref_frame = places[nth]
        segment = states.slice(start, stop - start)
        tai_us = _micros(segment, "epoch_tai")
        fields = fields_about(center_name, ref_frame, int(tai_us[0]))
        has_runs = bool(on_thrust[start:stop].any())
        if not fields:
            if has_runs:
                warnings.append(
                    f"segment {nth}: states every 2 s about {center_name[:40]} in {ref_frame[:40]} cannot be told from "
                    "a coast, since no gravity is known there: no thrust episode"
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
        if has_runs and coast.least_thrust_km_s2 > LEAST_THRUST_KM_S2:
            warnings.append(
                f"segment {nth}: gravity leaves so much of its coasts unexplained that a thrust below "
                f"{coast.least_thrust_km_s2 * MM_PER_KM:.2g} mm/s^2 is no episode"
            )
        is_earths = center_name.strip().upper() == "EARTH"
        finer = finer_field(coast.field, ref_frame)
        segments.append(Segment(nth, start, flight, coast, finer, is_earths, first, last, cutoff))
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


def _burns(segment: Segment) -> Iterator[Burn]:
    flight = segment.flight
    if not segment.first.size:
        return
    for run, first, last in powered_stretches(flight, segment.coast, segment.first, segment.last):
        cutoff = int(segment.cutoff[run]) if last == segment.last[run] else last
        begin = np.arange(first, cutoff)
        gained_km_s, middle_km, middle_km_s = velocity_gained_km_s(flight, segment.coast.field, begin, begin + 1)
        parts_km_s = erfa.rxp(orbital_axes(middle_km, middle_km_s), gained_km_s).sum(axis=0)
        edges_us = int(flight.tai_us[first]), int(flight.tai_us[cutoff])
        yield Burn(segment, first, last, cutoff, *edges_us, 0.0, 0.0, parts_km_s * M_PER_KM)


def _burn_of(segment: Segment, jump: Jump) -> Burn:
    return Burn(
        segment,
        jump.first,
        jump.first,
        jump.last,
        jump.ignition_tai_us,
        jump.cutoff_tai_us,
        jump.ignition_sigma_s,
        jump.cutoff_sigma_s,
        jump.gained_km_s * M_PER_KM,
    )
