"""Rows of a table or a query -> CSV: times in ISO 8601 with Z, nulls empty, empty texts in quotes."""

import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from orbitlake.exports.export import Export, safe_file_name


def to_csv(rows: pa.Table | pa.RecordBatchReader, title: str) -> Export:
    """Return rows as CSV, batch by batch: what a query reads lazily need not fit into memory.

    Numbers have the shortest digits that read back the same; lists and structures are in JSON.
    """
    return Export(safe_file_name(title, suffix="csv"), "text/csv; charset=utf-8; header=present", _pieces(rows))


def _pieces(rows: pa.Table | pa.RecordBatchReader) -> Iterator[bytes]:
    schema = pa.schema([pa.field(field.name, _written(field.type)) for field in rows.schema])
    yield _csv(schema.empty_table(), with_header=True)
    for batch in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        columns = [_shown(column).cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
        yield _csv(pa.Table.from_arrays(columns, schema=schema), with_header=False)


def _csv(rows: pa.Table, *, with_header: bool) -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(rows, sink, pa_csv.WriteOptions(include_header=with_header))
    return sink.getvalue()


def _written(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column is written in: numbers and truth as they are, all else as text."""
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return kind if is_plain else pa.string()


def _shown(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_timestamp(kind):
        utc = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        zone = "Z" if kind.tz else ""
        texts = np.char.add(np.datetime_as_string(utc, unit="us"), zone) if utc.size else []
        return pa.array(texts, pa.string(), mask=np.isnat(utc))
    if _written(kind) == kind or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    return pa.array([None if value is None else _text(value) for value in column.to_pylist()], pa.string())


def _text(value: Any) -> str:
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=_text, ensure_ascii=False)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
