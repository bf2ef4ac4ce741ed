"""Where everything lies below the data root, and what folders and files are called: the one home of the layout."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from orbitlake.lake.errors import LakeError
from orbitlake.tables import Table

PARQUET: Final = ".parquet"
PART: Final = f"part-0{PARQUET}"
"""The one file of an issue, and of most closed days."""
PART_NAME: Final = re.compile(r"part-(?:0|[1-9][0-9]{0,5})\.parquet")
LIVE_NAME: Final = re.compile(r"(?:[01][0-9]|2[0-3])[0-5][0-9]-(?:0|[1-9][0-9]{0,3})\.parquet")
"""What a live file is called, minute and bucket. Copies that people make, such as `1203-0 (1).parquet`, are none."""
DAY_PREFIX: Final = "date="
OBJECT_PREFIX: Final = "object_id="
ISSUE_PREFIX: Final = "issue="
DAY_NAME: Final = re.compile(rf"{DAY_PREFIX}([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})")
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}|-[0-9]{1,9}")
"""What can name a folder on any system; spacecraft have negative numbers at NAIF."""
KEPT_IN_NAMES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
"""The bytes that the name of a folder shows as they are; any other is percent-encoded."""
MOST_NAME_BYTES: Final = 200
"""Of an encoded value: file systems hold names to 255 bytes, and ours put a time, a digest and suffixes beside it."""


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
    def spool_open_notify(self) -> Path:
        """Raw records that Kafka has yet to take; the stream does not read them."""
        return self.root / "spool" / "open_notify"

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
    def stream_staging(self) -> Path:
        """The stream's own folder in staging, which each start empties."""
        return self.staging / "stream_positions"

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
        return self.issue_file(table, folder_name(object_id), issue)

    def object_file(self, table: Table, object_id: str) -> Path:
        """The one file of an object, in a table that has one an object."""
        return self.object_folder(table, object_id) / PART

    def object_day(self, table: Table, object_id: str, day: date) -> Path:
        """The one file of an object's day."""
        return self.object_folder(table, object_id) / day_folder(day) / PART

    def object_folder(self, table: Table, object_id: str) -> Path:
        """The folder of an object below a table's."""
        return self.closed(table) / f"{OBJECT_PREFIX}{folder_name(object_id)}"

    def issue_file(self, table: Table, object_folder: str, issue_folder: str) -> Path:
        """The one file of an issue, by the encoded names of its folders."""
        return self.closed(table) / f"{OBJECT_PREFIX}{object_folder}" / f"{ISSUE_PREFIX}{issue_folder}" / PART


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


def live_name(minute: datetime, bucket: int) -> str:
    """The name of the live file of a minute's rows of one bucket of objects."""
    return f"{minute:%H%M}-{bucket}{PARQUET}"


def part_name(number: int) -> str:
    """The name of a part of a closed day."""
    return f"part-{number}{PARQUET}"


def part_number(part: Path) -> int:
    """The number in a part's name."""
    return int(part.stem.removeprefix("part-"))


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


def partition_pattern(table: Table, issue: str | None = None) -> str:
    """The pattern of a table's closed files below its folder; where it has a key `issue`, maybe of one by its value."""
    folders = (f"{key}={issue_folder(issue) if issue and key == 'issue' else '*'}" for key in table.partition_by)
    return "/".join((*folders, PART))
