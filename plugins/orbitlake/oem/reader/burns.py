"""A burn as a row of thrust_episodes: its velocity, what it did to the orbit, and the events that planned it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import erfa
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.oem.reader.epochs import utc_us_of
from orbitlake.oem.reader.thrust import SECOND_US, Coast, Flight, Rows
from orbitlake.physics.fields import Field
from orbitlake.physics.orbit import mean_semi_major_axis_km, period_s

SAME_MANOEUVRE_GAP_US: Final = 60_000_000
MM_PER_M: Final = 1e3


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment: its number, the row of its first state in the issue, its states, how it coasts, and its runs.

    A run is of steps of 2.000 s: rows of its first state, of its last one on_thrust, and of that at its true end (m,).
    """

    number: int
    start: int
    flight: Flight
    coast: Coast
    finer: Field
    is_earths: bool
    first: Rows
    last: Rows
    cutoff: Rows


@dataclass(frozen=True, slots=True)
class Burn:
    """One burn: rows of the last state before it and the first after it, ignition and cut-off (TAI, us), delta-v (3,).

    `last` is the last row on_thrust of a burn printed every 2 s, else that of ignition. Sigmas are of the two times.
    """

    segment: Segment
    first: int
    last: int
    cutoff: int
    ignition_tai_us: int
    cutoff_tai_us: int
    ignition_sigma_s: float
    cutoff_sigma_s: float
    delta_v_m_s: NDArray[np.float64]


def rows_of(
    burns: list[Burn], object_id: str, creation_date: datetime, states: pa.Table, events: pa.Table
) -> list[dict[str, object]]:
    """Return the burns of an issue, in order, as rows of thrust_episodes; `states` and `events` are the issue's."""
    episode = states.column("thrust_episode").to_numpy()
    rows: list[dict[str, object]] = []
    manoeuvre = 0
    end_us: int | None = None
    for nth, burn in enumerate(burns):
        start = burn.segment.start
        ignition_us, cutoff_us = (utc_us_of(tai_us) for tai_us in (burn.ignition_tai_us, burn.cutoff_tai_us))
        manoeuvre += end_us is None or burn.ignition_tai_us - end_us >= SAME_MANOEUVRE_GAP_US
        end_us = burn.cutoff_tai_us
        beside = [burns[other] if 0 <= other < len(burns) else None for other in (nth - 1, nth + 1)]
        before, after = (other if other and other.segment is burn.segment else None for other in beside)
        rows.append(
            {
                "object_id": object_id,
                "creation_date": creation_date,
                "thrust_episode": int(episode[start + burn.last]),
                "ignition_time": ignition_us,
                "cutoff_time": cutoff_us,
                "ignition_sigma_s": burn.ignition_sigma_s,
                "cutoff_sigma_s": burn.cutoff_sigma_s,
                "two_second_rows": burn.last - burn.first,
                "powered_steps": burn.cutoff - burn.first,
                "manoeuvre": manoeuvre,
            }
            | _delta_v(burn)
            | _semi_major_axes(burn, before.cutoff if before else 0, after.first if after else None)
            | _matching_events(events, ignition_us, cutoff_us)
        )
    return rows


def _delta_v(burn: Burn) -> dict[str, object]:
    duration_s = (burn.cutoff_tai_us - burn.ignition_tai_us) / SECOND_US
    total_m_s = float(erfa.pm(burn.delta_v_m_s))
    return {
        "duration_s": duration_s,
        "delta_v_m_s": total_m_s,
        "delta_v_radial_m_s": float(burn.delta_v_m_s[0]),
        "delta_v_intrack_m_s": float(burn.delta_v_m_s[1]),
        "delta_v_crosstrack_m_s": float(burn.delta_v_m_s[2]),
        "mean_acceleration_mm_s2": total_m_s / duration_s * MM_PER_M,
    }


def _semi_major_axes(burn: Burn, coast_from: int, coast_to: int | None) -> dict[str, object]:
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
