"""How fast the lake is loaded into PostgreSQL, beside a bare COPY of the same CSV; late days, and runs without news.

PYTHONPATH=plugins python benchmarks/bench_database.py [--rows 20000000] [--days 20] [--year 365]

The server is that of the topology, on loopback, with its usual settings. The bare COPY reads the CSV from memory into a
table without key, index or partitions, a day a transaction; the load makes the CSV of Parquet and builds the key. Both
are timed a day in turn, so that what else the machine does weighs on both. A late day is one that is loaded, to which a
hundredth of its rows comes late. Without news: a year of days and issues that are loaded, at a fix a minute.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
from bars import Bar, print_machine, scaled, verdict

from orbitlake.database import connect, differences, load
from orbitlake.database.lake_files import Partition
from orbitlake.database.relations import Relation
from orbitlake.embedded.database import Database, free_port
from orbitlake.lake import Lake
from orbitlake.lake.parquet import write_table
from orbitlake.tables import POSITIONS, THRUST_EPISODES, TRAJECTORY_EVENTS, Table

FIRST = date(2026, 3, 1)
DAY_US = 86_400_000_000
OBJECTS = 100
MOST_OF_COPY, MOST_OF_ON_TIME, MOST_WITHOUT_NEWS_S = 3.0, 2.0, 2.0
LATE_SHARE = 0.01
CHECKOUT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC", "LC_ALL": "C"}


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server; the URL of its database."""
    made = Database(folder / "database", "secret", free_port())
    made.make(ENVIRONMENT, folder / "initdb.log")
    process = subprocess.Popen(made.command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(made.check, env=ENVIRONMENT, check=False).returncode:
            time.sleep(0.1)
        yield made.url.replace("+psycopg2", "")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def day_of_fixes(day: date, count: int, objects: int = OBJECTS) -> pa.Table:
    """Return fixes of a day, spread over objects, with numbers of as many digits as real ones."""
    chance = np.random.default_rng(day.toordinal())
    begin_us = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    each = -(-count // objects)
    times = begin_us + (np.arange(count) % each) * (DAY_US // each)
    names = pa.DictionaryArray.from_arrays(
        (np.arange(count) // each).astype(np.int32), pa.array([f"{2000 + number}-001A" for number in range(objects)])
    ).cast(pa.string())
    time_type = POSITIONS.schema.field("event_time").type
    columns = {
        "object_id": names,
        "source": pa.repeat("open_notify", count),
        "event_time": pa.array(times).cast(time_type),
        "fetch_time": pa.array(times + chance.integers(10_000, 900_000, count)).cast(time_type),
        "latitude_deg": np.round(chance.uniform(-51.6, 51.6, count), 4),
        "longitude_deg": np.round(chance.uniform(-180, 180, count), 4),
        "altitude_km": pa.nulls(count, pa.float64()),
        "velocity_km_s": np.round(chance.uniform(6.3, 7.6, count), 7),
        "orbit_phase": pa.array(np.where(times % 2 == 0, "ASCENDING", "DESCENDING")),
        "hemisphere_ns": pa.repeat("North", count),
        "hemisphere_ew": pa.repeat("East", count),
        "distance_to_paris_km": np.round(chance.uniform(0, 20_000, count), 6),
    }
    return pa.table(columns)


def write(table: Table, file: Path, rows: pa.Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    write_table(rows, table, temporary)
    temporary.rename(file)


def bare_copy_s(connection: psycopg.Connection, partition: Partition) -> float:
    """Time a COPY of a partition's CSV, ready in memory, into a table that is nothing but columns."""
    relation = Relation(POSITIONS, "public")
    chunks = list(partition.csv(relation.folder_keys))
    began = time.perf_counter()
    with (
        connection.transaction(),
        connection.cursor() as cursor,
        cursor.copy("COPY bare FROM STDIN (FORMAT csv)") as sink,
    ):
        for chunk in chunks:
            sink.write(memoryview(chunk))
    return time.perf_counter() - began


def loaded_s(connection: psycopg.Connection, lake: Lake, tables: list[Table], expected: int) -> float:
    """Time a load, which has to load so many partitions."""
    began = time.perf_counter()
    done = load(connection, lake, tables, "orbitlake")
    took_s = time.perf_counter() - began
    if sum(each.loaded for each in done) != expected or any(each.failures for each in done):
        raise RuntimeError(f"expected {expected} partitions: {done}")
    return took_s


def bulk(connection: psycopg.Connection, lake: Lake, rows: int, days: int) -> list[Bar]:
    """Load days in turn with a bare COPY of the same, then each of a few again with late rows."""
    load(connection, lake, [POSITIONS], "orbitlake")
    connection.execute("CREATE TABLE bare (LIKE orbitlake.positions)")
    each = rows // days
    copies_s, loads_s, lates_s = [], [], []
    for number in range(days):
        day = FIRST + timedelta(days=number)
        file = lake.day(POSITIONS, day)
        write(POSITIONS, file, day_of_fixes(day, each))
        copies_s.append(bare_copy_s(connection, Partition(POSITIONS, lake.closed(POSITIONS), file.parent.name)))
        loads_s.append(loaded_s(connection, lake, [POSITIONS], 1))
        print(f"{day}: bare COPY {copies_s[-1]:.2f} s, load {loads_s[-1]:.2f} s", flush=True)
    for number in range(min(days, 3)):
        day = FIRST + timedelta(days=number)
        whole = day_of_fixes(day, each)
        late = day_of_fixes(day, round(each * LATE_SHARE), 1)
        places = [whole.column_names.index(name) for name in ("object_id", "event_time")]
        late = late.set_column(places[0], "object_id", pa.repeat("2001-001A", len(late)))
        moved = pa.array(np.asarray(late.column("event_time").cast(pa.int64())) + 1).cast(
            late.column("event_time").type
        )
        late = late.set_column(places[1], "event_time", moved)
        write(POSITIONS, lake.day(POSITIONS, day), pa.concat_tables([whole, late]))
        lates_s.append(loaded_s(connection, lake, [POSITIONS], 1))
        print(f"{day}: {len(late)} rows late, {lates_s[-1]:.2f} s", flush=True)
    different = list(differences(connection, lake, [POSITIONS], "orbitlake")) if rows <= 2_000_000 else []
    if different:
        raise RuntimeError(different[0])
    print(f"{rows} rows in {days} days: bare COPY {sum(copies_s):.1f} s, load {sum(loads_s):.1f} s", flush=True)
    late, on_time = statistics.median(lates_s), statistics.median(loads_s)
    return [
        Bar("load over a bare COPY of the same CSV", sum(loads_s) / sum(copies_s), MOST_OF_COPY, at_least=False),
        Bar("a day with late rows over a day on time", late / on_time, MOST_OF_ON_TIME, at_least=False),
    ]


def year(connection: psycopg.Connection, url: str, lake: Lake, days: int) -> list[Bar]:
    """Load many small partitions, then nothing new, by the job as a process of its own."""
    tables = [POSITIONS, TRAJECTORY_EVENTS, THRUST_EPISODES]
    for number in range(days):
        day = FIRST + timedelta(days=number)
        write(POSITIONS, lake.day(POSITIONS, day), day_of_fixes(day, 1440, 1))
        for table in tables[1:]:
            write(table, lake.issue_file(table, "1998-067A", f"{day:%Y%m%d}T120000Z"), table.schema.empty_table())
    first_s = loaded_s(connection, lake, tables, len(tables) * days)
    print(f"{len(tables) * days} partitions of a year for the first time: {first_s:.1f} s", flush=True)
    command = [sys.executable, str(CHECKOUT / "jobs" / "load_database.py"), "--data", str(lake.root)]
    environment = os.environ | {"ORBITLAKE_DATABASE_URL": url, "PYTHONPATH": str(CHECKOUT / "plugins")}
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        took_s.append(time.perf_counter() - began)
    return [Bar("again without news, the whole job, s", statistics.median(took_s), MOST_WITHOUT_NEWS_S, at_least=False)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=scaled(20_000_000, 20_000), help="fixes in all; 0: none")
    parser.add_argument("--days", type=int, default=scaled(20, 2), help="days that they are spread over")
    parser.add_argument("--year", type=int, default=scaled(365, 5), help="days of the small lake; 0: none")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    print_machine()
    bars: list[Bar] = []
    # The server may be another user than we are.
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as url:
        if arguments.rows:
            with connect(url) as connection:
                bars += bulk(connection, Lake(Path(name) / "bulk"), arguments.rows, arguments.days)
        if arguments.year:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE year")
            of_year = url.removesuffix("/postgres") + "/year"
            with connect(of_year) as connection:
                bars += year(connection, of_year, Lake(Path(name) / "year"), arguments.year)
    print_machine()
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
