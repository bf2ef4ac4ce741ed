"""Why the live feed is silent: in the tables, a stream that stands still looks like a feed that gives nothing new."""

import json
import os
from datetime import datetime
from typing import Final

from orbitlake.lake import Lake
from orbitlake.page.answers import Freshness

TAIL_BYTES: Final = 4096
"""Enough for the last whole line of the stream's log of progress."""


def age_of_stream_s(lake: Lake, now: datetime) -> float | None:
    """Return the time since the stream's last micro-batch ended; None where it has never done one."""
    try:
        with lake.stream_progress.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - TAIL_BYTES))
            tail = log.read()
    except FileNotFoundError:
        return None
    # The stream may be in the midst of a line: what follows the last line end is not one yet.
    lines = tail.rpartition(b"\n")[0].splitlines()
    if not lines:
        return None
    return (now - datetime.fromisoformat(json.loads(lines[-1])["finished_at"])).total_seconds()


def why_silent(positions: Freshness, stream_age_s: float | None) -> str | None:
    """Return what a person would look at first; None while the newest fix is young enough."""
    if positions.state == "FRESH":
        return None
    if stream_age_s is None:
        return "no micro-batch of stream_positions is on record"
    if stream_age_s <= positions.stale_after_s:
        return "the stream is at work, but the feed gives no new fix"
    return f"no micro-batch for {stream_age_s:.0f} s: stream_positions or collect_positions has stopped"
