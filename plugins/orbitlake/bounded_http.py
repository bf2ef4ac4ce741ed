"""HTTP with servers that nobody vouches for: the whole of a conversation ends in time, however it is dragged out.

A read timeout counts from byte to byte, so a server that sends one now and then holds its client for ever: in a header,
in a body, in the body of a redirect.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import Any, Final
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

SCHEMES: Final = ("http://", "https://")


class OverError(Exception):
    """The time of a conversation was over before this connection stood: nothing that is worth another try."""


class Sockets:
    """The sockets of one adapter, so that another thread can end them all."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.open: WeakSet[socket.socket] = WeakSet()
        self.are_cut = False

    def admit(self, connected: socket.socket) -> None:
        """Take a new one in. Raises OverError where it comes too late."""
        with self.lock:
            if self.are_cut:
                connected.close()
                raise OverError
            self.open.add(connected)

    def cut(self) -> None:
        """End them all: whoever waits for a byte of one finds its end."""
        with self.lock:
            self.are_cut = True
            for each in self.open:
                # Closed already. The plain shutdown: TLS would forget that there was encryption.
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)


class BoundedAdapter(HTTPAdapter):
    """An adapter of requests whose conversations can be given an end, and that reads no body of a redirect."""

    def __init__(self, **options: Any) -> None:
        self.sockets = Sockets()
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)  # type: ignore[no-untyped-call]
        self.watch(self.poolmanager)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*arguments, **options)  # type: ignore[no-untyped-call]
        self.watch(manager)
        return manager

    def watch(self, manager: PoolManager) -> None:
        """Let the connections that `manager` will make be known here; a manager of SOCKS has pools of its own."""
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: watched(pool, self.sockets) for scheme, pool in pools.items()}

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        response = super().send(*arguments, **options)
        if response.is_redirect:
            # requests would read it whole, however long it is, before it goes on.
            response.raw.close()
        return response

    @contextmanager
    def ends_within(self, seconds: float) -> Iterator[None]:
        """Bound whatever is asked of this adapter meanwhile. Raises requests.Timeout where the time did not suffice."""
        self.sockets.are_cut = False
        timer = Timer(seconds, self.sockets.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            # A connection that is cut looks different in a header, in a body and while it is made.
            if not self.sockets.are_cut:
                raise
        finally:
            timer.cancel()
            timer.join()
        if self.sockets.are_cut:
            # Without an error too: a body without a length seems whole where it was cut.
            raise requests.Timeout(f"not finished within {seconds:.3g} s") from None


def watched(pool: Any, sockets: Sockets) -> Any:
    """Return a class of connection pools like `pool`, whose connections have their sockets among `sockets`."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            sockets.admit(self.sock)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


def bounded_session(adapter: BoundedAdapter) -> requests.Session:
    """A session that speaks through `adapter` alone."""
    session = requests.Session()
    for scheme in SCHEMES:
        session.mount(scheme, adapter)
    return session
