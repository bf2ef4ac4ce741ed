"""What is found below the data root: the folders of days and the files in them, and a warning of all else."""

import logging
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Final

from orbitlake.lake.errors import printable
from orbitlake.lake.paths import DAY_PREFIX, PARQUET, PART_NAME, Lake, day_folder, day_of_folder, part_number
from orbitlake.tables import Table

LOG: Final = logging.getLogger(__name__)
NAMED_AT_ONCE: Final = 20
"""Most names that one look at a folder warns of one by one; of the others it says how many they are."""
MOST_REMEMBERED: Final = 100_000
"""So many names that were warned of are remembered."""
warned_of: set[str] = set()
"""What this process has warned of already."""


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


def parts_of(lake: Lake, table: Table, day: date) -> list[Path]:
    """The files of a closed day: one, or the parts of a large one in their order."""
    found, _ = files_of_day(lake.closed(table) / day_folder(day), PART_NAME)
    return sorted((Path(entry.path) for entry in found), key=part_number)


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


def warn_of(paths: Iterable[str], reason: str) -> None:
    """Warn of files or folders that are left alone, of each once in the life of the process."""
    new = sorted(set(paths) - warned_of)
    if len(warned_of) > MOST_REMEMBERED:
        warned_of.clear()
    warned_of.update(new)
    for path in new[:NAMED_AT_ONCE]:
        LOG.warning("%s: %s", printable(path), reason)
    if len(new) > NAMED_AT_ONCE:
        LOG.warning("and %d more like the last", len(new) - NAMED_AT_ONCE)
