"""When the stream's newest run started and ended: a small file beside the checkpoint, replaced whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file


@dataclass(frozen=True, slots=True)
class StreamRun:
    """The newest run of the stream, times in UTC; `ended_at` is None while it works, and after a kill."""

    started_at: datetime
    ended_at: datetime | None = None

    @classmethod
    def read(cls, lake: Lake) -> Self | None:
        """Return the newest run of a lake's stream; None where none is on record, or the file is damaged."""
        try:
            times = json.loads(file_of(lake).read_bytes())
            ended = times["ended_at"]
            return cls(datetime.fromisoformat(times["started_at"]), ended and datetime.fromisoformat(ended))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # It only explains a pause; the next run writes it anew.
            return None

    def write(self, lake: Lake) -> None:
        """Put the run on disk."""
        write_file(file_of(lake), json.dumps(asdict(self), default=datetime.isoformat).encode(), lake.staging)


@contextmanager
def on_record(lake: Lake) -> Iterator[None]:
    """Write down the start of a run and, however it ends short of a kill, its end."""
    run = StreamRun(datetime.now(UTC))
    run.write(lake)
    try:
        yield
    finally:
        StreamRun(run.started_at, datetime.now(UTC)).write(lake)


def file_of(lake: Lake) -> Path:
    """The place of the record."""
    return lake.stream_progress.with_name("run.json")
