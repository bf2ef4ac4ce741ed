"""Rows of a table or a query -> CSV: times in ISO 8601 with Z, nulls empty, empty texts in quotes."""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.exports.export import Export, safe_file_name

NEEDS_QUOTES: Final = r'^$|[",\r\n]'


def to_csv(rows: pa.Table | pa.RecordBatchReader, title: str) -> Export:
    """Return rows as CSV, batch by batch: what a query reads lazily need not fit into memory.

    Numbers have the shortest digits that read back the same; lists and structures are in JSON.
    """
    return Export(safe_file_name(title, suffix="csv"), "text/csv; charset=utf-8; header=present", _pieces(rows))


def _pieces(rows: pa.Table | pa.RecordBatchReader) -> Iterator[bytes]:
    names = _quoted(pa.array(rows.schema.names, pa.string()))
    yield (",".join(names.to_pylist()) + "\n").encode()
    for batch in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        if batch.num_rows:
            columns = [_texts(column) for column in batch.columns]
            lines = pc.binary_join_element_wise(*columns, ",", null_handling="replace", null_replacement="")
            yield ("\n".join(lines.to_pylist()) + "\n").encode()


def _texts(column: pa.Array) -> pa.Array:
    """Return a column as the texts that stand between the commas, null for null."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return _times(column, "Z" if kind.tz else "")
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        texts = [None if value is None else _text(value) for value in column.to_pylist()]
        column = pa.array(texts, pa.string())
    return _quoted(column.cast(pa.string()))


def _times(column: pa.Array, zone: str) -> pa.Array:
    utc = column.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    texts = np.char.add(np.datetime_as_string(utc, unit="us"), zone)
    return pa.array(texts.tolist(), pa.string(), mask=np.isnat(utc))


def _quoted(texts: pa.Array) -> pa.Array:
    doubled = pc.replace_substring(texts, '"', '""')
    in_quotes = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(texts, NEEDS_QUOTES), in_quotes, texts)


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, default=_text, ensure_ascii=False)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
