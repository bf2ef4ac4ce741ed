"""What is revised from issue to issue, passes and approaches, and their rows as columns that can be changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from orbitlake.passes import ground_approaches, site_passes
from orbitlake.tables import APPROACHES, PASSES, Table

Columns = dict[str, NDArray[Any]]
"""Columns by their names, (n,) each: times as datetime64, NaT or NaN where null."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is revised: the table, which of its columns bear identity, place and times, and what else an issue tells.

    `timed` is the one that time_p90_s is of.
    """

    table: Table
    identity: str
    place: str
    begin: str
    peak: str
    end: str
    timed: str
    told: tuple[str, ...]


OF_PASSES: Final = Kind(
    PASSES, "pass_id", "site", "rise_time", "culmination_time", "set_time", "rise_time", site_passes.TOLD[1:]
)
OF_APPROACHES: Final = Kind(
    APPROACHES,
    "approach_id",
    "point",
    "entry_time",
    "closest_time",
    "exit_time",
    "closest_time",
    ground_approaches.TOLD[1:],
)


def columns_from(rows: pa.Table) -> Columns:
    """Return rows as columns that can be revised."""
    columns: Columns = {}
    for name in rows.column_names:
        column = rows.column(name)
        if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
            columns[name] = np.array(column.to_pylist(), dtype=object)
        else:
            columns[name] = np.array(column.to_numpy(zero_copy_only=False))
    return columns


def nothing_told(kind: Kind) -> Columns:
    """Return the columns of a place of which nothing was told yet."""
    return columns_from(kind.table.schema.empty_table().select(own_columns(kind)))


def own_columns(kind: Kind) -> list[str]:
    """Return the columns of a row that change within the file of a place: all but object and place."""
    return [name for name in kind.table.column_names if name not in ("object_id", kind.place)]


def rows_of(kind: Kind, columns: Mapping[str, NDArray[Any]], object_id: str, place: str) -> pa.Table:
    """Return the rows of an object and a place as the table has them."""
    count = columns["revision"].size
    arrays = []
    for field in kind.table.schema:
        if field.name in ("object_id", kind.place):
            whose = object_id if field.name == "object_id" else place
            arrays.append(pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([whose])))
        elif pa.types.is_timestamp(field.type):
            arrays.append(pa.array(columns[field.name].astype("datetime64[us]"), pa.timestamp("us")).cast(field.type))
        else:
            arrays.append(pa.array(columns[field.name], field.type, from_pandas=True))
    return pa.table(arrays, schema=kind.table.schema)
