"""Columns of Arrow as numpy, and rows by them: in order, in runs of equal keys, and by object and source."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.physics.kinematics import Reals

OF_OBJECT: Final = ("object_id", "source")
MINUTE_US: Final = 60_000_000
DAY_US: Final = 1440 * MINUTE_US
NEVER_US: Final = np.iinfo(np.int64).min
"""A time that is null."""

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


def order_by(*keys: NDArray[np.generic]) -> Indices:
    """Return the order of rows by the keys, the first one foremost; at least three keys."""
    # Two rows of one object and time are rare, and only they need the other keys.
    order = np.lexsort(keys[1::-1])
    tied = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys[:2]])
    return np.lexsort(keys[::-1]) if tied.any() else order


def starts_of_runs(*keys: NDArray[np.generic]) -> Indices:
    """Return where each run of rows with equal keys begins. Shapes: (n,) each -> (runs,)."""
    if not keys[0].size:
        return np.zeros(0, np.int64)
    changes = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def object_numbers(rows: pa.Table) -> Indices:
    """Return a number for the object and source of each row, in the order of their names."""
    numbers = np.zeros(rows.num_rows, np.int64)
    for name in OF_OBJECT:
        encoded = rows.column(name).combine_chunks().dictionary_encode()
        ranks = pc.rank(encoded.dictionary).to_numpy().astype(np.int64) - 1
        numbers = numbers * ranks.size + ranks[encoded.indices.to_numpy()]
    return numbers


def micros(times: pa.Array | pa.ChunkedArray) -> Indices:
    """A column of times as microseconds since 1970, null as NEVER_US."""
    return np.asarray(times.cast(pa.int64()).fill_null(NEVER_US).to_numpy(), dtype=np.int64)


def reals(values: pa.Array | pa.ChunkedArray) -> Reals:
    """An Arrow column as numpy, null as NaN."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(whole.to_numpy(zero_copy_only=False), dtype=np.float64)
