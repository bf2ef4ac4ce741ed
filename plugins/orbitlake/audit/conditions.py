"""position_audit -> what is wrong with each feed now, as conditions to be alerted of: one a verdict and feed."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from orbitlake.alerts import Condition
from orbitlake.audit.fix_verdicts import FROZEN, OFFSET, OK, STALE
from orbitlake.audit.notes import Feed
from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.lake.parquet import open_checked
from orbitlake.tables import POSITION_AUDIT

PREFIX: Final = "audit-"
DAYS_LOOKED_AT: Final = 2
"""A feed without a fix for longer says nothing of now."""
LONGEST_NAME: Final = 120
CLEARS: Final = {
    STALE: "five minutes of fixes well within the bound",
    FROZEN: "three fixes that move",
    OFFSET: "five minutes of fixes well within the bound",
}
"""What ends each verdict but OK."""


def feed_conditions(lake: Lake, standing: Sequence[str]) -> list[Condition]:
    """Return what is wrong with feeds, after what is well again; `standing` are the names of alerts that stand.

    An alert of a feed that has had no fix of late is over. Raises LakeError for files of another version.
    """
    found = {each.name: each for feed, row in newest_rows(lake).items() for each in conditions_of(feed, row)}
    ours = [name for name in standing if name.startswith(PREFIX)]
    gone = "no fix of this feed is compared any more"
    ended = [found.get(name, Condition(name, gone, is_wrong=False)) for name in ours]
    wrong = [condition for condition in found.values() if condition.is_wrong]
    return [*(condition for condition in ended if not condition.is_wrong), *wrong]


def newest_rows(lake: Lake) -> dict[Feed, dict[str, Any]]:
    """Return the newest row of each feed of the last days; of rows of one stamp the one that is furthest off."""
    newest: dict[Feed, dict[str, Any]] = {}
    for day in sorted(days_in(lake.closed(POSITION_AUDIT)))[-DAYS_LOOKED_AT:]:
        with open_checked(lake.day(POSITION_AUDIT, day), POSITION_AUDIT, at_once=True) as opened:
            rows = opened.read(use_threads=False)
        feeds = rows.select(["object_id", "source", "event_time"]).group_by(["object_id", "source"])
        last = feeds.aggregate([("event_time", "max")])
        keys = ["object_id", "source", "event_time"]
        of_last = rows.join(last.rename_columns(keys), keys, join_type="inner")
        for row in sorted(of_last.to_pylist(), key=lambda row: row["error_km"]):
            newest[row["object_id"], row["source"]] = row
    return newest


def conditions_of(feed: Feed, row: dict[str, Any]) -> Iterator[Condition]:
    """Yield a condition for each bad verdict that a feed's newest row could have."""
    for verdict, clears in CLEARS.items():
        is_wrong = row["verdict"] == verdict
        yield Condition(name_of(verdict, feed), text_of(feed, row), is_wrong, clears if is_wrong else "")


def name_of(verdict: str, feed: Feed) -> str:
    """What the alert of a verdict on a feed is called."""
    object_id, source = feed
    name = f"{PREFIX}{verdict.lower()}-{source}-{object_id}"
    if len(name) > LONGEST_NAME:
        return f"{name[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:7]}"
    return name


def text_of(feed: Feed, row: dict[str, Any]) -> str:
    """What a feed's newest row says, with the size of the error."""
    object_id, source = feed
    fix = f"{source} at {row['event_time']:%Y-%m-%d %H:%M:%S} UTC"
    error = f"{row['error_km']:.0f} km from where the ephemeris has {object_id}"
    if row["verdict"] == OK:
        return f"{fix}: {error}, within the {row['bound_km']:.0f} km that are explained"
    if row["verdict"] == FROZEN:
        return f"{fix}: stamp or position stands still, {error}"
    side = "ahead" if row["along_track_km"] > 0 else "behind"
    along = f"{abs(row['along_track_km']):.0f} km ({abs(row['along_track_s']):.0f} s) {side} along the track"
    across = f"{abs(row['cross_track_km']):.0f} km across it"
    what = "as old elements are" if row["verdict"] == STALE else "off the track"
    return f"{fix}: {error}, {what}: {along}, {across}; {row['bound_km']:.0f} km along and 4 across are explained"
