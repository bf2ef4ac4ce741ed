"""The tables of one message: the rows of its segments, states, events and covariances, derived columns included."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.oem.reader import epochs
from orbitlake.oem.reader.comment_block import Event
from orbitlake.oem.reader.episodes import thrust_flags
from orbitlake.oem.reader.message import Message, Segment
from orbitlake.oem.reader.states import States
from orbitlake.physics.frames import itrs_from_tai
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.tables import OEM_COVARIANCES, OEM_SEGMENTS, STATE_VECTORS, TRAJECTORY_EVENTS, UTC_MICROSECONDS

STATES_AT_ONCE: Final = 2**16


def segments_of(
    message: Message, object_id: str, creation_date: datetime, least_burn_m_s: Sequence[float | None]
) -> pa.Table:
    """Return a message's rows of oem_segments; the last argument is of each segment."""
    rows = []
    for number, segment in enumerate(message.segments):
        metadata = segment.metadata
        rows.append(
            {
                "object_id": object_id,
                "creation_date": creation_date,
                "segment": number,
                "object_name": metadata.object_name,
                "center_name": metadata.center_name.upper(),
                "ref_frame": metadata.ref_frame,
                "ref_frame_epoch": epochs.utc_or_none(metadata.ref_frame_epoch_tai_us),
                "time_system": metadata.time_system,
                "start_time": epochs.utc_or_none(metadata.start_tai_us),
                "useable_start_time": epochs.utc_or_none(metadata.useable_start_tai_us),
                "useable_stop_time": epochs.utc_or_none(metadata.useable_stop_tai_us),
                "stop_time": epochs.utc_or_none(metadata.stop_tai_us),
                "interpolation": metadata.interpolation,
                "interpolation_degree": metadata.interpolation_degree,
                "first_epoch": epochs.utc_of(int(segment.epoch_tai_us[0])),
                "last_epoch": epochs.utc_of(int(segment.epoch_tai_us[-1])),
                "state_count": len(segment.states),
                "covariance_count": len(segment.covariances),
                "least_burn_m_s": least_burn_m_s[number],
            }
        )
    return pa.Table.from_pylist(rows, schema=OEM_SEGMENTS.schema)


def states_of(message: Message, object_id: str, creation_date: datetime) -> pa.Table:
    """Return a message's rows of state_vectors."""
    segments = message.segments
    counts = [len(segment.states) for segment in segments]
    segment_number = np.repeat(np.arange(len(segments), dtype=np.int32), counts)
    epoch_tai_us = _joined([segment.epoch_tai_us for segment in segments])
    position_velocity = _joined([segment.states.position_velocity_km_s for segment in segments])
    acceleration = _joined([_acceleration(segment.states) for segment in segments])
    # Steps in whole microseconds first: far from 1970 a float holds no epoch to the microsecond.
    step_us = _joined([np.append(np.nan, np.diff(segment.epoch_tai_us)) for segment in segments])
    step_s = step_us / epochs.SECOND_US
    on_thrust, thrust_episode = thrust_flags(step_s, segment_number)
    x_km, y_km, z_km = position_velocity[:, :3].T
    r_km = np.sqrt(x_km * x_km + y_km * y_km + z_km * z_km)
    latitude_deg, longitude_deg, altitude_km = _joined([_geodetic(segment) for segment in segments]).T
    with np.errstate(invalid="ignore"):
        theta_rad = np.arccos(z_km / r_km)  # not defined at the centre
    columns: dict[str, NDArray[Any]] = {
        "segment": segment_number,
        "epoch": epochs.utc_us(epoch_tai_us),
        "epoch_tai": epoch_tai_us,
        **dict(zip(("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s"), position_velocity.T, strict=True)),
        **dict(zip(("ax_km_s2", "ay_km_s2", "az_km_s2"), acceleration.T, strict=True)),
        "r_km": r_km,
        "theta_rad": theta_rad,
        "phi_rad": np.where(r_km > 0, np.arctan2(y_km, x_km), np.nan),
        "latitude_deg": latitude_deg,
        "longitude_deg": longitude_deg,
        "altitude_km": altitude_km,
        "useable": _joined([_useable(segment) for segment in segments]),
        "step_s": step_s,
        "on_thrust": on_thrust,
        "thrust_episode": thrust_episode,
    }
    return rounded(_identified(columns, object_id, creation_date, STATE_VECTORS.schema), STATE_VECTORS)


def events_of(events: list[Event], object_id: str, creation_date: datetime) -> tuple[pa.Table, list[str]]:
    """Return the events as a table, and a warning for each that is there again under one name and time."""
    distinct = {(event.ignition_time, event.event_name): event for event in reversed(events)}
    repeated = len(events) - len(distinct)
    warnings = [f"comment block: {repeated} events again under one name and time: kept once"] if repeated else []
    identity = {"object_id": object_id, "creation_date": creation_date}
    rows = [identity | asdict(event) for event in reversed(distinct.values())]
    return pa.Table.from_pylist(rows, schema=TRAJECTORY_EVENTS.schema), warnings


def covariances_of(message: Message, object_id: str, creation_date: datetime) -> pa.Table:
    """Return a message's rows of oem_covariances."""
    names = OEM_COVARIANCES.column_names[-21:]
    rows = [
        {
            "object_id": object_id,
            "creation_date": creation_date,
            "segment": number,
            "epoch": epochs.utc_of(covariance.epoch_tai_us),
            "epoch_tai": covariance.epoch_tai_us,
            "cov_ref_frame": covariance.ref_frame or segment.metadata.ref_frame,
            **dict(zip(names, covariance.lower_triangle, strict=True)),
        }
        for number, segment in enumerate(message.segments)
        for covariance in segment.covariances
    ]
    return pa.Table.from_pylist(rows, schema=OEM_COVARIANCES.schema)


def _useable(segment: Segment) -> NDArray[np.bool_]:
    """Return whether each state lies within the useable span of its segment, which may lack either end: (n,)."""
    metadata, epoch_tai_us = segment.metadata, segment.epoch_tai_us
    useable: NDArray[np.bool_] = np.ones(len(epoch_tai_us), dtype=np.bool_)
    if metadata.useable_start_tai_us is not None:
        useable &= epoch_tai_us >= metadata.useable_start_tai_us
    if metadata.useable_stop_tai_us is not None:
        useable &= epoch_tai_us <= metadata.useable_stop_tai_us
    return useable


def _joined(of_segments: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the arrays of all segments as one; that of a single one is not copied."""
    return of_segments[0] if len(of_segments) == 1 else np.concatenate(of_segments)


def _acceleration(states: States) -> NDArray[np.float64]:
    if states.acceleration_km_s2 is None:
        return np.broadcast_to(np.nan, (len(states), 3))
    return states.acceleration_km_s2


def _geodetic(segment: Segment) -> NDArray[np.float64]:
    """Return latitude (deg), longitude (deg) and height (km), shape (n, 3); NaN where the frame cannot be turned."""
    metadata, count = segment.metadata, len(segment.states)
    if not metadata.is_geocentric:
        return np.broadcast_to(np.nan, (count, 3))
    geodetic = np.empty((3, count))
    # A matrix a state would take most of the memory of a large file.
    for start in range(0, count, STATES_AT_ONCE):
        rows = slice(start, start + STATES_AT_ONCE)
        itrs_km = itrs_from_tai(
            metadata.ref_frame,
            segment.epoch_tai_us[rows].astype("datetime64[us]"),
            segment.states.position_velocity_km_s[rows, :3],
            frame_epoch_tai=metadata.frame_epoch_tai,
        )
        if itrs_km is None:
            # One epoch before Earth's orientation is known leaves the whole segment without.
            return np.broadcast_to(np.nan, (count, 3))
        geodetic[:, rows] = geodetic_from_itrs(itrs_km)
    return geodetic.T


def _identified(
    columns: dict[str, NDArray[Any]], object_id: str, creation_date: datetime, schema: pa.Schema
) -> pa.Table:
    """Return columns as a table of `schema`, with the issue's identity in front and null for NaN."""
    count = len(next(iter(columns.values())))
    identity = {
        "object_id": pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int32), pa.array([object_id])),
        "creation_date": pa.repeat(pa.scalar(creation_date, type=UTC_MICROSECONDS), count),
    }
    arrays = [
        identity[field.name] if field.name in identity else _array(columns[field.name], field.type) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return pa.array(values).cast(kind)
    return pa.array(values, type=kind, from_pandas=True)
