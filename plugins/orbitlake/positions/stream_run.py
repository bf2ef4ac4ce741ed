"""When the stream's newest run started and ended, and what came of it: a small file beside the checkpoint."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file


@dataclass(frozen=True, slots=True)
class StreamRun:
    """The newest run of the stream, times in UTC; `ended_at` is None while it works, and after a kill.

    `tries` counts the runs in a row, this one included, that began and had no batch; 0 from its first batch on.
    """

    started_at: datetime
    ended_at: datetime | None = None
    tries: int = 0

    @classmethod
    def read(cls, lake: Lake) -> Self | None:
        """Return the newest run of a lake's stream; None where none is on record, or the file is damaged."""
        try:
            return msgspec.json.decode(file_of(lake).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
            # It only explains a pause; the next run writes it anew.
            return None

    def write(self, lake: Lake) -> None:
        """Put the run on disk."""
        write_file(file_of(lake), msgspec.json.encode(self), lake.staging)


@contextmanager
def on_record(lake: Lake) -> Iterator[Callable[[], None]]:
    """Write down the start of a run and, however it ends short of a kill, its end.

    Yields what is to be called after each batch.
    """
    before = StreamRun.read(lake)
    run = StreamRun(datetime.now(UTC), tries=before.tries + 1 if before else 1)
    run.write(lake)

    def had_batch() -> None:
        nonlocal run
        if run.tries:
            run = replace(run, tries=0)
            run.write(lake)

    try:
        yield had_batch
    finally:
        replace(run, ended_at=datetime.now(UTC)).write(lake)


def file_of(lake: Lake) -> Path:
    """The place of the record."""
    return lake.stream_progress.with_name("run.json")
