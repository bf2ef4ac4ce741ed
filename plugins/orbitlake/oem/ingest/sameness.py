"""Whether two deliveries of one issue say the same: in all that the tables hold, or where they differ."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from orbitlake.lake.parquet import in_order
from orbitlake.tables import OEM_COVARIANCES, OEM_ISSUES, OEM_SEGMENTS, STATE_VECTORS, TRAJECTORY_EVENTS, Table

COMPARED: Final = (STATE_VECTORS, OEM_COVARIANCES, TRAJECTORY_EVENTS, OEM_ISSUES, OEM_SEGMENTS)
"""The tables of what a file says, the states first; thrust_episodes follow from them."""
DERIVED: Final = frozenset(
    {
        *("r_km", "theta_rad", "phi_rad", "latitude_deg", "longitude_deg", "altitude_km"),
        *("step_s", "on_thrust", "thrust_episode", "useable", "least_burn_m_s"),
    }
)
"""Columns that follow from others; the last digits of some depend on the processor."""
OF_THE_DELIVERY: Final = frozenset({"file_format", "content_sha256", "source_url", "retrieved_at", "raw_path"})
OF_THE_NOTATION: Final = frozenset({"originator", "comments"})
"""What NASA's text and XML of one issue say differently: `NASA/JSC/FOD/TOPO` and `JSC`, and empty comments."""
WHOLE_SPAN: Final = {"useable_start_time": "start_time", "useable_stop_time": "stop_time"}
"""What stands for a useable time that NASA's XML leaves out."""
STATE_COLUMNS: Final = ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s")
HALF_OF_LAST_DIGIT: Final = 5.1e-13
"""In km and km/s: text prints twelve decimals where XML prints all, and the two of NASA differ by up to 5.01e-13."""


def difference(held: Mapping[Table, pa.Table], arrived: Mapping[Table, pa.Table]) -> str | None:
    """Return the first difference between what the lake holds of an issue and what arrived, None where there is none.

    Both map tables of COMPARED to rows. Within one notation everything that the tables hold counts; across notations
    everything but originator and comments, and a missing useable time is the end of the span. Columns that are derived,
    or that tell of the delivery, never count. Numbers of states are equal within HALF_OF_LAST_DIGIT, others exactly.
    """
    formats = [rows[OEM_ISSUES].column("file_format")[0] for rows in (held, arrived)]
    is_across = formats[0] != formats[1]
    passed_over = DERIVED | OF_THE_DELIVERY | (OF_THE_NOTATION if is_across else frozenset())
    for table in COMPARED:
        stored, delivered = held[table], in_order(arrived[table], table)
        if stored.num_rows != delivered.num_rows:
            what = "states" if table is STATE_VECTORS else f"rows of {table.name}"
            return f"{delivered.num_rows} {what} where the lake holds {stored.num_rows}"
        for name in table.column_names:
            if name in passed_over:
                continue
            was, now = (_values(rows, name, is_across=is_across) for rows in (stored, delivered))
            differs = _differs(name, was, now)
            if differs.any():
                at = int(np.argmax(differs))
                return f"another {name} {_place(table, name, stored, at)}: {now[at]}, the lake holds {was[at]}"
    return None


def _values(rows: pa.Table, name: str, *, is_across: bool) -> pa.ChunkedArray:
    values = rows.column(name)
    return pc.coalesce(values, rows.column(WHOLE_SPAN[name])) if is_across and name in WHOLE_SPAN else values


def _differs(name: str, was: pa.ChunkedArray, now: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return where two columns of one length differ, (n,); two nulls are equal."""
    if name in STATE_COLUMNS:
        apart: NDArray[np.float64] = np.abs(was.to_numpy() - now.to_numpy())
        return apart > HALF_OF_LAST_DIGIT
    if pa.types.is_dictionary(was.type):
        was, now = was.cast(was.type.value_type), now.cast(now.type.value_type)
    if pa.types.is_list(was.type):
        # Arrow compares none.
        pairs = zip(was.to_pylist(), now.to_pylist(), strict=True)
        return np.array([one != other for one, other in pairs], dtype=np.bool_)
    one_is_null = pc.xor(pc.is_null(was), pc.is_null(now))
    differs = pc.or_(pc.fill_null(pc.not_equal(was, now), fill_value=False), one_is_null)
    return np.asarray(differs.to_numpy(), dtype=np.bool_)


def _place(table: Table, column: str, rows: pa.Table, at: int) -> str:
    """Return where a row is: by its epoch, or by its number where that is what differs, or where it has none."""
    if "epoch" in table.column_names and column not in ("epoch", *table.key):
        return f"at {rows.column('epoch')[at].as_py().isoformat()}"
    return f"at state {at + 1}" if table is STATE_VECTORS else f"at row {at + 1} of {table.name}"
