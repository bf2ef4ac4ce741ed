"""Conversations with servers that drag them out or lead astray, over real sockets, plain and encrypted."""

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

from orbitlake.bounded_http import MOST_REDIRECTS, BoundedAdapter, RefusedError, bounded_session
from orbitlake.destinations import Destinations

ENDS_S = 0.6
ENDED_BY_S = 1.6
READ_TIMEOUT_S = 5.0
"""Longer than any conversation here: nothing but its end can end one that drips."""
BETWEEN_S = 0.1
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
LOOPBACK = Destinations.of([], ["127.0.0.0/8"])
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"

Talk = Callable[[socket.socket], None]


class Server:
    """Answers the requests of all connections in turn, the last way for ever; counts its connections."""

    def __init__(self, *talks: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.talks, self.tls, self.connections, self.requests = talks, tls, 0, 0
        self.heard: list[bytes] = []
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
                while heard := connection.recv(65_536):
                    self.heard.append(heard)
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


def leads_to(url: str) -> Talk:
    return says(f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode())


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


def named(*urls: str) -> BoundedAdapter:
    """An adapter whose operator named the hosts of these URLs."""
    return BoundedAdapter(Destinations.of(urls))


def use_proxy(monkeypatch, proxy: Server) -> None:
    monkeypatch.delenv("NO_PROXY")
    for scheme in ("HTTP", "HTTPS"):
        monkeypatch.setenv(f"{scheme}_PROXY", f"http://agent:secret@127.0.0.1:{proxy.port}")


def resolve(monkeypatch, **answers: list[list[str]]) -> list[str]:
    """Let names resolve as given, each look-up in its turn, the last answer for ever; returns what was looked up."""
    real, asked = socket.getaddrinfo, []

    def look_up(host: str, port: int, *arguments: object, **options: object) -> list[tuple]:
        asked.append(host)
        name = host.removesuffix(".test")
        if name not in answers:
            return real(host, port, *arguments, **options)
        turn = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [found for address in turn for found in real(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


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
        ask(BoundedAdapter(LOOPBACK), url, verify=certificate)
    assert ENDS_S <= time.monotonic() - began < ENDED_BY_S
    assert server.requests == 1


@DRAGGING
def test_through_a_proxy_too(serve, monkeypatch, talk):
    proxy = serve(talk)
    use_proxy(monkeypatch, proxy)
    began = time.monotonic()

    with pytest.raises(requests.Timeout, match="not finished"):
        ask(named("http://upstream.example/"), "http://upstream.example/")
    assert time.monotonic() - began < ENDED_BY_S


@pytest.mark.parametrize("talk", [drips(ELSEWHERE + b"\r\n"), floods(ELSEWHERE + b"\r\n")], ids=["drips", "floods"])
def test_the_body_of_a_redirect_is_not_read(serve, talk):
    server = serve(talk, says(GOOD))

    assert ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{server.port}/") == b"good"


def test_redirects_without_end_do_not_outlast_the_conversation(serve):
    def slowly(connection: socket.socket) -> None:
        time.sleep(2 * BETWEEN_S)
        connection.sendall(ELSEWHERE + b"Content-Length: 0\r\n\r\n")

    server = serve(slowly)
    began = time.monotonic()

    with pytest.raises(requests.Timeout, match="not finished"):
        ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{server.port}/")
    assert time.monotonic() - began < ENDED_BY_S


def test_a_conversation_in_time_leaves_the_next_one_alone(serve):
    server = serve(says(GOOD))
    adapter = BoundedAdapter(LOOPBACK)
    session = bounded_session(adapter)
    for _ in range(3):
        with adapter.ends_within(ENDS_S):
            assert session.get(f"http://127.0.0.1:{server.port}/", timeout=READ_TIMEOUT_S).content == b"good"
        time.sleep(ENDS_S)

    assert server.connections == 1, "kept alive"


def test_one_that_was_cut_leaves_the_next_one_alone(serve):
    server = serve(drips(b"HTTP/1.1 200 OK\r\n\r\n"), says(GOOD))
    adapter = BoundedAdapter(LOOPBACK)
    with pytest.raises(requests.Timeout):
        ask(adapter, f"http://127.0.0.1:{server.port}/")

    assert ask(adapter, f"http://127.0.0.1:{server.port}/") == b"good"


def test_an_error_within_the_time_stays_what_it_is(serve):
    server = serve(lambda connection: connection.close())

    with pytest.raises(requests.ConnectionError):
        ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{server.port}/")
    with pytest.raises(requests.Timeout, match="read timeout"):
        ask(
            BoundedAdapter(LOOPBACK),
            f"http://127.0.0.1:{serve(lambda _: time.sleep(1)).port}/",
            ends_s=5.0,
            timeout_s=0.2,
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_a_host_that_is_not_public_gets_no_connection(serve, host):
    server = serve(says(GOOD))

    with pytest.raises(RefusedError, match="is not a public host"):
        ask(BoundedAdapter(), f"http://{host}:{server.port}/")
    assert server.connections == 0


def test_a_host_that_the_operator_named_is_reached_with_exactly_its_port(serve):
    server, other = serve(says(GOOD)), serve(says(GOOD))
    adapter = named(f"http://127.0.0.1:{server.port}/feed")

    assert ask(adapter, f"http://127.0.0.1:{server.port}/else") == b"good"
    for url in (f"http://127.0.0.1:{other.port}/", f"http://localhost:{server.port}/"):
        with pytest.raises(RefusedError):
            ask(adapter, url)
    assert (server.connections, other.connections) == (1, 0)


@pytest.mark.parametrize("hops", [1, 3])
def test_each_redirect_is_checked(serve, hops):
    inner = serve(says(GOOD))
    outer = serve(*[leads_to("/again")] * (hops - 1), leads_to(f"http://127.0.0.1:{inner.port}/secret"))

    with pytest.raises(RefusedError, match="is not a public host"):
        ask(named(f"http://127.0.0.1:{outer.port}/"), f"http://127.0.0.1:{outer.port}/")
    assert (outer.requests, inner.connections) == (hops, 0)


def test_a_redirect_to_an_allowed_host_is_followed(serve):
    inner = serve(says(GOOD))
    outer = serve(leads_to(f"http://127.0.0.1:{inner.port}/"))

    assert ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{outer.port}/") == b"good"


def test_the_connection_goes_to_the_address_that_was_checked(serve, monkeypatch):
    # A name that is public while it is checked, and this machine a moment later.
    server = serve(says(GOOD))
    asked = resolve(monkeypatch, rebinding=[["203.0.113.7"], ["127.0.0.1"]])
    reached: list[object] = []

    def note(connected: socket.socket, address: tuple) -> None:
        reached.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", note)
    documentation = BoundedAdapter(Destinations.of([], ["203.0.113.0/24"]))
    with pytest.raises(requests.ConnectionError):
        ask(documentation, f"http://rebinding.test:{server.port}/")

    assert reached == ["203.0.113.7"]
    assert asked.count("rebinding.test") == 1


def test_a_name_with_several_addresses_is_reached_at_the_next_where_one_is_dead(serve, monkeypatch):
    server = serve(says(GOOD))
    resolve(monkeypatch, several=[["127.0.0.2", "127.0.0.1"]])

    assert ask(BoundedAdapter(LOOPBACK), f"http://several.test:{server.port}/") == b"good"


def test_a_name_that_nobody_knows_is_no_refusal(monkeypatch):
    def unknown(*_: object, **__: object) -> list[tuple]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(requests.ConnectionError, match="Name or service not known"):
        ask(BoundedAdapter(), "http://nowhere.test/")


def test_tls_is_held_to_the_name_although_an_address_is_connected_to(serve, certificate, monkeypatch):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    wanted: list[str | None] = []
    tls.sni_callback = lambda _connection, name, _context: wanted.append(name)
    server = serve(says(GOOD), tls=tls)
    resolve(monkeypatch, other=[["127.0.0.1"]])

    assert ask(BoundedAdapter(LOOPBACK), f"https://127.0.0.1:{server.port}/", verify=certificate) == b"good"
    with pytest.raises(requests.exceptions.SSLError, match=r"not valid for 'other\.test'"):
        ask(BoundedAdapter(LOOPBACK), f"https://other.test:{server.port}/", verify=certificate)
    assert wanted[-1] == "other.test"


def test_a_redirect_from_https_to_http_is_not_followed(serve, certificate):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    plain = serve(says(GOOD))
    encrypted = serve(leads_to(f"http://127.0.0.1:{plain.port}/"), tls=tls)

    with pytest.raises(RefusedError, match="from https to http"):
        ask(BoundedAdapter(LOOPBACK), f"https://127.0.0.1:{encrypted.port}/", verify=certificate)
    assert plain.connections == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/", "gopher://a/", "javascript:alert(1)", "data:,x"])
def test_a_redirect_to_another_scheme_is_not_followed_nor_quoted(serve, url):
    server = serve(leads_to(url))

    with pytest.raises(RefusedError, match=r"^a redirect to what is no http or https URL is not followed$"):
        ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{server.port}/")


def test_redirects_are_few(serve):
    server = serve(leads_to("/again"))

    with pytest.raises(requests.TooManyRedirects):
        ask(BoundedAdapter(LOOPBACK), f"http://127.0.0.1:{server.port}/", ends_s=READ_TIMEOUT_S)
    assert server.requests == MOST_REDIRECTS + 1


def test_no_password_of_a_netrc_is_sent_to_anybody(serve, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login agent password secret\ndefault login a password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = serve(leads_to("/again"), says(GOOD))

    ask(named(f"http://127.0.0.1:{server.port}/"), f"http://127.0.0.1:{server.port}/")
    assert server.requests == 2
    assert not any(b"uthorization" in heard for heard in server.heard)


def test_a_password_in_the_url_stays_with_its_host(serve):
    other = serve(says(GOOD))
    first = serve(leads_to(f"http://127.0.0.1:{other.port}/"))

    ask(BoundedAdapter(LOOPBACK), f"http://user:secret@127.0.0.1:{first.port}/")
    assert b"Authorization: Basic" in first.heard[0]
    assert b"uthorization" not in other.heard[0]


def test_the_proxy_of_the_environment_is_asked_for_a_host_that_the_operator_named(serve, monkeypatch):
    proxy = serve(says(GOOD))
    use_proxy(monkeypatch, proxy)

    assert ask(named("http://upstream.example/"), "http://upstream.example/x") == b"good"
    assert proxy.heard[0].startswith(b"GET http://upstream.example/x ")
    assert b"Proxy-Authorization: Basic" in proxy.heard[0]


def test_the_proxy_is_asked_for_no_other_host_at_first_or_by_redirect(serve, monkeypatch):
    # It would resolve the name by itself, and reach what it alone can reach.
    proxy = serve(leads_to("http://127.0.0.1:9/"), says(GOOD))
    use_proxy(monkeypatch, proxy)

    with pytest.raises(RefusedError):
        ask(BoundedAdapter(), "http://localhost:9/")
    assert proxy.connections == 0
    with pytest.raises(RefusedError):
        ask(named("http://upstream.example/"), "http://upstream.example/")
    assert proxy.requests == 1


def test_no_proxy_is_heeded(serve, monkeypatch):
    proxy, server = serve(says(GOOD)), serve(says(GOOD))
    use_proxy(monkeypatch, proxy)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    ask(named(f"http://127.0.0.1:{server.port}/"), f"http://127.0.0.1:{server.port}/")
    assert (proxy.connections, server.connections) == (0, 1)


def test_a_bundle_of_certificates_is_taken_from_the_environment(serve, certificate, monkeypatch):
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    server = serve(says(GOOD), tls=tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)

    assert ask(BoundedAdapter(LOOPBACK), f"https://127.0.0.1:{server.port}/") == b"good"
