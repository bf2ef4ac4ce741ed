"""raw records -> live positions and window_stats, a micro-batch at a time; a batch done again changes nothing."""

import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from orbitlake.digits import same
from orbitlake.lake import Lake, bound_quarantine, quarantine, write_file
from orbitlake.positions.fixes import BAD, FAILED, FIX, MOST_BAD_BYTES, read_records
from orbitlake.positions.live import (
    OWNER,
    correct_rows,
    joined_stretches,
    lack_file,
    owned,
    publish_rows,
    read_back,
)  # fmt: skip
from orbitlake.positions.merge import Merged, merge_fixes
from orbitlake.positions.state import Checkpoint, State
from orbitlake.positions.track import BASE_COLUMNS, LONGEST_GAP_US, MINUTE_US, OF_OBJECT, micros
from orbitlake.positions.windows import minutes_of
from orbitlake.settings import from_environment
from orbitlake.tables import POSITIONS, WINDOW_STATS

MOST_PROGRESS_BYTES: Final = 2**20
BAD_LINES_NAME: Final = "open_notify.json"
"""What the bad lines of a batch are called in quarantine."""
REASONS_NAMED: Final = 5
LINES_NAMED: Final = 1_000
"""Most bad lines, and most files with such, that are named one by one."""


@dataclass(slots=True)
class Progress:
    """What one batch did: counts of rows, and how far behind now the newest answer was when it became visible."""

    batch: int
    records: int = 0
    fixes: int = 0
    rows: int = 0
    repeats: int = 0
    late: int = 0
    failed_polls: int = 0
    bad: int = 0
    corrected: int = 0
    lag_s: float | None = None
    duration_s: float = 0.0
    finished_at: str = ""


@dataclass(frozen=True, slots=True)
class PositionStream:
    """The work of a batch on one checkpoint. `object_id` is the object of records of the older form."""

    checkpoint: Checkpoint
    object_id: str

    def process(self, lines: DataFrame, batch: int) -> Progress:
        """Publish the batch: new rows first, then corrections, then the state that the next batch starts from.

        Until that state and Spark's own commit are on disk the batch may be done again: from the same state and the
        same records, so with the same rows in the same files.
        """
        began = time.monotonic()
        records = read_records(lines, self.object_id)
        fixes = of_outcome(records, FIX).select(list(BASE_COLUMNS))
        bad = of_outcome(records, BAD)
        progress = Progress(
            batch,
            records=records.num_rows,
            fixes=fixes.num_rows,
            failed_polls=of_outcome(records, FAILED).num_rows,
            bad=bad.num_rows,
        )
        if bad.num_rows:
            keep_bad_lines(self.checkpoint.lake, bad, from_environment().keep_quarantine_bytes)
        if fixes.num_rows:
            self.publish(fixes, progress)
        now = datetime.now(UTC)
        newest_fetch = pc.max(fixes.column("fetch_time")).as_py()
        if newest_fetch and progress.rows:
            progress.lag_s = round((now - newest_fetch).total_seconds(), 3)
        progress.duration_s = round(time.monotonic() - began, 3)
        progress.finished_at = now.isoformat(timespec="milliseconds")
        return progress

    def publish(self, fixes: pa.Table, progress: Progress) -> None:
        """Derive and write what the fixes of the batch change."""
        lake, staging = self.checkpoint.lake, self.checkpoint.staging
        owner = self.checkpoint.owner(progress.batch)
        state = self.checkpoint.load(progress.batch)
        floors = state.floors()
        known = with_stretches(lake, state, late_stretches(fixes, floors), owner)

        merged = merge_fixes(known.positions, fixes)
        new = merged.where(merged.is_new)
        progress.rows, progress.late = new.num_rows, late_fixes(new, floors).num_rows
        progress.repeats = progress.fixes - progress.rows
        merged = reported_anew(lake, merged)
        new, changed = merged.where(merged.is_new), merged.where(merged.is_changed)
        progress.corrected = changed.num_rows
        if not new.num_rows and not changed.num_rows:
            return
        publish_rows(lake, POSITIONS, new, owner, staging)
        correct_rows(lake, POSITIONS, changed, staging)
        minutes = minutes_of(merged.where(merged.touched))
        minutes = differing(with_owner(minutes, known.window_stats), known.window_stats)
        is_published = pc.is_valid(minutes.column(OWNER))
        publish_rows(lake, WINDOW_STATS, minutes.filter(pc.invert(is_published)), owner, staging)
        correct_rows(lake, WINDOW_STATS, minutes.filter(is_published), staging)
        self.checkpoint.save(state_after(state, merged, minutes, owner), progress.batch + 1)

    def report(self, progress: Progress) -> None:
        """Say what a batch did: a JSON line in the job's log, and in a file that stays small."""
        line = json.dumps(asdict(progress))
        print(line, flush=True)
        append_line(self.checkpoint.progress_log, line, self.checkpoint.staging)


def keep_bad_lines(lake: Lake, bad: pa.Table, most_bytes: int) -> None:
    """Put the bad lines of a batch into quarantine, as one file, and keep the quarantine within `most_bytes`.

    Beside it stands where the first of them come from and why they are bad, and how many are not there for their size:
    those are in the raw files alone. The file is named by its bytes: read again, from a sealed day now, the lines are
    the same ones.
    """
    sizes = pc.cumulative_sum(pc.binary_length(bad.column("line")).cast(pa.int64()), skip_nulls=True)
    kept = bad.filter(pc.fill_null(pc.less_equal(sizes, min(most_bytes, MOST_BAD_BYTES)), False))
    counts = Counter(bad.column("reason").to_pylist())
    reasons = [reason for reason, _ in zip(counts, range(REASONS_NAMED), strict=False)]
    more = len(counts) - len(reasons)
    named = bad.slice(0, LINES_NAMED).select(["file_name", "offset", "reason"]).to_pylist()
    files = bad.group_by("file_name").aggregate([("offset", "min"), ("offset", "max"), ("reason", "count")])
    quarantine(
        lake,
        BAD_LINES_NAME,
        b"\n".join(kept.column("line").to_pylist()),
        "; ".join(reasons) + (f"; and {more} other reasons" if more else ""),
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
        print(
            f"{bad.num_rows} bad lines in a batch: the first {kept.num_rows} are in quarantine, all are in raw/",
            file=sys.stderr,
            flush=True,
        )
    bound_quarantine(lake, most_bytes)


def of_outcome(records: pa.Table, outcome: str) -> pa.Table:
    """Keep the records that came out so."""
    return records.filter(pc.equal(records.column("outcome"), outcome))


def late_stretches(fixes: pa.Table, floors: pa.Table) -> pa.Table:
    """Return what must be read back: around each fix so late that its minute or its neighbours have left the state.

    As STRETCHES, each from the longest gap before the minute of a fix to the end of the last minute that it bears on:
    one fix of years ago costs what one of an hour ago does.
    """
    late = late_fixes(fixes, floors)
    at_us, floor_us = micros(late.column("event_time")), micros(late.column("floor"))
    since_us = at_us // MINUTE_US * MINUTE_US - LONGEST_GAP_US
    until_us = np.minimum(floor_us, ((at_us + LONGEST_GAP_US) // MINUTE_US + 1) * MINUTE_US)
    return joined_stretches(late.select(list(OF_OBJECT)), since_us, until_us)


def late_fixes(fixes: pa.Table, floors: pa.Table) -> pa.Table:
    """Keep the fixes from before their object's floor, with it (floor)."""
    known = fixes.select([*OF_OBJECT, "event_time"]).join(floors, keys=list(OF_OBJECT), join_type="inner")
    return known.filter(pc.less(known.column("event_time"), known.column("floor"))).combine_chunks()


def reported_anew(lake: Lake, merged: Merged) -> Merged:
    """Let a row count as new where another report of it is published, and in closed days alone.

    The next compaction takes the earlier report; readers of a closed day do not see it until then.
    """
    rows = np.flatnonzero(merged.is_reported)
    anew = np.zeros(merged.is_new.size, np.bool_)
    anew[rows] = lack_file(lake, POSITIONS, merged.rows.take(pa.array(rows)))
    return replace(merged, is_new=merged.is_new | anew, is_changed=merged.is_changed & ~anew)


def with_stretches(lake: Lake, state: State, stretches: pa.Table, owner: str) -> State:
    """Return the state and what the published files hold of some stretches before it."""
    if not stretches.num_rows:
        return state
    return State(
        pa.concat_tables([state.positions, read_back(lake, POSITIONS, stretches, owner)]),
        pa.concat_tables([state.window_stats, read_back(lake, WINDOW_STATS, stretches, owner)]),
    )


def with_owner(minutes: pa.Table, published: pa.Table) -> pa.Table:
    """Add the live file that owns each minute already, null for a new one."""
    key = list(WINDOW_STATS.key)
    joined = minutes.join(published.select([*key, OWNER]), keys=key, join_type="left outer")
    return joined.select(owned(WINDOW_STATS).column_names).cast(owned(WINDOW_STATS).schema)


def differing(minutes: pa.Table, published: pa.Table) -> pa.Table:
    """Drop the minutes that are published just so."""
    key = list(WINDOW_STATS.key)
    both = minutes.join(published, keys=key, join_type="left outer", right_suffix="_published")
    alike = pc.is_valid(both.column("data_points_published")).to_numpy()
    for column in owned(WINDOW_STATS).columns:
        if column.name not in key:
            alike &= same(both.column(column.name), both.column(f"{column.name}_published"), column)
    return both.filter(pa.array(~alike)).select(minutes.column_names).cast(minutes.schema)


def state_after(state: State, merged: Merged, minutes: pa.Table, owner: str) -> State:
    """Return the state that the next batch starts from; `minutes` are those that changed."""
    positions = merged.where(merged.kept)
    owners = pc.if_else(pa.array(merged.is_new[merged.kept]), owner, positions.column(OWNER))
    positions = positions.set_column(positions.column_names.index(OWNER), OWNER, owners)

    owners = pc.fill_null(minutes.column(OWNER), owner)
    minutes = minutes.set_column(minutes.column_names.index(OWNER), OWNER, owners)
    key = list(WINDOW_STATS.key)
    untouched = state.window_stats.join(minutes.select(key), keys=key, join_type="left anti")
    schema = owned(WINDOW_STATS).schema
    window_stats = pa.concat_tables([untouched.cast(schema), minutes.cast(schema)])
    after = State(positions, window_stats)
    return State(positions, since_floors(window_stats, after.floors()))


def since_floors(window_stats: pa.Table, floors: pa.Table) -> pa.Table:
    """Keep the minutes from their object's floor on."""
    rows = window_stats.join(floors, keys=list(OF_OBJECT), join_type="inner")
    rows = rows.filter(pc.greater_equal(rows.column("window_start"), rows.column("floor")))
    return rows.select(window_stats.column_names).cast(window_stats.schema)


def append_line(log: Path, line: str, staging: Path) -> None:
    """Add a line to the log of progress, which keeps its last thousands of lines."""
    if log.exists() and log.stat().st_size > MOST_PROGRESS_BYTES:
        lines = log.read_text().splitlines(keepends=True)
        write_file(log, "".join(lines[len(lines) // 2 :]).encode(), staging)
    with log.open("a") as sink:
        sink.write(line + "\n")
