"""A live file whose rows can be corrected under its readers: Parquet with room for several revisions of its rows.

A reader opens a file more than once: Spark by the length that its listing saw, Polars with a footer read before. Put
another file in its place between the two, and the read fails. So a live file never changes its length, a correction
goes to free room, and the revisions before it stay where their footers say: old footer or new, the rows are whole.
"""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import in_order, write_file
from orbitlake.tables import Table

MAGIC: Final = b"PAR1"
ROOM_IN_BODIES: Final = 8
"""How often the pages of a new file fit into it; corrections go round, and the oldest revision is overwritten first."""
SPARE_FOOTER_BYTES: Final = 256
"""Numbers in a footer take more bytes as offsets grow."""


def publish_revisable(rows: pa.Table, table: Table, target: Path, staging: Path) -> None:
    """Publish `rows` as the first revision of a file with room for more; equal rows give equal bytes."""
    pages, footer = encoded(rows, table, len(MAGIC))
    length = len(MAGIC) + ROOM_IN_BODIES * len(pages) + len(footer) + SPARE_FOOTER_BYTES
    write_file(target, assembled(bytearray(length), len(MAGIC), pages, footer), staging)


def publish_revision(rows: pa.Table, table: Table, target: Path, staging: Path) -> None:
    """Replace the rows of a published file atomically; whoever listed or opened it before still reads it whole.

    Only where the new pages fit nowhere, because the rows have become much longer, is the file made anew.
    """
    content = bytearray(target.read_bytes())
    first, end = pages_of(target)
    for at in (end, len(MAGIC)):
        pages, footer = encoded(rows, table, at)
        limit = first if at < first else len(content) - len(footer)
        if at + len(pages) <= limit:
            write_file(target, assembled(content, at, pages, footer), staging)
            return
    publish_revisable(rows, table, target, staging)


def encoded(rows: pa.Table, table: Table, at: int) -> tuple[bytes, bytes]:
    """Return the pages of `rows`, which are to stand at byte `at`, and the footer that finds them there."""
    sink = pa.BufferOutputStream()
    # Numbers of one batch hardly repeat: a dictionary of them would cost as much time again, and room.
    with pq.ParquetWriter(sink, table.schema, compression="zstd", use_dictionary=table.texts) as writer:
        # The writer has begun the file; what comes before its pages counts in their offsets.
        sink.write(bytes(at - len(MAGIC)))
        writer.write_table(in_order(rows, table))
    content = sink.getvalue().to_pybytes()
    footer_bytes = int.from_bytes(content[-8:-4], "little") + 8
    return content[at:-footer_bytes], content[-footer_bytes:]


def assembled(content: bytearray, at: int, pages: bytes, footer: bytes) -> bytearray:
    """Put pages at byte `at` of a file and another footer at its end; not copied, it is many times its pages."""
    content[: len(MAGIC)] = MAGIC
    content[at : at + len(pages)] = pages
    content[-len(footer) :] = footer
    return content


def pages_of(file: Path) -> tuple[int, int]:
    """Return where the pages of the newest revision begin and end; a file without rows has none."""
    metadata = pq.read_metadata(file)
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    begins = [chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset for chunk in chunks]
    ends = [begin + chunk.total_compressed_size for begin, chunk in zip(begins, chunks, strict=True)]
    return min(begins, default=len(MAGIC)), max(ends, default=len(MAGIC))
