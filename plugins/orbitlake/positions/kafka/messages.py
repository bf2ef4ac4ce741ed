"""What an executor makes of rows that are Kafka's messages: lines to judge, and a file of them that is to be landed.

A message is a line, or several where it holds newlines: a replay of the landed segment reads it no otherwise.
"""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orbitlake.lake.paths import DAY_PREFIX
from orbitlake.positions.raw.segments import lines_in

Lines = Iterator[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Run:
    """Messages of one partition that follow each other, `first` to `last`, as lines in [begin, end) of a file aside."""

    file: str
    partition: int
    first: int
    last: int
    begin: int
    end: int


class MessageReader:
    """Reads the rows of one task; messages are written aside in `folder`, all others are pieces of segments.

    The file_name of a message is the number of its partition.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self.topic = topic
        self.file = folder / uuid.uuid4().hex
        self.runs: list[Run] = []

    def pieces(self, batch: pa.RecordBatch) -> Iterator[tuple[Lines, str]]:
        """Yield the lines of each piece, each line with its place, and where the piece comes from."""
        if not batch.num_rows:
            return
        values, names, offsets = batch.columns
        starts = np.flatnonzero(pc.not_equal(names[1:], names[:-1]).to_numpy(zero_copy_only=False)) + 1
        for start, end in pairwise((0, *starts, batch.num_rows)):
            name = names[start].as_py()
            contents, places = (column[start:end].to_pylist() for column in (values, offsets))
            if name.startswith(DAY_PREFIX):
                for content, place in zip(contents, places, strict=True):
                    yield lines_in(content, place), name
            else:
                self.land(int(name), places, contents)
                yield lines_of(contents, places), f"{self.topic}/{name}"

    def land(self, partition: int, offsets: list[int], values: list[bytes | None]) -> None:
        """Write the messages of a partition aside."""
        content = b"\n".join([value.rstrip(b"\n") for value in values if value] + [b""])
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as sink:
            begin = sink.tell()
            sink.write(content)
        self.runs.append(Run(self.file.name, partition, offsets[0], offsets[-1], begin, begin + len(content)))

    def told(self) -> list[dict[str, Any]]:
        """Return the runs that were written aside, for the driver."""
        return [asdict(run) for run in self.runs]


def lines_of(values: list[bytes | None], offsets: list[int]) -> Lines:
    """Yield the lines of messages, each with the offset of its message; one without a value has none."""
    for value, offset in zip(values, offsets, strict=True):
        if value and b"\n" not in value and not value.isspace():
            yield offset, value
        elif value:
            for _, line in lines_in(value):
                yield offset, line
