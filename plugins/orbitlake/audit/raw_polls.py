"""The raw folder as polls by UTC day, whatever file of whatever day they lie in."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from orbitlake.audit.notes import Feed
from orbitlake.audit.outcomes import Polls
from orbitlake.audit.polls import POLLS, polls_of_file
from orbitlake.columns import object_numbers, starts_of_runs
from orbitlake.lake import Lake
from orbitlake.lake.errors import printable
from orbitlake.lake.listing import days_in
from orbitlake.positions.raw.segments import RawFileError, raw_files

LOG: Final = logging.getLogger(__name__)
DAY_US: Final = 86_400_000_000
EPOCH_DAY: Final = date(1970, 1, 1)
MOST_ROWS_KEPT: Final = 500_000
"""Polls that are kept in memory for the next question, some 35 MB."""
DAYS_KEPT: Final = 3
"""Days whose polls, split by feed, are kept likewise."""


class RawPolls:
    """Raw files of a lake read as polls; those read last are kept. `object_id` is that of records of the older form."""

    def __init__(self, lake: Lake, object_id: str) -> None:
        self.root, self.object_id = lake.raw_open_notify, object_id
        self.kept: OrderedDict[str, pa.Table] = OrderedDict()
        self.days: dict[tuple[date, tuple[tuple[str, int], ...]], dict[Feed, Polls]] = {}

    def of_file(self, name: str, size: int) -> pa.Table:
        """Return the polls of the first `size` bytes of a raw file. Raises RawFileError where it cannot be read."""
        if name not in self.kept:
            self.kept[name] = polls_of_file(self.root, name, size, self.object_id)
        self.kept.move_to_end(name)
        rows = self.kept[name]
        while sum(each.num_rows for each in self.kept.values()) > MOST_ROWS_KEPT and len(self.kept) > 1:
            self.kept.popitem(last=False)
        return rows

    def days_of_file(self, name: str, size: int) -> tuple[date, ...] | None:
        """Return the UTC days that a raw file has polls of; None, with a warning, of one that cannot be read now."""
        try:
            rows = self.of_file(name, size)
        except RawFileError as error:
            LOG.warning("not audited: %s", printable(error))
            return None
        return tuple(map(day_at, np.unique(rows.column("at_us").to_numpy() // DAY_US)))

    def of_day(self, files: Mapping[str, int], day: date) -> dict[Feed, Polls]:
        """Return the polls of a UTC day by feed, from the files that have any. Raises RawFileError."""
        key = day, tuple(files.items())
        if key not in self.days:
            self.days = dict(list(self.days.items())[1 - DAYS_KEPT :]) | {key: by_feed(self.rows_of_day(files, day))}
        return self.days[key]

    def rows_of_day(self, files: Mapping[str, int], day: date) -> pa.Table:
        """Return the polls of a UTC day as rows of POLLS."""
        begin_us = start_us(day)
        found = [POLLS.empty_table()]
        for name, size in files.items():
            rows = self.of_file(name, size)
            at_us = rows.column("at_us").to_numpy()
            found.append(rows.filter(pa.array((at_us >= begin_us) & (at_us < begin_us + DAY_US))))
        return pa.concat_tables(found)


def by_feed(rows: pa.Table) -> dict[Feed, Polls]:
    """Split polls by object and source, in the order of their names."""
    numbers = object_numbers(rows)
    order = np.argsort(numbers, kind="stable")
    sorted_rows = rows.take(order)
    starts = starts_of_runs(numbers[order])
    parts = [
        sorted_rows.slice(start, end - start) for start, end in zip(starts, [*starts[1:], rows.num_rows], strict=False)
    ]
    return {(part["object_id"][0].as_py(), part["source"][0].as_py()): Polls.of(part) for part in parts}


def raw_listing(lake: Lake) -> dict[date, dict[str, int]]:
    """Return the raw files of each day's folder, by name from the raw root, with their bytes.

    Record files of the older layout are left to the stream, which gathers them into a segment.
    """
    found: dict[date, dict[str, int]] = {}
    for day, folder in days_in(lake.raw_open_notify).items():
        sizes = {f"{folder.name}/{name}": size_of(folder / name) for name in raw_files(folder)}
        found[day] = {name: size for name, size in sizes.items() if size is not None}
    return {day: files for day, files in found.items() if files}


def size_of(file: Path) -> int | None:
    """The bytes of a file, None of one that was sealed or taken away meanwhile."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def start_us(day: date) -> int:
    """The begin of a UTC day in microseconds since 1970."""
    return (day.toordinal() - EPOCH_DAY.toordinal()) * DAY_US


def day_at(number: int) -> date:
    """The day that is so many days after 1970-01-01."""
    return EPOCH_DAY + timedelta(days=int(number))
