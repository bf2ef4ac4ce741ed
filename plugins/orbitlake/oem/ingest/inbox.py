"""The folder into which people drop files: a file there is ingested once it is whole, and leaves it afterwards."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orbitlake.lake import Lake

UNCHANGED_FOR_S: Final = 2.0
"""A file is read once it has not been written for so long: a copy in progress is no truncated file."""


def is_in_inbox(path: Path, lake: Lake) -> bool:
    """Return whether a file lies in the inbox, by its path alone."""
    return path.is_relative_to(lake.inbox_oem.absolute()) and ".." not in path.parts


def wait_until_written(path: Path) -> None:
    """Wait until nobody has written to a file for UNCHANGED_FOR_S. Raises OSError."""
    while 0.0 <= (age_s := time.time() - path.stat().st_mtime) < UNCHANGED_FOR_S:
        time.sleep(UNCHANGED_FOR_S - age_s)


def leave(path: Path, way: Callable[[], object]) -> str | None:
    """Move or remove a file of the inbox by `way`; return why it stays there where that is not possible."""
    try:
        way()
    except OSError as error:
        return f"{path} stays in the inbox: {error.strerror}"
    return None
