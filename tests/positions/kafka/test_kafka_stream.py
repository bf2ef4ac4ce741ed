"""The stream by Kafka, for real: the same tables as by files, landed exactly once, and loud where records are gone."""

import json
import shutil
import time
from collections.abc import Callable

import pytest
from tests.positions.samples import lines, orbit
from tests.positions.streamed import quarantined, reasons, whole_lines

from orbitlake.lake import Lake
from orbitlake.positions.kafka.connection import Topic
from orbitlake.positions.state import Checkpoint

pytestmark = [pytest.mark.spark, pytest.mark.timeout(300)]


def tables(lake: Lake) -> dict[str, bytes]:
    """Every published file, by its place."""
    return {str(file.relative_to(lake.root)): file.read_bytes() for file in sorted(lake.root.glob("live/**/*.parquet"))}


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for what the cluster does by itself."""
    latest = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < latest
        time.sleep(0.2)


def fixes(number: int) -> list[str]:
    """Fixes of two objects."""
    return lines(orbit(range(0, 5 * number, 5)) + orbit(range(0, 5 * number, 5), object_id="2021-035A"))


def test_by_kafka_the_tables_are_those_by_files_to_the_byte(streamed_line):
    records = [*fixes(60), '{"latitude": 91', "", "not json\nnot json either"]
    streamed_line.publish(records)

    totals = streamed_line.stream()

    assert (totals["batches"], totals["records"], totals["rows"], totals["bad"]) == (1, 123, 120, 3)
    by_kafka = tables(streamed_line.lake)
    landed = whole_lines(streamed_line.lake.raw_open_notify)
    assert sorted(landed) == sorted(line.encode() for record in records if record for line in record.split("\n"))
    assert len(quarantined(streamed_line.lake)) == len(reasons(streamed_line.lake)) > 0
    (about,) = streamed_line.lake.quarantine.glob("*.reason.json")
    places = {each["file_name"].rpartition("/")[0] for each in json.loads(about.read_text())["first_lines"]}
    assert places == {streamed_line.settings.kafka_topic}
    # From the raw records alone: the broker is not asked.
    shutil.rmtree(streamed_line.lake.root / "live")
    shutil.rmtree(streamed_line.lake.root / "checkpoints")
    replayed = streamed_line.by_files()
    assert (replayed["records"], replayed["rows"], replayed["bad"]) == (123, 120, 3)
    assert tables(streamed_line.lake) == by_kafka


def test_a_batch_whose_commit_is_lost_lands_the_same_bytes_again(streamed_line):
    streamed_line.publish(fixes(30))
    assert streamed_line.stream(max_bytes=10_000)["batches"] == 2
    before, raw = tables(streamed_line.lake), raw_files(streamed_line.lake)
    commits = Checkpoint(streamed_line.lake, by_kafka=True).spark / "commits"
    last = max((file for file in commits.iterdir() if file.name.isdigit()), key=lambda file: int(file.name))
    for file in (last, commits / f".{last.name}.crc"):
        file.unlink(missing_ok=True)
    streamed_line.publish(fixes(31)[-1:])

    totals = streamed_line.stream()

    # The second batch, 20 records, and the new one.
    assert totals["records"] == 21
    assert tables(streamed_line.lake).keys() >= before.keys()
    (after,) = raw_files(streamed_line.lake).values()
    (raw,) = raw.values()
    assert after[: len(raw)] == raw
    assert len(after.splitlines()) == 61


def raw_files(lake: Lake) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in lake.raw_open_notify.glob("*/*")}


def test_transports_may_be_changed_and_the_checkpoint_lost_without_loss_or_double(streamed_line):
    records = fixes(20)
    streamed_line.publish(records[:20])
    streamed_line.stream()
    land_segment(streamed_line.lake, records[20:30])
    by_files = streamed_line.by_files()
    streamed_line.publish(records[30:])

    by_kafka = streamed_line.stream()

    assert (by_files["records"], by_files["rows"]) == (30, 10)
    assert (by_kafka["records"], by_kafka["rows"]) == (20, 10)
    Checkpoint(streamed_line.lake, by_kafka=True).rebuild()
    anew = streamed_line.stream()
    # Each once: from the raw records, not from the topic, which holds most of them still.
    assert (anew["records"], anew["rows"], anew["repeats"]) == (40, 40, 0)
    assert len(whole_lines(streamed_line.lake.raw_open_notify)) == 40


def land_segment(lake: Lake, records: list[str]) -> None:
    folder = lake.raw_open_notify / "date=2025-12-21"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "20251221T120000.000000Z-00000000.jsonl").write_text("".join(f"{line}\n" for line in records))


def test_what_retention_removed_is_named_and_passed_over_only_when_asked_to(streamed_line):
    from confluent_kafka import TopicPartition

    records = fixes(20)
    streamed_line.publish(records[:10], partition=0)
    streamed_line.stream()
    streamed_line.publish(records[10:30], partition=0)
    topic = Topic(streamed_line.settings)
    (removed,) = topic.admin.delete_records([TopicPartition(topic.name, 0, 25)]).values()
    removed.result(60)

    refused = streamed_line.driver.run(streamed_line.environment)
    assert refused["kind"] == "LostRecordsError"
    assert f"topic {topic.name} no longer holds" in refused["error"]
    assert "partition 0: 10 to 24" in refused["error"]
    assert "--skip-lost" in refused["error"]
    assert streamed_line.stream(skip_lost=True)["rows"] == 5
    streamed_line.publish(records[30:31], partition=0)
    assert streamed_line.stream()["rows"] == 1


def test_a_topic_that_was_made_anew_is_named_and_read_from_its_begin_after_a_rebuild(streamed_line):
    records = fixes(20)
    streamed_line.publish(records[:5], partition=0)
    streamed_line.stream()
    topic = Topic(streamed_line.settings)
    topic.admin.delete_topics([topic.name])[topic.name].result(60)
    eventually(lambda: topic.held() == {})
    topic.make()
    eventually(lambda: topic.held() != {})
    # More than the offset that the stream would go on from.
    streamed_line.publish(records[5:15], partition=0)

    refused = streamed_line.driver.run(streamed_line.environment, skip_lost=True)
    assert refused["kind"] == "LostRecordsError"
    assert f"topic {topic.name} is another one" in refused["error"]
    Checkpoint(streamed_line.lake).rebuild()
    assert streamed_line.stream(skip_lost=True)["rows"] == 15


def test_partitions_that_are_added_are_read_from_their_begin_on(streamed_line):
    from confluent_kafka.admin import NewPartitions

    records = fixes(20)
    streamed_line.publish(records[:20])
    streamed_line.stream()
    topic = Topic(streamed_line.settings)
    for made in topic.admin.create_partitions([NewPartitions(topic.name, 5)]).values():
        made.result(60)
    for partition, record in enumerate(records[20:25]):
        streamed_line.publish([record], partition=partition)

    totals = streamed_line.stream()

    assert totals["rows"] == 5
    note = json.loads(streamed_line.lake.stream_progress.with_name("landed.json").read_bytes())
    assert sum(note["after"].values()) == 25


def test_a_landed_day_that_is_over_is_sealed_and_not_read_again(streamed_line):
    records = fixes(10)
    streamed_line.publish(records)
    streamed_line.stream()

    streamed_line.stream(now="2100-01-01T12:00:00+00:00")

    (sealed,) = streamed_line.lake.raw_open_notify.glob("*/*")
    assert sealed.name.endswith(".jsonl.gz")
    assert sorted(whole_lines(streamed_line.lake.raw_open_notify)) == sorted(line.encode() for line in records)
    assert streamed_line.stream()["records"] == 0


def test_a_user_by_tls_and_sasl_reads_and_writes(streamed_line, broker):
    from tests.servers.kafka import PASSWORD, USER

    streamed_line.environment |= {
        "ORBITLAKE_KAFKA": f"127.0.0.1:{broker.tls_port}",
        "ORBITLAKE_KAFKA_SECURITY": "SASL_SSL",
        "ORBITLAKE_KAFKA_USER": USER,
        "ORBITLAKE_KAFKA_PASSWORD": PASSWORD,
        "ORBITLAKE_KAFKA_CA": str(broker.ca),
    }
    streamed_line.publish(fixes(5))

    assert streamed_line.stream()["rows"] == 10
