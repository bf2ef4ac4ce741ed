"""Where things lie below the data root, and the one way a partition is published: written aside, then renamed."""

import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

PART: Final = "part-0.parquet"
PARTS_ASIDE: Final = ".parts"
"""Suffix of a folder in `staging/` that is to become a closed day."""
ROW_GROUP_ROWS: Final = 1_000_000
BLOCK_BYTES: Final = 4_096
VERSION_KEY: Final = b"orbitlake.version"
ZEROS: Final = bytes(BLOCK_BYTES)
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}|-[0-9]{1,9}")
"""What can name a folder on any system; spacecraft have negative numbers at NAIF."""


class LakeError(Exception):
    """Data that does not fit its table or its place; nothing was written."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The folders below one root, and the one place of each file in them."""

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

    @property
    def stream_progress(self) -> Path:
        """What each micro-batch of the stream did, a line each."""
        return self.checkpoints / "stream_positions" / "progress.jsonl"

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


def write_file(target: Path, content: bytes | bytearray, staging: Path) -> None:
    """Put `content` at `target` whole or not at all, durably: written in `staging`, synced, then renamed.

    Blocks of zeros become holes, which take no room on the disk.
    """
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{target.name}.{uuid.uuid4().hex}"
    with gone_if_failed(aside), aside.open("wb") as sink:
        for start in range(0, len(content), BLOCK_BYTES):
            block = content[start : start + BLOCK_BYTES]
            if block != ZEROS[: len(block)]:
                sink.seek(start)
                sink.write(block)
        sink.truncate(len(content))
        sink.flush()
        os.fsync(sink.fileno())
    settle(aside, target)


def publish(
    rows: pa.Table, table: Table, target: Path, staging: Path, *, dictionaries: bool | list[str] = True
) -> None:
    """Write `rows` as the one file `target` of `table`, replacing it atomically.

    The columns must be those of the table, in any order; equal rows give equal bytes. `dictionaries` names the columns
    worth one, where it is known better than by trying each. Raises LakeError by name.
    """
    sorted_rows = in_order(rows, table)
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
    with gone_if_failed(aside), aside.open("wb") as sink:
        pq.write_table(
            sorted_rows,
            sink,
            compression="zstd",
            use_dictionary=dictionaries,
            row_group_size=ROW_GROUP_ROWS,
            write_page_index=True,
        )
        sink.flush()
        os.fsync(sink.fileno())
    settle(aside, target)


@contextmanager
def gone_if_failed(aside: Path) -> Iterator[None]:
    """Remove a file that could not be written whole: on a full disk each new try would make it fuller."""
    try:
        yield
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def in_order(rows: pa.Table, table: Table) -> pa.Table:
    """Return `rows` in the table's schema and order. Raises LakeError by name."""
    typed = conform(rows, table)
    # Arrow cannot sort by a dictionary: where a key is one, its values are sorted in its place.
    keys = pa.table(
        {key: column.cast(plain_type(column.type)) for key in table.sort_by for column in [typed.column(key)]}
    )
    return typed.take(pc.sort_indices(keys, [(key, "ascending") for key in table.sort_by]))


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type of a dictionary's values, any other type as it is."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def settle(aside: Path, target: Path) -> None:
    """Rename a finished, synced file to its place and make the new name durable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.replace(target)
    except FileNotFoundError:
        # A folder that became empty is removed with its last file.
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
    sync_folder(target.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
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
    """Keep the original bytes under `quarantine/`, a `.reason.json` beside them; equal bytes land on one name.

    What lies there for the same reason already is left as it is: it tells of the first time.
    """
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    kept = explained(lake, digest[:16], name, reason, sha256=digest, **facts)
    if not kept.exists():
        write_file(kept, content, lake.staging)
    return kept


def quarantine_file(lake: Lake, path: Path, reason: str) -> Path:
    """Move a file of any size under `quarantine/`, a `.reason.json` beside it; no other file gets its name there."""
    import hashlib

    found = path.stat()
    identity = hashlib.sha256(f"{found.st_ino} {found.st_mtime_ns} {found.st_size}".encode()).hexdigest()[:12]
    kept = explained(lake, f"unread-{identity}", path.name, reason, bytes=found.st_size)
    settle(path, kept)
    return kept


def explained(lake: Lake, identity: str, name: str, reason: str, **facts: object) -> Path:
    """Return the place under `quarantine/` of what was called `name`, its `.reason.json` written already.

    The reason goes first: bytes in quarantine without one would be a riddle after a crash.
    """
    import json

    label = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name).lstrip("._")[:80] or "unnamed"
    kept = lake.quarantine / f"{identity}-{label}"
    about = kept.with_name(kept.name + ".reason.json")
    if not about.exists() or json.loads(about.read_bytes())["reason"] != reason:
        note = json.dumps({"reason": reason, "name": name, **facts}, indent=2, default=str)
        write_file(about, note.encode(), lake.staging)
    return kept


def sweep_staging(lake: Lake, older_than_s: float = 86_400.0) -> None:
    """Remove what killed writers left in `staging/`; younger files may be another process at work.

    Folders of other names than PARTS_ASIDE are their owners' own.
    """
    for left in lake.staging.glob("*") if lake.staging.is_dir() else ():
        # Another sweep may have been faster.
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime <= older_than_s:
                continue
            if left.is_file():
                left.unlink()
            elif left.suffix == PARTS_ASIDE:
                shutil.rmtree(left)


@contextmanager
def open_session(name: str, **defaults: str) -> "Iterator[SparkSession]":
    """A Spark session that speaks UTC and Arrow and whose executors find this package; stopped at the end.

    What the submitter set stays: the master (local[*] where nobody set one), executorEnv.PYTHONPATH, and any of
    `defaults`, which name settings with underscores for dots.
    """
    from pyspark import SparkConf, SparkContext
    from pyspark.sql import SparkSession

    # Executors of a local master would otherwise run the system's python3.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # The gateway first: only then does SparkConf know what spark-submit was given.
    SparkContext._ensure_initialized()
    # The shell's bar would be written between our lines; it is on whenever Python starts the JVM.
    conf = SparkConf().setAppName(name).set("spark.ui.showConsoleProgress", "false")
    settings = {
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parents[1]),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Thousands of small files a task, not one.
        "spark.sql.files.openCostInBytes": str(64 * 2**10),
    } | {key.replace("_", "."): value for key, value in defaults.items()}
    for key, value in settings.items():
        conf.setIfMissing(key, value)
    session = SparkSession.builder.config(conf=conf).getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    try:
        yield session
    finally:
        session.stop()


def spark_schema(schema: pa.Schema) -> "StructType":
    """Return the Spark schema of an Arrow schema, every column nullable: `conform` sees to nulls on the way out."""
    from pyspark.sql.pandas.types import from_arrow_type
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(field.name, from_arrow_type(field.type)) for field in schema])


def check_file(file: Path, table: Table) -> None:
    """Raise LakeError by name where a published file is of another version or schema than the table here."""
    open_checked(file, table).close()


def open_checked(file: Path, table: Table, *, at_once: bool = False) -> pq.ParquetFile:
    """Open a published file; `at_once` reads a small one into memory whole.

    Raises LakeError by name where it is of another version or schema than the table here.
    """
    opened = pq.ParquetFile(pa.BufferReader(file.read_bytes()) if at_once else file)
    found = opened.schema_arrow
    version = (found.metadata or {}).get(VERSION_KEY, b"none").decode()
    if version == str(table.version) and found.equals(table.schema):
        return opened
    opened.close()
    if version != str(table.version):
        raise LakeError(f"{file}: {table.name} of version {version}, this program knows version {table.version}")
    raise LakeError(f"{file}: not the schema of {table.name} version {table.version}")


def parts_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """The files of a closed day: one, or the parts of a large one in their order."""
    return sorted((lake.closed(table) / f"date={day.isoformat()}").glob("part-*.parquet"), key=part_number)


def part_number(part: Path) -> int:
    """The number in a part's name."""
    return int(part.stem.removeprefix("part-"))
