"""Kafka on one machine: a broker of one node (KRaft) on loopback, of jars that Maven fetches once into `.venv`.

`python -m orbitlake.embedded.kafka [spark | broker]` fetches the jars that are not there.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orbitlake.embedded.database import free_port
from orbitlake.embedded.roots import TopologyError

if TYPE_CHECKING:
    from orbitlake.embedded.topology import Topology

JARS: Final = Path(sys.prefix) / "kafka"
KAFKA_PORT: Final = "ORBITLAKE_KAFKA_PORT"
SPARK, BROKER = "spark", "broker"
ARTIFACTS: Final = {
    SPARK: (
        "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0",
        "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.2.0",
        "org.apache.kafka:kafka-clients:3.9.2",
        "org.apache.commons:commons-pool2:2.13.1",
    ),
    BROKER: ("org.apache.kafka:kafka_2.13:4.1.1", "org.slf4j:slf4j-simple:1.7.36"),
}
"""What Spark reads Kafka by, no more than these, for PySpark has the rest; and a broker, which needs what they need."""
FETCHED_WITHIN_S: Final = 600
HEAP: Final = ("-Xms64m", "-Xmx256m")
CONNECTS: Final = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 2).close()"
READY: Final = "meta.properties"


def fetch(what: str, say: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the jars of Spark's source or of the broker, fetched where it is not there.

    Raises TopologyError that says what to do where they cannot be had.
    """
    folder = JARS / what
    if folder.is_dir():
        return folder
    instead = "set ORBITLAKE_KAFKA to a broker's address, or " if what == BROKER else ""
    remedy = f"{instead}put the jars of {', '.join(ARTIFACTS[what])} into {folder}"
    maven = shutil.which("mvn")
    if maven is None:
        raise TopologyError(f"no Maven (`mvn`) on the PATH to fetch Kafka's jars with: install it, {remedy}")
    say(f"fetching Kafka's jars by Maven ({what}), once")
    JARS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS) as aside:
        (Path(aside) / "pom.xml").write_text(project(ARTIFACTS[what]))
        jars = Path(aside) / "jars"
        goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}")
        command = (maven, "-q", "-B", "-f", aside, *goal, f"-DexcludeTransitive={str(what == SPARK).lower()}")
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=FETCHED_WITHIN_S, check=False
            )
            said = ended.stdout.decode(errors="replace").strip().splitlines()
            is_done = ended.returncode == 0
        except subprocess.TimeoutExpired:
            said, is_done = [f"not done within {FETCHED_WITHIN_S} s"], False
        if not is_done or not jars.is_dir() or not any(jars.iterdir()):
            raise TopologyError(f"Maven could not fetch Kafka's jars ({'; '.join(said[:1])}): {remedy}")
        # Whole or not at all; another may have been faster.
        if not folder.exists():
            jars.rename(folder)
    return folder


def project(artifacts: tuple[str, ...]) -> str:
    """Return the project whose dependencies Maven is to fetch."""
    names = ("groupId", "artifactId", "version")
    dependencies = "".join(
        "<dependency>"
        + "".join(f"<{name}>{word}</{name}>" for name, word in zip(names, each.split(":"), strict=True))
        + "</dependency>"
        for each in artifacts
    )
    head = "<modelVersion>4.0.0</modelVersion><groupId>orbitlake</groupId><artifactId>jars</artifactId>"
    return f"<project>{head}<version>1</version><dependencies>{dependencies}</dependencies></project>"


@dataclass(frozen=True)
class Broker:
    """One broker, which is its own controller; its files lie in `folder`, which it makes at its first start."""

    folder: Path
    port: int
    controller_port: int
    jars: Path
    partitions: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further ones of Kafka's, or others than ours."""
    users: tuple[str, ...] = ()
    """What is told of users when the folder is made, as Kafka's tool takes it."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        """The broker, in the foreground."""
        return (*self.java(), *HEAP, "kafka.Kafka", str(self.folder / "server.properties"))

    @property
    def check(self) -> tuple[str, ...]:
        """A command that ends with 0 once the broker takes connections."""
        return (sys.executable, "-I", "-S", "-c", CONNECTS, str(self.port))

    def answers(self) -> bool:
        """Say whether the broker takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2):
            return True
        return False

    def make(self, environment: Mapping[str, str], log: Path) -> None:
        """Write what the broker is to read; make its files where there are none. Raises TopologyError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in self.properties().items()))
        if (self.folder / "data" / READY).is_file():
            return
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [word for user in self.users for word in ("--add-scram", user)]
        # In one word: it may begin with a hyphen.
        words = ("format", "--ignore-formatted", f"--cluster-id={identity}", "-c", str(properties), *users)
        made = subprocess.run(
            (*self.java(), "kafka.tools.StorageTool", *words), env=dict(environment), capture_output=True, check=False
        )
        output = (made.stdout + made.stderr).decode(errors="replace")
        log.write_text(output, encoding="utf-8")
        if made.returncode:
            raise TopologyError(f"Kafka could not make {self.folder}: {output.strip().splitlines()[-1:]}")

    def properties(self) -> dict[str, str]:
        """What the broker reads."""
        client, controller = f"PLAINTEXT://{self.address}", f"CONTROLLER://127.0.0.1:{self.controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{client},{controller}",
            "advertised.listeners": client,
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": str(self.partitions),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "1",
            **self.settings,
        }

    def java(self) -> tuple[str, ...]:
        """The words before the name of a class of Kafka's."""
        home = os.environ.get("JAVA_HOME")
        java = str(Path(home, "bin", "java")) if home else shutil.which("java") or "java"
        return (java, "-cp", str(self.jars / "*"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


def with_kafka(topology: "Topology", say: Callable[[str], None]) -> "Topology":
    """Return a topology whose raw records go by Kafka: by the brokers of its settings, else by one of its own.

    Raises TopologyError that says what to do where the jars for it cannot be had.
    """
    if not any(topology.settings.kafka_jars.glob("*.jar")):
        fetch(SPARK, say)
    if topology.settings.kafka:
        return topology
    broker = Broker(topology.run / "kafka", topology.ports[KAFKA_PORT], free_port(), fetch(BROKER, say))
    return replace(topology, settings=replace(topology.settings, kafka=broker.address), broker=broker)


def main(kinds: list[str]) -> int:
    """Fetch jars; return 1 where some cannot be had."""
    try:
        for kind in kinds or [SPARK, BROKER]:
            print(fetch(kind, lambda line: print(line, flush=True)))
    except TopologyError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
