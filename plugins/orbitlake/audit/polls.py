"""Lines of raw files -> polls: when each had its outcome, when it was asked, and what it gave or why it failed."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake.lines import end_of_lines
from orbitlake.physics.kinematics import Reals
from orbitlake.positions.derive.order import NEVER_US, Indices, Mask, reals
from orbitlake.positions.plain import FIELDS, named, parsed, plain, positioned, valid
from orbitlake.positions.raw.reading import Packed, Piece, lines_of
from orbitlake.positions.raw.segments import SEALED
from orbitlake.positions.record import EPOCH, OPEN_NOTIFY, RecordError, fix_of, name, read_object, text_of, zoned_time
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
PLAIN_FIELDS: Final = pa.unify_schemas([FIELDS, pa.schema([("latency_ms", pa.float64())])])
LINES_AT_ONCE: Final = 5_000
MOST_LATENCY_MS: Final = 86_400_000.0
KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ]{0,23}")
"""How the kind of a failure reads: what stands before the first colon of a record's error."""
NO_POSITION: Final = "no position"
OTHER: Final = "other"


def polls_of_file(root: Path, name: str, size: int, object_id: str) -> pa.Table:
    """Return the polls of the first `size` bytes of a raw file, by its path below `root`; what is no record is none.

    `object_id` is the object of records of the older form. Raises RawFileError where the file cannot be read.
    """
    found = [read_polls(lines, object_id) for lines in blocks(root, name, size)]
    return pa.concat_tables([POLLS.empty_table(), *found])


def blocks(root: Path, name: str, size: int) -> Iterator[pa.Array]:
    """Yield the whole lines of a raw file, some at a time."""
    if name.endswith(SEALED):
        piece = Piece(name, 0, Packed.of(root / name).size, (0, 0))
    else:
        piece = Piece(name, 0, end_of_lines(root / name, 0, size))
    lines = (line for _, line in lines_of(root, piece))
    while block := list(islice(lines, LINES_AT_ONCE)):
        yield pa.array(block, pa.binary())


def read_polls(lines: pa.Array, object_id: str) -> pa.Table:
    """Return the polls of some lines, in no order: most at once, the others one by one."""
    is_read, polls = read_plain_polls(lines)
    rows = []
    for line in lines.filter(pa.array(~is_read)).to_pylist():
        try:
            rows.append(poll_of(read_object(text_of(line)), object_id))
        except RecordError:
            # The stream puts it into quarantine, with the reason.
            continue
    others = pa.Table.from_pylist([row for row in rows if row is not None], POLLS)
    return pa.concat_tables([polls, others])


def read_plain_polls(lines: pa.Array) -> tuple[Mask, pa.Table]:
    """Return which lines are surely plain records of polls, failed ones too, and the polls of those."""
    is_read = plain(lines)
    chosen = np.flatnonzero(is_read)
    try:
        records = parsed(lines.take(chosen), PLAIN_FIELDS)
        is_poll = valid(records) | (named(records) & np.asarray(pc.is_valid(records.column("error"))))
        polls = plain_polls(records.filter(pa.array(is_poll)))
    except pa.ArrowInvalid:
        return np.zeros(len(lines), np.bool_), POLLS.empty_table()
    is_read[chosen] = is_poll
    return is_read, polls


def plain_polls(records: pa.Table) -> pa.Table:
    """Turn records into polls. Raises ArrowInvalid on a fetch_time that no calendar has."""
    at_us = records.column("fetch_time").cast(UTC_MICROSECONDS).cast(pa.int64()).to_numpy()
    is_placed = positioned(records)
    stamps_us = np.rint(np.where(is_placed, reals(records.column("timestamp")), 0) * 1_000_000).astype(np.int64)
    errors = records.column("error").combine_chunks().dictionary_encode()
    kinds = pa.array([kind_of(error) for error in errors.dictionary.to_pylist()], pa.string())
    place = [np.where(is_placed, reals(records.column(key)), np.nan) + 0.0 for key in ("latitude", "longitude")]
    columns = [
        records.column("object_id"),
        records.column("source"),
        at_us,
        at_us - latency_us(reals(records.column("latency_ms"))),
        kinds.take(errors.indices),
        np.where(is_placed, stamps_us, NEVER_US),
        *place,
    ]
    return pa.table(columns, schema=POLLS)


def latency_us(latency_ms: Reals) -> Indices:
    """Return how long polls took, 0 where that is not known. Shapes: (n,) -> (n,)."""
    is_known = (latency_ms >= 0) & (latency_ms < MOST_LATENCY_MS)
    return np.asarray(np.rint(np.where(is_known, latency_ms, 0.0) * 1000).astype(np.int64))


def poll_of(record: Mapping[str, Any], object_id: str) -> dict[str, Any] | None:
    """Return the poll of a record as a row of POLLS, None where nothing says when it was. Raises RecordError."""
    fix = fix_of(dict(record), object_id)
    if fix is not None:
        at, owner, source, failure = fix.fetch_time or fix.event_time, fix.object_id, fix.source, None
        place = micros_of(fix.event_time), fix.latitude_deg, fix.longitude_deg
    else:
        fetched = zoned_time(record.get("fetch_time"))
        if fetched is None:
            return None
        is_older = record.get("source") is None
        owner, source = (
            (object_id, OPEN_NOTIFY) if is_older else (name(dict(record), "object_id"), name(dict(record), "source"))
        )
        at, failure = fetched, kind_of(record.get("error"))
        place = said_in_failure(record, object_id)
    latency = record.get("latency_ms")
    known_ms = float(latency) if isinstance(latency, int | float) and abs(latency) < MOST_LATENCY_MS else np.nan
    asked_us = micros_of(at) - int(latency_us(np.array([known_ms]))[0])
    return dict(zip(POLLS.names, (owner, source, micros_of(at), asked_us, failure, *place), strict=True))


def said_in_failure(record: Mapping[str, Any], object_id: str) -> tuple[int, float, float]:
    """Return stamp and position of an answer that was refused, such as one of another time; NEVER_US, NaN without."""
    try:
        fix = fix_of({**record, "error": None}, object_id)
    except RecordError:
        fix = None
    return (NEVER_US, np.nan, np.nan) if fix is None else (
        micros_of(fix.event_time), fix.latitude_deg, fix.longitude_deg
    )  # fmt: skip


def kind_of(error: object) -> str:
    """Return the kind that a record's error begins with, such as `timeout` or `http 429`."""
    if error is None:
        return NO_POSITION
    kind = str(error).partition(":")[0].strip()
    return kind if KIND.fullmatch(kind) else OTHER


def micros_of(at: datetime) -> int:
    """Return a moment in microseconds since 1970."""
    span = at - EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
