"""The bad lines of a batch -> one entry of quarantine, with where they come from and why they are bad."""

import sys
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.quarantine import bound_quarantine, quarantine

MOST_BAD_BYTES: Final = 8 * 2**20
"""Bad lines that are kept whole; of more than so many bytes nobody can make use, and the raw files have them."""
BAD_LINES_NAME: Final = "open_notify.json"
"""What the bad lines of a batch are called in quarantine."""
REASONS_NAMED: Final = 5
LINES_NAMED: Final = 1_000
"""Most bad lines, and most files with such, that are named one by one."""
IN_ORDER: Final = [("file_name", "ascending"), ("offset", "ascending")]


def keep_bad_lines(lake: Lake, bad: pa.Table, most_bytes: int) -> None:
    """Put the bad lines of a batch into quarantine, as one file, and keep the quarantine within `most_bytes`.

    Beside it stands where the first of them come from and why they are bad, and how many are not there for their size:
    those are in the raw files alone. The file is named by its bytes: read again, from a sealed day now, the lines are
    the same ones.
    """
    sizes = pc.cumulative_sum(pc.binary_length(bad.column("line")).cast(pa.int64()), skip_nulls=True)
    kept = bad.filter(pc.fill_null(pc.less_equal(sizes, min(most_bytes, MOST_BAD_BYTES)), False))
    reasons = list(dict.fromkeys(bad.column("reason").to_pylist()))
    more = f"; and {len(reasons) - REASONS_NAMED} other reasons" if len(reasons) > REASONS_NAMED else ""
    named = bad.slice(0, LINES_NAMED).select(["file_name", "offset", "reason"]).to_pylist()
    files = bad.group_by("file_name").aggregate([("offset", "min"), ("offset", "max"), ("reason", "count")])
    quarantine(
        lake,
        BAD_LINES_NAME,
        b"\n".join(kept.column("line").to_pylist()),
        "; ".join(reasons[:REASONS_NAMED]) + more,
        lines=bad.num_rows,
        lines_kept=kept.num_rows,
        first_lines=named,
        files=[
            {"file_name": row["file_name"], "lines": row["reason_count"]}
            | {"first": row["offset_min"], "last": row["offset_max"]}
            for row in files.slice(0, LINES_NAMED).to_pylist()
        ],
    )
    if kept.num_rows < bad.num_rows:
        numbers = f"{bad.num_rows} bad lines in a batch: the first {kept.num_rows} are in quarantine, all are in raw/"
        print(numbers, file=sys.stderr, flush=True)
    bound_quarantine(lake, most_bytes)
