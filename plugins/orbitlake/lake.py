"""Where things lie below the data root, and the one way a partition is published: written aside, then renamed."""

import json
import logging
import os
import re
import shutil
import sys
import time
import traceback
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orbitlake.tables import OEM_TABLES, Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

LOG: Final = logging.getLogger(__name__)
PART: Final = "part-0.parquet"
PARQUET: Final = ".parquet"
DAY_PREFIX: Final = "date="
DAY_NAME: Final = re.compile(rf"{DAY_PREFIX}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})")
PART_NAME: Final = re.compile(r"part-(?:0|[1-9][0-9]{0,5})\.parquet")
LIVE_NAME: Final = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9]-(?:0|[1-9][0-9]{0,3})\.parquet")
"""What a live file is called, minute and bucket. Copies that people make, such as `1203-0 (1).parquet`, are none."""
NAMED_AT_ONCE: Final = 20
"""Most names that one look at a folder warns of one by one; of the others it says how many they are."""
MOST_SAID: Final = 100_000
"""So many names that were warned of are remembered."""
REASON: Final = ".reason.json"
"""Suffix, in `quarantine/`, of the file that says why the bytes beside it lie there."""
DROPPED: Final = "dropped.jsonl"
"""What was removed from `quarantine/` to keep its bound, a line of JSON an entry, the newest last."""
MOST_DROPPED_BYTES: Final = 2**20
PARTS_ASIDE: Final = ".parts"
"""Suffix of a folder in `staging/` that is to become a closed day."""
ROW_GROUP_ROWS: Final = 1_000_000
BLOCK_BYTES: Final = 4_096
VERSION_KEY: Final = b"orbitlake.version"
ZEROS: Final = bytes(BLOCK_BYTES)
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}|-[0-9]{1,9}")
"""What can name a folder on any system; spacecraft have negative numbers at NAIF."""
KEPT_IN_NAMES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
"""The bytes that the name of a folder shows as they are; any other is percent-encoded."""
REBUILD: Final = "python jobs/ingest_oem.py --rebuild"
"""What makes the tables of an older version anew, from the raw files."""
MOST_NAME_BYTES: Final = 200
"""Of an encoded value: file systems hold names to 255 bytes, and ours put a time, a digest and suffixes beside it."""


class LakeError(Exception):
    """Data that does not fit its table or its place; nothing was written."""


class DamagedFileError(LakeError):
    """A published file that is no whole Parquet file."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The folders below one root, and the one place of each file in them."""

    root: Path

    @property
    def inbox_oem(self) -> Path:
        return self.root / "inbox" / "oem"

    @property
    def inbox_open_notify(self) -> Path:
        return self.root / "inbox" / "open_notify"

    @property
    def raw_open_notify(self) -> Path:
        return self.root / "raw" / "open_notify"

    @property
    def raw_oem_root(self) -> Path:
        """The folder of all objects' raw ephemeris files; `_http` in it is the download's, and no object's name."""
        return self.root / "raw" / "oem"

    def raw_oem(self, object_id: str) -> Path:
        return self.raw_oem_root / folder_name(object_id)

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
        return self.closed(table) / day_folder(day) / PART

    def issue(self, table: Table, object_id: str, creation_date: datetime, object_name: str | None = None) -> Path:
        """The one file of an issue; `object_name` tells issues apart whose object_id names no object."""
        issue = issue_folder(issue_name(creation_date, object_name))
        return self.closed(table) / f"object_id={folder_name(object_id)}" / f"issue={issue}" / PART


def day_folder(day: date) -> str:
    """The name of a day's folder."""
    return f"{DAY_PREFIX}{day.isoformat()}"


def day_of_folder(name: str) -> date | None:
    """Return the day whose folder bears this name, None for any other name: only `date=YYYY-MM-DD` is a day's."""
    if found := DAY_NAME.fullmatch(name):
        # The thirtieth of February.
        with suppress(ValueError):
            return date.fromisoformat(found[1])
    return None


def days_in(folder: Path, since: date | None = None) -> dict[date, Path]:
    """Return the folders of the days from `since` on below a table's folder, or the raw one, in order of time.

    Anything else there is named in a warning and left alone.
    """
    days: dict[date, Path] = {}
    strays = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if (day := day_of_entry(entry)) is not None:
                days[day] = Path(entry.path)
            else:
                strays.append(entry.path)
    warn_of(strays, f"not the folder of a day ({DAY_PREFIX}YYYY-MM-DD), left alone")
    return {day: days[day] for day in sorted(days) if since is None or day >= since}


def day_of_entry(entry: os.DirEntry[str]) -> date | None:
    """Return the day whose folder this is, None where it is none: by its name, and a folder of that name behind it.

    A link to the folder of another day would show that one's rows twice.
    """
    day = day_of_folder(entry.name)
    if day is None or not is_folder(entry):
        return None
    return day if not entry.is_symlink() or Path(entry.path).resolve().name == entry.name else None


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder or a link to one; a link that leads round in a circle is none."""
    with suppress(OSError):
        return entry.is_dir()
    return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether this is a file or a link to one; a link that leads round in a circle is none."""
    with suppress(OSError):
        return entry.is_file()
    return False


def files_of_day(folder: str | Path, pattern: re.Pattern[str]) -> tuple[list[os.DirEntry[str]], bool]:
    """Return the files of a day's folder whose names fit, in no order, and whether other `*.parquet` lie there, too.

    Those are named in a warning and left alone. A folder that does not exist holds none.
    """
    found, strays = [], []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name) and is_file(entry):
                found.append(entry)
            elif entry.name.endswith(PARQUET):
                strays.append(entry.path)
    warn_of(strays, "not a name that files of this folder bear, left alone")
    return found, bool(strays)


said: set[str] = set()
"""What this process has warned of already."""


def warn_of(paths: Iterable[str], reason: str) -> None:
    """Warn of files or folders that are left alone, of each once in the life of the process."""
    new = sorted(set(paths) - said)
    if len(said) > MOST_SAID:
        said.clear()
    said.update(new)
    for path in new[:NAMED_AT_ONCE]:
        LOG.warning("%s: %s", printable(path), reason)
    if len(new) > NAMED_AT_ONCE:
        LOG.warning("and %d more like the last", len(new) - NAMED_AT_ONCE)


def printable(text: object) -> str:
    """Return a text in one line that UTF-8 can write: escaped is what a file's name may hold and a line may not."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text))


@contextmanager
def errors_in_utf8() -> Iterator[None]:
    """Raise an error whose text UTF-8 cannot write, such as one that names a file, as one that it can.

    Spark's Python workers announce an error before they encode its text: where that fails they send nothing more, and
    the driver waits for the text for ever. So whatever Spark calls in Python is to run within this.
    """
    try:
        yield
    except Exception as error:
        try:
            "".join(traceback.format_exception(error)).encode()
        except UnicodeEncodeError:
            raise LakeError(printable(f"{type(error).__name__}: {error}")) from None
        raise


def safe_name(text: str) -> str:
    """Return `text` where it can name one folder anywhere, else raise LakeError: no path comes from outside."""
    if not SAFE_NAME.fullmatch(text):
        raise LakeError(f"{text[:80]!r} cannot name a folder")
    return text


def folder_name(value: str) -> str:
    """Return the name of the folder of a value, percent-encoded as readers of Hive partitions decode it.

    Encoded are all bytes but KEPT_IN_NAMES, a leading `.` or `_`, which hides a folder from readers, and the first
    letter of NULL in any case, which DuckDB takes for no value. Different values have different names. Raises LakeError
    for an empty value, and for one whose name would be longer than MOST_NAME_BYTES.
    """
    content = value.encode(errors="surrogatepass")
    name = "".join(chr(byte) if byte in KEPT_IN_NAMES else f"%{byte:02X}" for byte in content)
    if name[:1] in (".", "_") or name.upper() == "NULL":
        name = f"%{content[0]:02X}{name[1:]}"
    if not name or len(name) > MOST_NAME_BYTES:
        raise LakeError(f"{value[:80]!r} cannot name a folder: {len(name)} bytes where 1 to {MOST_NAME_BYTES} can be")
    return name


def issue_name(creation_date: datetime, object_name: str | None = None) -> str:
    """Return the value of the folders' key `issue`, such as 20230324T225531Z or 20230324T225531Z-OBJECT A.

    The fraction of the second stays in the table.
    """
    stamp = creation_date.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return stamp if object_name is None else f"{stamp}-{object_name}"


def issue_folder(issue: str) -> str:
    """Return the folder's name, behind `issue=`, of a value of `issue`. Raises LakeError as folder_name does."""
    stamp, dash, object_name = issue.partition("-")
    return folder_name(stamp) + (dash + folder_name(object_name) if dash else "")


def write_file(target: Path, content: bytes | bytearray, staging: Path) -> None:
    """Put `content` at `target` whole or not at all, durably: written in `staging`, synced, then renamed.

    Blocks of zeros become holes, which take no room on the disk.
    """
    staging.mkdir(parents=True, exist_ok=True)
    aside = staging / f"{target.name[-64:]}.{uuid.uuid4().hex}"
    with gone_if_failed(aside):
        with aside.open("wb") as sink:
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
    """Write `rows` as the one file `target` of `table`, replacing it atomically. Raises LakeError by name."""
    staging.mkdir(parents=True, exist_ok=True)
    temporary = staging / f"{table.name}.{uuid.uuid4().hex}.parquet"
    with gone_if_failed(temporary):
        write_table(rows, table, temporary, dictionaries=dictionaries)
        settle(temporary, target)


def write_table(rows: pa.Table, table: Table, file: Path, *, dictionaries: bool | list[str] = True) -> None:
    """Write `rows` as a Parquet file of `table` at a place that nobody reads, and sync it.

    The columns must be those of the table, in any order; equal rows give equal bytes. `dictionaries` names the columns
    worth one, where it is known better than by trying each. Raises LakeError by name.
    """
    sorted_rows = in_order(rows, table)
    with file.open("wb") as sink:
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


@contextmanager
def gone_if_failed(aside: Path) -> Iterator[None]:
    """Remove a file that could not be published whole: on a full disk each new try would make it fuller.

    An OSError that names no file, as that of a full disk, is raised with this one's name.
    """
    try:
        yield
    except OSError as error:
        aside.unlink(missing_ok=True)
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(aside)) from error
        raise
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
    """Rename a finished, synced file to its place and make the new name durable.

    Raises LakeError where a file has the name of the folder.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.replace(target)
        except FileNotFoundError:
            # A folder that became empty is removed with its last file.
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.replace(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise LakeError(f"{target.parent} must be a folder, and a file has that name: move it away") from error
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
    # It has lain here since now, however old it is.
    os.utime(kept)
    return kept


def explained(lake: Lake, identity: str, name: str, reason: str, **facts: object) -> Path:
    """Return the place under `quarantine/` of what was called `name`, its `.reason.json` written already.

    The reason goes first: bytes in quarantine without one would be a riddle after a crash.
    """
    label = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).name).lstrip("._")[:80] or "unnamed"
    kept = lake.quarantine / f"{identity}-{label}"
    about = kept.with_name(kept.name + REASON)
    if not about.exists() or json.loads(about.read_bytes())["reason"] != reason:
        note = json.dumps({"reason": reason, "name": name, **facts}, indent=2, default=str)
        write_file(about, note.encode(), lake.staging)
    return kept


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry of `quarantine/`: the reason and the bytes (either may be missing), their size, when it came (ns)."""

    files: tuple[Path, ...]
    bytes: int
    at_ns: int

    @property
    def path(self) -> Path:
        return self.files[-1]

    def remove(self) -> None:
        """Remove it, the reason first: a reason without bytes would speak of what is not there."""
        for file in self.files:
            file.unlink(missing_ok=True)


def quarantined(lake: Lake) -> list[Quarantined]:
    """Return the entries of `quarantine/`, the oldest first."""
    found: dict[str, list[os.DirEntry[str]]] = {}
    with suppress(FileNotFoundError), os.scandir(lake.quarantine) as entries:
        for entry in entries:
            if entry.name != DROPPED and is_file(entry):
                found.setdefault(entry.name.removesuffix(REASON), []).append(entry)
    held = []
    for files in found.values():
        files.sort(key=lambda file: not file.name.endswith(REASON))
        # Removed meanwhile by another process.
        with suppress(FileNotFoundError):
            stats = [file.stat() for file in files]
            paths = tuple(Path(file.path) for file in files)
            size = sum(stat.st_size for stat in stats)
            held.append(Quarantined(paths, size, stats[-1].st_mtime_ns))
    return sorted(held, key=lambda entry: (entry.at_ns, entry.path))


def over_bound(lake: Lake, most_bytes: int) -> list[Quarantined]:
    """Return the oldest entries of `quarantine/` without which it holds `most_bytes` at most, never the newest."""
    held = quarantined(lake)
    over = sum(entry.bytes for entry in held) - most_bytes
    going = []
    for entry in held[:-1]:
        if over <= 0:
            break
        going.append(entry)
        over -= entry.bytes
    return going


def bound_quarantine(lake: Lake, most_bytes: int) -> list[Quarantined]:
    """Remove the oldest entries of `quarantine/` until the rest holds `most_bytes` at most; return what was removed.

    The newest entry stays, however large. What goes is written to DROPPED beside them first, and logged.
    """
    going = over_bound(lake, most_bytes)
    if going:
        note_dropped(lake, going, most_bytes)
    for entry in going:
        entry.remove()
    return going


def note_dropped(lake: Lake, going: list[Quarantined], most_bytes: int) -> None:
    """Say in the log, and in DROPPED, what is about to be removed; the file keeps its last lines."""
    log = lake.quarantine / DROPPED
    size = sum(entry.bytes for entry in going)
    LOG.warning(
        "%s holds more than %d bytes: the %d oldest entries (%d bytes) are removed, see %s",
        printable(lake.quarantine),
        most_bytes,
        len(going),
        size,
        log.name,
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        json.dumps({"dropped_at": now, "entry": entry.path.name, "bytes": entry.bytes, "reason": reason_of(entry)})
        for entry in going
    ]
    before = log.read_text() if log.exists() else ""
    content = (before + "".join(f"{line}\n" for line in lines)).encode()
    if len(content) > MOST_DROPPED_BYTES:
        content = content[-MOST_DROPPED_BYTES:].split(b"\n", 1)[1]
    write_file(log, content, lake.staging)


def reason_of(entry: Quarantined) -> str | None:
    """The reason that stands beside an entry, shortened; None where there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if entry.files[0].name.endswith(REASON):
            return str(json.loads(entry.files[0].read_bytes())["reason"])[:200]
    return None


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
    """Raise LakeError by name where a published file is of another version or schema than the table, or damaged."""
    open_checked(file, table).close()


def open_checked(file: Path, table: Table, *, at_once: bool = False) -> pq.ParquetFile:
    """Open a published file; `at_once` reads a small one into memory whole.

    Raises LakeError by name where it is of another version or schema than the table here, or damaged.
    """
    try:
        opened = pq.ParquetFile(pa.BufferReader(file.read_bytes()) if at_once else file)
    except pa.ArrowInvalid as error:
        raise DamagedFileError(f"{file} is damaged: {error}") from error
    found = opened.schema_arrow
    version = (found.metadata or {}).get(VERSION_KEY, b"none").decode()
    if version == str(table.version) and found.equals(table.schema):
        return opened
    opened.close()
    if version != str(table.version):
        reason = f"{file}: {table.name} of version {version}, this program knows version {table.version}"
        is_older = not version.isdigit() or int(version) < table.version
        raise LakeError(f"{reason}: run `{REBUILD}`" if is_older and table in OEM_TABLES else reason)
    raise LakeError(f"{file}: not the schema of {table.name} version {table.version}")


def parts_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """The files of a closed day: one, or the parts of a large one in their order."""
    found, _ = files_of_day(lake.closed(table) / day_folder(day), PART_NAME)
    return sorted((Path(entry.path) for entry in found), key=part_number)


def part_number(part: Path) -> int:
    """The number in a part's name."""
    return int(part.stem.removeprefix("part-"))
