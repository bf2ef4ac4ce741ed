"""A proxy on loopback that passes on so many bytes to a server, then cuts every connection and takes no more."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.servers.seaweedfs import LOOPBACK

AT_ONCE_BYTES = 8_192


@dataclass
class Proxy:
    """Where it listens, and how many bytes it still passes on towards the server."""

    endpoint: str
    left: int
    sockets: list[socket.socket] = field(default_factory=list)
    passed: int = 0

    def cut(self) -> None:
        """Reset all connections."""
        for each in list(self.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(endpoint: str, after_bytes: int) -> Iterator[Proxy]:
    """Run a proxy to `endpoint` that cuts after so many bytes."""
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.create_server((LOOPBACK, 0)) as listening:
        proxy = Proxy(f"http://{LOOPBACK}:{listening.getsockname()[1]}", after_bytes)
        threading.Thread(target=accept, args=(listening, proxy, (host, int(port))), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.left = 0
            proxy.cut()


def accept(listening: socket.socket, proxy: Proxy, server: tuple[str, int]) -> None:
    """Take connections until the proxy ends."""
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            if proxy.left <= 0:
                client.close()
                continue
            there = socket.create_connection(server)
            proxy.sockets += [client, there]
            threading.Thread(target=pass_on, args=(client, there, proxy, True), daemon=True).start()
            threading.Thread(target=pass_on, args=(there, client, proxy, False), daemon=True).start()


def pass_on(source: socket.socket, target: socket.socket, proxy: Proxy, is_counted: bool) -> None:
    """Pass bytes on until there are none, or the proxy cuts."""
    with suppress(OSError):
        while content := source.recv(AT_ONCE_BYTES):
            if is_counted:
                content = content[: max(proxy.left, 0)]
                proxy.left -= len(content)
                proxy.passed += len(content)
            target.sendall(content)
            if is_counted and proxy.left <= 0:
                proxy.cut()
                return
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
