"""The raw record of one poll: how it is written, and how a line of any age is read back."""

import json
import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from orbitlake.lake.paths import SAFE_NAME

OPEN_NOTIFY: Final = "open_notify"
WHERETHEISS: Final = "wheretheiss"
MAX_LINE_BYTES: Final = 65_536
FIRST_TIMESTAMP_S: Final = 0
LAST_TIMESTAMP_S: Final = 4_102_444_800  # 2100-01-01; later ones are units mistaken, such as milliseconds
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RecordError(ValueError):
    """A line that is no record; the message says why."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One poll as it is kept below `raw/`, failures too; null is what the poll did not give."""

    object_id: str
    source: str
    fetch_time: datetime
    latency_ms: float
    http_status: int | None = None
    error: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    timestamp: int | float | None = None
    altitude_km: float | None = None

    def to_json(self) -> bytes:
        """The line that is written: one JSON object and a line feed, fetch_time in UTC with Z."""
        record = asdict(self) | {"fetch_time": self.fetch_time.astimezone(UTC).isoformat().replace("+00:00", "Z")}
        return (json.dumps(record, allow_nan=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Fix:
    """One position as published: degrees, kilometres, times in UTC."""

    object_id: str
    source: str
    event_time: datetime
    fetch_time: datetime | None
    latitude_deg: float
    longitude_deg: float
    altitude_km: float | None


def text_of(line: bytes) -> str:
    """Return the text of a line as it came. Raises RecordError with the reason."""
    if len(line) > MAX_LINE_BYTES:
        raise RecordError(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"not UTF-8: {error}") from None


def read_line(line: str, object_id: str) -> Fix | None:
    """Read one line of a raw file; None for a poll that failed. Raises RecordError with the reason."""
    return fix_of(read_object(line), object_id)


def read_object(line: str) -> dict[str, Any]:
    """Read one line of a raw file as a JSON object. Raises RecordError with the reason."""
    try:
        record = json.loads(line.strip().removeprefix("\ufeff"), parse_constant=refuse_constant)
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from None
    if not isinstance(record, dict):
        raise RecordError(f"a JSON {type(record).__name__}, expected an object")
    return record


def fix_of(record: dict[str, Any], object_id: str) -> Fix | None:
    """Return the fix of a record; None for a poll that failed. Raises RecordError with the reason.

    A record without `source` is of the older form: a fix of Open Notify and of `object_id`. Its altitude and velocity
    are constants that were written beside the position, and its fetch_time has no zone: none of them is an observation.
    """
    if record.get("error") is not None:
        return None
    position = [record.get(key) for key in ("latitude", "longitude", "timestamp")]
    if "fetch_time" in record and position.count(None) == len(position):
        return None
    older = record.get("source") is None
    return Fix(
        object_id=object_id if older else name(record, "object_id"),
        source=OPEN_NOTIFY if older else name(record, "source"),
        event_time=instant(number(record, "timestamp")),
        fetch_time=zoned_time(record.get("fetch_time")),
        latitude_deg=angle("latitude", number(record, "latitude"), 90),
        longitude_deg=angle("longitude", number(record, "longitude"), 180),
        altitude_km=None if older or record.get("altitude_km") is None else number(record, "altitude_km"),
    )


def refuse_constant(constant: str) -> float:
    """Refuse the NaN and Infinity that Python's reader takes and JSON does not have."""
    raise RecordError(f"{constant} is no JSON number")


def name(record: dict[str, Any], key: str) -> str:
    """Return a text that may name an object or a source."""
    value = record.get(key)
    if not isinstance(value, str) or not SAFE_NAME.fullmatch(value):
        raise RecordError(f"{key} is {str(value)[:80]!r}, expected a short name")
    return value


def number(record: dict[str, Any], key: str) -> float:
    """Return a finite number that is written as a number or, as Open Notify writes it, as a string."""
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RecordError(f"{key} is {str(value)[:80]!r}, expected a number")
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        raise RecordError(f"{key} is {str(value)[:80]!r}, expected a number") from None
    if not math.isfinite(parsed):
        raise RecordError(f"{key} is {str(value)[:80]!r}, expected a finite number")
    return parsed


def angle(name: str, value_deg: float, most_deg: int) -> float:
    """Return an angle within [-most_deg, most_deg]."""
    if not -most_deg <= value_deg <= most_deg:
        raise RecordError(f"{name} {value_deg} is out of range")
    return value_deg + 0.0  # -0.0 and 0.0 are one place, and must be one key


def instant(timestamp_s: float) -> datetime:
    """Return a Unix time as UTC, to the microsecond."""
    if not FIRST_TIMESTAMP_S < timestamp_s < LAST_TIMESTAMP_S:
        raise RecordError(f"timestamp {timestamp_s} is out of range")
    return EPOCH + timedelta(microseconds=round(timestamp_s * 1_000_000))


def zoned_time(value: object) -> datetime | None:
    """Return a time in UTC, or None where it is absent or names no zone."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise RecordError(f"fetch_time is {str(value)[:80]!r}, expected ISO 8601")
    try:
        parsed = datetime.fromisoformat(value)
        return None if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RecordError(f"fetch_time is {value[:80]!r}, expected ISO 8601") from None
