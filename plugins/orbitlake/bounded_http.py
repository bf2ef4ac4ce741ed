"""HTTP with servers that nobody vouches for: a conversation ends in time as a whole, and reaches no forbidden host.

A read timeout counts from byte to byte, so a server that sends one now and then holds its client for ever: in a header,
in a body, in the body of a redirect.

A host that the operator did not name has its addresses checked while a connection is made, and the connection goes to
the very address that was checked: what a name says a moment later changes nothing. That holds for each redirect.
"""

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Timer
from typing import Any, Final
from urllib.parse import urljoin
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import PoolManager
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from orbitlake.destinations import DestinationError, Destinations

SCHEMES: Final = ("http://", "https://")
MOST_REDIRECTS: Final = 5


class RefusedError(requests.RequestException):
    """A host, or a redirect, that is not followed; the words are ours alone."""


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
    """An adapter of requests that reaches `destinations` alone, by default public hosts.

    It reads no body of a redirect, and its conversations can be given an end. The environment's proxies are asked for
    hosts that the operator named, and for no other: a proxy resolves names by itself, where nothing can be checked.
    """

    def __init__(self, destinations: Destinations | None = None, **options: Any) -> None:
        self.destinations = destinations or Destinations()
        self.sockets = Sockets()
        super().__init__(**options)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.watch(self.poolmanager, self.destinations)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*arguments, **options)
        # Its connections lead to the proxy, which the operator named.
        self.watch(manager, None)
        return manager

    def watch(self, manager: PoolManager, destinations: Destinations | None) -> None:
        """Let the connections that `manager` will make be known here; a manager of SOCKS has pools of its own."""
        manager.pool_classes_by_scheme = {
            scheme: watched(pool, self.sockets, destinations) for scheme, pool in manager.pool_classes_by_scheme.items()
        }

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        """Send as requests does. Raises RefusedError where the host must not be reached."""
        url = request.url or ""
        options["proxies"] = get_environ_proxies(url) if self.destinations.names_url(url) else {}
        try:
            response = super().send(request, *arguments, **options)
        except DestinationError as error:
            raise RefusedError(str(error)) from None
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


def watched(pool: Any, sockets: Sockets, destinations: Destinations | None) -> Any:
    """Return a class of connection pools like `pool`, whose connections have their sockets among `sockets`.

    Where `destinations` are given, a connection to any other raises DestinationError.
    """

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        _dns_host: str

        def connect(self) -> None:
            super().connect()
            sockets.admit(self.sock)

        def _new_conn(self) -> socket.socket:
            if destinations is None or destinations.names(self.host, self.port):
                return self._connected()
            named = self._dns_host
            try:
                addresses = destinations.addresses(self.host, self.port)
            except socket.gaierror as error:
                raise NameResolutionError(self.host, self, error) from error
            try:
                for address in addresses[:-1]:
                    # The next one may answer.
                    with suppress(NewConnectionError, ConnectTimeoutError):
                        return self._connected(address)
                return self._connected(addresses[-1])
            finally:
                self._dns_host = named

        def _connected(self, address: str | None = None) -> socket.socket:
            """Connect as urllib3 does, to `address` where one is given; TLS goes on to ask for the host's own name."""
            if address:
                self._dns_host = address
            connected: socket.socket = super()._new_conn()
            return connected

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


class BoundedSession(requests.Session):
    """A session that takes nothing from the environment but a bundle of certificates: no `.netrc` above all."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self.max_redirects = MOST_REDIRECTS

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where an answer leads. Raises RefusedError for another scheme, and for http after https."""
        try:
            target = super().get_redirect_target(resp)
            leads_to = urljoin(resp.url, target or "").lower()
        except ValueError:
            # Neither UTF-8 nor a URL: it would escape as it is, and its text quotes it.
            raise RefusedError("a redirect to what is no URL is not followed") from None
        if target is None:
            return None
        if not leads_to.startswith(SCHEMES):
            raise RefusedError("a redirect to what is no http or https URL is not followed")
        if resp.url.lower().startswith("https:") and not leads_to.startswith("https:"):
            raise RefusedError("a redirect from https to http is not followed")
        return target


def status_text(status: int) -> str:
    """Return a status with the standard's words for it: the server's own can be anything, of any length."""
    return f"{status} {http.client.responses.get(status, '')}".rstrip()


def bounded_session(adapter: BoundedAdapter) -> requests.Session:
    """A session that speaks through `adapter` alone."""
    session = BoundedSession()
    for scheme in SCHEMES:
        session.mount(scheme, adapter)
    return session
