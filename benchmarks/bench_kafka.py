"""How fast the position stream is by Kafka beside the same records by segments, and on how many executors.

PYTHONPATH=plugins python benchmarks/bench_kafka.py [--objects 10000] [--ticks 120] [--partitions 4] [--executors 1 2]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bars import SMALL, Bar, print_machine, scaled, verdict
from bench_stream import ROWS_A_BATCH, START, TICK_S, check_complete, land_ticks, started, watched, worked_s
from confluent_kafka import Producer

from orbitlake.embedded.database import free_port
from orbitlake.embedded.kafka import BROKER, JARS, SPARK, Broker
from orbitlake.lake import Lake
from orbitlake.lake.paths import DAY_PREFIX
from orbitlake.positions.kafka.publisher import HEADERS, Publisher, key_of
from orbitlake.positions.kafka.source import BYTES_A_RECORD
from orbitlake.positions.spark.lifecycle import AVAILABLE_NOW
from orbitlake.positions.state import Checkpoint
from orbitlake.settings import from_environment

LEAST_RATIO = 0.8
MOST_WORK = 1.25
ANSWERS_WITHIN_S = 60
LOCAL = "local[2]"
JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=4"
"""As the scheduled jobs of a deployment have it; `make` starts Java with its first compiler alone, for short runs."""


def publish(lake: Lake, address: str, topic: str) -> float:
    """Publish the records of a lake in their order; return how many a second the broker acknowledged."""
    settings = replace(from_environment({"ORBITLAKE_KAFKA": address}), kafka_topic=topic)
    producer = Producer(Publisher(settings).options | {"queue.buffering.max.messages": 1_000_000, "linger.ms": 20})
    began, count = time.monotonic(), 0
    for file in sorted(lake.raw_open_notify.glob(f"{DAY_PREFIX}*/*.jsonl")):
        for line in file.read_bytes().splitlines():
            producer.produce(topic, line, key_of(line), headers=HEADERS)
            count += 1
            if not count % 1000:
                producer.poll(0)
        producer.flush()
    return count / (time.monotonic() - began)


def rate_of(lake: Lake, *, by_kafka: bool) -> float:
    """Return rows/s from the first batch's commit to the last one's."""
    rows = {}
    for text in lake.stream_progress.read_text().splitlines():
        batch = json.loads(text)
        rows[batch["batch"]] = batch["records"]
    commits = Checkpoint(lake, by_kafka).spark / "commits"
    times = {number: (commits / str(number)).stat().st_mtime for number in rows}
    return (sum(rows.values()) - rows[0]) / (times[max(times)] - times[0])


class Runs:
    """Streams of the same records, each into a lake of its own."""

    def __init__(self, folder: Path, source: Lake, objects: int, rows: int, environment: dict[str, str]) -> None:
        self.folder, self.source, self.objects, self.rows = folder, source, objects, rows
        self.environment = environment
        size = max(file.stat().st_size for file in source.raw_open_notify.glob(f"{DAY_PREFIX}*/*.jsonl"))
        self.rows_a_file = rows // len(list(source.raw_open_notify.glob(f"{DAY_PREFIX}*/*.jsonl")))
        self.files = max(1, ROWS_A_BATCH // self.rows_a_file)
        self.bytes_a_batch = self.files * size

    def run(self, name: str, master: str = LOCAL, *, by_kafka: bool) -> tuple[float, float]:
        """Stream all; return rows/s and seconds of processor time, from the first commit to the last."""
        lake = Lake(self.folder / name)
        lake.raw_open_notify.parent.mkdir(parents=True)
        if not by_kafka:
            lake.raw_open_notify.symlink_to(self.source.raw_open_notify)
        most = self.files * self.rows_a_file * BYTES_A_RECORD if by_kafka else self.bytes_a_batch
        os.environ["ORBITLAKE_BENCH_MASTER"] = master
        os.environ |= self.environment if by_kafka else dict.fromkeys(self.environment, "")
        samples = watched(started("stream", lake.root, AVAILABLE_NOW, most, objects=self.objects))
        check_complete(lake, self.rows)
        rate, rows = rate_of(lake, by_kafka=by_kafka), self.rows - ROWS_A_BATCH
        work_s = sum(worked_s(samples, Checkpoint(lake, by_kafka).spark / "commits").values())
        print(f"     {name}: {rate:.0f} rows/s, {1e6 * work_s / rows:.1f} us of processor a row ({master})", flush=True)
        return rate, work_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=scaled(10_000, 100))
    parser.add_argument("--ticks", type=int, default=scaled(120, 8), help=f"fixes an object, {TICK_S} s apart")
    parser.add_argument("--partitions", type=int, default=4, help="of the topic")
    parser.add_argument(
        "--executors", type=int, nargs="*", default=[] if SMALL else [1, 2], help="of one core, to compare"
    )
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    arguments = parser.parse_args()
    if not all((JARS / kind).is_dir() for kind in (SPARK, BROKER)):
        print(f"skipped: no jars of Kafka in {JARS}; `make kafka` fetches them")
        return 0
    if not SMALL:
        os.environ["JDK_JAVA_OPTIONS"] = f"{os.environ.get('JDK_JAVA_OPTIONS', '')} {JAVA}"
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder / "broker", free_port(), free_port(), JARS / BROKER, partitions=arguments.partitions)
        broker.make(os.environ, folder / "format.log")
        with (folder / "broker.log").open("wb") as log:
            process = subprocess.Popen(broker.command, stdout=log, stderr=log)
        try:
            latest = time.monotonic() + ANSWERS_WITHIN_S
            while not broker.answers() and time.monotonic() < latest:
                time.sleep(0.2)
            source, rows = Lake(folder / "source"), arguments.objects * arguments.ticks
            land_ticks(source, arguments.objects, arguments.ticks)
            print(f"     {rows} rows of {arguments.objects} objects since {START:%Y-%m-%d}, {ROWS_A_BATCH} a batch")
            rate = publish(source, broker.address, "bench")
            print(f"     published: {rate:.0f} records/s, {arguments.partitions} partitions", flush=True)
            runs = Runs(
                folder,
                source,
                arguments.objects,
                rows,
                {"ORBITLAKE_KAFKA": broker.address, "ORBITLAKE_KAFKA_TOPIC": "bench"},
            )
            before = runs.run("segments-before", by_kafka=False)
            kafka = runs.run("kafka", by_kafka=True)
            after = before if SMALL else runs.run("segments-after", by_kafka=False)
            for count in arguments.executors:
                runs.run(f"kafka-on-{count}", f"local-cluster[{count},1,1024]", by_kafka=True)
        finally:
            process.kill()
            process.wait()
    print_machine()
    segments = [statistics.mean(each) for each in zip(before, after, strict=True)]
    bars = [
        Bar("throughput by Kafka over by segments", kafka[0] / segments[0], LEAST_RATIO, at_least=True),
        Bar("processor time by Kafka over by segments", kafka[1] / segments[1], MOST_WORK, at_least=False),
    ]
    return verdict(bars, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
