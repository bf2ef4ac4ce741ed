"""One issue of an ephemeris, as the tables hold it: what its file says, and what follows from its states."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from unicodedata import category
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from orbitlake.oem.reader import comment_block, epochs
from orbitlake.oem.reader.comment_block import Facts
from orbitlake.oem.reader.episodes import find_episodes
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue_tables import covariances_of, events_of, segments_of, states_of
from orbitlake.oem.reader.message import Message, Metadata, Segment
from orbitlake.physics.frames import rotation_to_itrs_tai
from orbitlake.physics.leap_seconds import utc_day_and_time_us
from orbitlake.tables import OEM_ISSUES

DESIGNATOR: Final = re.compile(r"(\d{4})-(\d{3})-?([A-Z]{1,3})", re.ASCII | re.IGNORECASE)
MAX_ENCODED_ID_BYTES: Final = 200
"""A folder's name has 255 bytes on most file systems; `object_id=` and the names of temporary files need theirs."""


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


def issue_of(message: Message, content_sha256: str, name: str) -> Issue:
    """Return a message as an issue, derived columns and all. Raises OemError where its OBJECT_ID is unusable."""
    metadata = tuple(segment.metadata for segment in message.segments)
    object_id = object_id_of(metadata[0], name)
    creation_date = epochs.as_datetime(message.header.created_us)
    header = _header(message)
    start_utc_us = epochs.utc_us_of(min(block.start_tai_us for block in metadata))
    stop_utc_us = epochs.utc_us_of(max(block.stop_tai_us for block in metadata))
    block = comment_block.parse(message.comments, start_utc_us, stop_utc_us)
    states = states_of(message, object_id, creation_date)
    events, repeated = events_of(block.events, object_id, creation_date)
    judged = find_episodes(
        object_id,
        creation_date,
        states,
        events,
        places=[(block.center_name, block.axes) for block in metadata],
    )
    return Issue(
        object_id=object_id,
        creation_date=creation_date,
        header=header,
        facts=block.facts,
        comments=message.comments,
        events=events,
        states=states,
        episodes=judged.episodes,
        covariances=covariances_of(message, object_id, creation_date),
        segments=metadata,
        segment_table=segments_of(message, object_id, creation_date, judged.least_burn_m_s),
        warnings=(
            *message.warnings,
            *_leap_warnings(message),
            *_frame_warnings(message),
            *block.warnings,
            *repeated,
            *judged.warnings,
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
        useable_start_time=epochs.utc_or_none(min(useable_start_us, default=None)),
        useable_stop_time=epochs.utc_or_none(max(useable_stop_us, default=None)),
        stop_time=epochs.utc_of(max(block.stop_tai_us for block in blocks)),
        interpolation=first.interpolation,
        interpolation_degree=first.interpolation_degree,
    )


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
        return segment.metadata.is_geocentric and turn is not None

    return [
        f"line {metadata.section.line_of('REF_FRAME_EPOCH')}: REF_FRAME_EPOCH {metadata.ref_frame_epoch[:40]} leaves "
        f"{metadata.ref_frame[:40]} unclear: no latitude, longitude and altitude"
        for segment in message.segments
        if (metadata := segment.metadata).ref_frame_epoch
        and is_turned(segment, None)
        and not is_turned(segment, metadata.frame_epoch_tai)
    ]
