"""How fast a day is closed, beside DuckDB doing the same sort and write, and what closed days are worth to a query.

PYTHONPATH=plugins python benchmarks/bench_compaction.py [--objects 1000] [--days 365] [--files 17280]

The compaction runs in a session as the job opens it, on local[cores], timed once the session has closed a day already;
DuckDB (as many threads, 4 GB) only copies what the stream has derived. Rows grow with the objects: 20,000 fixes each,
a day's at 4.32 s. For the query a year of one object lies in live files first, with room for corrections as the stream
writes them, then in closed days, written and published as a compaction does but from one process, without Spark.
"""

import argparse
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import duckdb
import numpy as np
import psutil
from bars import Bar, print_machine, scaled, verdict
from live_days import BLOCKS_A_DAY, DAY_S, FIXES_A_DAY, fixes_at, land_block, land_day, midnight_s, name_of

from orbitlake.lake import Lake
from orbitlake.lake.paths import day_folder
from orbitlake.lake.roomy import RoomyWriter
from orbitlake.lake.session import open_session
from orbitlake.positions.derive.motion import positions_of
from orbitlake.positions.spark.compaction import compact_day
from orbitlake.positions.store.closing import publish_parts
from orbitlake.query import connect, files
from orbitlake.tables import POSITION_TABLES, POSITIONS, WINDOW_STATS

DAY = date(2026, 3, 1)
SHARES = (0.05, 0.25, 1.0)
"""Sizes of the day, as shares of the objects."""
ROUNDS = scaled(2, 1)
CORES = os.cpu_count() or 1
LEAST_RATIO = 0.5
MOST_GIB = 4.0
MOST_GROWTH = 1.15
MOST_FILES_RATIO, LEAST_SPEED_UP = 20, 5
LIVE_FILES_OF_DAY = 60
"""A fix and a file every 24 minutes: far fewer than a real day has, in disfavour of the closed days."""
YEARLY = "SELECT date, count(*), avg(velocity_km_s) FROM positions WHERE object_id = '{}' GROUP BY date ORDER BY date"


class Compactor:
    """The compaction in a process of its own, with the driver's memory of the scheduled job; asked for days by lake."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": "--driver-memory 1g pyspark-shell"}
        command = [sys.executable, __file__, "--role", "compact"]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.peak_bytes: dict[str, int] = defaultdict(int)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def time_s(self, lake: Lake) -> float:
        """Close the lake's day for the first time; return how long it took."""
        for table in POSITION_TABLES:
            shutil.rmtree(lake.closed(table), ignore_errors=True)
        self._process.stdin.write(f"{lake.root}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def end(self) -> None:
        self._process.stdin.close()
        if self._process.wait() != 0:
            raise RuntimeError(f"the compaction ended with {self._process.returncode}")
        self._watcher.join()

    def _watch(self) -> None:
        """Sample the resident memory of driver, JVM and Python workers; pages that processes share count in each."""
        driver = psutil.Process(self._process.pid)
        while self._process.poll() is None:
            resident: dict[str, int] = defaultdict(int)
            # Each of them, the driver too, may end while it is looked at.
            with suppress(psutil.NoSuchProcess):
                for each in [driver, *driver.children(recursive=True)]:
                    kind = "Python driver" if each.pid == driver.pid else "JVM" if each.name() == "java" else "workers"
                    resident[kind] += each.memory_info().rss
            resident["all together"] = sum(resident.values())
            for kind, size in resident.items():
                self.peak_bytes[kind] = max(self.peak_bytes[kind], size)
            time.sleep(0.1)


def answer() -> None:
    """Be the compactor: read the roots of lakes, close the day of each, write how long it took."""
    settings = {"spark_master": f"local[{CORES}]", "spark_ui_enabled": "false"}
    with open_session("compact_positions", spark_sql_shuffle_partitions="8", **settings) as spark:
        for line in sys.stdin:
            begin = time.perf_counter()
            compact_day(spark, Lake(Path(line.strip())), DAY)
            print(time.perf_counter() - begin, flush=True)


def duckdb_s(lake: Lake, out: Path) -> float:
    """Let DuckDB sort and write the day's live files of both tables; return how long it took."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    begin = time.perf_counter()
    config = {"threads": CORES, "memory_limit": "4GB", "temp_directory": str(out / "spilled")}
    with duckdb.connect(config=config) as connection:
        for table in POSITION_TABLES:
            connection.execute(
                f"COPY (SELECT {', '.join(table.column_names)} FROM read_parquet('{day_files(lake.live(table))}') "
                f"ORDER BY {', '.join(table.sort_by)}) TO '{out / table.name}.parquet' "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
    return time.perf_counter() - begin


def day_files(folder: Path) -> Path:
    return folder / day_folder(DAY) / "*.parquet"


def check_equal(lake: Lake, out: Path) -> None:
    """Raise unless the closed day and DuckDB's copy of what was streamed hold the same."""
    for table, number in ((POSITIONS, "velocity_km_s"), (WINDOW_STATS, "avg_longitude_deg")):
        (rows, total), (rows_there, total_there) = (
            duckdb.sql(f"SELECT count(*), sum({number}) FROM read_parquet('{path}')").fetchone()
            for path in (day_files(lake.closed(table)), out / f"{table.name}.parquet")
        )
        if rows != rows_there or not math.isclose(total, total_there, rel_tol=1e-9, abs_tol=1e-3):
            raise RuntimeError(f"{table.name}: {rows} rows, sum {total}; DuckDB {rows_there} rows, sum {total_there}")


def throughput(folder: Path, pool: ProcessPoolExecutor, objects: int, count: int) -> list[Bar]:
    """Close days of three sizes, the largest in turns with DuckDB, and one of many small files."""
    sizes = [max(1, round(objects * share)) for share in SHARES]
    lakes = {size: Lake(folder / f"{size}-objects") for size in sizes}
    for size, lake in lakes.items():
        with timed(f"landed {size * FIXES_A_DAY} fixes"):
            done(pool.submit(land_block, lake.root, DAY, size, number) for number in range(BLOCKS_A_DAY))
    many = Lake(folder / "many")
    if count:
        with timed(f"landed the day and the eve of one object, {count} fixes each"):
            days = (DAY - timedelta(days=1), DAY)
            done(pool.submit(land_day, many.root, day, count) for day in days)
    compactor = Compactor()
    compactor.time_s(lakes[sizes[0]])
    duck_s = ours_s = math.inf
    for _ in range(ROUNDS):
        duck_s = min(duck_s, duckdb_s(lakes[sizes[-1]], folder / "duckdb"))
        ours_s = min(ours_s, compactor.time_s(lakes[sizes[-1]]))
    check_equal(lakes[sizes[-1]], folder / "duckdb")
    times_s = {size: min(compactor.time_s(lakes[size]) for _ in range(ROUNDS)) for size in sizes[:-1]}
    times_s[sizes[-1]] = ours_s
    if count:
        print(f"     a day of one object, the eve likewise: {compactor.time_s(many):.1f} s")
    compactor.end()
    for size, seconds in times_s.items():
        rows = size * FIXES_A_DAY
        print(f"     {rows} fixes: {seconds:.1f} s, {rows / seconds:.0f} rows/s")
    print(f"     DuckDB, {sizes[-1] * FIXES_A_DAY} fixes: {duck_s:.1f} s")
    for kind, size in compactor.peak_bytes.items():
        print(f"     peak memory, {kind}: {size / 2**20:.0f} MiB")
    least = times_s[sizes[0]] / sizes[0]
    growth = [
        Bar(
            f"time a row of {size} objects over that of {sizes[0]}", seconds / size / least, MOST_GROWTH, at_least=False
        )
        for size, seconds in list(times_s.items())[1:]
    ]
    return [
        Bar("throughput over that of DuckDB's COPY", duck_s / ours_s, LEAST_RATIO, at_least=True),
        Bar(
            "peak memory of all processes, GiB", compactor.peak_bytes["all together"] / 2**30, MOST_GIB, at_least=False
        ),
        *growth,
    ]


def year_query(folder: Path, pool: ProcessPoolExecutor, days: int) -> list[Bar]:
    """Ask for each day of a year of one object, before and after its days are closed."""
    lake = Lake(folder / "year")
    year = [DAY - timedelta(days=number) for number in range(days, 0, -1)]
    with timed(f"landed {days * LIVE_FILES_OF_DAY} files of {days} days"):
        done(pool.submit(land_day, lake.root, day, LIVE_FILES_OF_DAY) for day in year)
    live_rows, live_s, live_files = asked(lake)
    for day in year:
        close(lake, day)
    rows, closed_s, closed_files = asked(lake)
    if [row[:2] for row in rows] != [row[:2] for row in live_rows] or len(rows) != days:
        raise RuntimeError("the year's days differ before and after their closing")
    print(f"     a year's days of one object: {live_s:.2f} s from {live_files} live files, {closed_s:.3f} s closed")
    return [
        Bar("files of a year, times fewer", live_files / closed_files, MOST_FILES_RATIO, at_least=True),
        Bar("query over a year, times faster", live_s / closed_s, LEAST_SPEED_UP, at_least=True),
    ]


def asked(lake: Lake) -> tuple[list[tuple[object, ...]], float, int]:
    """Return the answer, the best time in a connection of its own, and the files behind it."""
    best_s = math.inf
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        with connect(lake.root, tables=[POSITIONS]) as connection:
            rows = connection.sql(YEARLY.format(name_of(0))).fetchall()
        best_s = min(best_s, time.perf_counter() - begin)
    return rows, best_s, len(files("positions", lake.root))


def close(lake: Lake, day: date) -> None:
    """Publish the closed day of one object."""
    part = lake.day(POSITIONS, day)
    at_s = midnight_s(day) + np.arange(LIVE_FILES_OF_DAY) * DAY_S // LIVE_FILES_OF_DAY
    with RoomyWriter(POSITIONS, part, lake.staging) as writer:
        writer.write(positions_of(fixes_at(1, at_s)))
    publish_parts({0: writer.path}, part.parent)


def done(tasks: Iterable) -> None:
    for task in list(tasks):
        task.result()


@contextmanager
def timed(what: str):
    begin = time.perf_counter()
    yield
    print(f"     {what} in {time.perf_counter() - begin:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=scaled(1000, 4), help=f"of {FIXES_A_DAY} fixes each; 0: none")
    parser.add_argument(
        "--files", type=int, default=scaled(17_280, 20), help="live files of a day of one object; 0: none"
    )
    parser.add_argument("--days", type=int, default=scaled(365, 3), help="closed days to query; 0: no query")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--role", choices=["compact"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        answer()
        return 0
    print_machine()
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        if arguments.objects:
            bars += throughput(Path(name), pool, arguments.objects, arguments.files)
        if arguments.days:
            bars += year_query(Path(name), pool, arguments.days)
    print_machine()
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
