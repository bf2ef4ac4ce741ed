"""Rows derived now beside those that are published: which are new, and which say something else."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.digits import same
from orbitlake.physics.kinematics import Reals
from orbitlake.positions.derive.order import (
    NONE,
    OF_OBJECT,
    Indices,
    Mask,
    micros,
    object_numbers,
    reals,
    starts_of_runs,
)
from orbitlake.tables import Table


@dataclass(frozen=True, slots=True)
class Published:
    """Whether a row derived now is not published, and whether it is published in another form. Shapes: (n,)."""

    is_new: Mask
    differs: Mask

    @property
    def is_changed(self) -> Mask:
        return self.is_new | self.differs


def published_rows(before: pa.Table, now: pa.Table, found: Indices, table: Table) -> Published:
    """Compare rows with those published; `found` is the row of `before` with the same key, NONE without one."""
    differs = np.zeros(now.num_rows, np.bool_)
    candidates = np.flatnonzero(found != NONE)
    if candidates.size:
        ours, theirs = now.take(pa.array(candidates)), before.take(pa.array(found[candidates]))
        for column in table.columns:
            if column.name not in table.key:
                differs[candidates] |= ~same(ours.column(column.name), theirs.column(column.name), column)
    return Published(found == NONE, differs)


def matched(before: pa.Table, now: pa.Table, table: Table) -> Indices:
    """Return for each row of `now` the last row of `before` with the same key, NONE without one."""
    key = list(table.key)
    both = pa.concat_tables([before.select(key), now.select(key)])
    keys = [object_numbers(both), *(values_of(both.column(name)) for name in key if name not in OF_OBJECT)]
    order = np.lexsort(keys[::-1])
    if not order.size:
        return np.zeros(0, np.int64)
    starts = starts_of_runs(*(values[order] for values in keys))
    is_before = order < before.num_rows
    last_before = np.maximum.reduceat(np.where(is_before, order, NONE), starts)
    of_now = np.maximum.reduceat(np.where(is_before, NONE, order - before.num_rows), starts)
    found = np.full(now.num_rows, NONE)
    found[of_now[of_now != NONE]] = last_before[of_now != NONE]
    return found


def values_of(column: pa.ChunkedArray) -> Indices | Reals:
    """A column of a key as numpy."""
    return micros(column) if pa.types.is_timestamp(column.type) else reals(pc.cast(column, pa.float64()))
