"""A lake with passes over Paris in it, as predict_passes leaves them."""

from collections.abc import Iterable

import pyarrow as pa

from orbitlake.lake import Lake
from orbitlake.lake.parquet import write_table
from orbitlake.lake.paths import PART, folder_name
from orbitlake.pass_alerts import Coming
from orbitlake.pass_alerts.coming import instant
from orbitlake.tables import PASSES

SITES = """
[[sites]]
name = "Paris"
latitude_deg = 48.8566
longitude_deg = 2.3522
time_zone = "Europe/Paris"
"""


def put_passes(lake: Lake, passes: Iterable[Coming]) -> None:
    """Write the file of the passes of an object over a site."""
    rows = []
    for each in passes:
        row = {
            name: instant(value) if value and pa.types.is_timestamp(PASSES.schema.field(name).type) else value
            for name, value in each.facts.items()
        }
        rows.append(row)
    place = rows[0]["site"]
    file = lake.object_folder(PASSES, rows[0]["object_id"]) / f"site={folder_name(place)}" / PART
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(field.name, plain(field.type)) for field in PASSES.schema])
    write_table(pa.Table.from_pylist(rows, schema), PASSES, file)


def plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of a dictionary's values, any other as it is."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
