"""The rows of coverage and gaps as a test reads them."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake
from orbitlake.lake.derived import Published
from orbitlake.tables import COVERAGE, GAPS, Table


def rows_of(lake: Lake, table: Table) -> list[dict]:
    """The rows of a table in order of days."""
    files = sorted(lake.closed(table).rglob("*.parquet"))
    return pa.concat_tables([table.schema.empty_table(), *(pq.ParquetFile(file).read() for file in files)]).to_pylist()


def gaps_of(lake: Lake) -> list[dict]:
    return rows_of(lake, GAPS)


def coverage_of(lake: Lake) -> list[dict]:
    return rows_of(lake, COVERAGE)


def files_written(published: Iterable[Published]) -> dict[str, int]:
    return {each.table: each.written for each in published}
