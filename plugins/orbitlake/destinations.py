"""Which hosts a conversation over HTTP may reach: public ones, and those that the operator named.

A URL from a form can name any host, and a public host's answer can send its client to any other, so that whoever may
trigger a run would see through it what only this machine can: other services of its network, a cloud's metadata.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from orbitlake.settings import Settings

PORT_OF_SCHEME: Final = {"http": 80, "https": 443}
SPECIAL: Final = (
    IPv4Network("168.63.129.16/32"),  # Azure's services for its own machines, at an address that looks public
    IPv4Network("192.0.0.0/24"),  # for protocols (RFC 6890); Oracle's metadata are at 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # was 6to4's (RFC 7526)
)
"""Addresses that `ipaddress` counts as global, wholly or in part, and that are no site's."""
GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291): neither mapped IPv4, nor site-local, nor RFC 8215's local translators."""
TUNNELS: Final = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))
"""Teredo and 6to4: an IPv4 address travels within, private or not; both are history."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address in its last 32 bits, as resolvers of IPv6-only networks give it (RFC 6052)."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Endpoint = tuple[str, int | None]
"""A host and a port; without a port every one of the host."""


class DestinationError(Exception):
    """A host that must not be reached. Nothing was sent to it, and another try would end in the same way."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Public hosts, and what the operator named; without an argument, public ones alone."""

    endpoints: frozenset[Endpoint] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, urls: Iterable[str], allowed_hosts: Iterable[str] = ()) -> Self:
        """Allow exactly host and port of each URL, and entries of ORBITLAKE_ALLOWED_HOSTS as the settings hold them."""
        endpoints: set[Endpoint] = {endpoint for url in urls if (endpoint := endpoint_of(url))}
        networks = []
        for entry in allowed_hosts:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                endpoints.add(_split(f"//{entry}"))
        return cls(frozenset(endpoints), tuple(networks))

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """Allow what the settings name: the feeds, the simulator where it is in use, ORBITLAKE_ALLOWED_HOSTS."""
        urls = [*settings.feed_urls.values(), settings.oem_url]
        if settings.uses_simulator:
            urls.append(settings.simulator_url)
        return cls.of(urls, settings.allowed_hosts)

    def names(self, host: str, port: int | None) -> bool:
        """Say whether the operator named this host: it is reached wherever its name leads, by a proxy too."""
        plain = _plain(host)
        return (plain, port) in self.endpoints or (plain, None) in self.endpoints

    def names_url(self, url: str) -> bool:
        """Say the same of the host of a URL."""
        endpoint = endpoint_of(url)
        return endpoint is not None and self.names(*endpoint)

    def addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host that nobody named and return its addresses, all of which may be reached.

        Raises DestinationError where one may not be: which one of several is taken must not decide. Raises
        socket.gaierror where there is none.
        """
        found = [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not all(self.admits(ip_address(address)) for address in found):
            # Without the address: that of an internal host is nobody's business.
            raise DestinationError(
                f"{host[:100]} is not a public host: it is reached only where ORBITLAKE_ALLOWED_HOSTS names it"
            )
        return list(dict.fromkeys(found))

    def admits(self, address: Address) -> bool:
        """Say whether an address that a name was resolved to may be reached."""
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return is_public(address) or any((mapped or address) in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Say whether an address is one that the whole Internet reaches in the same way."""
    if isinstance(address, IPv4Address):
        is_special = address.is_multicast or address.is_reserved or any(address in each for each in SPECIAL)
        return address.is_global and not is_special
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address.is_global and address in GLOBAL_UNICAST and not any(address in each for each in TUNNELS)


def endpoint_of(url: str) -> tuple[str, int] | None:
    """Return host and port that a URL leads to; None where it is not an http or https URL."""
    try:
        scheme = parse_url(url).scheme
        host, port = _split(url)
    except LocationParseError:
        return None
    standard = PORT_OF_SCHEME.get(scheme or "")
    return (host, port or standard) if host and standard else None


def _split(url: str) -> Endpoint:
    parts = parse_url(url)
    return _plain(parts.host or ""), parts.port


def _plain(host: str) -> str:
    """Return a host as it is compared: of a name the case and a dot at its end, of IPv6 the brackets say nothing."""
    return host.strip("[]").rstrip(".").lower()
