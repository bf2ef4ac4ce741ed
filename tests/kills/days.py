"""Days of fixes, most of them live in time and a tenth late in several goes, and what is published of them."""

import hashlib
import io
import random
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.positions.published import stream_in
from tests.positions.reference import expected_minutes, expected_positions
from tests.positions.samples import orbit

from orbitlake.lake import Lake
from orbitlake.positions.store.minute_files import TIME_OF
from orbitlake.query import files
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS, Table

FIRST_DAY = date(2025, 12, 22)
FIRST_MIDNIGHT_S = 43_200
DAY_S = 86_400
SECONDS_BETWEEN_FIXES = 25
SOURCES = ("open_notify", "wheretheiss")
LATE_SHARE = 0.1
State = tuple[str, int]
"""A checksum of rows, and how many they are."""


class Day:
    """One day: the fixes that come in time, and those that come late, a list for each go."""

    def __init__(self, number: int, goes: int, objects: Iterable[str], choose: random.Random) -> None:
        self.date = FIRST_DAY + timedelta(days=number)
        begin = FIRST_MIDNIGHT_S + number * DAY_S
        stretches = (begin, begin + 1200), (begin + 40_000, begin + 41_500), (begin + DAY_S - 1200, begin + DAY_S)
        rows = [
            row
            for object_id in objects
            for source in SOURCES
            for stretch in stretches
            for row in orbit(range(*stretch, SECONDS_BETWEEN_FIXES), object_id=object_id, source=source)
        ]
        choose.shuffle(rows)
        late = int(len(rows) * LATE_SHARE) if goes else 0
        self.in_time, self.late = rows[late:], [rows[go:late:goes] for go in range(goes)]

    @property
    def fixes(self) -> list[dict]:
        return [*self.in_time, *(row for go in self.late for row in go)]

    def go_live(self, lake: Lake) -> None:
        """Publish what came in time as the stream does."""
        stream_in(lake, self.in_time)

    def come_late(self, lake: Lake) -> None:
        """Publish the next late fixes as the stream does."""
        stream_in(lake, self.late.pop())


def state_of(rows: pa.Table, table: Table) -> State:
    """What tells rows of a table from any others, whatever their order."""
    text = io.BytesIO()
    pyarrow.csv.write_csv(rows.sort_by([(key, "ascending") for key in table.key]), text)
    return hashlib.sha256(text.getvalue()).hexdigest()[:16], rows.num_rows


def states_by_day(rows: pa.Table, table: Table) -> dict[str, State]:
    """The state of each UTC day among rows of a table."""
    days = pc.strftime(rows.column(TIME_OF[table.name]), "%Y-%m-%d")
    return {
        day: state_of(rows.filter(pc.equal(days, day)), table) for day in sorted(pc.unique(days).to_pylist()) if day
    }


def read_all(files: Iterable[str | Path], table: Table) -> pa.Table:
    """The rows of files as pyarrow reads them one by one."""
    rows = [pq.read_table(file, partitioning=None) for file in files]
    return pa.concat_tables([table.schema.empty_table(), *rows]).cast(table.schema)


def parts_published(lake: Lake) -> dict[str, State]:
    """Each file below lake/ with the state of its rows. Raises ValueError on a name that may not be there."""
    found = {}
    for path in sorted((lake.root / "lake").rglob("*")):
        place = path.relative_to(lake.root / "lake")
        table = next((table for table in POSITION_TABLES if table.name == place.parts[0]), None)
        if path.is_file():
            if table is None or not is_part(place):
                raise ValueError(f"{place} is no part of a day")
            found[str(place)] = state_of(read_all([path], table), table)
    return found


def is_part(place: Path) -> bool:
    """Whether a path below lake/ is the place of a closed day's file."""
    folder, name = place.parts[-2:]
    datetime.strptime(folder, "date=%Y-%m-%d")  # noqa: DTZ007 - the folder's name alone
    return len(place.parts) == 3 and name.startswith("part-") and name.endswith(".parquet")


def assert_published(lake: Lake, fixes: list[dict]) -> None:
    """Hold what readers find in closed and open days against what plain Python makes of the fixes."""
    positions = expected_positions(fixes)
    for table, rows in ((POSITIONS, positions), (WINDOW_STATS, expected_minutes(positions))):
        found = read_all(files(table.name, lake.root), table).to_pylist()

        assert in_order(found, table) == approximately(in_order(rows, table))


def in_order(rows: list[dict], table: Table) -> list[dict]:
    return sorted(rows, key=lambda row: [row[name] for name in table.key])


def approximately(rows: list[dict]) -> list[dict]:
    return [
        {n: pytest.approx(v, rel=1e-7, abs=1e-6) if isinstance(v, float) else v for n, v in row.items()} for row in rows
    ]


def expected_of(fixes):
    """The live tables as plain Python computes them."""
    positions = expected_positions(fixes)
    rows = {POSITIONS: positions, WINDOW_STATS: expected_minutes(positions)}
    return {table: pa.Table.from_pylist(rows[table], schema=table.schema) for table in POSITION_TABLES}
