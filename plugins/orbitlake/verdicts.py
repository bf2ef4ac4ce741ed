"""How feed, stream and issues are: one table of states, their causes and what ends them; the first that holds counts.

The position page and `watch_freshness` judge by it, each with limits of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from orbitlake.alerts import Condition
from orbitlake.freshness import HAND_OVER, Arrivals, Limits

FEED, STREAM, ISSUES = "feed", "stream", "issues"
Level = Literal["ok", "wait", "wrong", "none"]
"""ok; wait: passes by itself; wrong: a person is needed; none: nothing has come yet."""
CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""How far a fix may be from now: a feed rounds its stamps, and answers travel for seconds."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known, by which limits it is judged, and now."""

    seen: Arrivals
    limits: Limits
    now: datetime

    def within(self, at: datetime | None, span: timedelta) -> bool:
        """Whether something was at most so long ago; what never was is not."""
        return at is not None and self.now - at <= span

    @property
    def answers(self) -> bool:
        """Whether the feed gives positions at all, accepted or not."""
        return self.seen.answer is not None and self.within(self.seen.answer.came, self.limits.feed)

    @property
    def ahead(self) -> timedelta:
        """How far the newest answer's own time is ahead of its arrival."""
        answer = self.seen.answer
        return answer.event_time - answer.came if answer and answer.event_time else timedelta(0)

    @property
    def records_wait(self) -> bool:
        """Whether a raw record has waited for longer than it may."""
        return self.seen.waits_since is not None and not self.within(self.seen.waits_since, self.limits.stream)

    @property
    def may_hand_over(self) -> bool:
        """Whether the wait so far is no longer than a change of runs takes: one that fails again and again is none."""
        return self.within(self.seen.waits_since, self.limits.stream + HAND_OVER)

    @property
    def had_rested(self) -> bool:
        """Whether nothing had come for so long before what waits now that the stream need not have been running."""
        waits_since, last = self.seen.waits_since, self.last_sign
        return waits_since is not None and (last is None or waits_since - last > HAND_OVER)

    @property
    def run_works(self) -> bool:
        """Whether a run of the stream has begun and not ended."""
        return self.seen.run is not None and self.seen.run.ended_at is None

    @property
    def is_first_try(self) -> bool:
        """Whether the newest run is not one of several in a row without a batch: records may have waited long."""
        return self.seen.run is not None and self.seen.run.tries <= 1

    @property
    def run_ended(self) -> datetime | None:
        return self.seen.run.ended_at if self.seen.run else None

    @property
    def has_batch_since_start(self) -> bool:
        seen = self.seen
        return bool(seen.run and seen.newest_batch and seen.newest_batch > seen.run.started_at)

    @property
    def last_sign(self) -> datetime | None:
        """The stream's last batch, or the start of its run."""
        times = [self.seen.newest_batch, self.seen.run.started_at if self.seen.run else None]
        return max((at for at in times if at), default=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: a state of a subject, when it holds, since when, what it is in words, and what ends it."""

    subject: str
    state: str
    level: Level
    holds: Callable[[Case], bool]
    since: Callable[[Case], datetime | None]
    text: Callable[[Case], str]
    meaning: str
    clears: str = ""


RULES: Final = (
    Rule(
        FEED, "nothing yet", "none",
        lambda case: case.seen.newest_poll is None,
        lambda _: None,
        lambda _: "nothing was polled yet",
        "there is no raw record",
        "the first poll of collect_positions",
    ),
    Rule(
        FEED, "not polled", "wrong",
        lambda case: not case.within(case.seen.newest_poll, max(case.limits.feed, HAND_OVER)),
        lambda case: case.seen.newest_poll,
        lambda case: f"the last poll was at {shown(case.seen.newest_poll)}: collect_positions does not run",
        "no raw record for longer than a change of runs takes",
        "the next poll of collect_positions",
    ),
    Rule(
        FEED, "changing runs", "wait",
        lambda case: not case.within(case.seen.newest_poll, case.limits.feed),
        lambda case: case.seen.newest_poll,
        lambda case: f"the last poll was at {shown(case.seen.newest_poll)}: the next run of collect_positions "
        "takes over",
        "no raw record for a moment, as when one run of collect_positions follows another",
        "the next poll of collect_positions",
    ),
    Rule(
        FEED, "stamp stands still", "wrong",
        lambda case: case.answers and older(case, case.seen.same_stamp_since),
        lambda case: case.seen.same_stamp_since,
        lambda case: f"the feed repeats one answer, with one time stamp, since {shown(case.seen.same_stamp_since)}",
        "answers repeat one time stamp",
        "an answer with another time stamp",
    ),
    Rule(
        FEED, "frozen", "wrong",
        lambda case: case.answers and older(case, case.seen.same_position_since),
        lambda case: case.seen.same_position_since,
        lambda case: "the feed repeats one position under new time stamps since "
        f"{shown(case.seen.same_position_since)}",
        "answers repeat one position under new time stamps",
        "an answer with another position",
    ),
    Rule(
        FEED, "ahead of our clock", "wrong",
        lambda case: case.answers and not case.seen.is_simulated and case.ahead > CLOCK_TOLERANCE,
        lambda _: None,
        lambda case: f"fixes come {in_words(case.ahead)} from the future: compare this machine's clock with the feed's",
        "the time of a fix lies in the future: this machine's clock is behind, or the feed's ahead",
        "a fix whose time is now",
    ),
    Rule(
        FEED, "clock behind", "wrong",
        lambda case: case.answers and not case.seen.is_simulated and -case.ahead > CLOCK_TOLERANCE,
        lambda _: None,
        lambda case: f"the feed answers with positions of {shown(event_time(case))}, {in_words(-case.ahead)} ago",
        "the feed answers, but with positions of long ago",
        "a fix whose time is now",
    ),
    Rule(
        FEED, "silent", "wrong",
        lambda case: not case.within(case.seen.newest_fix or case.seen.oldest_poll, case.limits.feed),
        lambda case: case.seen.newest_fix or case.seen.oldest_poll,
        lambda case: (
            f"no fix since {shown(case.seen.newest_fix)}" if case.seen.newest_fix
            else f"no fix at least since {shown(case.seen.oldest_poll)}"
        ) + f"; the newest poll, at {shown(case.seen.newest_poll)}, says: {case.seen.poll_error or 'no reason'}",
        "polls are made and give no fix; the newest poll's own reason is told",
        "a poll with a fix",
    ),
    Rule(
        FEED, "no fix yet", "wait",
        lambda case: case.seen.newest_fix is None,
        lambda case: case.seen.oldest_poll,
        lambda case: f"polled since {shown(case.seen.oldest_poll)}, no fix yet: {case.seen.poll_error or 'no reason'}",
        "polls have just begun",
        "a poll with a fix",
    ),
    Rule(
        FEED, "simulated time", "ok",
        lambda case: case.seen.is_simulated and abs(case.ahead) > CLOCK_TOLERANCE,
        lambda case: case.seen.newest_fix,
        lambda case: f"fixes arrive; their own, simulated time is {shown(event_time(case))}",
        "fixes arrive, with the time of a simulator or a recording",
    ),
    Rule(
        FEED, "fresh", "ok",
        lambda _: True,
        lambda case: case.seen.newest_fix,
        lambda case: f"the newest fix arrived at {shown(case.seen.newest_fix)}",
        "fixes arrive, and their time is now",
    ),
    Rule(
        STREAM, "nothing yet", "none",
        lambda case: case.last_sign is None and not case.records_wait,
        lambda _: None,
        lambda _: "stream_positions has not begun yet",
        "no run and no batch is on record",
        "the first batch of stream_positions",
    ),
    Rule(
        STREAM, "handing over", "wait",
        lambda case: case.records_wait and case.may_hand_over and case.within(case.run_ended, HAND_OVER),
        lambda case: case.run_ended,
        lambda case: f"a run of stream_positions ended at {shown(case.run_ended)}, the next one takes over; "
        "records wait",
        "one run has ended and the next has not begun: about half a minute each hour",
        "the first batch of the next run",
    ),
    Rule(
        STREAM, "starting", "wait",
        lambda case: case.records_wait and (case.may_hand_over or case.is_first_try) and case.run_works
        and not case.has_batch_since_start and case.within(case.last_sign, HAND_OVER),
        lambda case: case.last_sign,
        lambda case: f"stream_positions started at {shown(case.last_sign)} and has its first batch in hand",
        "a run has begun, its first batch is in hand",
        "the first batch of the run",
    ),
    Rule(
        STREAM, "waking", "wait",
        lambda case: case.records_wait and case.may_hand_over and case.had_rested,
        lambda case: case.seen.waits_since,
        lambda case: f"raw records wait since {shown(case.seen.waits_since)}, the first after a pause; a run of "
        "stream_positions is on its way",
        "the first records after a pause wait, as after `make up`: Airflow, Java and Spark take a minute to begin",
        "the first batch of the run",
    ),
    Rule(
        STREAM, "stopped", "wrong",
        lambda case: case.records_wait and not case.within(case.last_sign, max(case.limits.stream, HAND_OVER)),
        lambda case: case.run_ended or case.seen.newest_batch or case.last_sign,
        lambda case: f"raw records wait at least since {shown(case.seen.waits_since)}: {last_of_stream(case)}; "
        "read stream_positions' log",
        "raw records wait, and no batch ends for longer than a change of runs takes",
        "a batch of stream_positions",
    ),
    Rule(
        STREAM, "behind", "wrong",
        lambda case: case.records_wait or is_late(case),
        lambda case: case.seen.waits_since if case.records_wait else case.seen.newest_batch,
        lambda case: (
            f"raw records wait since {shown(case.seen.waits_since)}: {last_of_stream(case)}; read stream_positions' log"
            if case.records_wait
            else f"the newest fix of its last batch was {case.seen.lag_s or 0:.0f} s old when it became visible"
        ),
        "raw records wait for too long while the stream runs, or fixes are old once they are visible",
        "a batch that takes what waits",
    ),
    Rule(
        STREAM, "refusing", "wrong",
        lambda case: case.seen.refused > 0 and case.within(case.seen.newest_batch, max(case.limits.stream, HAND_OVER)),
        lambda _: None,
        lambda case: f"its last batch had no fix and put {case.seen.refused} raw records into quarantine; "
        "read the reasons there",
        "the stream runs, but what it reads goes to quarantine",
        "a batch with a fix",
    ),
    Rule(
        STREAM, "idle", "ok",
        lambda case: case.seen.waits_since is None
        and not case.within(case.last_sign, max(case.limits.stream, HAND_OVER)),
        lambda case: case.seen.newest_batch,
        lambda case: f"no raw record waits: {last_of_stream(case)}",
        "no raw record waits, so that it has nothing to do",
    ),
    Rule(
        STREAM, "at work", "ok",
        lambda _: True,
        lambda case: case.seen.newest_batch,
        lambda case: last_of_stream(case),
        "no raw record waits for long",
    ),
    Rule(
        ISSUES, "nothing yet", "none",
        lambda case: case.seen.newest_issue is None,
        lambda _: None,
        lambda _: "no issue was ingested yet",
        "no issue was ingested",
        "the first success of ingest_oem",
    ),
    Rule(
        ISSUES, "old", "wrong",
        lambda case: not case.within(case.seen.newest_issue, case.limits.issue),
        lambda case: case.seen.newest_issue,
        lambda case: f"the newest issue is of {shown(case.seen.newest_issue)}, older than "
        f"{case.limits.issue / timedelta(days=1):g} days; read ingest_oem's last runs",
        "no newer issue for days (of simulated data: by its arrival)",
        "a newer issue",
    ),
    Rule(
        ISSUES, "fresh", "ok",
        lambda _: True,
        lambda case: case.seen.newest_issue,
        lambda case: f"the newest issue is of {shown(case.seen.newest_issue)}",
        "the newest issue is young enough",
    ),
)  # fmt: skip
"""The table, in order: of each subject the first row that holds is its verdict.

One more state is the page's own: unknown since a time, where it cannot ask (signed out, an error, no network).
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a subject is, since when (None where that is not known), and what ends it where it is not well."""

    subject: str
    state: str
    level: Level
    text: str
    since: datetime | None
    clears: str

    def condition(self) -> Condition:
        """The same as something to be alerted of."""
        return Condition(self.subject, f"{self.state}: {self.text}", self.level == "wrong", self.clears)


def judged(seen: Arrivals, limits: Limits, now: datetime) -> list[Verdict]:
    """Return the verdicts on feed, stream and issues, in this order."""
    case = Case(seen, limits, now)
    verdicts: dict[str, Verdict] = {}
    for rule in RULES:
        if rule.subject not in verdicts and rule.holds(case):
            verdicts[rule.subject] = Verdict(
                rule.subject, rule.state, rule.level, rule.text(case), rule.since(case), rule.clears
            )
    return list(verdicts.values())


def older(case: Case, since: datetime | None) -> bool:
    """Whether something has lasted for longer than the feed may take."""
    return since is not None and not case.within(since, case.limits.feed)


def is_late(case: Case) -> bool:
    """Whether fixes of a feed that is polled were old when the last batch made them visible."""
    lag_s, run = case.seen.lag_s, case.seen.run
    is_late = lag_s is not None and lag_s > case.limits.stream.total_seconds()
    # The fixes of a run's first batch have waited for the run to take over.
    has_taken_over = run is not None and case.within(run.started_at, HAND_OVER)
    return is_late and not has_taken_over and case.within(case.seen.newest_poll, case.limits.feed)


def last_of_stream(case: Case) -> str:
    """The last that is known of the stream."""
    batch, run = case.seen.newest_batch, case.seen.run
    last = f"the last batch ended at {shown(batch)}" if batch else "no batch has ended yet"
    if run and run.ended_at and (batch is None or run.ended_at >= batch):
        return f"{last}, the last run at {shown(run.ended_at)}"
    return last


def event_time(case: Case) -> datetime | None:
    """The newest answer's own time."""
    return case.seen.answer.event_time if case.seen.answer else None


def shown(at: datetime | None) -> str:
    """A time as people read it."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "an unknown time"


def in_words(span: timedelta) -> str:
    """A span in its largest whole unit."""
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if span >= 2 * unit:
            return f"{span / unit:.0f} {name}"
    return f"{span.total_seconds():.0f} s"


def overview() -> str:
    """Return the table of states as Markdown, for docs/operations.md."""
    rows = [f"| {rule.subject} | {rule.state} | {rule.level} | {rule.meaning} | {rule.clears} |" for rule in RULES]
    return "\n".join(["| of | state | level | when | ends with |", "|---|---|---|---|---|", *rows])
