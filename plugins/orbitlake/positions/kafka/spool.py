"""A collector's records -> Kafka; while the broker is away -> the spool, which is published once it is back.

A segment of the spool is published whole and then removed. Cut off in between, it is published again: a copy of a poll
changes nothing in any table. Order is kept: as long as the spool holds anything of this collector's or of one that has
ended, a new record goes behind it.
"""

import fcntl
import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.positions.kafka.publisher import Delivery, Publisher
from orbitlake.positions.raw.segments import SEGMENT, SegmentWriter, is_held

LOG: Final = logging.getLogger(__name__)
LINES_A_SEGMENT: Final = 1_000
"""Of the spool: so much is published, and remembered as published, at once."""
CATCH_UP_S: Final = 0.2
"""What a poll may spend on the spool; the next one goes on."""
LAST_TRY_S: Final = 4.0


@dataclass(slots=True)
class Sending:
    """A segment of the spool on its way; the lock on it keeps other collectors from sending it, too."""

    segment: Path
    lock: int
    delivery: Delivery


class KafkaWriter:
    """Takes the records of one collector as a SegmentWriter does, for Kafka."""

    def __init__(self, lake: Lake, publisher: Publisher) -> None:
        self.lake, self.publisher = lake, publisher
        self.spooled: SegmentWriter | None = None
        self.lines = 0
        self.sending: Sending | None = None
        self.is_away = False

    def append(self, line: bytes, fetched: datetime) -> None:
        """Have one line acknowledged by Kafka, or spooled durably. Raises OSError that names the segment."""
        self.catch_up(CATCH_UP_S)
        if not self.sending and not self.waiting():
            delivery = self.publisher.publish([line])
            if self.publisher.wait(delivery, self.publisher.delivery_s + 1):
                return
            self.tell_away(delivery)
        if self.spooled is None or self.lines >= LINES_A_SEGMENT:
            self.end_segment()
            self.spooled = SegmentWriter(self.lake, self.lake.spool_open_notify)
        self.spooled.append(line, fetched)
        self.lines += 1

    def catch_up(self, seconds: float) -> None:
        """Publish what is spooled, for so long at most."""
        latest = time.monotonic() + seconds
        while self.sending or self.start_sending():
            assert self.sending  # noqa: S101 - for the type checker
            left_s = latest - time.monotonic()
            self.publisher.wait(self.sending.delivery, max(0.0, left_s))
            if self.sending.delivery.is_done:
                has_come = self.sending.delivery.has_come
                self.end_sending()
                if not has_come:
                    return
            if time.monotonic() >= latest:
                return

    def start_sending(self) -> bool:
        """Publish the oldest segment of the spool that nobody else has in hand; say whether there was one."""
        for segment in self.waiting():
            if self.spooled and segment == self.spooled.path:
                self.end_segment()
            # Another collector has sent it.
            with suppress(FileNotFoundError):
                lock = os.open(segment, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lines = [line for line in segment.read_bytes().split(b"\n") if line]
                    self.sending = Sending(segment, lock, self.publisher.publish(lines))
                except (BlockingIOError, FileNotFoundError):
                    os.close(lock)
                    continue
                return True
        return False

    def end_sending(self) -> None:
        """Remove the segment in hand where all of it has come, and let go of it."""
        assert self.sending  # noqa: S101 - for the type checker
        segment, delivery = self.sending.segment, self.sending.delivery
        if delivery.has_come:
            segment.unlink(missing_ok=True)
            with suppress(OSError):
                segment.parent.rmdir()
            if not self.waiting():
                LOG.info("Kafka has taken all of the spool")
                self.is_away = False
        else:
            self.tell_away(delivery)
        os.close(self.sending.lock)
        self.sending = None

    def waiting(self) -> list[Path]:
        """Return the segments of the spool that nobody alive appends to, and our own, the oldest first."""
        found = []
        for folder in days_in(self.lake.spool_open_notify).values():
            for segment in sorted(folder.glob(f"*{SEGMENT}")):
                is_ours = self.spooled is not None and segment == self.spooled.path
                # Another may have sent it.
                with suppress(FileNotFoundError):
                    if is_ours or not is_held(segment):
                        found.append(segment)
        return found

    def end_segment(self) -> None:
        """Append no more to the segment in hand."""
        if self.spooled:
            self.spooled.close()
        self.spooled, self.lines = None, 0

    def tell_away(self, delivery: Delivery) -> None:
        """Say once that records are spooled, and why."""
        if not self.is_away:
            LOG.warning(
                "Kafka took no record within %.0f s (%s): records go to %s until it does",
                self.publisher.delivery_s,
                delivery.failure or "no answer",
                self.lake.spool_open_notify,
            )
        self.is_away = True

    def close(self) -> None:
        """Try for the last time to publish the spool, and leave the rest of it to the next collector."""
        self.catch_up(LAST_TRY_S)
        if self.sending:
            self.end_sending()
        self.end_segment()

    def __enter__(self) -> "KafkaWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
