"""Conversations with servers that drag them out, over real sockets, plain and encrypted."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orbitlake.bounded_http import BoundedAdapter, bounded_session

ENDS_S = 0.6
ENDED_BY_S = 1.6
READ_TIMEOUT_S = 5.0
"""Longer than any conversation here: nothing but its end can end one that drips."""
BETWEEN_S = 0.1
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"

Talk = Callable[[socket.socket], None]


class Server:
    """Answers the requests of all connections in turn, the last way for ever; counts its connections."""

    def __init__(self, *talks: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.talks, self.tls, self.connections, self.requests = talks, tls, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self.talk, args=[self.listener.accept()[0]], daemon=True).start()
                self.connections += 1

    def talk(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection:
                while connection.recv(65_536):
                    self.requests += 1
                    self.talks[min(self.requests, len(self.talks)) - 1](connection)


def says(content: bytes) -> Talk:
    return lambda connection: connection.sendall(content)


def drips(head: bytes, drop: bytes = b"x") -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            time.sleep(BETWEEN_S)
            connection.sendall(drop)

    return talk


def floods(head: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 65_536)

    return talk


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[..., Server]]:
    # A machine's proxies have no part in this.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers: list[Server] = []

    def start(*talks: Talk, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(*talks, tls=tls))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> str:
    """A file with a key and a certificate of 127.0.0.1 that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return str(file)


def ask(
    adapter: BoundedAdapter, url: str, ends_s: float = ENDS_S, timeout_s: float = READ_TIMEOUT_S, **options: object
) -> bytes:
    with bounded_session(adapter) as session, adapter.ends_within(ends_s):
        return session.get(url, timeout=timeout_s, **options).content


DRAGGING = pytest.mark.parametrize(
    "talk",
    [
        drips(b"HTTP/1.1 200 "),
        drips(b"HTTP/1.1 200 OK\r\n", b"X-More: to come\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drips(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drips(ELSEWHERE, b"X-More: to come\r\n"),
    ],
    ids=["status line", "headers", "body", "body without a length", "chunks", "continue", "redirect"],
)


@DRAGGING
@pytest.mark.parametrize("is_encrypted", [False, True], ids=["http", "https"])
def test_whatever_drags_on_ends_in_time(serve, certificate, talk, is_encrypted):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    server = serve(talk, tls=tls if is_encrypted else None)
    url = f"{'https' if is_encrypted else 'http'}://127.0.0.1:{server.port}/"
    began = time.monotonic()

    with pytest.raises(requests.Timeout, match=r"not finished within 0.6 s"):
        ask(BoundedAdapter(), url, verify=certificate)
    assert ENDS_S <= time.monotonic() - began < ENDED_BY_S
    assert server.requests == 1


@DRAGGING
def test_through_a_proxy_too(serve, monkeypatch, talk):
    monkeypatch.delenv("NO_PROXY")
    proxy = serve(talk)
    began = time.monotonic()

    with pytest.raises(requests.Timeout, match="not finished"):
        ask(BoundedAdapter(), "http://upstream.example/", proxies={"http": f"http://127.0.0.1:{proxy.port}"})
    assert time.monotonic() - began < ENDED_BY_S


@pytest.mark.parametrize("talk", [drips(ELSEWHERE + b"\r\n"), floods(ELSEWHERE + b"\r\n")], ids=["drips", "floods"])
def test_the_body_of_a_redirect_is_not_read(serve, talk):
    server = serve(talk, says(GOOD))

    assert ask(BoundedAdapter(), f"http://127.0.0.1:{server.port}/") == b"good"


def test_redirects_without_end_do_not_outlast_the_conversation(serve):
    def slowly(connection: socket.socket) -> None:
        time.sleep(2 * BETWEEN_S)
        connection.sendall(ELSEWHERE + b"Content-Length: 0\r\n\r\n")

    server = serve(slowly)
    began = time.monotonic()

    with pytest.raises(requests.Timeout, match="not finished"):
        ask(BoundedAdapter(), f"http://127.0.0.1:{server.port}/")
    assert time.monotonic() - began < ENDED_BY_S


def test_a_conversation_in_time_leaves_the_next_one_alone(serve):
    server = serve(says(GOOD))
    adapter = BoundedAdapter()
    session = bounded_session(adapter)
    for _ in range(3):
        with adapter.ends_within(ENDS_S):
            assert session.get(f"http://127.0.0.1:{server.port}/", timeout=READ_TIMEOUT_S).content == b"good"
        time.sleep(ENDS_S)

    assert server.connections == 1, "kept alive"


def test_one_that_was_cut_leaves_the_next_one_alone(serve):
    server = serve(drips(b"HTTP/1.1 200 OK\r\n\r\n"), says(GOOD))
    adapter = BoundedAdapter()
    with pytest.raises(requests.Timeout):
        ask(adapter, f"http://127.0.0.1:{server.port}/")

    assert ask(adapter, f"http://127.0.0.1:{server.port}/") == b"good"


def test_an_error_within_the_time_stays_what_it_is(serve):
    server = serve(lambda connection: connection.close())

    with pytest.raises(requests.ConnectionError):
        ask(BoundedAdapter(), f"http://127.0.0.1:{server.port}/")
    with pytest.raises(requests.Timeout, match="read timeout"):
        ask(BoundedAdapter(), f"http://127.0.0.1:{serve(lambda _: time.sleep(1)).port}/", ends_s=5.0, timeout_s=0.2)
