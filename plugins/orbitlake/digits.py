"""What "equal" means: derived columns are rounded, and a unit in the last digit is no news.

The last bits of a float are the processor's: sines, arc tangents and sums come out otherwise on another one. Rounded to
the digits of tables.py they are nearly always the same; where a value lies on a boundary, it may still differ by one
unit. What a file or a feed printed is never rounded.
"""

from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.tables import Column, Table

if TYPE_CHECKING:
    # Whoever reads an ephemeris needs no Parquet.
    import pyarrow.parquet as pq

UNITS_ALIKE: Final = 1.5
"""In units of the last digit: one, and what the float itself is off."""
EXACT_BELOW: Final = 2.0**52
"""From there on a float has no digits after the point: scaled so far, it is whole already."""
ROWS_AT_ONCE: Final = 2**17


def rounded(rows: pa.Table, table: Table) -> pa.Table:
    """Return rows, which may have more columns than the table, with its derived columns rounded; null stays null."""
    for column in table.columns:
        if column.decimals is not None:
            place = rows.column_names.index(column.name)
            values = rows.column(place).to_numpy()
            rounded_values = pa.array(rounded_values_of(values, column.decimals), from_pandas=True)
            rows = rows.set_column(place, rows.field(place), rounded_values)
    return rows


def rounded_values_of(values: NDArray[np.float64], decimals: int) -> NDArray[np.float64]:
    """Return numbers rounded to so many decimals, halves to even; -0.0 becomes 0.0, NaN stays. Shapes: (n,) -> (n,)."""
    scale = 10.0**decimals
    scaled = values * scale
    whole = np.rint(scaled)
    whole /= scale
    result: NDArray[np.float64] = np.where(np.abs(scaled) < EXACT_BELOW, whole, values) + 0.0
    return result


def same(ours: pa.ChunkedArray, theirs: pa.ChunkedArray, column: Column) -> NDArray[np.bool_]:
    """Tell where values of one column are equal, derived ones up to a unit in the last digit. (n,), (n,) -> (n,)."""
    if column.decimals is None:
        equal = pc.equal(ours, theirs)
    else:
        apart = pc.abs(pc.subtract(ours, theirs))
        if column.unit == "deg":
            apart = pc.min_element_wise(apart, pc.subtract(360.0, apart), skip_nulls=False)  # 180 and -180 are one
        equal = pc.less_equal(apart, UNITS_ALIKE * 10.0**-column.decimals)
    both_null = pc.and_(pc.is_null(ours), pc.is_null(theirs))
    alike: NDArray[np.bool_] = pc.fill_null(equal, both_null).to_numpy()
    return alike


def same_rows(ours: pa.Table, theirs: pa.Table, table: Table) -> bool:
    """Tell whether two tables hold the same rows in the same order."""
    return ours.num_rows == theirs.num_rows and all(
        same(ours.column(column.name), theirs.column(column.name), column).all() for column in table.columns
    )


def same_files(ours: "pq.ParquetFile", theirs: "pq.ParquetFile", table: Table) -> bool:
    """Tell the same of two files of a table; no more than ROWS_AT_ONCE rows of each are read at a time."""
    if ours.metadata.num_rows != theirs.metadata.num_rows:
        return False
    batches = zip_longest(ours.iter_batches(ROWS_AT_ONCE), theirs.iter_batches(ROWS_AT_ONCE))
    return all(one and other and same_rows(table_of(one), table_of(other), table) for one, other in batches)


def table_of(batch: pa.RecordBatch) -> pa.Table:
    """Return a batch as a table."""
    return pa.Table.from_batches([batch])
