"""Recorded polls and a recorded ephemeris, served as they were: each poll once, torn ones torn."""

import csv
import gzip
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orbitlake.simulator.feeds import open_notify_body

RECORDED_FEED: Final = Path("open_notify", "recordings", "ArshMalik07__iss_location_data.csv")
RECORDED_OEM: Final = Path("oem", "iss", "ISS.OEM_J2K_EPH.2023-03-24.txt.gz")
TIME_COLUMNS: Final = ("timestamp", "ts", "time")
LATITUDE_COLUMNS: Final = ("latitude", "lat", "lattitude", "iss_position_latitude")
LONGITUDE_COLUMNS: Final = ("longitude", "lon", "lng", "iss_position_longitude")
HEADERLESS: Final = ("started", "client_clock", "timestamp", "latitude", "longitude")
"""Columns of the recorders that write no header: start of the script, own clock, then the answer."""
CREATION_DATE: Final = re.compile(rb"CREATION_DATE\s*[=>]\s*(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")


class RecordingError(ValueError):
    """A recording that cannot be replayed; the message names file and reason."""


class Replay:
    """Bodies served in order, each once."""

    def __init__(self, bodies: list[bytes], oem: "RecordedOem | None" = None) -> None:
        self.total = len(bodies)
        self.served = 0
        self.oem = oem
        self._bodies = bodies

    def next_body(self) -> bytes | None:
        """Return the next body, or None once all were served."""
        if self.served == self.total:
            return None
        self.served += 1
        return self._bodies[self.served - 1]


@dataclass(frozen=True, slots=True)
class RecordedOem:
    """An ephemeris file as recorded, unpacked; `suffix` is txt or xml."""

    content: bytes
    suffix: str
    created: datetime | None


def read_feed(path: Path) -> list[bytes]:
    """Return one body a row of a recording: CSV with or without header, or JSON lines; plain or gzip.

    A row with another number of fields than its header, or without numbers, becomes a body that breaks off at it.
    Raises RecordingError where the file has no rows, no header that is known, or no timestamps.
    """
    text = _unpacked(path).decode("utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise RecordingError(f"{path}: holds no rows")
    if lines[0].lstrip().startswith("{"):
        return [line.encode() for line in lines]
    return list(_bodies_of_rows(path, lines))


def read_oem(path: Path) -> RecordedOem:
    """Return a recorded ephemeris with its CREATION_DATE; None where that is not a calendar date."""
    content = _unpacked(path)
    date = CREATION_DATE.search(content[:4096])
    return RecordedOem(
        content=content,
        suffix="xml" if content.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"<") else "txt",
        created=datetime.fromisoformat(date[1].decode()).replace(tzinfo=UTC) if date else None,
    )


def _unpacked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError) as error:
        raise RecordingError(f"{path}: {error}") from error


def _bodies_of_rows(path: Path, lines: list[str]) -> Iterator[bytes]:
    header = [name.strip().lower() for name in next(csv.reader(lines[:1]))]
    has_header = not any(_is_number(field) for field in header)
    names = tuple(header) if has_header else HEADERLESS
    if len(header) != len(names):
        raise RecordingError(f"{path}: no header, and {len(header)} columns where {len(names)} are known")
    columns = [_column(path, names, known) for known in (TIME_COLUMNS, LATITUDE_COLUMNS, LONGITUDE_COLUMNS)]
    for line in lines[has_header:]:
        fields = next(csv.reader(io.StringIO(line)))
        try:
            time, latitude, longitude = (fields[column].strip() for column in columns)
            whole = len(fields) == len(names) and _is_number(latitude) and _is_number(longitude)
            body = open_notify_body(str(_unix_seconds(time)), latitude, longitude) if whole else None
        except (IndexError, ValueError):
            body = None
        yield body or f'{{"message": "success", "timestamp": {json.dumps(line)[1:-1]}'.encode()


def _column(path: Path, names: tuple[str, ...], known: tuple[str, ...]) -> int:
    for name in known:
        if name in names:
            return names.index(name)
    raise RecordingError(f"{path}: has none of the columns {', '.join(known)}")


def _unix_seconds(text: str) -> int:
    """Return whole Unix seconds, rounded down, of a number or a calendar moment; one without zone counts as UTC."""
    if _is_number(text):
        return math.floor(float(text))
    moment = datetime.fromisoformat(text)
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
