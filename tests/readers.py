"""Read the tables of a manifest with every reader that is installed here: a line of JSON for each reader.

python tests/readers.py MANIFEST [READER ...], the manifest being {"table": {"files": [...], "column": "...", "found":
[rows, least, largest]}}: the number of rows, and the ends of that column of times in microseconds since 1970. Each file
is read whole. A reader that is not installed is said to be "absent". tests/test_readers.py writes the manifest.
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def pandas(files: list[str], column: str) -> tuple[int, Any, Any]:
    import pandas as pd

    times = pd.read_parquet(files, engine="pyarrow")[column]
    return len(times), times.min(), times.max()


def fastparquet(files: list[str], column: str) -> tuple[int, Any, Any]:
    import pandas as pd

    times = pd.concat(pd.read_parquet(file, engine="fastparquet") for file in files)[column]
    return len(times), times.min(), times.max()


def pyarrow(files: list[str], column: str) -> tuple[int, Any, Any]:
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    times = ds.dataset(files, format="parquet").to_table().column(column)
    return len(times), pc.min(times).as_py(), pc.max(times).as_py()


def polars(files: list[str], column: str) -> tuple[int, Any, Any]:
    import polars as pl

    times = pl.scan_parquet(files, glob=False).collect()[column]
    return len(times), times.min(), times.max()


def duckdb(files: list[str], column: str) -> tuple[int, Any, Any]:
    import duckdb

    rows = duckdb.connect().execute("SET TimeZone = 'UTC'").read_parquet(files).fetchall()
    names = [each[0] for each in duckdb.read_parquet(files[:1]).description]
    times = [row[names.index(column)].astimezone(UTC) for row in rows]
    return len(times), min(times), max(times)


def pyspark(files: list[str], column: str) -> tuple[int, Any, Any]:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[1]").config("spark.sql.session.timeZone", "UTC")
    spark = session.config("spark.ui.enabled", "false").getOrCreate()
    frame = spark.read.parquet(*files)
    frame.write.format("noop").mode("overwrite").save()
    rows, first, last = frame.selectExpr(
        "count(*)", f"unix_micros(min({column}))", f"unix_micros(max({column}))"
    ).first()
    return rows, first, last


def chdb(files: list[str], column: str) -> tuple[int, Any, Any]:
    import chdb

    totals = []
    for reader in ("0", "1"):
        found = []
        for file in files:
            path = file.replace("\\", "\\\\").replace("'", "\\'")
            answer = chdb.query(
                f"SELECT count(), toUnixTimestamp64Micro(min({column})), toUnixTimestamp64Micro(max({column})), "
                f"sum(ignore(*)) FROM file('{path}', Parquet) "
                f"SETTINGS input_format_parquet_use_native_reader_v3 = {reader}",
                "JSONCompact",
            )
            found.append([int(value) for value in json.loads(str(answer))["data"][0]])
        counts, firsts, lasts, _ = zip(*found, strict=True)
        totals.append((sum(counts), min(firsts), max(lasts)))
    if totals[0] != totals[1]:
        raise ValueError(f"ClickHouse's two readers differ: {totals}")
    return totals[1]


def datafusion(files: list[str], column: str) -> tuple[int, Any, Any]:
    import datafusion

    tables = [datafusion.SessionContext().read_parquet(file).to_arrow_table().column(column) for file in files]
    times = [value for each in tables for value in each.to_pylist()]
    return len(times), min(times), max(times)


def daft(files: list[str], column: str) -> tuple[int, Any, Any]:
    import daft

    times = daft.read_parquet([f"file://{file}" for file in files]).to_arrow().column(column).to_pylist()
    return len(times), min(times), max(times)


def dask(files: list[str], column: str) -> tuple[int, Any, Any]:
    import dask.dataframe as dd

    # The key of the folders is a column of the files as well, of another type than dask would give it.
    times = dd.read_parquet(files, dataset={"partitioning": None}).compute()[column]
    return len(times), times.min(), times.max()


READERS: dict[str, Callable[[list[str], str], tuple[int, Any, Any]]] = {
    each.__name__: each
    for each in (pandas, fastparquet, pyarrow, polars, duckdb, pyspark, chdb, datafusion, daft, dask)
}


def micros(value: Any) -> int:
    """A time of any reader's as microseconds since 1970."""
    if isinstance(value, int):
        return value
    value = value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)


def tried(name: str, tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a reader gives: its version, and what is wrong of which table."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return {"reader": name, "version": "absent", "wrong": {}}
    wrong = {}
    for table, expected in tables.items():
        try:
            rows, first, last = READERS[name](expected["files"], expected["column"])
            if (found := [rows, micros(first), micros(last)]) != expected["found"]:
                wrong[table] = f"gives {found}, expected {expected['found']}"
        except Exception as error:  # noqa: BLE001 - what a reader raises is what is asked
            wrong[table] = f"{type(error).__name__}: {str(error)[:300]}"
    return {"reader": name, "version": version, "wrong": wrong}


if __name__ == "__main__":
    manifest = json.loads(Path(sys.argv[1]).read_text())
    for reader in sys.argv[2:] or READERS:
        print(json.dumps(tried(reader, manifest)), flush=True)
