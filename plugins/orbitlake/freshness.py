"""What has arrived and when: polls, fixes, batches and runs of the stream, issues. `verdicts.py` judges it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from orbitlake.lake import Lake, LakeError
from orbitlake.lake.lines import lines_from_end
from orbitlake.lake.listing import days_in
from orbitlake.lake.paths import ISSUE_PREFIX, PART
from orbitlake.positions.raw.segments import SEALED, raw_files
from orbitlake.positions.stream_run import StreamRun
from orbitlake.settings import Settings
from orbitlake.tables import OEM_ISSUES

HAND_OVER: Final = timedelta(seconds=120)
"""How long the next run of a DAG may take to go on where the last one ended: Airflow's scheduler, Java, Spark."""
SHORTEST_FEED_S: Final = 25.0
SHORTEST_STREAM_S: Final = 20.0
FEWEST_REPEATS: Final = 3
"""Answers that must be the same before the feed counts as frozen."""
ISSUE_NAME_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each may fail to come: a fix, the batch that takes a raw record, an issue."""

    feed: timedelta
    stream: timedelta
    issue: timedelta

    @property
    def look_back(self) -> timedelta:
        """How far back raw records are looked at."""
        return max(self.feed, self.stream + HAND_OVER)


def page_limits(settings: Settings) -> Limits:
    """Return the limits of whoever watches live: a few polls, a few batches, and the issue's of the alerts."""
    feed_s = max(SHORTEST_FEED_S, 3 * settings.collect_interval_s)
    stream_s = max(SHORTEST_STREAM_S, 2 * trigger_s(settings.stream_trigger) + 10)
    return Limits(timedelta(seconds=feed_s), timedelta(seconds=stream_s), timedelta(days=settings.alert_issue_days))


def trigger_s(trigger: str) -> float:
    """Return the seconds of an interval such as `5 seconds` or `1 minute`, 0 of any other text."""
    count, _, unit = trigger.partition(" ")
    seconds = {"second": 1, "minute": 60, "hour": 3600}.get(unit.strip().removesuffix("s"), 0)
    return float(count) * seconds if count.isdecimal() else 0.0


@dataclass(frozen=True, slots=True)
class Poll:
    """One raw record: when it came, the error or None, and what it says of position and time, None where nothing."""

    came: datetime
    error: str | None
    position: tuple[Any, Any] | None
    stamp: Any

    @property
    def is_fix(self) -> bool:
        return self.error is None and self.position is not None

    @property
    def event_time(self) -> datetime | None:
        """The time that the feed gives, None where it is no Unix time."""
        try:
            return datetime.fromtimestamp(float(self.stamp), UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            return None


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What arrived when, by this machine's clock; None where nothing did.

    Polls of one object are looked at from the newest back to the first that is older than `Limits.look_back`; the
    oldest of them is `oldest_poll`. `answer` is the newest poll with a position, accepted or not; `same_stamp_since`
    and `same_position_since` say since when at least three answers repeat its stamp, or its position. `waits_since` is
    the oldest raw record that came after the last batch of the stream, `lag_s` how old the newest fix was in that
    batch, `refused` how many records went to quarantine in it, where it had no fix at all.
    """

    newest_poll: datetime | None = None
    oldest_poll: datetime | None = None
    poll_error: str | None = None
    newest_fix: datetime | None = None
    answer: Poll | None = None
    same_stamp_since: datetime | None = None
    same_position_since: datetime | None = None
    newest_batch: datetime | None = None
    lag_s: float | None = None
    refused: int = 0
    run: StreamRun | None = None
    waits_since: datetime | None = None
    newest_issue: datetime | None = None
    is_simulated: bool = False


def arrivals(lake: Lake, object_id: str, limits: Limits, now: datetime, *, is_simulated: bool) -> Arrivals:
    """Look at the lake: at the newest raw records, the stream's last line of progress and run, names of issues.

    Of simulated or replayed data the newest issue counts by its arrival: a replay serves issues of years ago.
    """
    batch = last_batch(lake)
    finished = datetime.fromisoformat(batch["finished_at"]) if batch else None
    earliest = now - limits.look_back
    polls: list[Poll] = []
    waits_since = None
    for file, written in newest_first(lake):
        for object_named, poll in polls_of(file, written):
            is_waiting = not file.name.endswith(SEALED) and (finished is None or poll.came > finished)
            if is_waiting:
                waits_since = min(waits_since or poll.came, poll.came)
            has_enough = tells_enough([poll for poll in polls if poll.came >= earliest])
            # Records of the older form name no object.
            if object_named in (None, object_id) and not has_enough:
                polls.append(poll)
            if poll.came < earliest or (has_enough and not is_waiting):
                break
        if written < earliest:
            break
    polls.sort(key=lambda poll: poll.came, reverse=True)
    answers = [poll for poll in polls if poll.position is not None]
    return Arrivals(
        newest_poll=polls[0].came if polls else None,
        oldest_poll=polls[-1].came if polls else None,
        poll_error=next((poll.error for poll in polls if poll.error), None),
        newest_fix=next((poll.came for poll in polls if poll.is_fix), None),
        answer=answers[0] if answers else None,
        same_stamp_since=repeated_since([(poll.came, poll.stamp) for poll in answers]),
        same_position_since=repeated_since([(poll.came, poll.position) for poll in answers]),
        newest_batch=finished,
        lag_s=batch.get("lag_s"),
        refused=0 if batch.get("fixes") else batch.get("bad", 0),
        run=StreamRun.read(lake),
        waits_since=waits_since,
        newest_issue=last_issue(lake, object_id, by_arrival=is_simulated),
        is_simulated=is_simulated,
    )


def tells_enough(polls: Sequence[Poll]) -> bool:
    """Whether there is a fix among the polls, and answers that differ: further back nothing more is to be learnt."""
    positions = {poll.position for poll in polls if poll.position is not None}
    return len(positions) > 1 and any(poll.is_fix for poll in polls)


def repeated_since(answers: Sequence[tuple[datetime, Any]]) -> datetime | None:
    """Return since when answers, newest first, say what the newest says; None of fewer than three."""
    same = list(takewhile(lambda answer: answer[1] == answers[0][1], answers))
    return same[-1][0] if len(same) >= FEWEST_REPEATS else None


def newest_first(lake: Lake) -> Iterator[tuple[Path, datetime]]:
    """Yield the segments and sealed files with the time of their newest poll, the newest file of each day first.

    Only the folders of days that are reached are listed.
    """
    for folder in reversed(days_in(lake.raw_open_notify).values()):
        files = []
        for name in raw_files(folder):
            # A day that is being sealed loses its segments meanwhile.
            with suppress(FileNotFoundError):
                files.append(((folder / name).stat().st_mtime, folder / name))
        for written_s, file in sorted(files, reverse=True):
            yield file, datetime.fromtimestamp(written_s, UTC)


def polls_of(file: Path, written: datetime) -> Iterator[tuple[object, Poll]]:
    """Yield the object and poll of each line of a segment, the last first; a sealed file is a sign of life alone."""
    if file.name.endswith(SEALED):
        yield None, Poll(written, None, None, None)
        return
    for line in lines_from_end(file):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = {"error": "a record that is no JSON"}
        if not isinstance(record, dict):
            record = {"error": "a record that is no JSON object"}
        try:
            fetched = datetime.fromisoformat(record["fetch_time"])
            came = fetched.astimezone(UTC) if fetched.tzinfo else written
        except (KeyError, TypeError, ValueError, OverflowError):
            came = written
        yield record.get("object_id"), poll_of(record, came)


def poll_of(record: dict[str, Any], came: datetime) -> Poll:
    """One record as a poll; what is no position and has no reason is given one."""
    position = (record.get("latitude"), record.get("longitude"))
    error = record.get("error")
    if None in position:
        return Poll(came, str(error or "no position and no reason"), None, None)
    # A list as latitude would not compare; the stream puts such a record into quarantine.
    return Poll(
        came, None if error is None else str(error), (str(position[0]), str(position[1])), record.get("timestamp")
    )


def last_batch(lake: Lake) -> dict[str, Any]:
    """The stream's last line of progress, with `finished_at`; nothing where no batch is on record."""
    for line in lines_from_end(lake.stream_progress):
        # One that was torn by a kill has the next behind it.
        with suppress(ValueError, KeyError, TypeError):
            batch = json.loads(line)
            datetime.fromisoformat(batch["finished_at"])
            return dict(batch)
    return {}


def last_issue(lake: Lake, object_id: str, *, by_arrival: bool) -> datetime | None:
    """The creation date of the issue created last, or when it arrived; by names and time stamps alone."""
    newest = max(issue_files(lake, object_id), default=None)
    if newest is None:
        return None
    if by_arrival:
        return datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    return created_at(newest)


def issue_files(lake: Lake, object_id: str) -> list[Path]:
    """The files of an object's issues, one each; other folders beside them, such as copies, are left alone."""
    try:
        folder = lake.issue(OEM_ISSUES, object_id, datetime.now(UTC)).parent.parent
    except LakeError:
        # An object whose name can have no folder.
        return []
    return [file for file in folder.glob(f"{ISSUE_PREFIX}*/{PART}") if created_at(file) is not None]


def created_at(issue_file: Path) -> datetime | None:
    """The creation date in the name of an issue's folder; what follows it there tells issues of one moment apart."""
    name = issue_file.parent.name.removeprefix(ISSUE_PREFIX).partition("-")[0]
    try:
        return datetime.strptime(name, ISSUE_NAME_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
