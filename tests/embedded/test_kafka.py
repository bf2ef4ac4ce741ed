"""Kafka for the topology of one machine: jars by Maven or a word on what to do, and a broker as one more part."""

import os
import sys
from dataclasses import replace

import pytest

from orbitlake.embedded import kafka
from orbitlake.embedded.database import Database
from orbitlake.embedded.kafka import BROKER, KAFKA_PORT, SPARK, with_kafka
from orbitlake.embedded.roots import TopologyError
from orbitlake.embedded.topology import PORTS, Topology
from orbitlake.settings import from_environment


@pytest.fixture
def topology(tmp_path) -> Topology:
    return Topology(run=tmp_path / "run", settings=from_environment({}), ports=dict.fromkeys(PORTS, 20_000))


@pytest.fixture
def jars(tmp_path, monkeypatch):
    """The folder of the jars, and a Maven that leaves one there."""
    folder, maven = tmp_path / "jars", tmp_path / "bin" / "mvn"
    monkeypatch.setattr(kafka, "JARS", folder)
    maven.parent.mkdir()
    maven.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n"
        "out = Path(next(word for word in sys.argv if word.startswith('-DoutputDirectory=')).partition('=')[2])\n"
        "out.mkdir()\n(out / 'one.jar').touch()\n"
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(maven.parent), prepend=os.pathsep)
    return folder


def test_jars_are_fetched_once(jars):
    said = []

    assert kafka.fetch(SPARK, said.append) == kafka.fetch(SPARK, said.append) == jars / SPARK
    assert [file.name for file in (jars / SPARK).iterdir()] == ["one.jar"]
    assert len(said) == 1


def test_without_maven_it_is_said_what_to_do(jars, monkeypatch):
    monkeypatch.setenv("PATH", str(jars))

    with pytest.raises(
        TopologyError, match=r"no Maven .* set ORBITLAKE_KAFKA to a broker's address, or put the jars of "
    ):
        kafka.fetch(BROKER)


def test_a_maven_that_fails_leaves_nothing_and_is_quoted(jars, monkeypatch):
    maven = jars.parent / "bin" / "mvn"
    maven.write_text("#!/bin/sh\necho no repository\nexit 1\n")
    monkeypatch.setenv("PATH", f"{maven.parent}:/bin")

    with pytest.raises(TopologyError, match="Maven could not fetch Kafka's jars \\(no repository\\)"):
        kafka.fetch(SPARK)
    assert not any(jars.iterdir())


def test_a_broker_of_its_own_is_one_more_part_and_everyone_is_told_of_it(topology, jars, tmp_path):
    ours = with_kafka(topology, lambda _: None)

    assert "kafka" not in {part.name for part in topology.parts(Database(tmp_path, "", 1))}
    (part,) = (part for part in ours.parts(Database(tmp_path, "", 1)) if part.name == "kafka")
    assert "kafka.Kafka" in part.command
    assert ours.environment()["ORBITLAKE_KAFKA"] == "127.0.0.1:20000"
    assert {"listeners", "advertised.listeners"} <= ours.broker.properties().keys()
    assert all("127.0.0.1" in value for name, value in ours.broker.properties().items() if name[-9:] == "listeners")
    assert (ours._wants(KAFKA_PORT), topology._wants(KAFKA_PORT)) == (True, False)


def test_a_broker_that_is_named_is_used(topology, jars):
    named = replace(topology, settings=from_environment({"ORBITLAKE_KAFKA": "kafka.example.org:9092"}))

    assert with_kafka(named, lambda _: None).broker is None
    assert not (jars / BROKER).exists()
