"""Rows of a test put where readers find them, whoever writes such rows otherwise."""

import uuid
from pathlib import Path

import pyarrow as pa

from orbitlake.lake.files import publish_file
from orbitlake.lake.parquet import write_table
from orbitlake.tables import Table


def publish(rows: pa.Table, table: Table, target: Path, staging: Path) -> None:
    """Write `rows` as the one file `target` of `table`, replacing it atomically."""
    staging.mkdir(parents=True, exist_ok=True)
    temporary = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
    write_table(rows, table, temporary)
    publish_file(temporary, target)
