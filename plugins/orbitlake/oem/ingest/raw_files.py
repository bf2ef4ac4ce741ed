"""The raw archive: each distinct file of an issue, gzip, with a receipt of when and whence it came first."""

import gzip
import json
import re
from pathlib import Path
from typing import Final, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.oem.reader import unpacking
from orbitlake.oem.reader.errors import OemError
from orbitlake.oem.reader.issue import Issue
from orbitlake.oem.reader.read import issues_in

DIGEST_DIGITS: Final = 12
SUFFIXES: Final = {"KVN": "txt", "XML": "xml"}
RAW_NAME: Final = re.compile(rf"(?P<issue>.+)-(?P<digest>[0-9a-f]{{{DIGEST_DIGITS}}})\.(txt|xml)\.gz", re.DOTALL)


class Receipt(TypedDict):
    """When and whence a raw file came first, and which of its messages is the issue, counted from 0."""

    source_url: str | None
    retrieved_at: str | None
    message: int


NO_RECEIPT: Final = Receipt(source_url=None, retrieved_at=None, message=0)


def raw_name(issue_folder: str, issue: Issue) -> str:
    """Return the name of a raw file: after its content, so that equal bytes are kept once."""
    return f"{issue_folder}-{issue.content_sha256[:DIGEST_DIGITS]}.{SUFFIXES[issue.header.file_format]}.gz"


def raw_bytes(text: bytes) -> bytes:
    """Return what a raw file holds: gzip without a time stamp, so that equal files have equal bytes."""
    return gzip.compress(text, mtime=0)


def receipt_bytes(receipt: Receipt) -> bytes:
    """Return what the file of a receipt holds."""
    return json.dumps(receipt, indent=2).encode()


def keep_raw(raw: Path, text: bytes, receipt: Receipt, lake: Lake) -> None:
    """Keep a file's bytes and, before them, its receipt; what is kept already stays as it is."""
    if raw.exists():
        return
    write_file(receipt_of(raw), receipt_bytes(receipt), lake.staging)
    write_file(raw, raw_bytes(text), lake.staging)


def read_raw(raw: Path) -> Issue:
    """Return the issue that a raw file was kept for. Raises OemError where it can no longer be read."""
    message = issues_in(unpacking.unpack(unpacking.load(raw), str(raw)), str(raw))[receipt_in(raw)["message"]]
    if isinstance(message, OemError):
        raise message
    return message


def in_order_of_arrival(raw_files: list[Path], issue_row: Path) -> list[Path]:
    """Return raw files of one issue: the one that its row of oem_issues at `issue_row` names, then as they came."""
    try:
        # One column alone, which every version of the table has.
        named = pq.ParquetFile(issue_row).read(columns=["raw_path"]).column(0)[0].as_py()
    except (FileNotFoundError, pa.ArrowInvalid):
        named = None
    first = Path(named or "").name
    return sorted(raw_files, key=lambda raw: (raw.name != first, receipt_in(raw)["retrieved_at"] or "", raw.name))


def receipt_of(raw: Path) -> Path:
    """Return the small file beside a raw one that holds its receipt."""
    return raw.with_name(raw.name.removesuffix(".gz") + ".receipt.json")


def receipt_in(raw: Path) -> Receipt:
    """Return the receipt of a raw file: NO_RECEIPT where it has none, the first message in older ones."""
    try:
        said: Receipt = json.loads(receipt_of(raw).read_bytes())
    except FileNotFoundError:
        return NO_RECEIPT
    return NO_RECEIPT | said


def remove_raw(raw: Path) -> None:
    """Remove a raw file, whose bytes are elsewhere by now, and its receipt."""
    raw.unlink(missing_ok=True)
    receipt_of(raw).unlink(missing_ok=True)
