"""One reader of Parquet, looking at the live tables over and over: `… readers KIND DATA EXPECTED OUT`.

It reads plain globs until the file OUT/stop is there, compares each look's keys with those expected and those seen
before, and leaves its account in OUT/KIND.json and what it read last in OUT/KIND-TABLE.parquet.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orbitlake.lake import Lake
from orbitlake.lake.files import write_file
from orbitlake.tables import POSITION_TABLES, Table

Look = Callable[[Table], pa.Table]


def duckdb_globs(lake: Lake) -> Look:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return lambda table: connection.sql(f"FROM read_parquet('{lake.live(table)}/**/*.parquet')").to_arrow_table()


def duckdb_views(lake: Lake) -> Look:
    from orbitlake.query import connect

    return lambda table: connect(lake.root, tables=[table]).sql(f"FROM {table.name}").to_arrow_table()


def pandas_folder(lake: Lake) -> Look:
    import pandas as pd

    return lambda table: pa.Table.from_pandas(pd.read_parquet(lake.live(table)), preserve_index=False)


def pandas_files(lake: Lake) -> Look:
    import pandas as pd

    def look(table: Table) -> pa.Table:
        files = sorted(lake.live(table).glob("**/*.parquet"))
        return pa.Table.from_pandas(pd.read_parquet(files), preserve_index=False)

    return look


def polars_scan(lake: Lake) -> Look:
    import polars as pl

    return lambda table: pl.scan_parquet(f"{lake.live(table)}/**/*.parquet").collect().to_arrow()


def polars_read(lake: Lake) -> Look:
    import polars as pl

    return lambda table: pl.read_parquet(f"{lake.live(table)}/**/*.parquet").to_arrow()


def spark_folder(lake: Lake) -> Look:
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
    return lambda table: session.read.parquet(str(lake.live(table))).toArrow()


READERS: dict[str, list[Callable[[Lake], Look]]] = {
    "duckdb": [duckdb_globs, duckdb_views],
    "pandas": [pandas_folder, pandas_files],
    "polars": [polars_scan, polars_read],
    "spark": [spark_folder],
}


def keys_of(rows: pa.Table, table: Table) -> list[tuple[object, ...]]:
    """The keys of rows, times as microseconds."""
    columns = (rows.column(name) for name in table.key)
    return list(
        zip(*((c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist() for c in columns), strict=True)
    )


def typed(rows: pa.Table, table: Table) -> pa.Table:
    """The table's columns in its types, whatever types the reader has for them."""
    return rows.select(table.column_names).cast(table.schema)


def watch(kind: str, lake: Lake, expected: dict[str, set], out: Path) -> None:
    """Look until told to stop, and once more then; keep an account."""
    looks = [make(lake) for make in READERS[kind]]
    seen: dict[str, set] = {table.name: set() for table in POSITION_TABLES}
    account: Counter[str] = Counter()
    wrong: list[str] = []
    last = False
    while not last:
        began = time.monotonic()
        last = (out / "stop").exists()
        for look in looks:
            for table in POSITION_TABLES:
                if not any(lake.live(table).glob("**/*.parquet")):
                    continue
                try:
                    rows = typed(look(table), table)
                except Exception as error:  # noqa: BLE001 - any failure of any reader is what is looked for
                    wrong.append(
                        f"{kind} {table.name} {time.time():.3f} unreadable: {type(error).__name__}: {error}"[:2000]
                    )
                    continue
                keys = keys_of(rows, table)
                now = set(keys)
                problems = {
                    "double": len(keys) - len(now),
                    "vanished": len(seen[table.name] - now),
                    "unexpected": len(now - expected[table.name]),
                }
                wrong += [f"{kind} {table.name}: {count} {what}" for what, count in problems.items() if count]
                seen[table.name] |= now
                account[table.name] += 1
                if last:
                    pq.write_table(rows, out / f"{kind}-{table.name}.parquet")
        write_file(
            out / f"{kind}.json", json.dumps({"looks": account, "wrong": wrong[:50], "last": last}).encode(), out
        )
        # A quarter of the time: the stream needs a processor too.
        time.sleep(3 * (time.monotonic() - began))


def main() -> None:
    kind, data, expected, out = sys.argv[1:]
    keys = {name: {tuple(key) for key in each} for name, each in json.loads(Path(expected).read_text()).items()}
    watch(kind, Lake(Path(data)), keys, Path(out))


if __name__ == "__main__":
    main()
