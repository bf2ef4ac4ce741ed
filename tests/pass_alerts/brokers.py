"""MQTT brokers on loopback: Mosquitto where it is installed, and one of a few lines that knows what we send."""

import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
CONNECT, PUBLISH, PINGREQ, DISCONNECT = 1, 3, 12, 14


def mosquitto() -> str:
    """Return the program of the broker; skip where there is none."""
    program = shutil.which("mosquitto", path=PLACES)
    if program is None:
        pytest.skip("no mosquitto here: apt-get install mosquitto")
    return program


@contextmanager
def real_broker(folder: Path, *lines: str) -> Iterator[int]:
    """Run Mosquitto on a free port of loopback with lines of configuration; yield the port."""
    program = mosquitto()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "mosquitto.conf"
    config.write_text("\n".join((f"listener {port} 127.0.0.1", "persistence false", "user root", *lines, "")))
    with subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb")
    ) as process:
        try:
            for _ in range(500):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()


class SmallBroker(socketserver.ThreadingTCPServer):
    """Takes MQTT 3.1.1 at QoS 1 and remembers it; it can refuse, stay silent, or never acknowledge."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, answers: bool = True, code: int = 0, acknowledges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.answers, self.code, self.acknowledges = answers, code, acknowledges
        self.taken: list[tuple[str, str, bool]] = []
        self.ended_well = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Conversation(socketserver.StreamRequestHandler):
    server: SmallBroker

    def handle(self) -> None:
        while first := self.rfile.read(1):
            kind, flags = first[0] >> 4, first[0] & 15
            body = self.rfile.read(self.length())
            if kind == CONNECT and self.server.answers:
                self.wfile.write(bytes((0x20, 2, 0, self.server.code)))
            elif kind == PUBLISH:
                size = int.from_bytes(body[:2])
                topic, number, payload = body[2 : 2 + size], body[2 + size : 4 + size], body[4 + size :]
                self.server.taken.append((topic.decode(), payload.decode(), bool(flags & 1)))
                if self.server.acknowledges:
                    self.wfile.write(bytes((0x40, 2)) + number)
            elif kind == PINGREQ:
                self.wfile.write(bytes((0xD0, 0)))
            elif kind == DISCONNECT:
                self.server.ended_well += 1

    def length(self) -> int:
        """Read how long the rest of a packet is."""
        size, shift = 0, 0
        while True:
            (byte,) = self.rfile.read(1)
            size |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return size


@contextmanager
def small_broker(**kinds: bool | int) -> Iterator[SmallBroker]:
    """Run a SmallBroker."""
    with SmallBroker(**kinds) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
