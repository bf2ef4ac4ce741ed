"""position_audit -> what feeds saw of an object since an issue was made."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.lake.parquet import open_checked
from orbitlake.tables import POSITION_AUDIT
from orbitlake.trajectory.arcs import Arc, micros
from orbitlake.trajectory.best_path import EPOCH_DAY
from orbitlake.trajectory.correction import DAY_US, Observations

COLUMNS: Final = ("object_id", "event_time", "creation_date", "along_track_s", "verdict")
OK: Final = "OK"
"""Fixes of any other verdict tell of the feed."""


def observations(lake: Lake, object_id: str, arc: Arc, known_us: int) -> Observations:
    """Return what was seen of the issue of an arc, from its creation to a moment in microseconds since 1970, UTC."""
    last_us = min(arc.stop_tai_us, known_us)
    seen_us, ahead_s = [np.empty(0, np.int64)], [np.empty(0)]
    for day in days_in(lake.closed(POSITION_AUDIT)):
        start_us = (day - EPOCH_DAY).days * DAY_US
        if arc.creation_us - DAY_US < start_us <= last_us:
            with open_checked(lake.day(POSITION_AUDIT, day), POSITION_AUDIT) as opened:
                rows = opened.read(list(COLUMNS))
            of_issue = pc.and_(
                pc.equal(rows.column("object_id").cast(pa.string()), object_id),
                pc.and_(pc.equal(rows.column("verdict"), OK), _is_of(rows, arc, last_us)),
            )
            rows = rows.filter(of_issue)
            seen_us.append(micros(rows, "event_time"))
            ahead_s.append(rows.column("along_track_s").to_numpy())
    return Observations.of_fixes(np.concatenate(seen_us), np.concatenate(ahead_s))


def _is_of(rows: pa.Table, arc: Arc, last_us: int) -> pa.Array:
    created_us, seen_us = (micros(rows, name) for name in ("creation_date", "event_time"))
    return pa.array((created_us == arc.creation_us) & (seen_us > arc.creation_us) & (seen_us <= last_us))
