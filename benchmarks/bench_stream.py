"""How fast, how steady and how late the position stream is, beside a stream that only passes its records on.

PYTHONPATH=plugins python benchmarks/bench_stream.py [--objects 10000] [--ticks 250] [--fixes 24]
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow.parquet as pq
from bars import SMALL, Bar, print_machine, scaled, verdict

from orbitlake.endings import asked_by_signals
from orbitlake.lake import Lake
from orbitlake.lake.paths import DAY_PREFIX, day_folder
from orbitlake.lake.session import open_session
from orbitlake.positions.raw.source import BYTES_A_BATCH
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW, run
from orbitlake.positions.state import Checkpoint
from orbitlake.settings import from_environment
from orbitlake.tables import POSITIONS, WINDOW_STATS

CHECKOUT = Path(__file__).resolve().parents[1]
ISS = "1998-067A"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK_S = 5
ROWS_A_BATCH = scaled(100_000, 200)
LEAST_RATIO = 0.5
MOST_WORK = 1.2
MOST_DRIVER_SHARE = 0.2
FIXES_A_FILE = 60_000
"""More of them make pages that lake/roomy cannot put beside those before: a minute is to be split into buckets."""
MOST_LATENCY_S = {1: 12.0, 10_000: 16.0}
MOST_GROWTH = 1.10
MOST_QUIET_S = 300
SESSION = {"spark_master": "local[2]", "spark_ui_enabled": "false", "spark_sql_shuffle_partitions": "2"}
"""Of both streams alike; the shuffle partitions are those of the job."""
RECORD = (
    '{{"object_id": "{}", "source": "open_notify", "fetch_time": "{}Z", "latency_ms": {}, "http_status": 200, '
    '"error": null, "latitude": {}, "longitude": {}, "timestamp": {}, "altitude_km": null}}\n'
)
RECORD_SCHEMA = (
    "object_id string, source string, fetch_time timestamp, latency_ms double, http_status int, error string, "
    "latitude double, longitude double, timestamp double, altitude_km double"
)


def record(object_id: str, phase: float, at: datetime, latency_ms: float) -> str:
    """The raw record of one poll; `phase` (turns) sets an object's place on the track that all share."""
    turns = at.timestamp() / 5560 + phase
    return RECORD.format(
        object_id,
        (at + timedelta(milliseconds=500)).replace(tzinfo=None).isoformat(),
        latency_ms,
        round(51.6 * math.sin(2 * math.pi * turns), 4),
        round((turns * 336.0 + 360 * phase) % 360 - 180, 4),
        int(at.timestamp()),
    )


def land(lake: Lake, at: datetime, text: str) -> None:
    """Put a whole segment in its place."""
    folder = lake.raw_open_notify / day_folder(at.date())
    folder.mkdir(parents=True, exist_ok=True)
    aside = lake.root / "aside"
    aside.write_text(text)
    aside.rename(folder / f"{at:%Y%m%dT%H%M%S%f}.jsonl")


def land_ticks(lake: Lake, objects: int, ticks: int) -> None:
    """Land one file a tick, each with one fix of every object."""
    names = [f"{1960 + n // 1000}-{n % 1000:03}A" for n in range(objects)]
    for tick in range(ticks):
        at = START + timedelta(seconds=TICK_S * tick)
        land(lake, at, "".join(record(name, n / objects, at, 10 + n % 90) for n, name in enumerate(names)))


def stream(lake: Lake, trigger: str, max_bytes: int) -> None:
    """Drive our stream, by Kafka where it is set."""
    settings = from_environment()
    options = SESSION | {"spark_master": os.environ.get("ORBITLAKE_BENCH_MASTER", SESSION["spark_master"])}
    if settings.kafka:
        options["spark_jars"] = ",".join(map(str, sorted(settings.kafka_jars.glob("*.jar"))))
    with open_session("stream", **options) as spark, asked_by_signals() as asked:
        # Before the day of the records is over: at its end a run seals the files that the other stream is to read.
        kafka = settings if settings.kafka else None
        run(spark, lake, ISS, trigger, asked, max_bytes, lambda: START, settings.buckets, None, kafka)


def buckets_for(objects: int) -> str:
    """Return the ORBITLAKE_BUCKETS for so many objects, unless it is set."""
    return os.environ.get("ORBITLAKE_BUCKETS", str(math.ceil(objects * 60 / TICK_S / FIXES_A_FILE)))


def pass_through(lake: Lake, out: Path, max_files: int) -> None:
    """Drive a stream of the same records that keeps no state and writes through Spark's file sink."""
    from pyspark.sql import functions as F

    with open_session("pass-through", **SESSION) as spark:
        lines = (
            spark.readStream.format("text")
            .option("recursiveFileLookup", "true")
            .option("pathGlobFilter", "*.jsonl")
            .option("maxFilesPerTrigger", max_files)
            .option("maxFileAge", "36500d")
            .load(str(lake.raw_open_notify))
        )
        records = lines.select(F.from_json("value", RECORD_SCHEMA).alias("record")).select("record.*")
        query = (
            records.writeStream.format("parquet")
            .option("path", str(out / "rows"))
            .option("checkpointLocation", str(out / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory, in bytes, and processor time so far, in seconds, of the processes of one kind at a time."""

    at: float
    resident: int
    worked_s: float


Samples = dict[str, list[Sample]]


def started(*role: object, objects: int) -> subprocess.Popen[bytes]:
    """Start this file in a process of its own, with the driver's memory of the scheduled job."""
    environment = {
        **os.environ,
        "PYSPARK_SUBMIT_ARGS": "--driver-memory 1g pyspark-shell",
        "ORBITLAKE_BUCKETS": buckets_for(objects),
    }
    command = [sys.executable, __file__, "--role", *map(str, role)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def watched(process: subprocess.Popen[bytes]) -> Samples:
    """Wait for a process, and return what was sampled of it. Raises RuntimeError where it ends otherwise than well."""
    samples = watch(process)
    if process.wait() != 0:
        raise RuntimeError(f"{process.args} ended with {process.returncode}")
    return samples


def rate_of(commits: Path, rows_a_batch: int, rows: int) -> float:
    """Return rows/s from the first batch's commit to the last one's."""
    times = {int(file.name): file.stat().st_mtime for file in commits.iterdir() if file.name.isdigit()}
    return (rows - rows_a_batch) / (times[max(times)] - times[0])


def watch(process: subprocess.Popen[bytes]) -> Samples:
    """Sample until its end a driver, its JVM and its Python workers."""
    samples: Samples = defaultdict(list)
    worked: dict[str, dict[int, float]] = defaultdict(dict)
    driver = psutil.Process(process.pid)
    while process.poll() is None:
        resident: dict[str, int] = defaultdict(int)
        for each in [driver, *driver.children(recursive=True)]:
            # One that has ended.
            with suppress(psutil.NoSuchProcess):
                kind = "Python driver" if each.pid == driver.pid else "JVM" if each.name() == "java" else "workers"
                resident[kind] += each.memory_info().rss
                worked[kind][each.pid] = sum(each.cpu_times()[:2])
        for kind, size in resident.items():
            samples[kind].append(Sample(time.time(), size, sum(worked[kind].values())))
        time.sleep(0.2)
    return samples


def commit_times(commits: Path) -> list[float]:
    return sorted(file.stat().st_mtime for file in commits.iterdir() if file.name.isdigit())


def resident_bytes(samples: list[Sample], commits: Path) -> tuple[float, float]:
    """Return the median memory of the middle and of the last third of the run, from first to last commit."""
    times = commit_times(commits)
    third_s = (times[-1] - times[0]) / 3
    middle, last = (
        statistics.median(each.resident for each in samples if begin <= each.at <= begin + third_s)
        for begin in (times[0] + third_s, times[0] + 2 * third_s)
    )
    return middle, last


def worked_s(samples: Samples, commits: Path) -> dict[str, float]:
    """Return the processor time, in seconds, of each kind of process from first to last commit."""
    times = commit_times(commits)
    spans = {
        kind: [each.worked_s for each in of_kind if times[0] <= each.at <= times[-1]]
        for kind, of_kind in samples.items()
    }
    return {kind: span[-1] - span[0] for kind, span in spans.items() if span}


def throughput(folder: Path, objects: int, ticks: int) -> list[Bar]:
    """Run both streams over the same files, one after the other."""
    lake = Lake(folder / "data")
    land_ticks(lake, objects, ticks)
    rows, max_files = objects * ticks, max(1, ROWS_A_BATCH // objects)

    def passed(out: Path) -> tuple[float, float]:
        samples = watched(started("pass-through", lake.root, out, max_files, objects=objects))
        commits = out / "checkpoint" / "commits"
        return rate_of(commits, max_files * objects, rows), sum(worked_s(samples, commits).values())

    # Before and after: a shared machine may be faster at one time than at another. A small run judges no figure.
    before, passing_s = passed(folder / "before")
    sizes = [file.stat().st_size for file in lake.raw_open_notify.glob(f"{DAY_PREFIX}*/*.jsonl")]
    samples = watched(started("stream", lake.root, AVAILABLE_NOW, max_files * max(sizes), objects=objects))
    after, _ = (before, passing_s) if SMALL else passed(folder / "after")
    check_complete(lake, rows)
    commits = Checkpoint(lake).spark / "commits"
    rate = rate_of(commits, max_files * objects, rows)
    worked = worked_s(samples, commits)
    work_s = sum(worked.values())
    print(f"     {rows} rows of {objects} objects, {max_files * objects} a batch, {buckets_for(objects)} buckets")
    print(f"     pass-through: {before:.0f} and {after:.0f} rows/s; orbitlake: {rate:.0f} rows/s, steady state")
    print("     processor time: " + ", ".join(f"{kind} {share / work_s:.0%}" for kind, share in worked.items()))
    ratio = rate / statistics.mean([before, after])
    bars = [
        Bar("throughput over that of a pass-through stream", ratio, LEAST_RATIO, at_least=True),
        Bar("processor time over that of a pass-through stream", work_s / passing_s, MOST_WORK, at_least=False),
        Bar("the Python driver's share of it", worked["Python driver"] / work_s, MOST_DRIVER_SHARE, at_least=False),
    ]
    for kind, values in samples.items():
        middle, last = resident_bytes(values, commits)
        print(f"     memory of {kind}: {middle / 2**20:.0f} MiB in the middle third, {last / 2**20:.0f} in the last")
        bars.append(Bar(f"memory of {kind}, last third over middle third", last / middle, MOST_GROWTH, at_least=False))
    return bars


def check_complete(lake: Lake, rows: int) -> None:
    """Raise unless every fix is published once and the minutes count each once."""
    positions = sum(pq.read_metadata(file).num_rows for file in lake.live(POSITIONS).glob("**/*.parquet"))
    points = sum(
        sum(pq.read_table(file, columns=["data_points"], partitioning=None).column(0).to_pylist())
        for file in lake.live(WINDOW_STATS).glob("**/*.parquet")
    )
    if (positions, points) != (rows, rows):
        raise RuntimeError(f"{rows} fixes made {positions} positions and {points} data points")


def latency(folder: Path, fixes: int, objects: int, most_s: float) -> list[Bar]:
    """Land a fix of each object about each 5 s, at any phase of the trigger, and watch for them as a reader does."""
    lake = Lake(folder / f"live-{objects}")
    landed: dict[datetime, float] = {}
    ours = started("stream", lake.root, f"{TICK_S} seconds", BYTES_A_BATCH, objects=objects)
    names = [ISS] if objects == 1 else [f"{1960 + n // 1000}-{n % 1000:03}A" for n in range(objects)]

    def poll(at: datetime) -> None:
        land(lake, at, "".join(record(name, n / objects, at, 12.5) for n, name in enumerate(names)))

    def poll_on() -> None:
        chance = random.Random(5)
        begin = time.time()
        for tick in range(fixes + 1):
            time.sleep(max(0.0, begin + TICK_S * (tick + chance.random()) - time.time()))
            at = datetime.now(UTC).replace(microsecond=0)
            poll(at)
            landed[at] = time.time()

    lake.root.mkdir(parents=True)
    first = datetime.now(UTC).replace(microsecond=0)
    poll(first)
    seen: dict[datetime, float] = {}
    samples: Samples = {}
    watcher = threading.Thread(target=lambda: samples.update(watch(ours)))
    watcher.start()
    try:
        wait_for(lake, seen, objects, lambda: first in seen)
        collector = threading.Thread(target=poll_on)
        collector.start()
        wait_for(lake, seen, objects, lambda: not collector.is_alive() and landed.keys() <= seen.keys())
    finally:
        ours.terminate()
        ours.wait()
        watcher.join()
    waits_s = sorted(seen[at] - moment for at, moment in landed.items())
    log = lake.stream_progress.read_text().splitlines()[1:]
    p50, p95 = statistics.median(waits_s), statistics.quantiles(waits_s, n=20, method="inclusive")[-1]
    print(f"     {len(waits_s)} fixes of {objects} objects, trigger {TICK_S} s; landed -> visible: p50 {p50:.2f} s")
    print(f"     work of such a batch: median {statistics.median(json.loads(x)['duration_s'] for x in log):.2f} s")
    for kind, values in samples.items():
        print(f"     memory of {kind}: {max(each.resident for each in values) / 2**20:.0f} MiB at most")
    return [Bar(f"p95 of landed -> visible, {objects} objects, s", p95, most_s, at_least=False)]


def wait_for(lake: Lake, seen: dict[datetime, float], objects: int, enough: Callable[[], bool]) -> None:
    """Read new and replaced files of live/positions as they appear, until `enough`; a time is seen with all objects."""
    known: dict[Path, tuple[int, int]] = {}
    found: dict[Path, Counter[datetime]] = {}
    quiet_since = time.time()
    while not enough():
        for file in lake.live(POSITIONS).glob("**/*.parquet"):
            stamp = (file.stat().st_ino, file.stat().st_mtime_ns)
            if known.get(file) != stamp:
                known[file], quiet_since = stamp, time.time()
                found[file] = Counter(pq.read_table(file, columns=["event_time"], partitioning=None)[0].to_pylist())
                for at in found[file].keys() - seen.keys():
                    if sum(times[at] for times in found.values()) == objects:
                        seen[at] = quiet_since
        if time.time() - quiet_since > MOST_QUIET_S:
            raise RuntimeError(f"nothing became visible for {MOST_QUIET_S} s")
        time.sleep(0.02)


def play(role: list[str]) -> None:
    """Be one of the processes that the benchmark starts."""
    what, root, argument, most = role
    lake = Lake(Path(root))
    if what == "stream":
        stream(lake, argument, int(most))
    else:
        pass_through(lake, Path(argument), int(most))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=scaled(10_000, 100))
    parser.add_argument(
        "--ticks", type=int, default=scaled(250, 16), help=f"fixes an object, {TICK_S} s apart; 0: none"
    )
    parser.add_argument("--fixes", type=int, default=scaled(24, 1), help="fixes to follow in real time; 0: no latency")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--role", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        play(arguments.role)
        return 0
    print_machine()
    bars = []
    with tempfile.TemporaryDirectory() as name:
        if arguments.ticks:
            bars += throughput(Path(name), arguments.objects, arguments.ticks)
        if arguments.fixes:
            for objects in sorted({arguments.objects} if SMALL else {1, arguments.objects}):
                most_s = max(most_s for least, most_s in MOST_LATENCY_S.items() if least <= objects)
                bars += latency(Path(name), arguments.fixes, objects, most_s)
    print_machine()
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
