"""Which hosts are reached: by the addresses that names resolve to, and by what the operator named."""

import socket
from ipaddress import ip_address

import pytest

from orbitlake.destinations import DestinationError, Destinations, endpoint_of, is_public
from orbitlake.settings import SettingError, from_environment

INNER = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",  # metadata at Alibaba
    "169.254.169.254",  # metadata at AWS, Azure, Google
    "168.63.129.16",  # services of Azure
    "192.0.0.192",  # metadata at Oracle
    "192.0.0.9",
    "192.88.99.1",
    "198.18.0.1",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata at AWS
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:808:808::1",
    "2001:0:7f00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "4000::1",
]
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "169.255.0.1",
    "52.217.0.1",
    "2600:1f18::1",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


def resolving(monkeypatch, **answers: list[str]) -> None:
    """Let names resolve to these addresses."""

    def look_up(host: str, port: int, *_: object, **__: object) -> list[tuple]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in answers[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("address", INNER)
def test_an_address_of_a_site_is_not_public(address: str):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_that_the_internet_reaches_is_public(address: str):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "0x7f.1", "localhost", "0", "::1"],
)
def test_this_machine_is_refused_however_it_is_spelt(host: str):
    with pytest.raises(DestinationError, match="is not a public host"):
        Destinations().addresses(host, 80)


def test_a_name_is_judged_by_every_address_that_it_has(monkeypatch):
    resolving(monkeypatch, good=["8.8.8.8", "2600:1f18::1"], mixed=["8.8.8.8", "10.0.0.1"], inner=["fd00:ec2::254"])

    assert Destinations().addresses("good", 80) == ["8.8.8.8", "2600:1f18::1"]
    for host in ("mixed", "inner"):
        with pytest.raises(DestinationError, match=f"^{host} is not a public host: .* ORBITLAKE_ALLOWED_HOSTS"):
            Destinations().addresses(host, 80)


def test_a_refusal_tells_no_address_of_an_inner_name(monkeypatch):
    resolving(monkeypatch, intranet=["10.20.30.40"])

    with pytest.raises(DestinationError) as refused:
        Destinations().addresses("intranet", 80)
    assert "10.20" not in str(refused.value)


def test_an_allowed_network_admits_its_addresses_and_no_other(monkeypatch):
    resolving(monkeypatch, near=["10.1.2.3", "8.8.8.8"], mapped=["::ffff:10.1.2.3"], far=["10.2.0.1"])
    allowed = Destinations.of([], ["10.1.0.0/16", "fd00::5"])

    assert allowed.addresses("near", 80) == ["10.1.2.3", "8.8.8.8"]
    assert allowed.addresses("mapped", 80) == ["::ffff:10.1.2.3"]
    assert allowed.admits(ip_address("fd00::5"))
    assert not allowed.admits(ip_address("fd00::6"))
    with pytest.raises(DestinationError):
        allowed.addresses("far", 80)


def test_what_the_operator_named_is_named_with_exactly_its_port():
    allowed = Destinations.of(
        ["http://127.0.0.1:8090/a.txt", "https://Feed.Example./x", "http://[::1]:81/"], ["mirror", "store:9000"]
    )

    for host, port in [("127.0.0.1", 8090), ("feed.example", 443), ("FEED.example.", 443), ("::1", 81)]:
        assert allowed.names(host, port), (host, port)
    for host, port in [("mirror", 80), ("mirror", 8443), ("store", 9000)]:
        assert allowed.names(host, port), (host, port)
    for host, port in [("127.0.0.1", 80), ("localhost", 8090), ("feed.example", 80), ("::1", 80), ("store", 80)]:
        assert not allowed.names(host, port), (host, port)
    assert not allowed.names("a.mirror", 80)


def test_the_settings_name_their_feeds_and_the_simulator_only_where_it_is_in_use():
    live = Destinations.of_settings(from_environment({"ORBITLAKE_OEM_URL": "http://10.0.0.7:81/a"}))
    simulated = Destinations.of_settings(from_environment({"ORBITLAKE_UPSTREAM": "simulator"}))

    assert live.names("10.0.0.7", 81)
    assert live.names("api.open-notify.org", 80)
    assert live.names("api.wheretheiss.at", 443)
    assert not live.names("127.0.0.1", 8090)
    assert simulated.names("127.0.0.1", 8090)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://a/b", ("a", 80)),
        ("HTTPS://A:8443?q", ("a", 8443)),
        ("https://user:p@ss@host/x", ("host", 443)),
        ("http://[fe80::1]:80/", ("fe80::1", 80)),
        ("ftp://a/", None),
        ("file:///etc/passwd", None),
        ("http://", None),
        ("http://a:port/", None),
        ("http://a:99999/", None),
        ("http://[::1/", None),
        ("http://user:pa/ss@host/", None),
    ],
)
def test_host_and_port_of_a_url(url: str, endpoint: tuple[str, int] | None):
    assert endpoint_of(url) == endpoint


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("", ()),
        (" a , b.example:80,10.0.0.0/8,, ::1, [::1]:80 ", ("a", "b.example:80", "10.0.0.0/8", "::1", "[::1]:80")),
    ],
)
def test_allowed_hosts_are_listed(text: str, held: tuple[str, ...]):
    assert from_environment({"ORBITLAKE_ALLOWED_HOSTS": text}).allowed_hosts == held


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "*.example",
        "http://a",
        "a/b",
        "10.0.0.1/8",
        "a:port",
        "user@a",
        "a b",
        "a:99999",
        "a:0",
        "[:::]",
        "[::1",
        "[1.2.3]",
    ],
)
def test_an_allowed_host_that_is_none_is_refused_by_name(text: str):
    with pytest.raises(SettingError, match="ORBITLAKE_ALLOWED_HOSTS holds"):
        from_environment({"ORBITLAKE_ALLOWED_HOSTS": f"good,{text}"})
