"""Raw records in the form that the collector writes, read many at a time; a line in any other form is left alone."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from orbitlake.lake.paths import SAFE_NAME
from orbitlake.positions.derive.order import Mask, reals
from orbitlake.positions.record import FIRST_TIMESTAMP_S, LAST_TIMESTAMP_S
from orbitlake.tables import UTC_MICROSECONDS

# One object, nothing nested in it, printable ASCII without an escape: what a JSON reader makes of it is beyond doubt.
# pyarrow.json takes two objects in a line for two rows, and a bare null takes it, and the whole process, down.
PLAIN_LINE: Final = r"^\{[ -Z^-z|~]*\}$"
MOST_BYTES: Final = 1024
FETCH_TIME: Final = r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z$"
FIELDS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("object_id", "source", "fetch_time", "error")),
        *((name, pa.float64()) for name in ("latitude", "longitude", "timestamp", "altitude_km")),
    ]
)
NAME: Final = f"^(?:{SAFE_NAME.pattern})$"
READ: Final = pa_json.ReadOptions(use_threads=False, block_size=2**24)


def read_plain(lines: pa.Array) -> tuple[Mask, pa.Table]:
    """Return which lines (binary) are surely plain fixes, and the base columns of those, just as `read_line` has them.

    A line that is not chosen may be anything, a fix included.
    """
    is_plain = plain(lines)
    chosen = np.flatnonzero(is_plain)
    try:
        records = parsed(lines.take(chosen))
        is_fix = valid(records)
        columns = base_columns(records.filter(pa.array(is_fix)))
    except pa.ArrowInvalid:
        # Some line is no JSON or has a field of another type; which one it is, read_line will say.
        return np.zeros(len(lines), np.bool_), base_columns(FIELDS.empty_table())
    is_plain[chosen] = is_fix
    return is_plain, columns


def plain(lines: pa.Array) -> Mask:
    """Whether a line (binary) is short and in the form of PLAIN_LINE."""
    is_short = pc.less_equal(pc.binary_length(lines), MOST_BYTES)
    return mask(pc.and_(is_short, pc.match_substring_regex(lines, PLAIN_LINE)))


def parsed(lines: pa.Array, fields: pa.Schema = FIELDS) -> pa.Table:
    """Return some fields of plain lines that are one flat object each. Raises ArrowInvalid where any is not."""
    if not len(lines):
        return fields.empty_table()
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), b"\n")[0].as_buffer()
    parse = pa_json.ParseOptions(explicit_schema=fields, unexpected_field_behavior="ignore")
    records = pa_json.read_json(pa.BufferReader(whole), read_options=READ, parse_options=parse)
    return records.select(fields.names).combine_chunks()


def valid(records: pa.Table) -> Mask:
    """Whether a record is a fix by the rules of `read_line`, with a fetch_time in UTC."""
    altitude = reals(records.column("altitude_km"))
    good = mask(pc.is_null(records.column("error"))) & named(records) & positioned(records)
    return np.asarray(good & ~np.isinf(altitude))


def named(records: pa.Table) -> Mask:
    """Whether a record names object, source and a fetch_time in UTC."""
    good = np.ones(records.num_rows, np.bool_)
    for name, pattern in (("object_id", NAME), ("source", NAME), ("fetch_time", FETCH_TIME)):
        good &= mask(pc.match_substring_regex(records.column(name), pattern))
    return good


def positioned(records: pa.Table) -> Mask:
    """Whether a record has latitude, longitude and timestamp, all within their ranges."""
    latitude, longitude, timestamp_s = (reals(records.column(name)) for name in ("latitude", "longitude", "timestamp"))
    good = (np.abs(latitude) <= 90) & (np.abs(longitude) <= 180)
    return np.asarray(good & (timestamp_s > FIRST_TIMESTAMP_S) & (timestamp_s < LAST_TIMESTAMP_S))


def base_columns(records: pa.Table) -> pa.Table:
    """Turn valid records into fixes. Raises ArrowInvalid on a fetch_time that no calendar has."""
    event_us = np.rint(reals(records.column("timestamp")) * 1_000_000).astype(np.int64)
    return pa.table(
        {
            "object_id": records.column("object_id"),
            "source": records.column("source"),
            "event_time": pa.array(event_us).cast(UTC_MICROSECONDS),
            "fetch_time": records.column("fetch_time").cast(UTC_MICROSECONDS),
            # -0.0 and 0.0 are one place, and must be one key.
            "latitude_deg": reals(records.column("latitude")) + 0.0,
            "longitude_deg": reals(records.column("longitude")) + 0.0,
            "altitude_km": records.column("altitude_km"),
        }
    )


def mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """A boolean column as numpy, null as False."""
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
