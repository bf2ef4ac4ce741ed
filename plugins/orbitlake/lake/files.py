"""The one way a file is published: written aside in `staging/`, synced, then renamed."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from orbitlake.lake.errors import LakeError
from orbitlake.lake.paths import Lake

PARTS_ASIDE: Final = ".parts"
"""Suffix of a folder in `staging/` that is to become a closed day."""
BLOCK_BYTES: Final = 4_096
ZEROS: Final = bytes(BLOCK_BYTES)


def write_file(target: Path, content: bytes | bytearray, staging: Path) -> None:
    """Put `content` at `target` whole or not at all, durably: written in `staging`, synced, then renamed.

    Blocks of zeros become holes, which take no room on the disk.
    """
    staging.mkdir(parents=True, exist_ok=True)
    temporary = staging / f"{target.name[-64:]}.{uuid.uuid4().hex}"
    with removed_on_error(temporary):
        with temporary.open("wb") as sink:
            for start in range(0, len(content), BLOCK_BYTES):
                block = content[start : start + BLOCK_BYTES]
                if block != ZEROS[: len(block)]:
                    sink.seek(start)
                    sink.write(block)
            sink.truncate(len(content))
            sink.flush()
            os.fsync(sink.fileno())
        publish_file(temporary, target)


@contextmanager
def removed_on_error(temporary: Path) -> Iterator[None]:
    """Remove a file that could not be published whole: on a full disk each new try would make it fuller.

    An OSError that names no file, as that of a full disk, is raised with this one's name.
    """
    try:
        yield
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, os.strerror(error.errno), str(temporary)) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish_file(temporary: Path, target: Path) -> None:
    """Rename a finished, synced file to its place and make the new name durable.

    Raises LakeError where a file has the name of the folder.
    """
    place_file(temporary, target)
    sync_folder(target.parent)


def place_file(temporary: Path, target: Path) -> None:
    """Rename a finished file to its place; the name is durable once its folder is synced. Raises LakeError likewise."""
    try:
        try:
            temporary.replace(target)
        except FileNotFoundError:
            # The first file of its folder; and one that became empty is removed with its last file.
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise LakeError(f"{target.parent} must be a folder, and a file has that name: move it away") from error


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
