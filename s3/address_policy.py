"""Which network addresses a check may connect to: those that are globally routable, and what the operator opens.

Only resolved addresses are judged, never spellings: `127.1`, `0x7f000001` and `2130706433` are one address by then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*blocks: str) -> tuple[Network, ...]:
    return tuple(ip_network(block) for block in blocks)


DENIED = _networks(
    # IANA IPv4 Special-Purpose Address Registry, multicast and the reserved rest; Azure's platform address.
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    # IANA IPv6 Special-Purpose Address Registry.
    *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16"),
    *("2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"),
    # No global unicast address is outside 2000::/3 (IANA IPv6 Address Space).
    *("::/3", "4000::/2", "8000::/1"),
)
"""Not globally routable, or not the address of a single other machine."""

NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8"),
    # The metadata of Azure, Alibaba, Oracle; Amazon, Google, Scaleway by IPv6.
    *("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
    *("fd00:ec2::254/128", "fd20:ce::254/128", "fd00:42::42/128"),
)
"""Refused even where the operator opened it: metadata of clouds, link-local, this host, multicast."""

_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")

_FORM = (
    "networks, addresses or host names, the latter two with a port if need be, separated by commas, "
    "such as 10.0.0.0/8,10.0.0.5:9000,[fd00::5]:9000,minio.internal"
)
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.IGNORECASE)
_ENTRY = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/]+))(?::(?P<port>[0-9]{1,5}))?")
_NUMERIC = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_MAX_PORT = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """One entry of MOORINGS_S3_ALLOW: a network, or what a host of exactly this name resolves to; None is any port."""

    network: Network | None = None
    host: str | None = None
    port: int | None = None

    def covers(self, form: Address, *, host: str, port: int) -> bool:
        """Whether it opens this address, reached by this name, at this port."""
        if self.port not in (None, port):
            return False
        return form in self.network if self.network is not None else self.host == _plain(host)


def parse_openings(entries: Iterable[str]) -> tuple[Opening, ...]:
    """Read the entries of MOORINGS_S3_ALLOW; raises `ValueError` with the form it wants."""
    return tuple(_opening(entry.strip()) for entry in entries)


def _opening(entry: str) -> Opening:
    # An IPv6 address is full of colons: whatever is a network as it stands has no port.
    network = _network(entry)
    if network is not None:
        return Opening(network=network)
    parts = _ENTRY.fullmatch(entry)
    port = int(parts["port"]) if parts is not None and parts["port"] else None
    if parts is not None and (port is None or 0 < port <= _MAX_PORT):
        network, host = _network(parts["six"] or parts["name"]), _host(parts["name"] or "")
        if network is not None or host is not None:
            return Opening(network=network, host=host if network is None else None, port=port)
    raise ValueError(f"it wants {_FORM}")


def _network(text: str) -> Network | None:
    """A network, or an address as the network of one; `::ffff:10.0.0.0/104` is `10.0.0.0/8`."""
    try:
        network = ip_network(text)
    except ValueError:
        return None
    if isinstance(network, IPv4Network):
        return network
    inner = network.network_address.ipv4_mapped
    if network.network_address.scope_id is not None:
        return None
    return network if inner is None else IPv4Network((inner, max(network.prefixlen - 96, 0)))


def _host(name: str) -> str | None:
    """A host name in its one spelling, unless it would be read as an address."""
    try:
        host = name.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    return _plain(host) if _HOST.fullmatch(host) and not is_numeric(host) else None


def is_numeric(host: str) -> bool:
    """Whether a host is an address in one of its spellings, for no top-level domain is a number."""
    return ":" in host or _NUMERIC.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def read_address(text: str) -> Address | None:
    """An address as a resolver gives it, `::ffff:10.0.0.1` as `10.0.0.1`; None if it has a scope id or is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address


class AddressPolicy:
    """Judges addresses: the deny table, minus what the operator opened."""

    def __init__(self, openings: Iterable[Opening] = ()) -> None:
        self._openings = tuple(openings)

    def admits(self, address: Address, *, host: str, port: int) -> bool:
        """Whether to connect to this address, which `host` resolved to. Every address hidden in it must pass too."""
        forms = (address, *_hidden(address))
        if any(form in network for form in forms for network in NEVER):
            return False
        return all(self._is_open(form, host=host, port=port) for form in forms)

    def _is_open(self, form: Address, *, host: str, port: int) -> bool:
        if not any(form in network for network in DENIED):
            return True
        return any(opening.covers(form, host=host, port=port) for opening in self._openings)


def _hidden(address: Address) -> Iterator[Address]:
    """The IPv4 addresses that a packet to this IPv6 address may end at, through a translator or a tunnel."""
    if isinstance(address, IPv4Address):
        return
    packed = address.packed
    found: list[bytes] = []
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        found.append(packed[12:])
    elif address in _LOCAL_NAT64:
        # RFC 6052, 2.2: where the IPv4 address is depends on the length of the prefix; octet 8 is left out.
        read = [packed[12:], packed[6:8] + packed[9:11], packed[7:8] + packed[9:12], packed[9:13]]
        # Read at another length's place it begins with a zero, as no destination does.
        found += [part for part in read if part[0]]
    mapped = [part for part in (address.ipv4_mapped, address.sixtofour) if part is not None]
    yield from chain(mapped, address.teredo or (), map(IPv4Address, found))
