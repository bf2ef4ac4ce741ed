"""Where things lie below the data root, and the one way a partition is published: written aside, then renamed."""

import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.tables import Table

PART: Final = "part-0.parquet"
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")


class LakeError(Exception):
    """Data that does not fit its table or its place; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The folders of DESIGN 2 below one root."""

    root: Path

    @property
    def inbox_oem(self) -> Path:
        return self.root / "inbox" / "oem"

    @property
    def raw_open_notify(self) -> Path:
        return self.root / "raw" / "open_notify"

    def raw_oem(self, object_id: str) -> Path:
        return self.root / "raw" / "oem" / safe_name(object_id)

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def staging(self) -> Path:
        return self.root / "staging"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def live(self, table: Table) -> Path:
        return self.root / "live" / table.name

    def closed(self, table: Table) -> Path:
        return self.root / "lake" / table.name

    def day(self, table: Table, day: date) -> Path:
        """The one file of a closed day."""
        return self.closed(table) / f"date={day.isoformat()}" / PART

    def issue(self, table: Table, object_id: str, creation_date: datetime) -> Path:
        """The one file of an issue."""
        return self.closed(table) / f"object_id={safe_name(object_id)}" / f"issue={issue_name(creation_date)}" / PART


def safe_name(text: str) -> str:
    """Return `text` where it can name one folder anywhere, else raise LakeError: no path comes from outside."""
    if not SAFE_NAME.fullmatch(text):
        raise LakeError(f"{text[:80]!r} cannot name a folder")
    return text


def issue_name(creation_date: datetime) -> str:
    """Return the folder name of an issue, such as 20230324T225531Z; the fraction of the second stays in the table."""
    return creation_date.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def write_file(target: Path, content: bytes, staging: Path) -> None:
    """Put `content` at `target` whole or not at all, durably: written in `staging`, synced, then renamed."""
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{target.name}.{uuid.uuid4().hex}"
    with aside.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    settle(aside, target)


def publish(rows: pa.Table, table: Table, target: Path, staging: Path) -> None:
    """Write `rows` as the one file `target` of `table`, replacing it atomically.

    The columns must be those of the table, in any order; equal rows give equal bytes. Raises LakeError by name.
    """
    sorted_rows = conform(rows, table).sort_by([(name, "ascending") for name in table.sort_by])
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
    with aside.open("wb") as sink:
        pq.write_table(sorted_rows, sink, compression="zstd", row_group_size=1_000_000, write_page_index=True)
        sink.flush()
        os.fsync(sink.fileno())
    settle(aside, target)


def settle(aside: Path, target: Path) -> None:
    """Rename a finished, synced file to its place and make the new name durable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def conform(rows: pa.Table, table: Table) -> pa.Table:
    """Return `rows` in the table's schema; LakeError on a missing, foreign or mistyped column or null."""
    missing = set(table.column_names) - set(rows.column_names)
    foreign = set(rows.column_names) - set(table.column_names)
    if missing or foreign:
        raise LakeError(f"{table.name}: missing columns {sorted(missing)}, foreign columns {sorted(foreign)}")
    try:
        typed = rows.select(table.column_names).cast(table.schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise LakeError(f"{table.name}: {error}") from error
    for column in table.columns:
        if column.required and typed.column(column.name).null_count:
            raise LakeError(
                f"{table.name}.{column.name}: {typed.column(column.name).null_count} nulls where none may be"
            )
    return typed


def quarantine(lake: Lake, name: str, content: bytes, reason: str, **facts: object) -> Path:
    """Keep the original bytes under `quarantine/`, a `.reason.json` beside them; equal bytes land on one name."""
    import hashlib
    import json

    digest = hashlib.sha256(content).hexdigest()
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name).lstrip("._")[:80] or "unnamed"
    kept = lake.quarantine / f"{digest[:16]}-{label}"
    facts = {"reason": reason, "name": name, "sha256": digest, **facts}
    # The reason first: bytes in quarantine without one would be a riddle after a crash.
    write_file(
        kept.with_name(kept.name + ".reason.json"), json.dumps(facts, indent=2, default=str).encode(), lake.staging
    )
    write_file(kept, content, lake.staging)
    return kept


def partitions(folder: Path) -> Iterator[Path]:
    """The published files below a table's folder, in order of their names."""
    return iter(sorted(folder.glob(f"**/{PART}")))
