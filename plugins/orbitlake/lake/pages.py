"""Pages of Parquet: where they lie in a file, and how they are written so that equal rows give equal ones."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake.errors import DamagedFileError
from orbitlake.tables import Table

START: Final = len(b"PAR1")
DIGEST: Final = "orbitlake.pages"
DIGEST_BYTES: Final = 16
CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Revision:
    """Where the pages of a file begin and end, its length and that of its footer, and the notes in it."""

    begin: int
    end: int
    length: int
    footer_bytes: int
    notes: Mapping[str, str]

    @classmethod
    def of(cls, file: Path) -> Self:
        """Read a file's footer. Raises FileNotFoundError, and DamagedFileError by name."""
        with file.open("rb") as opened:
            try:
                metadata = pq.read_metadata(opened)
            except pa.ArrowInvalid as error:
                raise DamagedFileError(f"{file} is damaged: {error}") from error
            length = opened.seek(0, os.SEEK_END)
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        chunks = [group.column(column) for group in groups for column in range(metadata.num_columns)]
        begins = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
        ends = [begin + chunk.total_compressed_size for begin, chunk in zip(begins, chunks, strict=True)]
        words = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
        return cls(min(begins, default=START), max(ends, default=START), length, metadata.serialized_size + 8, words)

    @property
    def digest(self) -> str:
        """The digest of the pages; empty for a file that was not written here."""
        return self.notes.get(DIGEST, "")


class Pages:
    """Pages of Parquet behind some bytes of a file (`old`, from START on), and a digest of them."""

    def __init__(self, table: Table, file: BinaryIO, old: bytes | memoryview = b"", *, is_large: bool = False) -> None:
        self.file, self.begin = file, START + len(old)
        times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
        # A dictionary of numbers that hardly repeat takes time and no less room. Times stay plain: delta encoding would
        # save a third, but ClickHouse 25.8's newer reader ends at the constant steps of a steady feed.
        repeating = [
            field.name for field in table.schema if field.name not in times and not pa.types.is_floating(field.type)
        ]
        # The writer has its own count of what was written, by which it gives offsets.
        counted = pa.PythonFile(file, mode="w")
        self._writer = pq.ParquetWriter(
            counted, table.schema, compression="zstd", write_page_index=is_large, use_dictionary=repeating
        )
        for start in range(0, len(old), CHUNK_BYTES):
            counted.write(old[start : start + CHUNK_BYTES])

    def add(self, rows: pa.Table) -> None:
        """Write one row group; none for no rows."""
        if rows.num_rows:
            self._writer.write_table(rows, row_group_size=rows.num_rows)

    def finish(self, notes: Mapping[str, str]) -> bytes:
        """End the file with a footer; return it. `end` is where the pages end, an index over them included."""
        hashed = blake2b(digest_size=DIGEST_BYTES)
        end = self.file.tell()
        self.file.seek(self.begin)
        while chunk := self.file.read(min(CHUNK_BYTES, end - self.file.tell())):
            hashed.update(chunk)
        self._writer.add_key_value_metadata({DIGEST: hashed.hexdigest(), **notes})
        self._writer.close()
        length = self.file.seek(-8, os.SEEK_END) + 8
        footer_bytes = int.from_bytes(self.file.read(4), "little") + 8
        self.end = self.file.seek(length - footer_bytes)
        return self.file.read()
