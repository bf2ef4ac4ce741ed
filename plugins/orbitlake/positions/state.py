"""What the stream remembers between batches: a snapshot of each object's last published rows; and who may use it."""

import fcntl
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake, publish, write_file
from orbitlake.positions.live import floors_of, joined_stretches, newest_of, newest_times, owned, read_back
from orbitlake.positions.record import LAST_TIMESTAMP_S
from orbitlake.positions.track import LONGEST_GAP_US, OF_OBJECT, Indices, micros
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table

STREAM_VERSION: Final = 3
"""Rises whenever code of before cannot go on from this checkpoint: the source, the state's columns, the plan."""


class CheckpointError(Exception):
    """The checkpoint is in use or of another version; nothing was touched."""


class VersionError(CheckpointError):
    """The checkpoint is of another version: it stays so, however often one tries."""


@dataclass(frozen=True, slots=True)
class State:
    """Published rows with their owners: positions and window_stats within reach of each object's newest fix.

    Of positions also the last one before that, which the first within reach is measured against.
    """

    positions: pa.Table
    window_stats: pa.Table

    def floors(self) -> pa.Table:
        """Return since when the state is complete, an object and source a row (floor)."""
        return floors_of(newest_of(self.positions))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The folder of one stream: Spark's own checkpoint, the states, the log of progress."""

    lake: Lake

    @property
    def root(self) -> Path:
        return self.lake.checkpoints / "stream_positions"

    @property
    def folder(self) -> Path:
        return self.root / f"v{STREAM_VERSION}"

    @property
    def spark(self) -> Path:
        return self.folder / "spark"

    @property
    def staging(self) -> Path:
        return self.lake.staging / "stream_positions"

    @property
    def progress_log(self) -> Path:
        return self.lake.stream_progress

    def owner(self, batch: int) -> str:
        """The name of the live files of a batch; another checkpoint over the same lake never uses it."""
        identity = json.loads((self.folder / "identity.json").read_text())["identity"]
        return f"{identity}-{batch:09d}.parquet"

    @contextmanager
    def held(self) -> "Iterator[Checkpoint]":
        """Hold the checkpoint for one driver. Raises CheckpointError where it is in use or of another version."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CheckpointError(
                    f"{self.root} is in use by another stream_positions: stop that one first"
                ) from None
            for other in self.root.glob("v*"):
                if other != self.folder:
                    raise VersionError(
                        f"{other} is of another version of the stream than v{STREAM_VERSION}: remove it to start anew "
                        "(the raw records are read again, nothing is published twice), or run the code that wrote it"
                    )
            shutil.rmtree(self.staging, ignore_errors=True)
            self.prepare()
            yield self

    def prepare(self) -> None:
        """Give a new checkpoint its identity and the state of what is published already.

        That state must be on disk before the first batch: done again after a crash, the batch would take its own rows
        for published ones.
        """
        if (self.spark / "metadata").exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        identity = json.dumps({"identity": uuid.uuid4().hex[:8]}).encode()
        write_file(self.folder / "identity.json", identity, self.staging)
        self.save(published_state(self.lake), 0)

    def load(self, batch: int) -> State:
        """Return the state before a batch: doing the batch again starts from the same."""
        number = self.number_before(batch)
        positions, window_stats = (
            pq.read_table(self.file(table, number), partitioning=None) for table in POSITION_TABLES
        )
        return State(positions, window_stats)

    def save(self, state: State, number: int) -> None:
        """Keep `state` as the one before batch `number`, and of the older ones only the last."""
        for table, rows in ((POSITIONS, state.positions), (WINDOW_STATS, state.window_stats)):
            of_state = owned(table)
            publish(rows, of_state, self.file(table, number), self.staging, dictionaries=of_state.texts)
        last = self.number_before(number - 1) if number else 0
        for table in POSITION_TABLES:
            for file in self.states.glob(f"*.{table.name}.parquet"):
                if int(file.name.split(".")[0]) < last:
                    file.unlink()

    def number_before(self, batch: int) -> int:
        """The number of the newest whole state that no batch from `batch` on had a part in."""
        found = [int(file.name.split(".")[0]) for file in self.states.glob(f"*.{WINDOW_STATS.name}.parquet")]
        return max(number for number in found if number <= batch)

    @property
    def states(self) -> Path:
        return self.folder / "state"

    def file(self, table: Table, number: int) -> Path:
        return self.states / f"{number:010d}.{table.name}.parquet"


def published_state(lake: Lake) -> State:
    """Return the state that the published files amount to: what a stream without a memory must know first."""
    floors = floors_of(newest_times(lake))
    objects = floors.select(list(OF_OBJECT))
    floor_us = micros(floors.column("floor"))

    def since(since_us: Indices, table: Table) -> pa.Table:
        for_ever_us = np.full(since_us.size, LAST_TIMESTAMP_S * 1_000_000)
        return read_back(lake, table, joined_stretches(objects, since_us, for_ever_us), leave_out="")

    # Minutes before the floor would be there twice where they are read back for a late fix.
    return State(since(floor_us - LONGEST_GAP_US, POSITIONS), since(floor_us, WINDOW_STATS))
