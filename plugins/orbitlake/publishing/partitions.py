"""What of the lake is published: its closed partitions, each one object, and what tells that one has changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from orbitlake.lake import Lake
from orbitlake.lake.listing import days_in, parts_of
from orbitlake.lake.pages import Revision
from orbitlake.lake.paths import partition_pattern
from orbitlake.settings import SettingError
from orbitlake.tables import TABLES, Table

BY_DAY = ("date",)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition: the name of its object, relative to where the lake is published, and its files here.

    A day of many objects lies here in several parts; there it is one object, which is replaced at once.
    """

    table: Table
    path: str
    parts: tuple[Path, ...]

    def sign(self) -> list[Any]:
        """Return what changes when a file is replaced. Raises FileNotFoundError where one is gone."""
        found = [part.stat() for part in self.parts]
        return [[each.st_ino, each.st_size, each.st_mtime_ns] for each in found]

    def source(self) -> str:
        """Return what changes with the rows: a digest of what the files hold, and the version of the table.

        Files with room say themselves what their pages hold, wherever those stand.
        """
        digests = [Revision.of(part).digest or sha256(part.read_bytes()).hexdigest() for part in self.parts]
        return sha256(" ".join([self.table.name, str(self.table.version), *digests]).encode()).hexdigest()


def tables_named(names: Iterable[str]) -> list[Table]:
    """Return the tables of these names, all for none. Raises SettingError for a name that no table has."""
    wanted = list(names) or list(TABLES)
    if unknown := [name for name in wanted if name not in TABLES]:
        raise SettingError(f"ORBITLAKE_PUBLISH_TABLES holds {unknown[0]!r}: expected names of {', '.join(TABLES)}")
    return [TABLES[name] for name in wanted]


def closed_partitions(lake: Lake, tables: Iterable[Table], today: date) -> Iterator[Partition]:
    """Yield the closed partitions of some tables; of tables by day those of days before `today`."""
    for table in tables:
        if table.partition_by == BY_DAY:
            for day in days_in(lake.closed(table)):
                parts = tuple(parts_of(lake, table, day))
                if parts and day < today:
                    yield Partition(table, path_of(lake, lake.day(table, day)), parts)
        else:
            for file in sorted(lake.closed(table).glob(partition_pattern(table))):
                yield Partition(table, path_of(lake, file), (file,))


def path_of(lake: Lake, file: Path) -> str:
    """Return the name of a file's object: its path below the data root."""
    return file.relative_to(lake.root).as_posix()
