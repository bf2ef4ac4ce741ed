"""A broker of Kafka for tests: one node, by plain text and by TLS with a user, started and killed at will."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from orbitlake.embedded import kafka
from orbitlake.embedded.database import free_port
from orbitlake.embedded.kafka import BROKER, SPARK, Broker
from orbitlake.embedded.roots import TopologyError

USER, PASSWORD = "tester", 'se"cret\\of kafka'
STARTED_WITHIN_S = 90


def fetch() -> Path:
    """Return the broker's jars; Spark's four are there as well then."""
    kafka.fetch(SPARK)
    return kafka.fetch(BROKER)


@dataclass
class TestBroker:
    """The broker in a folder; `ca` vouches for its listener with TLS."""

    __test__ = False
    folder: Path
    broker: Broker
    tls_port: int
    ca: Path
    process: subprocess.Popen | None = None

    @classmethod
    def made(cls, folder: Path) -> "TestBroker":
        """Make one; skips where its jars cannot be had."""
        try:
            jars = fetch()
        except TopologyError as error:
            pytest.skip(f"no broker of Kafka: {error}")
        folder.mkdir(parents=True, exist_ok=True)
        port, controller_port, tls_port = free_port(), free_port(), free_port()
        ca, key = certificate(folder)
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        settings = {
            "listeners": f"PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls_port},"
            f"CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},SASL_SSL://127.0.0.1:{tls_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(key),
        }
        # The file of properties takes a backslash for itself.
        user = f'SCRAM-SHA-512=[name={USER},iterations=4096,password="{PASSWORD}"]'
        broker = Broker(folder / "kafka", port, controller_port, jars, settings=settings, users=(user,))
        broker.make(os.environ, folder / "format.log")
        return cls(folder, broker, tls_port, ca)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(self.broker.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        latest = time.monotonic() + STARTED_WITHIN_S
        while subprocess.run(self.broker.check, capture_output=True, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > latest:
                raise RuntimeError((self.folder / "broker.log").read_text()[-2000:])
            time.sleep(0.2)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of its own for 127.0.0.1, and the same with its key."""
    ca, key, both = (folder / name for name in ("ca.pem", "key.pem", "broker.pem"))
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1")
    place = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(ca))
    subprocess.run((*command, *place), check=True, capture_output=True)
    both.write_text(key.read_text() + ca.read_text())
    return ca, both
