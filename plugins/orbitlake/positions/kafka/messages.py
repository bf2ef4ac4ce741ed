"""What an executor makes of rows that are Kafka's messages: lines to judge, and a file of them that is to be landed.

A message is a line, or several where it holds newlines: a replay of the landed segment reads it no otherwise.
"""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from orbitlake.positions.raw.segments import lines_in

Lines = Iterator[tuple[int, bytes]]
NO_PARTITION: Final = -1
OFFSET_BITS: Final = 48
LARGEST_OFFSET: Final = 2**OFFSET_BITS - 1
"""A place is the partition above these bits and the offset in them: each column costs a row its share."""


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

    A message has no file_name, and a place in its offset.
    """

    def __init__(self, folder: Path, topic: str) -> None:
        self.topic = topic
        self.file = folder / uuid.uuid4().hex
        self.runs: list[Run] = []

    def pieces(self, batch: pa.RecordBatch) -> Iterator[tuple[Lines, str]]:
        """Yield the lines of each piece, each line with its place, and where the piece comes from."""
        if not batch.num_rows:
            return
        values, names, places = batch.columns
        numbers = places.to_numpy()
        partitions = np.where(names.is_null(), numbers >> OFFSET_BITS, NO_PARTITION)
        starts = np.flatnonzero(np.diff(partitions)) + 1
        for start, end in pairwise((0, *starts, batch.num_rows)):
            partition, contents = partitions[start], values[start:end].to_pylist()
            if partition == NO_PARTITION:
                for content, name, place in zip(
                    contents, names[start:end].to_pylist(), numbers[start:end], strict=True
                ):
                    yield lines_in(content, int(place)), name
            else:
                offsets = (numbers[start:end] & LARGEST_OFFSET).tolist()
                texts = [content.rstrip(b"\n") for content in contents if content]
                landed = self.land(int(partition), offsets, texts)
                is_line_each = (
                    landed.count(b"\n") == len(texts) == len(offsets)
                    and all(texts)
                    and not any(map(bytes.isspace, texts))
                )
                lines = zip(offsets, texts, strict=True) if is_line_each else lines_of(contents, offsets)
                yield lines, f"{self.topic}/{partition}"

    def land(self, partition: int, offsets: list[int], texts: list[bytes]) -> bytes:
        """Write the messages of a partition aside, each with a newline; return what was written."""
        content = b"\n".join([*texts, b""])
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab") as sink:
            begin = sink.tell()
            sink.write(content)
        self.runs.append(Run(self.file.name, partition, offsets[0], offsets[-1], begin, begin + len(content)))
        return content

    def told(self) -> list[dict[str, Any]]:
        """Return the runs that were written aside, for the driver."""
        return [asdict(run) for run in self.runs]


def lines_of(values: list[bytes | None], offsets: list[int]) -> Lines:
    """Yield the lines of messages, each with the offset of its message; one without a value has none."""
    for value, offset in zip(values, offsets, strict=True):
        for _, line in lines_in(value or b""):
            yield offset, line
