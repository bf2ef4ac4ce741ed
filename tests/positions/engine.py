"""Spark's part in a batch and in a compaction, played in this process: a frame is a list of partitions."""
# ruff: noqa: N802 - the names are Spark's

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pyarrow as pa

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class Frame:
    """As much of a DataFrame as the stream and the compaction use."""

    def __init__(self, partitions: list[list[pa.RecordBatch]]) -> None:
        self.partitions = partitions

    @classmethod
    def of_lines(cls, lines: list[str | bytes], partitions: int = 2) -> "Frame":
        """Raw lines dealt out to partitions, of which one may be empty."""
        rows = [
            {
                "value": line if isinstance(line, bytes) else line.encode(),
                "file_name": "poll.json",
                "offset": number,
            }
            for number, line in enumerate(lines, 1)
        ]
        schema = pa.schema([("value", pa.binary()), ("file_name", pa.string()), ("offset", pa.int64())])
        dealt = [rows[number::partitions] for number in range(partitions)]
        return cls([[pa.RecordBatch.from_pylist(each, schema)] if each else [] for each in dealt])

    @property
    def columns(self) -> list[str]:
        return ["value", "file_name", "offset"]

    def select(self, *_: str) -> "Frame":
        return self

    def mapInArrow(self, work: Work, _schema: str) -> "Frame":
        return Frame([list(work(iter(batches))) for batches in self.partitions])

    def repartitionById(self, partitions: int, column: str) -> "Frame":
        rows = [
            batch.slice(row, 1) for batches in self.partitions for batch in batches for row in range(batch.num_rows)
        ]
        return Frame([[row for row in rows if row.column(column)[0].as_py() == number] for number in range(partitions)])

    def toArrow(self) -> pa.Table:
        return pa.Table.from_batches([batch for batches in self.partitions for batch in batches])

    def collect(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(**row) for row in self.toArrow().to_pylist()]


class Session:
    """As much of a SparkSession as the compaction uses."""

    def range(self, start: int, end: int, _step: int, partitions: int) -> Frame:
        numbers = range(start, end)
        return Frame(
            [
                [pa.RecordBatch.from_arrays([pa.array(list(numbers[n::partitions]), pa.int64())], names=["id"])]
                for n in range(partitions)
            ]
        )
