"""The place of one issue in the lake: its lock, its raw files with their receipts, and its tables."""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, LOCK_UN, flock
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake, issue_name, publish, quarantine, write_file
from orbitlake.oem.issue import Issue
from orbitlake.tables import OEM_ISSUES, OEM_TABLES, STATE_VECTORS, Table

SAME_STATE: Final = 1e-9
"""In km, km/s and km/s^2. Text and XML of one issue differ by up to 5e-13 km, their last printed digits."""
COMPARED: Final = ("x_km", "y_km", "z_km", "vx_km_s", "vy_km_s", "vz_km_s", "ax_km_s2", "ay_km_s2", "az_km_s2")
DIGEST_DIGITS: Final = 12
SUFFIXES: Final = {"KVN": "txt", "XML": "xml"}


@dataclass(frozen=True, slots=True)
class Holding:
    """What the lake holds of one issue. Order of writing: receipt, raw file, tables, and oem_issues last of all."""

    lake: Lake
    object_id: str
    creation_date: datetime

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process out of this issue; a killed one lets go by itself."""
        folder = self.partition(STATE_VECTORS).parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            flock(descriptor, LOCK_EX)
            yield
        finally:
            # Closing alone would leave the lock to a process forked meanwhile, which inherits the descriptor.
            flock(descriptor, LOCK_UN)
            os.close(descriptor)

    def partition(self, table: Table) -> Path:
        """The issue's file in a table."""
        return self.lake.issue(table, self.object_id, self.creation_date)

    @property
    def is_listed(self) -> bool:
        """Whether the issue is complete: oem_issues has it."""
        return self.partition(OEM_ISSUES).exists()

    def stored(self, table: Table) -> pa.Table:
        """The issue's rows of a table."""
        # Not read_table: it would take columns from the names of the folders.
        return pq.ParquetFile(self.partition(table)).read()

    def row(self) -> dict[str, Any]:
        """The issue's row of oem_issues."""
        row: dict[str, Any] = self.stored(OEM_ISSUES).to_pylist()[0]
        return row

    def raw_files(self) -> list[Path]:
        """The raw files of the issue; where it is not listed there is at most one, which came first."""
        return sorted(self.lake.raw_oem(self.object_id).glob(f"{issue_name(self.creation_date)}-*.gz"))

    def raw_file(self, issue: Issue) -> Path:
        """Where the bytes of `issue` belong: named by their content, so they are kept once."""
        digest = issue.content_sha256[:DIGEST_DIGITS]
        suffix = SUFFIXES[issue.header.file_format]
        return self.lake.raw_oem(self.object_id) / f"{issue_name(self.creation_date)}-{digest}.{suffix}.gz"

    def keep_raw(self, raw: Path, text: bytes, source_url: str, retrieved_at: str) -> None:
        """Keep a file's bytes, gzip without a time stamp, and a receipt of when and whence they came first."""
        if raw.exists():
            return
        receipt = {"source_url": source_url, "retrieved_at": retrieved_at}
        write_file(receipt_of(raw), json.dumps(receipt, indent=2).encode(), self.lake.staging)
        write_file(raw, gzip.compress(text, mtime=0), self.lake.staging)

    def publish(self, issue: Issue, raw: Path) -> None:
        """Write the tables of `issue`, whose bytes lie at `raw`; the same bytes whenever it is done again."""
        receipt = json.loads(receipt_of(raw).read_bytes())
        rows = {
            "oem_segments": issue.segment_table,
            "state_vectors": issue.states,
            "trajectory_events": issue.events,
            "thrust_episodes": issue.episodes,
            "oem_covariances": issue.covariances,
            "oem_issues": issue.row(
                source_url=receipt["source_url"],
                retrieved_at=datetime.fromisoformat(receipt["retrieved_at"]),
                raw_path=str(raw.relative_to(self.lake.root)),
            ),
        }
        for table in sorted(OEM_TABLES, key=lambda table: table is OEM_ISSUES):
            publish(rows[table.name], table, self.partition(table), self.lake.staging)

    def contradiction(self, issue: Issue) -> str | None:
        """Return how `issue` differs from the listed one: in the fraction of its creation date, or in its states."""
        if (held := self.row()["creation_date"]) != issue.creation_date:
            return f"the lake holds an issue created within the same second, at {held.isoformat()}"
        stored = self.stored(STATE_VECTORS)
        arrived = issue.states.sort_by([("segment", "ascending"), ("epoch", "ascending")])
        if stored.num_rows != arrived.num_rows:
            return f"{arrived.num_rows} states where the lake holds {stored.num_rows}"
        for name in ("segment", "epoch"):
            differs = stored.column(name).to_numpy() != arrived.column(name).to_numpy()
            if differs.any():
                return f"another {name} at state {int(np.argmax(differs)) + 1}"
        for name in COMPARED:
            held_values, values = stored.column(name).to_numpy(), arrived.column(name).to_numpy()
            differs = ~np.isclose(held_values, values, rtol=0.0, atol=SAME_STATE, equal_nan=True)
            if differs.any():
                at = int(np.argmax(differs))
                epoch = stored.column("epoch")[at].as_py().isoformat()
                return f"another {name} at {epoch}: {values[at]}, the lake holds {held_values[at]}"
        return None

    def withdraw(self, reason: str) -> None:
        """Take the issue out of the tables and its raw files to quarantine; oem_issues lets go of it first."""
        for raw in self.raw_files():
            quarantine(self.lake, raw.name, raw.read_bytes(), reason, object_id=self.object_id)
        for table in sorted(OEM_TABLES, key=lambda table: table is not OEM_ISSUES):
            self.partition(table).unlink(missing_ok=True)
        for raw in self.raw_files():
            raw.unlink()
            receipt_of(raw).unlink(missing_ok=True)


def receipt_of(raw: Path) -> Path:
    """The small file beside a raw one that says when and whence it came first."""
    return raw.with_name(raw.name.removesuffix(".gz") + ".receipt.json")
