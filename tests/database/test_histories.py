"""Whatever becomes of a lake between loads, and wherever a load breaks off: in the end the database holds its rows."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from tests.database.random_rows import DAY, of_partition, put, take

from orbitlake.database import differences, load
from orbitlake.database.comparison import rows_in_lake
from orbitlake.database.lake_files import Partition, partitions_of
from orbitlake.tables import GAPS, OEM_ISSUES, PASSES, POSITIONS, TRAJECTORY

TABLES = (POSITIONS, TRAJECTORY, GAPS, OEM_ISSUES, PASSES)
OBJECTS = ("1998-067A", "o'Neil; DROP TABLE orbitlake.passes; --", "100% %s %(a)s {0}")
STEPS = 12


class BrokenOffError(Exception):
    """A load that ended where it was not to."""


def values_of(table, chance: random.Random) -> dict:
    """Return the keys of some partition of a table."""
    drawn = {
        "date": DAY + timedelta(days=chance.randrange(4)),
        "object_id": chance.choice(OBJECTS),
        "issue": chance.choice(("20261119T120000Z", "20261119T120000Z-NAME 'X'")),
        "site": chance.choice(("Paris", "Île d'Yeu", 'x"y')),
    }
    return {key: drawn[key] for key in table.partition_by}


def rows_for(table, values: dict, chance: random.Random):
    """Return rows of a partition, those of issues of the same second under names of their own."""
    rows = {key: value for key, value in values.items() if key != "issue"}
    if "issue" in values and "NAME" in values["issue"]:
        rows["creation_date"] = datetime(2026, 11, 19, 12, 0, 0, 500_000, tzinfo=UTC)
    return of_partition(table, 1 if table == OEM_ISSUES else chance.randrange(1, 30), chance.randrange(3), **rows)


def step(lake, chance: random.Random) -> None:
    """Let one partition come, change or go."""
    table = chance.choice(TABLES)
    found = list(partitions_of(lake, table).values())
    if found and chance.random() < 0.3:
        gone = chance.choice(found)
        take(lake, table, **gone.values)
        return
    values = values_of(table, chance)
    put(lake, table, rows_for(table, values, chance), **values)


@pytest.mark.parametrize("seed", range(2))
def test_after_any_history_the_database_holds_the_rows_of_the_lake(lake, connection, monkeypatch, seed: int):
    chance = random.Random(seed)
    original, breaks = Partition.csv, []

    def breaking(self, keys):
        yield from original(self, keys)
        if breaks and chance.random() < 0.5:
            breaks.pop()
            raise BrokenOffError

    monkeypatch.setattr(Partition, "csv", breaking)
    put(lake, PASSES, of_partition(PASSES, 3))
    for number in range(STEPS):
        for _ in range(chance.randrange(1, 4)):
            step(lake, chance)
        if number % 3 == 1:
            breaks.append(1)
        try:
            done = load(connection, lake, TABLES, "orbitlake")
        except BrokenOffError:
            continue
        breaks.clear()
        assert [each.failures for each in done] == [[]] * len(TABLES)
        assert list(differences(connection, lake, TABLES, "orbitlake")) == []

    load(connection, lake, TABLES, "orbitlake")
    held = {
        table.name: sum(rows_in_lake(each).num_rows for each in partitions_of(lake, table).values()) for table in TABLES
    }
    counted = {name: connection.execute(f"SELECT count(*) FROM orbitlake.{name}").fetchone()[0] for name in held}
    assert counted == held
