"""Rows of any table with all that its types can hold, put where a lake has them."""

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from tests.published import publish

from orbitlake.database.relations import DAY_COLUMNS
from orbitlake.lake import Lake
from orbitlake.lake.paths import PART, folder_name, issue_folder
from orbitlake.tables import LABEL, Column, Table

DAY = date(2026, 11, 20)
TEXTS = (
    "",
    "open_notify",
    "it's",
    '"quoted"',
    "100% %s {0} $1",
    "back\\slash",
    "tab\tand\nline",
    "ü€😀",
    "NULL",
    "\\N",
    "{a,b}",
)
REALS = (0.0, -0.0, 1.5, -2.25, 1 / 3, 5e-324, 1.7976931348623157e308, 123456789.12345679, 1e-7)
OBJECT, ISSUE = "1998-067A", "20261119T120000Z"


def rows_of(table: Table, count: int, seed: int = 0, *, day: date = DAY, **fixed: Any) -> pa.Table:
    """Return rows with distinct keys, whose times lie in a day; `fixed` columns hold one value."""
    chance = random.Random(f"{table.name} {seed}")
    fixed = {"object_id": OBJECT, "site": "Paris", "point": "Paris"} | fixed
    columns = {}
    for column in table.columns:
        if column.name in fixed:
            values = [fixed[column.name]] * count
        elif column.name in (table.key[-1], "epoch_tai"):
            values = [distinct(column, day, place) for place in range(count)]
        else:
            values = [value(column, day, chance) for _ in range(count)]
        columns[column.name] = pa.array(values, column.type.value_type if column.type == LABEL else column.type)
    return pa.table(columns).cast(table.schema)


def distinct(column: Column, day: date, place: int) -> Any:
    """Return one of different values."""
    if pa.types.is_timestamp(column.type):
        return moment(column, day, 1000 * place + 7)
    if pa.types.is_string(column.type):
        return f"{place} {TEXTS[place % len(TEXTS)]}"
    return place / 8 if pa.types.is_floating(column.type) else place


def value(column: Column, day: date, chance: random.Random) -> Any:
    """Return what a column may hold."""
    if not column.required and chance.random() < 0.2:
        return None
    if pa.types.is_timestamp(column.type):
        return moment(column, day, chance.randrange(86_400_000_000))
    if pa.types.is_floating(column.type):
        return chance.choice((*REALS, float("nan"), float("inf"), chance.random()))
    if pa.types.is_boolean(column.type):
        return chance.random() < 0.5
    if pa.types.is_integer(column.type):
        return chance.choice((0, -1, 2**31 - 1, -(2**31), chance.randrange(1000)))
    if pa.types.is_list(column.type):
        return [chance.choice(TEXTS) for _ in range(chance.randrange(4))]
    return chance.choice(TEXTS)


def moment(column: Column, day: date, micros: int) -> datetime:
    """Return a time in a day."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC if column.type.tz else None)
    return begin + timedelta(microseconds=micros)


def put(lake: Lake, table: Table, rows: pa.Table, **values: str | date) -> None:
    """Publish rows as the one file of a partition, whose keys have these values or else the usual ones."""
    keys: dict[str, Any] = {
        "date": DAY,
        "object_id": OBJECT,
        "issue": ISSUE,
        "site": "Paris",
        "point": "Paris",
    } | values
    publish(rows, table, lake.closed(table) / name_of(table, keys) / PART, lake.staging)


def take(lake: Lake, table: Table, **values: str | date) -> None:
    """Remove a partition."""
    keys: dict[str, Any] = {
        "date": DAY,
        "object_id": OBJECT,
        "issue": ISSUE,
        "site": "Paris",
        "point": "Paris",
    } | values
    shutil.rmtree(lake.closed(table) / name_of(table, keys))


def name_of(table: Table, keys: dict[str, Any]) -> str:
    """Return the folders of a partition."""
    encoded = {"date": str, "issue": issue_folder}
    return "/".join(f"{key}={encoded.get(key, folder_name)(keys[key])}" for key in table.partition_by)


def of_partition(table: Table, count: int, seed: int = 0, **values: Any) -> pa.Table:
    """Return rows that a partition of these keys may hold: its times lie in its day, its creation is its issue's."""
    day = values.pop("date", DAY)
    if DAY_COLUMNS.get(table.name) == "creation_date":
        values.setdefault("creation_date", datetime(2026, 11, 19, 12, tzinfo=UTC))
    return rows_of(table, count, seed, day=day, **values)
