"""prediction_error -> the pairs of issues in it: hours of one pair are nearly one measurement, and count once."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from orbitlake.tables import PREDICTION_ERROR


def errors_in(files: Iterable[Path]) -> pa.Table:
    """Return the rows of files of prediction_error."""
    rows = (pq.ParquetFile(file).read() for file in files)
    return pa.concat_tables([PREDICTION_ERROR.schema.empty_table(), *rows])


def pairs_of(errors: pa.Table) -> NDArray[np.int64]:
    """Return a number for each row's pair of issues: (n,)."""
    created, later = (
        errors.column(name).to_numpy().astype("datetime64[us]").astype(np.int64)
        for name in ("creation_date", "later_creation_date")
    )
    _, number = np.unique(np.column_stack((created, later)), axis=0, return_inverse=True)
    return number.reshape(-1)


def medians_of(group: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each group's values, by the groups' numbers: (n,), (n,) -> (groups,)."""
    if not group.size:
        return np.empty(0)
    order = np.argsort(group, kind="stable")
    _, starts = np.unique(group[order], return_index=True)
    return np.array([float(np.median(part)) for part in np.split(values[order], starts[1:])])
