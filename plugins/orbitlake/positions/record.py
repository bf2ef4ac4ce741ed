"""The raw record of one poll: how it is written, and how a line of any age is read back."""

import sys
from codecs import BOM_UTF8
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from orbitlake.lake.paths import SAFE_NAME

OPEN_NOTIFY: Final = "open_notify"
WHERETHEISS: Final = "wheretheiss"
MAX_LINE_BYTES: Final = 65_536
LAST_TIMESTAMP_S: Final = 4_102_444_800  # 2100-01-01; later ones are units mistaken, such as milliseconds
POSITION: Final = ("latitude", "longitude", "timestamp")

Name = Annotated[str, Meta(pattern=rf"\A(?:{SAFE_NAME.pattern})\Z")]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]
Timestamp = Annotated[float, Meta(gt=0, lt=LAST_TIMESTAMP_S)]
Kilometres = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""Finite: infinity may come as text."""


class RecordError(ValueError):
    """A line that is no record; the message says why."""


class RawRecord(msgspec.Struct, frozen=True):
    """One poll as it is kept below `raw/`, failures too; null is what the poll did not give."""

    object_id: Name = ""
    source: Name = ""
    fetch_time: datetime | None = None
    latency_ms: Any = None
    http_status: Any = None
    error: Any = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    timestamp: Timestamp | None = None
    altitude_km: Kilometres | None = None

    @property
    def is_fix(self) -> bool:
        return self.error is None and None not in (self.latitude, self.longitude, self.timestamp)

    def to_json(self) -> bytes:
        """The line that is written: one JSON object and a line feed, fetch_time in UTC with Z."""
        fetched = self.fetch_time and self.fetch_time.astimezone(UTC)
        return msgspec.json.encode(replace(self, fetch_time=fetched)) + b"\n"


# Open Notify writes its numbers as strings, and so did those who recorded it.
DECODER: Final = msgspec.json.Decoder(RawRecord, strict=False)


def read_record(line: bytes, object_id: str) -> RawRecord:
    """Read one line of a raw file: a fix, or a poll that failed. Raises RecordError with the reason.

    A record without `source` is of the older form: of Open Notify and of `object_id`. Its altitude and velocity are
    constants that were written beside the position, and a fetch_time without a zone is of some machine's own time:
    none of them is an observation.
    """
    if len(line) > MAX_LINE_BYTES:
        raise RecordError(f"longer than {MAX_LINE_BYTES} bytes")
    line = line.removeprefix(BOM_UTF8)
    try:
        try:
            record = DECODER.decode(line)
        except msgspec.ValidationError:
            record = read_oddly(line)
    except msgspec.ValidationError as error:
        raise RecordError(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from None
    if record.source and record.object_id and record.is_fix and record.fetch_time and record.fetch_time.tzinfo:
        return record
    lacking = [name for name in POSITION if getattr(record, name) is None]
    if record.error is None and lacking and (record.fetch_time is None or len(lacking) < len(POSITION)):
        raise RecordError(f"without {', '.join(lacking)}")
    if record.fetch_time and record.fetch_time.tzinfo is None:
        record = replace(record, fetch_time=None)
    if not record.source:
        record = replace(record, object_id=object_id, source=OPEN_NOTIFY, altitude_km=None)
    if not record.object_id:
        raise RecordError("without object_id")
    return record


def read_oddly(line: bytes) -> RawRecord:
    """Read a record that has nulls for names, or a failure with a position of any kind. Raises ValidationError."""
    found = msgspec.json.decode(line)
    if isinstance(found, dict):
        unread = POSITION if found.get("error") is not None else ()
        found = {name: value for name, value in found.items() if value is not None and name not in unread}
    return msgspec.convert(found, RawRecord, strict=False)
