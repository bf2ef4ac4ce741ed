"""A reader of the published window_stats, in a process of its own: asks again and again until its input ends.

`python -m tests.publishing.reader KIND URL ROWS`; it says when it is ready, and begins with the first line of its
input. Each question is for the least and greatest value and the number of rows of each day; a day whose values differ
is mixed, one with another number of rows is half. In the end it prints one line of JSON.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
KEY_ID, SECRET_KEY = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
SQL = (
    "SELECT min(data_points), max(data_points), min(avg_velocity_km_s), max(avg_velocity_km_s), count(*), "
    "sum(max_velocity_km_s) FROM {} GROUP BY date"
)
Day = Iterable[Any]


def connect_of(url: str) -> Callable[[], list[Day]]:
    """`orbitlake.query.connect`."""
    from orbitlake.query import connect

    connection = connect(url)
    return lambda: connection.sql(SQL.format("window_stats")).fetchall()


def duckdb_of(url: str) -> Callable[[], list[Day]]:
    """DuckDB with its own extension, over the names that it lists."""
    from tests.servers.duckdb_httpfs import EXTENSION, FOLDER

    sys.path.insert(0, str(FOLDER))
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"LOAD '{EXTENSION}'")
    connection.execute("SET unsafe_disable_etag_checks = true")
    # Else it would answer most questions from what it remembers.
    connection.execute("SET enable_external_file_cache = false")
    host = ENDPOINT.removeprefix("http://")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{KEY_ID}', SECRET '{SECRET_KEY}', ENDPOINT '{host}', URL_STYLE 'path', "
        "USE_SSL false, REGION 'us-east-1')"
    )
    source = f"read_parquet('{url}/lake/window_stats/**/*.parquet', hive_partitioning = true)"
    return lambda: connection.sql(SQL.format(source)).fetchall()


def polars_of(url: str) -> Callable[[], list[Day]]:
    """Polars over the names that it lists."""
    import polars as pl

    def ask() -> list[Day]:
        columns = [pl.col("data_points"), pl.col("avg_velocity_km_s"), pl.col("max_velocity_km_s")]
        points, speed, more = columns
        asked = (points.min(), points.max().alias("b"), speed.min(), speed.max().alias("d"), pl.len(), more.sum())
        scan = pl.scan_parquet(f"{url}/lake/window_stats/**/*.parquet", hive_partitioning=True)
        return [row[1:] for row in scan.group_by("date").agg(*asked).collect().rows()]

    return ask


def pandas_of(url: str) -> Callable[[], list[Day]]:
    """pandas over the folder."""
    import pandas as pd

    def ask() -> list[Day]:
        rows = pd.read_parquet(f"{url}/lake/window_stats")
        days = rows.groupby("date", observed=True)
        found = days.agg({"data_points": ["min", "max"], "avg_velocity_km_s": ["min", "max"], "object_id": "size"})
        return [tuple(map(float, row)) for row in found.itertuples(index=False)]

    return ask


def spark_of(url: str) -> Callable[[], list[Day]]:
    """Spark by s3a, two tasks side by side."""
    from pyspark.sql import SparkSession
    from tests.servers.hadoop_aws import jars

    options = {
        "spark.jars": ",".join(jars()),
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.hadoop.fs.s3a.endpoint": ENDPOINT,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.input.stream.type": "classic",
        "spark.hadoop.fs.s3a.change.detection.mode": "none",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in options.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    place = f"{url.replace('s3://', 's3a://')}/lake/window_stats"

    def ask() -> list[Day]:
        spark.read.parquet(place).createOrReplaceTempView("window_stats")
        return [tuple(row) for row in spark.sql(SQL.format("window_stats")).collect()]

    return ask


READERS = {"connect": connect_of, "duckdb": duckdb_of, "polars": polars_of, "pandas": pandas_of, "spark": spark_of}


def main(kind: str, url: str, rows: int) -> None:
    """Read until standard input ends."""
    ask = READERS[kind](url)
    ask()
    print("ready", flush=True)
    sys.stdin.readline()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    reads, seen, mixed, errors = 0, set(), [], []
    while not ended.is_set() or not (reads or errors):
        try:
            days = ask()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the test looks for
            lines = f"{type(error).__name__}: {error}".splitlines()
            errors.append([line[:300] for line in lines if line is lines[0] or line.startswith("Caused by")])
            continue
        reads += 1
        for low, high, low_speed, high_speed, count, *_ in days:
            seen.add(int(low))
            if not low == high == low_speed == high_speed or count != rows:
                mixed.append([low, high, low_speed, high_speed, count])
    print(json.dumps({"reads": reads, "seen": len(seen), "mixed": mixed[:3], "errors": errors[:3]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
