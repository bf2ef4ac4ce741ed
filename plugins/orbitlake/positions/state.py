"""The stream's checkpoint: who may use it, and of which version it is."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in
from orbitlake.lake.locks import lock_file
from orbitlake.positions.store.minute_files import live_lock
from orbitlake.tables import POSITION_TABLES

STREAM_VERSION: Final = 4
"""Rises whenever code of before cannot go on from this checkpoint or its live files: the source, the plan, names."""
REBUILD_LIVE: Final = "python jobs/stream_positions.py --rebuild"


class CheckpointError(Exception):
    """The checkpoint is in use or of another version; nothing was touched."""


class VersionError(CheckpointError):
    """The checkpoint is of another version: it stays so, however often one tries."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The folder of one stream: Spark's own checkpoint, by the version of ours.

    Files and Kafka have one each, under one lock: neither can go on from the other's.
    """

    lake: Lake
    by_kafka: bool = False

    @property
    def root(self) -> Path:
        return self.lake.checkpoints / "stream_positions"

    @property
    def folder(self) -> Path:
        return self.root / f"{self.prefix}{STREAM_VERSION}"

    @property
    def prefix(self) -> str:
        return "kafka-v" if self.by_kafka else "v"

    @property
    def spark(self) -> Path:
        return self.folder / "spark"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other driver out. Raises CheckpointError where one is at work."""
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self.root / "lock", wait=False))
            except BlockingIOError:
                raise CheckpointError(
                    f"{self.root} is in use by another stream_positions: stop that one first"
                ) from None
            yield

    @contextmanager
    def held(self) -> "Iterator[Checkpoint]":
        """Hold the checkpoint, swept of what a killed driver left. Raises CheckpointError where that cannot be."""
        with self.locked():
            # The live files, which the version speaks for too, are those of both transports.
            for other in (*self.root.glob("v*"), *self.root.glob("kafka-v*")):
                if other.name not in (f"v{STREAM_VERSION}", f"kafka-v{STREAM_VERSION}"):
                    raise VersionError(
                        f"{other} is of another version of the stream than v{STREAM_VERSION}: run "
                        f"`{REBUILD_LIVE}` to start anew from the raw records, or run the code that wrote it"
                    )
            shutil.rmtree(self.lake.stream_staging, ignore_errors=True)
            # One that never began would make Spark refuse it.
            if not (self.spark / "metadata").exists():
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir()
            yield self

    def rebuild(self) -> None:
        """Take away the checkpoints and the live files, so that the next stream makes these anew from the raw records.

        Closed days stay, and what is streamed is united with them. Cut off, it is to be done again: the checkpoint goes
        first, so that no stream goes on from it. Raises CheckpointError where another driver holds the checkpoint.
        """
        with self.locked():
            for folder in (*self.root.glob("v*"), *self.root.glob("kafka-v*")):
                # Gone in one step: Spark would not understand half of a checkpoint. The next stream sweeps the rest.
                self.lake.stream_staging.mkdir(parents=True, exist_ok=True)
                folder.rename(aside := self.lake.stream_staging / uuid.uuid4().hex)
                shutil.rmtree(aside)
            with live_lock(self.lake):
                for folder in (day for table in POSITION_TABLES for day in days_in(self.lake.live(table)).values()):
                    shutil.rmtree(folder)
