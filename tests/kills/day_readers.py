"""One reader by the README's queries, over and over: `… day_readers KIND DATA OUT`.

It reads both tables until the file OUT/stop is there, and once more then. A line of OUT/KIND.jsonl tells of each read:
when it began and ended, and the state of each day, or the error.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from tests.kills.days import states_by_day
from tests.kills.readers import typed

from orbitlake.lake import Lake
from orbitlake.query import connect, files
from orbitlake.tables import POSITION_TABLES, Table

Look = Callable[[Table], pa.Table]


def duckdb_standing(lake: Lake) -> Look:
    connection = connect(lake.root)
    return lambda table: connection.sql(f"FROM {table.name}").to_arrow_table()


def duckdb_anew(lake: Lake) -> Look:
    return lambda table: connect(lake.root).sql(f"FROM {table.name}").to_arrow_table()


def pandas_files(lake: Lake) -> Look:
    import pandas as pd

    return lambda table: pa.Table.from_pandas(pd.read_parquet(files(table.name, lake.root)), preserve_index=False)


def polars_scan(lake: Lake) -> Look:
    import polars as pl

    return lambda table: pl.scan_parquet(files(table.name, lake.root), hive_partitioning=True).collect().to_arrow()


def polars_planned(lake: Lake) -> Look:
    """With the metadata read first, as whoever asks for the columns does."""
    import polars as pl

    def look(table: Table) -> pa.Table:
        days = pl.scan_parquet(files(table.name, lake.root), hive_partitioning=True)
        days.collect_schema()
        time.sleep(0.1)
        return days.collect().to_arrow()

    return look


def spark_files(lake: Lake) -> Look:
    from pyspark.sql import SparkSession

    conf = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "768m",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
    }
    session = SparkSession.builder.master("local[1]").config(map=conf).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return lambda table: session.read.parquet(*files(table.name, lake.root)).toArrow()


READERS: dict[str, list[Callable[[Lake], Look]]] = {
    "duckdb": [duckdb_standing, duckdb_anew],
    "pandas": [pandas_files],
    "polars": [polars_scan, polars_planned],
    "spark": [spark_files],
}


def main() -> None:
    kind, data, out = sys.argv[1], Lake(Path(sys.argv[2])), Path(sys.argv[3])
    looks = [make(data) for make in READERS[kind]]
    last = False
    with (out / f"{kind}.jsonl").open("a", buffering=1) as account:
        while not last:
            last = (out / "stop").exists()
            started = time.monotonic()
            for look in looks:
                for table in POSITION_TABLES:
                    account.write(json.dumps(one_read(look, table) | {"last": last}) + "\n")
            # A quarter of the time: the compactions need a processor too.
            time.sleep(3 * (time.monotonic() - started))


def one_read(look: Look, table: Table) -> dict[str, object]:
    """Read a table once and tell of it."""
    began = time.monotonic()
    told: dict[str, object] = {"look": getattr(look, "__qualname__", ""), "table": table.name, "began": began}
    try:
        rows = look(table)
    except Exception as error:  # noqa: BLE001 - any failure of any reader is what is looked for
        return told | {"ended": time.monotonic(), "error": f"{type(error).__name__}: {error}"[:2000]}
    return told | {"ended": time.monotonic(), "days": states_by_day(typed(rows, table), table)}


if __name__ == "__main__":
    main()
