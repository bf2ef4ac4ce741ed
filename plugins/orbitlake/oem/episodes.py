"""Powered flight in an ephemeris: which states lie in it, and each burn as the states fly it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.physics.frames import INERTIAL, rotation_to_itrs
from orbitlake.physics.gravity import gravity_itrs_km_s2
from orbitlake.physics.orbit import mean_semi_major_axis_km, orbital_axes, period_s
from orbitlake.tables import THRUST_EPISODES

THRUST_STEP_MS: Final = 2000
"""NASA tabulates powered flight every 2.000 s; the short steps at its end come as close as 1.991 s."""
SAME_MANOEUVRE_GAP_US: Final = 60_000_000
SECOND_US: Final = 1_000_000
M_PER_KM: Final = 1e3
MM_PER_M: Final = 1e3


@dataclass(frozen=True, slots=True)
class _Trajectory:
    """The states of an issue as arrays, (n,) and (n, 3), with its frame."""

    segment: NDArray[np.int32]
    epoch_us: NDArray[np.int64]
    position_km: NDArray[np.float64]
    velocity_km_s: NDArray[np.float64]
    on_thrust: NDArray[np.bool_]
    ref_frame: str
    is_geocentric: bool


@dataclass(frozen=True, slots=True)
class _Run:
    """One powered run: rows of its first state, its last state on_thrust, and the state at its true end."""

    number: int
    ignition: int
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
    center_name: str,
    ref_frame: str,
) -> pa.Table:
    """Return one row a powered run of `states`, in the schema of thrust_episodes.

    `states` and `events` are the issue's state_vectors and trajectory_events. Delta-v and semi-major axes need an
    inertial frame about Earth whose turning to ITRS is known: elsewhere they are null. Delta-v sums, in the radial,
    in-track and cross-track axes of each moment, the change of velocity that gravity to degree and order 4 leaves.
    """
    trajectory = _trajectory(states, center_name, ref_frame)
    runs = _runs(trajectory, _column(states, "thrust_episode"))
    if not runs:
        return THRUST_EPISODES.schema.empty_table()
    rows: list[dict[str, object]] = []
    manoeuvre = 0
    end_us: int | None = None
    last_row = trajectory.epoch_us.size - 1
    coast_starts = [0] + [run.cutoff for run in runs]
    coast_ends = [run.ignition for run in runs[1:]] + [last_row]
    for run, coast_from, coast_to in zip(runs, coast_starts, coast_ends, strict=False):
        ignition_us, cutoff_us = int(trajectory.epoch_us[run.ignition]), int(trajectory.epoch_us[run.cutoff])
        manoeuvre += end_us is None or ignition_us - end_us >= SAME_MANOEUVRE_GAP_US
        end_us = cutoff_us
        duration_s = (cutoff_us - ignition_us) / SECOND_US
        rows.append(
            {
                "object_id": object_id,
                "creation_date": creation_date,
                "thrust_episode": run.number,
                "ignition_time": ignition_us,
                "cutoff_time": cutoff_us,
                "duration_s": duration_s,
                "two_second_rows": run.last - run.ignition,
                "manoeuvre": manoeuvre,
            }
            | _delta_v(trajectory, run, duration_s)
            | _semi_major_axes(trajectory, run, coast_from, coast_to)
            | _matching_events(events, ignition_us, cutoff_us)
        )
    return pa.Table.from_pylist(rows, schema=THRUST_EPISODES.schema)


def _trajectory(states: pa.Table, center_name: str, ref_frame: str) -> _Trajectory:
    def vectors(*names: str) -> NDArray[np.float64]:
        return np.column_stack([_column(states, name) for name in names])

    return _Trajectory(
        segment=_column(states, "segment"),
        epoch_us=_column(states, "epoch").astype("datetime64[us]").astype(np.int64),
        position_km=vectors("x_km", "y_km", "z_km"),
        velocity_km_s=vectors("vx_km_s", "vy_km_s", "vz_km_s"),
        on_thrust=_column(states, "on_thrust"),
        ref_frame=ref_frame,
        is_geocentric=center_name.strip().upper() == "EARTH" and ref_frame.strip().upper() in INERTIAL,
    )


def _column(states: pa.Table, name: str) -> NDArray[Any]:
    values: NDArray[Any] = states.column(name).to_numpy()
    return values


def _runs(trajectory: _Trajectory, episode: NDArray[np.int32]) -> list[_Run]:
    """Return the runs in order; the step after a run, where it is shorter than 2 s, ends at the true cut-off."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], trajectory.on_thrust, [False])).astype(np.int8)))
    runs = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        last = int(end) - 1
        cutoff = last
        if end < trajectory.segment.size and trajectory.segment[end] == trajectory.segment[last]:
            step_ms = round(int(trajectory.epoch_us[end] - trajectory.epoch_us[last]) / 1000)
            cutoff = int(end) if step_ms < THRUST_STEP_MS else last
        runs.append(_Run(number=int(episode[begin]), ignition=int(begin) - 1, last=last, cutoff=cutoff))
    return runs


def _delta_v(trajectory: _Trajectory, run: _Run, duration_s: float) -> dict[str, object]:
    rows = slice(run.ignition, run.cutoff + 1)
    epoch_us = trajectory.epoch_us[rows]
    position, velocity = trajectory.position_km[rows], trajectory.velocity_km_s[rows]
    step_us = np.diff(epoch_us)
    step_s = step_us[:, np.newaxis] / SECOND_US
    middle = 0.5 * (position[1:] + position[:-1]) - step_s / 8.0 * np.diff(velocity, axis=0)  # cubic Hermite
    gravity = _gravity_km_s2(trajectory, epoch_us, position)
    gravity_middle = _gravity_km_s2(trajectory, epoch_us[:-1] + step_us // 2, middle)
    if gravity is None or gravity_middle is None:
        return {}
    # Simpson's rule: the trapezoid would lose 2 mm/s over ten minutes, all of it radial.
    fallen_km_s = step_s / 6.0 * (gravity[1:] + 4.0 * gravity_middle + gravity[:-1])
    axes = orbital_axes(middle, 0.5 * (velocity[1:] + velocity[:-1]))
    parts_m_s = np.matvec(axes, np.diff(velocity, axis=0) - fallen_km_s).sum(axis=0) * M_PER_KM
    total_m_s = float(np.linalg.norm(parts_m_s))
    return {
        "delta_v_m_s": total_m_s,
        "delta_v_radial_m_s": float(parts_m_s[0]),
        "delta_v_intrack_m_s": float(parts_m_s[1]),
        "delta_v_crosstrack_m_s": float(parts_m_s[2]),
        "mean_acceleration_mm_s2": total_m_s / duration_s * MM_PER_M,
    }


def _gravity_km_s2(
    trajectory: _Trajectory, epoch_us: NDArray[np.int64], position_km: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return Earth's pull in the trajectory's frame, None where it has no inertial frame about Earth."""
    turn = rotation_to_itrs(trajectory.ref_frame, epoch_us.astype("datetime64[us]"))
    if turn is None or not trajectory.is_geocentric:
        return None
    pull: NDArray[np.float64] = np.matvec(turn.transpose(0, 2, 1), gravity_itrs_km_s2(np.matvec(turn, position_km)))
    return pull


def _semi_major_axes(trajectory: _Trajectory, run: _Run, coast_from: int, coast_to: int) -> dict[str, object]:
    """Return the mean semi-major axis over at most one orbit of coast on either side, at least of the edge state."""
    if not trajectory.is_geocentric:
        return {}
    epoch_us = trajectory.epoch_us
    axis_km = mean_semi_major_axis_km(trajectory.position_km, trajectory.velocity_km_s)
    orbit_us = period_s(float(axis_km[run.ignition])) * SECOND_US
    row = np.arange(epoch_us.size)
    same_segment = trajectory.segment == trajectory.segment[run.ignition]
    before = (row >= coast_from) & (row <= run.ignition) & (epoch_us > epoch_us[run.ignition] - orbit_us)
    after = (row >= run.cutoff) & (row <= coast_to) & (epoch_us < epoch_us[run.cutoff] + orbit_us)
    return {
        f"semi_major_axis_{side}_km": float(np.mean(axis_km[same_segment & coast])) if np.isfinite(orbit_us) else None
        for side, coast in (("before", before), ("after", after))
    }


def _matching_events(events: pa.Table, ignition_us: int, cutoff_us: int) -> dict[str, object]:
    """Return names and summed delta-v of the burns planned within the run, its first moment included."""
    at_us = pc.cast(events.column("ignition_time"), pa.int64())
    within = pc.and_(pc.greater_equal(at_us, ignition_us), pc.less(at_us, cutoff_us))
    burns = events.filter(pc.and_(within, events.column("is_burn"))).sort_by("ignition_time")
    planned = pc.sum(burns.column("delta_v_m_s")).as_py()
    return {"event_names": burns.column("event_name").to_pylist(), "event_delta_v_m_s": planned}
