"""Lines of raw files -> polls: when each had its outcome, when it was asked, and what it gave or why it failed."""

import gzip
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orbitlake.columns import NEVER_US, micros
from orbitlake.positions.raw.merging import DAMAGE
from orbitlake.positions.raw.segments import SEALED, RawFileError, lines_in
from orbitlake.positions.record import MAX_LINE_BYTES, POSITION, RecordError, read_record
from orbitlake.tables import UTC_MICROSECONDS

POLLS: Final = pa.schema(
    [
        ("object_id", pa.string()),
        ("source", pa.string()),
        ("at_us", pa.int64()),
        ("asked_us", pa.int64()),
        ("failure", pa.string()),
        ("stamp_us", pa.int64()),
        ("latitude_deg", pa.float64()),
        ("longitude_deg", pa.float64()),
    ]
)
"""One row a poll: fetch_time (the feed's own stamp where a record has none) and the time before its latency, both in
microseconds since 1970; the kind of failure, null for a fix; what the feed said, NEVER_US and NaN where nothing."""
AT_ONCE_BYTES: Final = 4 * 2**20
MOST_LATENCY_MS: Final = 86_400_000.0
KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ]{0,23}")
"""How the kind of a failure reads: what stands before the first colon of a record's error."""
NO_POSITION: Final = "no position"
OTHER: Final = "other"


def polls_of_file(root: Path, name: str, size: int, object_id: str) -> pa.Table:
    """Return the polls of the first `size` bytes of a raw file, by its path below `root`; what is no record is none.

    `object_id` is the object of records of the older form. Raises RawFileError where the file cannot be read.
    """
    path, found, left, torn = root / name, [POLLS.empty_table()], size, b""
    is_sealed = name.endswith(SEALED)
    try:
        with gzip.open(path) if is_sealed else path.open("rb") as file:
            while content := file.read(AT_ONCE_BYTES if is_sealed else min(left, AT_ONCE_BYTES)):
                left -= len(content)
                # Of a line without an end no more is kept than shows that it is too long.
                whole, newline, rest = content.rpartition(b"\n")
                found.append(polls_of(torn + whole, object_id) if newline else POLLS.empty_table())
                torn = (rest if newline else torn + rest)[: MAX_LINE_BYTES + 1]
    except (OSError, *DAMAGE) as error:
        raise RawFileError(path, error) from error
    return pa.concat_tables(found)


def polls_of(lines: bytes, object_id: str) -> pa.Table:
    """Return the polls of some lines; one that is no record the stream puts into quarantine, with the reason."""
    records = []
    for _, line in lines_in(lines):
        with suppress(RecordError):
            record = read_record(line, object_id)
            # A failure that nothing says the time of is none.
            if record.is_fix or record.fetch_time is not None:
                records.append(record)
    is_placed = np.array([None not in [getattr(record, name) for name in POSITION] for record in records], np.bool_)
    latitude, longitude, stamp_s = (
        np.where(is_placed, np.array([getattr(record, name) for record in records], np.float64), np.nan)
        for name in POSITION
    )
    stamp_us = np.rint(np.where(is_placed, stamp_s, 0) * 1_000_000).astype(np.int64)
    fetch_us = micros(pa.array([record.fetch_time for record in records], UTC_MICROSECONDS))
    at_us = np.where(fetch_us == NEVER_US, stamp_us, fetch_us)
    columns = [
        [record.object_id for record in records],
        [record.source for record in records],
        at_us,
        at_us - np.array([latency_us(record.latency_ms) for record in records], np.int64),
        [None if record.is_fix else kind_of(record.error) for record in records],
        np.where(is_placed, stamp_us, NEVER_US),
        latitude + 0.0,
        longitude + 0.0,
    ]
    return pa.table(columns, schema=POLLS)


def latency_us(latency_ms: Any) -> int:
    """Return how long a poll took, 0 where that is not known."""
    is_known = isinstance(latency_ms, int | float) and 0 <= latency_ms < MOST_LATENCY_MS
    return round(latency_ms * 1000) if is_known else 0


def kind_of(error: object) -> str:
    """Return the kind that a record's error begins with, such as `timeout` or `http 429`."""
    if error is None:
        return NO_POSITION
    kind = str(error).partition(":")[0].strip()
    return kind if KIND.fullmatch(kind) else OTHER
