"""Public position feeds -> raw records: polled at absolute ticks, every outcome kept, failures too."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Final, Protocol

from orbitlake.endings import asked_by_signals
from orbitlake.lake import Lake
from orbitlake.positions.collect.poller import Clock, Poller
from orbitlake.positions.raw.segments import SegmentWriter, move_segments
from orbitlake.positions.record import OPEN_NOTIFY, RawRecord
from orbitlake.settings import LIVE_INTERVAL_S, OFF, Settings, from_environment

LOG: Final = logging.getLogger(__name__)


class RecordWriter(Protocol):
    """Takes the records of one collector, each durably before the next poll."""

    def append(self, line: bytes, fetched: datetime) -> None:
        """Keep one line, with its newline. Raises OSError where it cannot be kept."""

    def __enter__(self) -> "RecordWriter": ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(slots=True)
class Summary:
    """How a run of polls went; `ticks_s` are monotonic times of the ticks that polled."""

    fixes: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    ticks_s: list[float] = field(default_factory=list)
    skipped_ticks: int = 0
    duration_s: float = 0.0

    def as_json(self) -> dict[str, object]:
        """The closing summary: fixes, altogether, by feed and a minute (null of a single poll); failures by kind.

        The rate is the share of ticks with a fix times theirs: n ticks cover n - 1 intervals.
        """
        fixes, ticks = self.fixes.total(), len(self.ticks_s)
        span_s = self.ticks_s[-1] - self.ticks_s[0] if ticks else 0.0
        return {
            "fixes": fixes,
            "fixes_by_source": dict(sorted(self.fixes.items())),
            "failures": dict(sorted(self.failures.items())),
            "skipped_ticks": self.skipped_ticks,
            "duration_s": round(self.duration_s, 1),
            "fixes_per_minute": round(60 * fixes / ticks * (ticks - 1) / span_s, 1) if span_s > 0 else None,
        }


def collect(
    pollers: Sequence[Poller],
    lake: Lake,
    interval_s: float,
    duration_s: float,
    stop: Event,
    show: Callable[[str], None] = print,
    clock: Clock | None = None,
    warn: Callable[[str], None] | None = None,
    is_relieved: Callable[[], bool] = lambda: False,
    shortest_interval_s: float = LIVE_INTERVAL_S,
    writer: "RecordWriter | None" = None,
) -> Summary:
    """Poll each `interval_s` for `duration_s`, or until `stop`, and append one raw record a poll.

    An interval below `shortest_interval_s` is taken for that.
    The first of `pollers` is the feed, the others are its fallbacks. Ticks are counted from the start, so that slow
    answers do not add up; one that is missed is left out, not caught up. `show` gets a line a poll, `warn` in its
    place that of a failed one. `is_relieved`, asked before each tick, ends the run early: another is to take over.
    `writer` takes the records, by default into a segment.
    """
    clock = clock or Clock()
    interval_s = max(interval_s, shortest_interval_s)
    summary = Summary()
    began = clock.monotonic_s()
    tick = 0
    with writer or SegmentWriter(lake) as records:
        while tick * interval_s < duration_s and not stop.is_set() and not is_relieved():
            outcomes = 0
            tick_s = clock.monotonic_s()
            for record, failure in poll_in_turn(pollers, began + (tick + 1) * interval_s, clock):
                records.append(record.to_json(), record.fetch_time or clock.now_utc())
                counter, kind = (summary.fixes, record.source) if failure is None else (summary.failures, failure)
                counter[kind] += 1
                (show if failure is None else warn or show)(line_of(record))
                outcomes += 1
            if outcomes:
                summary.ticks_s.append(tick_s)
            next_tick = max(tick + 1, math.ceil((clock.monotonic_s() - began) / interval_s))
            summary.skipped_ticks += next_tick - tick - (outcomes > 0)
            tick = next_tick
            if tick * interval_s < duration_s:
                clock.wait(max(0.0, began + tick * interval_s - clock.monotonic_s()), stop)
    # The last poll stands for its interval too: a run of 20 s lasted 20 s, though its last tick was at 18.
    ended_s = clock.monotonic_s() - began
    summary.duration_s = ended_s if stop.is_set() else max(ended_s, duration_s)
    return summary


def poll_in_turn(pollers: Sequence[Poller], end: float, clock: Clock) -> Iterator[tuple[RawRecord, str | None]]:
    """Ask the first feed and, until one gives a fix, the next; each may take an even share of what is left till `end`.

    A feed that asked not to be polled yet is passed over. `end` is monotonic time.
    """
    for place, poller in enumerate(pollers):
        left_s = end - clock.monotonic_s()
        if poller.rests or left_s <= 0:
            continue
        record, failure = poller.poll(left_s / (len(pollers) - place))
        yield record, failure
        if failure is None:
            return


def run(
    interval_s: float,
    duration_s: float,
    url: str | None = None,
    source: str = OPEN_NOTIFY,
    object_id: str | None = None,
    fallback: str | None = None,
    show: Callable[[str], None] = print,
    warn: Callable[[str], None] | None = None,
    is_relieved: Callable[[], bool] = lambda: False,
) -> dict[str, object]:
    """Collect into the lake of the settings and return the closing summary; what is not given comes from the settings.

    `fallback` names the feed that is polled where `source` gave no fix, `off` none; a feed is no fallback of itself.
    `show`, `warn` and `is_relieved` are those of `collect`.
    SIGTERM and SIGINT end it after the record in hand.
    """
    settings = from_environment()
    urls = settings.feed_urls | ({source: url} if url else {})
    feeds = dict.fromkeys(each for each in (source, fallback or settings.fallback) if each != OFF)
    with asked_by_signals() as stop:
        pollers = [
            Poller(
                urls[feed],
                object_id or settings.object_id,
                feed,
                settings.http_timeout_s,
                settings.clock_tolerance_s,
                stop=stop,
                allowed_hosts=settings.allowed_hosts,
            )
            for feed in feeds
        ]
        lake = Lake(settings.data)
        shortest_s, writer = settings.shortest_interval_s, writer_of(lake, settings)
        told = show, None, warn, is_relieved
        return collect(pollers, lake, interval_s, duration_s, stop, *told, shortest_s, writer).as_json()


def writer_of(lake: Lake, settings: Settings) -> "RecordWriter":
    """Return what takes the records: Kafka where it is set, else a segment."""
    if not settings.kafka:
        if moved := move_segments(lake, lake.spool_open_notify):
            LOG.warning("%d segments that Kafka never took are raw records now", moved)
        return SegmentWriter(lake)
    from orbitlake.positions.kafka.publisher import Publisher
    from orbitlake.positions.kafka.spool import KafkaWriter

    return KafkaWriter(lake, Publisher(settings))


def line_of(record: RawRecord) -> str:
    """One line for a person to watch."""
    fetched = f"{record.fetch_time:%H:%M:%S}"
    if record.error is not None:
        return f"{fetched}  {record.object_id}  {record.error}"
    return (
        f"{fetched}  {record.object_id}  {record.latitude:9.4f} {record.longitude:10.4f}  "
        f"timestamp {record.timestamp}  {record.latency_ms:.0f} ms"
    )
