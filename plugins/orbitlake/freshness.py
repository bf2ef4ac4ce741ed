"""Whether data still arrive: fixes, batches of the stream, issues; judged by when they came, not by what they say."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from orbitlake.alerts import Condition
from orbitlake.lake import PART, Lake, days_in, folder_name
from orbitlake.positions.raw_files import is_packed, scan
from orbitlake.tables import OEM_ISSUES

FEED, STREAM, ISSUE = "feed-silent", "stream-behind", "issue-old"
TAIL_BYTES: Final = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each may fail to come."""

    feed: timedelta
    stream: timedelta
    issue: timedelta


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When things arrived, by this machine's clock; None where nothing did.

    Records are looked at from the newest back to the first that is older than any limit, `oldest_poll`. `waits_since`
    is the oldest of them that came after the last batch of the stream.
    """

    newest_poll: datetime | None = None
    oldest_poll: datetime | None = None
    poll_error: str | None = None
    newest_fix: datetime | None = None
    newest_batch: datetime | None = None
    waits_since: datetime | None = None
    newest_issue: datetime | None = None


def arrivals(lake: Lake, object_id: str, limits: Limits, now: datetime, *, issues_by_arrival: bool) -> Arrivals:
    """Look at the lake: at the raw records within the limits, the stream's last line of progress, names of issues.

    `issues_by_arrival` takes the time at which the newest issue arrived instead of its creation date: a replay serves
    issues of years ago.
    """
    earliest = now - max(limits.feed, limits.stream)
    newest_batch = last_batch(lake)
    seen: dict[str, Any] = {}
    for file, at in records(lake):
        seen.setdefault("newest_poll", at)
        seen["oldest_poll"] = at
        if at < earliest:
            if waits(file, at, newest_batch):
                seen["waits_since"] = at
            break
        if waits(file, at, newest_batch):
            seen["waits_since"] = at
        if "newest_fix" not in seen and not is_packed(file.name):
            has_fix, error = told_by(file)
            if has_fix:
                seen["newest_fix"] = at
            elif at == seen["newest_poll"]:
                seen["poll_error"] = error
    newest_issue = last_issue(lake, object_id, by_arrival=issues_by_arrival)
    return Arrivals(**seen, newest_batch=newest_batch, newest_issue=newest_issue)


def judged(seen: Arrivals, limits: Limits, now: datetime) -> list[Condition]:
    """Say of feed, stream and issue how they are; of what never came there is nothing to say, and nothing is wrong."""
    return [feed_condition(seen, limits, now), stream_condition(seen, limits, now), issue_condition(seen, limits, now)]


def feed_condition(seen: Arrivals, limits: Limits, now: datetime) -> Condition:
    """A feed is silent when polls, as far as one can look back, gave no fix for long; one that just began is not."""
    if seen.oldest_poll is None or seen.newest_poll is None:
        return Condition(FEED, "nothing was polled yet", is_wrong=False)
    if seen.newest_fix and now - seen.newest_fix <= limits.feed:
        return Condition(FEED, f"the newest fix arrived at {shown(seen.newest_fix)}", is_wrong=False)
    if now - (seen.newest_fix or seen.oldest_poll) <= limits.feed:
        return Condition(FEED, f"polled since {shown(seen.oldest_poll)}, no fix yet", is_wrong=False)
    within = f"no fix has arrived for more than {in_minutes(limits.feed)}"
    if now - seen.newest_poll > limits.feed:
        text = f"{within}: the last poll was at {shown(seen.newest_poll)}, collect_positions does not run"
    else:
        text = f"{within}: the newest poll, at {shown(seen.newest_poll)}, says: {seen.poll_error or 'no reason'}"
    return Condition(FEED, text, is_wrong=True)


def stream_condition(seen: Arrivals, limits: Limits, now: datetime) -> Condition:
    """The stream is behind when a raw record has waited for long; while none arrives it has nothing to do."""
    last = f"the last batch ended at {shown(seen.newest_batch)}" if seen.newest_batch else "no batch has ended yet"
    if seen.waits_since and now - seen.waits_since > limits.stream:
        text = f"raw records have waited for more than {in_minutes(limits.stream)}: {last}; read stream_positions' log"
        return Condition(STREAM, text, is_wrong=True)
    return Condition(STREAM, last, is_wrong=False)


def issue_condition(seen: Arrivals, limits: Limits, now: datetime) -> Condition:
    """An issue is old when no newer one has come for days."""
    if seen.newest_issue is None:
        return Condition(ISSUE, "no issue was ingested yet", is_wrong=False)
    text = f"the newest issue is of {shown(seen.newest_issue)}"
    if now - seen.newest_issue > limits.issue:
        days = limits.issue / timedelta(days=1)
        return Condition(ISSUE, f"{text}, older than {days:g} days; read ingest_oem's last runs", is_wrong=True)
    return Condition(ISSUE, text, is_wrong=False)


def records(lake: Lake) -> Iterator[tuple[Path, datetime]]:
    """The raw files with the time of their arrival, the newest first."""
    root = lake.raw_open_notify
    for day in reversed(days_in(root).values()):
        for name in sorted(scan(root, day.name), reverse=True):
            # A day that is being packed loses its loose files meanwhile.
            with suppress(FileNotFoundError):
                yield root / name, datetime.fromtimestamp((root / name).stat().st_mtime, UTC)


def waits(file: Path, at: datetime, newest_batch: datetime | None) -> bool:
    """Whether a raw file came after the stream's last batch; a packed day has been read."""
    return not is_packed(file.name) and (newest_batch is None or at > newest_batch)


def told_by(file: Path) -> tuple[bool, str | None]:
    """Whether a raw record holds a fix, and the error that it gives otherwise."""
    with suppress(FileNotFoundError):
        for line in file.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                return False, "a record that is no JSON"
            if isinstance(record, dict):
                return record.get("latitude") is not None, record.get("error")
    return False, None


def last_batch(lake: Lake) -> datetime | None:
    """When the stream's last batch ended, by its log of progress."""
    log = lake.checkpoints / "stream_positions" / "progress.jsonl"
    if not log.exists():
        return None
    with log.open("rb") as source:
        source.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = source.read().splitlines()
    for line in reversed(lines):
        # The last line may be torn by a kill, and so may the first by the seek.
        with suppress(ValueError, KeyError):
            return datetime.fromisoformat(json.loads(line)["finished_at"])
    return None


def last_issue(lake: Lake, object_id: str, *, by_arrival: bool) -> datetime | None:
    """The creation date of the issue created last, or when it arrived; by names and time stamps alone."""
    folder = lake.closed(OEM_ISSUES) / f"object_id={folder_name(object_id)}"
    newest = max(folder.glob(f"issue=*/{PART}"), default=None)
    if newest is None:
        return None
    if by_arrival:
        return datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    stamp = newest.parent.name.removeprefix("issue=").partition("-")[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def shown(at: datetime) -> str:
    """A time as people read it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def in_minutes(span: timedelta) -> str:
    """A span as the settings give it."""
    return f"{span / timedelta(minutes=1):g} min"
