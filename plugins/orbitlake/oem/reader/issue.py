"""One issue of an ephemeris, as the tables hold it: what its file says, and what follows from its states."""

import hashlib
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from unicodedata import category
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.digits import rounded
from orbitlake.oem.reader import comment_block, epochs, kvn, unpacking, xml
from orbitlake.oem.reader.comment_block import Event, Facts
from orbitlake.oem.reader.episodes import find_episodes, thrust_flags
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.message import Message, Metadata, Segment
from orbitlake.oem.reader.states import States
from orbitlake.physics.frames import STANDING, itrs_from_tai, rotation_to_itrs_tai
from orbitlake.physics.geodesy import geodetic_from_itrs
from orbitlake.physics.leap_seconds import utc_day_and_time_us
from orbitlake.settings import max_file_bytes
from orbitlake.tables import (
    OEM_COVARIANCES,
    OEM_ISSUES,
    OEM_SEGMENTS,
    STATE_VECTORS,
    TRAJECTORY_EVENTS,
    UTC_MICROSECONDS,
)

DESIGNATOR: Final = re.compile(r"(\d{4})-(\d{3})-?([A-Z]{1,3})", re.ASCII | re.IGNORECASE)
MAX_ENCODED_ID_BYTES: Final = 200
"""A folder's name has 255 bytes on most file systems; `object_id=` and what is written aside need theirs."""
BYTES_A_MARKUP: Final = 32
"""So many bytes of a file at the size limit go to one element or attribute: 2 million at 64 MiB."""
STATES_AT_ONCE: Final = 2**16
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Header:
    """Header and metadata of an issue, in the columns of oem_issues; spans cover all segments."""

    object_name: str
    originator: str
    message_id: str | None
    classification: str | None
    oem_version: str
    file_format: str
    center_name: str
    ref_frame: str
    time_system: str
    start_time: datetime
    useable_start_time: datetime | None
    useable_stop_time: datetime | None
    stop_time: datetime
    interpolation: str | None
    interpolation_degree: int | None


@dataclass(frozen=True, slots=True)
class Issue:
    """One file, read whole. Tables are in the schema of their name in orbitlake.tables."""

    object_id: str
    creation_date: datetime
    header: Header
    facts: Facts
    comments: tuple[str, ...]
    events: pa.Table
    states: pa.Table
    episodes: pa.Table
    covariances: pa.Table
    segments: tuple[Metadata, ...]
    segment_table: pa.Table
    warnings: tuple[str, ...]
    content_sha256: str

    def row(self, *, source_url: str | None, retrieved_at: datetime | None, raw_path: str | None) -> pa.Table:
        """Return the issue's one row of oem_issues."""
        values: dict[str, Any] = {
            "object_id": self.object_id,
            "creation_date": self.creation_date,
            **asdict(self.header),
            **asdict(self.facts),
            "comments": list(self.comments),
            "segment_count": len(self.segments),
            "state_count": self.states.num_rows,
            "content_sha256": self.content_sha256,
            "source_url": source_url,
            "retrieved_at": retrieved_at,
            "raw_path": raw_path,
        }
        return pa.Table.from_pylist([values], schema=OEM_ISSUES.schema)


def read(path: str | Path) -> Issue:
    """Return the issue in a file: KVN or XML, plain or gzip, told apart by content.

    Raises OemError naming file, line and reason, also where the file holds several issues (see `read_all`), and OSError
    where it cannot be read at all.
    """
    return read_bytes(unpacking.load(Path(path)), str(path))


def read_all(path: str | Path) -> tuple[Issue, ...]:
    """Return every issue in a file, in its order: an <ndm> may hold several OEM. Raises as `read` does."""
    return read_all_bytes(unpacking.load(Path(path)), str(path))


def read_bytes(content: bytes, name: str) -> Issue:
    """Return the issue in the bytes of a file; errors call it `name`. Raises OemError."""
    text = unpacking.unpack(content, name)
    content_sha256 = hashlib.sha256(text).hexdigest()
    message = _without_bytes(parse(text, name))
    # A large file need not stay in memory while its columns are derived.
    del content, text
    return issue_of(message, content_sha256, name)


def _without_bytes(message: Message) -> Message:
    """Return a checked message that no longer holds the bytes of its file, nor knows the line of any state."""
    segments = (replace(segment, states=replace(segment.states, line_of=_line_unknown)) for segment in message.segments)
    return replace(message, segments=tuple(segments))


def _line_unknown(nth: int) -> int:
    raise LookupError(f"the file of state {nth} is no longer in memory")


def read_all_bytes(content: bytes, name: str) -> tuple[Issue, ...]:
    """Return every issue in the bytes of a file; errors call it `name`. Raises OemError."""
    found = issues_in(unpacking.unpack(content, name), name)
    for message in found:
        if isinstance(message, OemError):
            raise message
    return tuple(message for message in found if isinstance(message, Issue))


def issues_in(text: bytes, name: str) -> list[Issue | OemError]:
    """Return each message in the unpacked bytes of a file as an issue, or the error that it cannot be read for.

    Raises OemError where the file as a whole cannot be read.
    """
    content_sha256 = hashlib.sha256(text).hexdigest()
    found: list[Issue | OemError] = []
    for message in parse_all(text, name):
        try:
            found.append(message if isinstance(message, OemError) else issue_of(message, content_sha256, name))
        except OemError as error:
            found.append(error)
    return found


def parse(text: bytes, name: str) -> Message:
    """Return the one message in the unpacked bytes of a file. Raises OemError, also where it holds several."""
    messages = parse_all(text, name)
    if len(messages) > 1:
        line = second.line if isinstance(second := messages[1], OemError) else second.header.line
        raise OemError(name, line, f"holds {len(messages)} OEM, each an issue of its own: read_all gives them all")
    if isinstance(messages[0], OemError):
        raise messages[0]
    return messages[0]


def parse_all(text: bytes, name: str) -> tuple[Message | OemError, ...]:
    """Return the messages in the unpacked bytes of a file: XML where it begins with <, else KVN.

    Of several the error of one stands in its place. Raises OemError where the file as a whole cannot be read.
    """
    body = text.removeprefix(BYTE_ORDER_MARK)
    if body[:256].lstrip().startswith(b"<"):
        return xml.parse(body, name, max_file_bytes() // BYTES_A_MARKUP)
    return (kvn.parse(body, name),)


def issue_of(message: Message, content_sha256: str, name: str) -> Issue:
    """Return a message as an issue, derived columns and all. Raises OemError where its OBJECT_ID is unusable."""
    metadata = tuple(segment.metadata for segment in message.segments)
    object_id = object_id_of(metadata[0], name)
    creation_date = epochs.as_datetime(message.header.created_us)
    header = _header(message)
    start_utc_us = epochs.utc_us_of(min(block.start_tai_us for block in metadata))
    stop_utc_us = epochs.utc_us_of(max(block.stop_tai_us for block in metadata))
    block = comment_block.parse(message.comments, start_utc_us, stop_utc_us)
    states = _states(message, object_id, creation_date)
    events, repeated = _events(block.events, object_id, creation_date)
    episodes, doubts = find_episodes(
        object_id,
        creation_date,
        states,
        events,
        places=[(block.center_name, _axes(block)) for block in metadata],
    )
    return Issue(
        object_id=object_id,
        creation_date=creation_date,
        header=header,
        facts=block.facts,
        comments=message.comments,
        events=events,
        states=states,
        episodes=episodes,
        covariances=_covariances(message, object_id, creation_date),
        segments=metadata,
        segment_table=_segments(message, object_id, creation_date),
        warnings=(
            *message.warnings,
            *_leap_warnings(message),
            *_frame_warnings(message),
            *block.warnings,
            *repeated,
            *doubts,
        ),
        content_sha256=content_sha256,
    )


def object_id_of(metadata: Metadata, name: str) -> str:
    """Return the object's id: 1998-067A from 1998-067-A, any other exactly as the file writes it.

    Raises OemError where it holds control characters, or is too long for a folder's name, percent-encoded.
    """
    object_id = metadata.object_id
    if match := DESIGNATOR.fullmatch(object_id):
        return f"{match[1]}-{match[2]}{match[3].upper()}"
    line = metadata.section.line_of("OBJECT_ID")
    if any(category(character) == "Cc" for character in object_id):
        raise OemError(name, line, f"OBJECT_ID {object_id[:40]!r} holds control characters")
    if len(quote(object_id, safe="")) > MAX_ENCODED_ID_BYTES:
        reason = f"OBJECT_ID {object_id[:40]!r} takes more than {MAX_ENCODED_ID_BYTES} bytes percent-encoded"
        raise OemError(name, line, reason)
    return object_id


def _header(message: Message) -> Header:
    blocks = [segment.metadata for segment in message.segments]
    first = blocks[0]
    useable_start_us = [block.useable_start_tai_us for block in blocks if block.useable_start_tai_us is not None]
    useable_stop_us = [block.useable_stop_tai_us for block in blocks if block.useable_stop_tai_us is not None]
    return Header(
        object_name=first.object_name,
        originator=message.header.originator,
        message_id=message.header.message_id,
        classification=message.header.classification,
        oem_version=message.header.version,
        file_format=message.file_format,
        center_name=first.center_name.upper(),
        ref_frame=first.ref_frame,
        time_system=first.time_system,
        start_time=epochs.utc_of(min(block.start_tai_us for block in blocks)),
        useable_start_time=_utc(min(useable_start_us, default=None)),
        useable_stop_time=_utc(max(useable_stop_us, default=None)),
        stop_time=epochs.utc_of(max(block.stop_tai_us for block in blocks)),
        interpolation=first.interpolation,
        interpolation_degree=first.interpolation_degree,
    )


def _utc(tai_us: int | None) -> datetime | None:
    return None if tai_us is None else epochs.utc_of(tai_us)


def _segments(message: Message, object_id: str, creation_date: datetime) -> pa.Table:
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
                "ref_frame_epoch": _utc(metadata.ref_frame_epoch_tai_us),
                "time_system": metadata.time_system,
                "start_time": _utc(metadata.start_tai_us),
                "useable_start_time": _utc(metadata.useable_start_tai_us),
                "useable_stop_time": _utc(metadata.useable_stop_tai_us),
                "stop_time": _utc(metadata.stop_tai_us),
                "interpolation": metadata.interpolation,
                "interpolation_degree": metadata.interpolation_degree,
                "first_epoch": _utc(int(segment.epoch_tai_us[0])),
                "last_epoch": _utc(int(segment.epoch_tai_us[-1])),
                "state_count": len(segment.states),
                "covariance_count": len(segment.covariances),
            }
        )
    return pa.Table.from_pylist(rows, schema=OEM_SEGMENTS.schema)


def _states(message: Message, object_id: str, creation_date: datetime) -> pa.Table:
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
    if not _is_geocentric(metadata):
        return np.broadcast_to(np.nan, (count, 3))
    geodetic = np.empty((3, count))
    # A matrix a state would take most of the memory of a large file.
    for start in range(0, count, STATES_AT_ONCE):
        rows = slice(start, start + STATES_AT_ONCE)
        itrs_km = itrs_from_tai(
            metadata.ref_frame,
            segment.epoch_tai_us[rows].astype("datetime64[us]"),
            segment.states.position_velocity_km_s[rows, :3],
            frame_epoch_tai=_frame_epoch_tai(metadata),
        )
        if itrs_km is None:
            # One epoch before Earth's orientation is known leaves the whole segment without.
            return np.broadcast_to(np.nan, (count, 3))
        geodetic[:, rows] = geodetic_from_itrs(itrs_km)
    return geodetic.T


def _axes(block: Metadata) -> str:
    """Return the frame of a segment; one whose axes are those of REF_FRAME_EPOCH is no more the frame of that name."""
    is_plain = not block.ref_frame_epoch or block.ref_frame.strip().upper() in STANDING
    return block.ref_frame if is_plain else f"{block.ref_frame} of REF_FRAME_EPOCH"


def _is_geocentric(metadata: Metadata) -> bool:
    return metadata.center_name.strip().upper() == "EARTH"


def _frame_epoch_tai(metadata: Metadata) -> np.datetime64 | None:
    """Return REF_FRAME_EPOCH in TAI, not-a-time where TAI cannot tell it, None where there is none."""
    if metadata.ref_frame_epoch is None:
        return None
    tai_us = metadata.ref_frame_epoch_tai_us
    return np.datetime64("NaT", "us") if tai_us is None else np.datetime64(tai_us, "us")


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


def _events(events: list[Event], object_id: str, creation_date: datetime) -> tuple[pa.Table, list[str]]:
    """Return the events as a table, and a warning for each that is there again under one name and time."""
    distinct = {(event.ignition_time, event.event_name): event for event in reversed(events)}
    repeated = len(events) - len(distinct)
    warnings = [f"comment block: {repeated} events again under one name and time: kept once"] if repeated else []
    identity = {"object_id": object_id, "creation_date": creation_date}
    rows = [identity | asdict(event) for event in reversed(distinct.values())]
    return pa.Table.from_pylist(rows, schema=TRAJECTORY_EVENTS.schema), warnings


def _covariances(message: Message, object_id: str, creation_date: datetime) -> pa.Table:
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


def _leap_warnings(message: Message) -> list[str]:
    return [
        f"segment {number}: epoch of a state in a leap second shows as its last microsecond; epoch_tai is the true one"
        for number, segment in enumerate(message.segments)
        if (utc_day_and_time_us(segment.epoch_tai_us)[1] >= epochs.DAY_US).any()
    ]


def _frame_warnings(message: Message) -> list[str]:
    """Return a warning for each segment whose frame could be turned, were it not for its REF_FRAME_EPOCH."""

    def is_turned(segment: Segment, frame_epoch_tai: np.datetime64 | None) -> bool:
        first = segment.epoch_tai_us[:1].astype("datetime64[us]")
        turn = rotation_to_itrs_tai(segment.metadata.ref_frame, first, frame_epoch_tai=frame_epoch_tai)
        return _is_geocentric(segment.metadata) and turn is not None

    return [
        f"line {metadata.section.line_of('REF_FRAME_EPOCH')}: REF_FRAME_EPOCH {metadata.ref_frame_epoch[:40]} leaves "
        f"{metadata.ref_frame[:40]} unclear: no latitude, longitude and altitude"
        for segment in message.segments
        if (metadata := segment.metadata).ref_frame_epoch
        and is_turned(segment, None)
        and not is_turned(segment, _frame_epoch_tai(metadata))
    ]
