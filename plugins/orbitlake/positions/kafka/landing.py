"""Messages of Kafka -> segments below `raw/`, exactly once: the evidence stays, and a replay never needs the broker.

A batch lands before it is published. A note says first where in which segment it will lie, and which offsets it takes:
done again after a crash, the batch writes the same bytes at the same place. The note outlives the checkpoint, so that
a new one goes on in Kafka where the raw records end.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from orbitlake.lake import Lake
from orbitlake.lake.files import sync_folder, write_file
from orbitlake.lake.paths import day_folder
from orbitlake.positions.kafka.messages import Run
from orbitlake.positions.raw.sealing import Committed, last_batch, query_of
from orbitlake.positions.raw.segments import SEGMENT

MOST_BYTES: Final = 2**30
"""From then on the next batch begins a new segment."""


class Note(msgspec.Struct, frozen=True):
    """Where a batch lies, and the next offset of each partition of the topic before and after it."""

    query: str
    batch: int
    day: date
    segment: str
    begin: int
    end: int
    topic: str
    before: dict[int, int]
    after: dict[int, int]
    identity: str = ""
    """The cluster's own id of the topic: one of the same name that was made anew has another."""


class Landing:
    """Lands the batches of one checkpoint's query."""

    def __init__(self, lake: Lake, spark: Path, topic: str) -> None:
        self.lake, self.spark, self.topic = lake, spark, topic
        self.aside = lake.stream_staging / "landing"
        self.identity = ""

    @property
    def note(self) -> Note | None:
        """The note of the batch that landed last, of whatever query."""
        return note_of(self.lake)

    def next_offsets(self) -> dict[int, int]:
        """Return where raw records end, by partition, for a query that is new; half of a batch is taken back first."""
        note = self.note
        if note is None or not self.is_of_topic(note):
            return {}
        if note.query == query_of(self.spark) and last_batch(self.spark) is None:
            # Its first batch has landed, and is done again.
            return note.before
        return take_back_half(self.lake, note).after

    def is_of_topic(self, note: Note) -> bool:
        """Whether a note is of this very topic, and not of one of the same name elsewhere or before it."""
        is_other = note.identity and self.identity and note.identity != self.identity
        return note.topic == self.topic and not is_other

    def began_anew(self) -> bool:
        """Whether the topic is another one than that whose messages this query has landed."""
        note = self.note
        return note is not None and note.query == query_of(self.spark) and not self.is_of_topic(note)

    def unfinished(self) -> set[str]:
        """Return the segment of a batch that the query's next run does again, if there is one."""
        note, committed = self.note, Committed.of(self.spark)
        is_done = note is None or (committed is not None and note.batch <= committed.batch)
        return set() if note is None or is_done or note.query != query_of(self.spark) else {note.segment}

    def land(self, batch: int, runs: Iterable[Mapping[str, Any]]) -> None:
        """Put the messages of a batch, which executors wrote aside, at the end of the segment in hand."""
        ordered = sorted((Run(**each) for each in runs), key=lambda run: (run.partition, run.first))
        if not ordered:
            return
        place = self.place_of(batch)
        end = place.begin + sum(run.end - run.begin for run in ordered)
        after = place.before | {run.partition: run.last + 1 for run in ordered}
        note = replace(place, end=end, after=after, identity=self.identity)
        segment = path_of(self.lake, note)
        segment.parent.mkdir(parents=True, exist_ok=True)
        # There before the note is: a segment that is noted and not there has been sealed.
        segment.touch()
        sync_folder(segment.parent)
        write_note(self.lake, note)
        with os.fdopen(os.open(segment, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as sink:
            sink.truncate(note.begin)
            sink.seek(note.begin)
            for run in ordered:
                with (self.aside / run.file).open("rb") as source:
                    source.seek(run.begin)
                    sink.write(source.read(run.end - run.begin))
            if sink.tell() != note.end:
                raise EOFError(f"{self.aside} lacks {note.end - sink.tell()} bytes of batch {batch}")
            sink.flush()
            os.fsync(sink.fileno())
        sync_folder(segment.parent)
        for file in {run.file for run in ordered}:
            (self.aside / file).unlink()

    def place_of(self, batch: int) -> Note:
        """Return where a batch is to lie, as if it were empty: one that was noted already where it was to lie then."""
        last, query, now = self.note, query_of(self.spark) or "", datetime.now(UTC)
        name = f"{now:%Y%m%dT%H%M%S.%fZ}-kafka-{query}{SEGMENT}"
        if last is None or not self.is_of_topic(last):
            return Note(query, batch, now.date(), name, 0, 0, self.topic, {}, {})
        if last.query == query and path_of(self.lake, last).exists():
            if last.batch == batch:
                return replace(last, end=last.begin, after=last.before)
            if last.day == now.date() and last.end < MOST_BYTES:
                # What lies behind its end is of batches that a restored checkpoint does not know: they come again.
                return replace(last, batch=batch, begin=last.end, before=last.after)
        is_again = last.query == query and last.batch == batch
        before = last.before if is_again else last.after
        return Note(query, batch, now.date(), name, 0, 0, self.topic, before, before)


def note_of(lake: Lake) -> Note | None:
    """Return the note of the batch that landed last, None where none did."""
    try:
        return msgspec.json.decode(file_of(lake).read_bytes(), type=Note)
    except FileNotFoundError:
        return None


def write_note(lake: Lake, note: Note) -> None:
    """Put a note on disk."""
    write_file(file_of(lake), msgspec.json.encode(note), lake.staging)


def file_of(lake: Lake) -> Path:
    """The place of the note."""
    return lake.stream_progress.with_name("landed.json")


def path_of(lake: Lake, note: Note) -> Path:
    """The segment of a note."""
    return lake.raw_open_notify / day_folder(note.day) / note.segment


def take_back_half(lake: Lake, note: Note) -> Note:
    """Cut off what a killed driver landed of a batch, so that raw files hold whole ones; return what to go on from."""
    segment = path_of(lake, note)
    if segment.exists() and segment.stat().st_size < note.end:
        resize(segment, note.begin)
        note = replace(note, end=note.begin, after=note.before)
        write_note(lake, note)
    return note


def resize(segment: Path, size: int) -> None:
    """Cut a segment off, durably."""
    with segment.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())
