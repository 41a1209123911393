"""The network addresses a check may connect to: globally routable ones, and those of MOORINGS_S3_ALLOW.

The policy is applied to resolved addresses, never to spellings: `127.1`, `0x7f000001` and `2130706433` resolve to one
address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import chain

from models.destinations.endpoint_url import ascii_host

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
"""Not globally routable, or not the address of one other machine: refused unless an allow rule matches."""

NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8"),
    # The metadata of Azure, Alibaba, Oracle; Amazon, Google, Scaleway by IPv6.
    *("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32"),
    *("fd00:ec2::254/128", "fd20:ce::254/128", "fd00:42::42/128"),
)
"""Refused also where an allow rule matches: metadata services of clouds, link-local, this host, multicast."""

_NAT64 = ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")

_FORM = (
    "networks, addresses or host names, the latter two with a port if need be, separated by commas, "
    "such as 10.0.0.0/8,10.0.0.5:9000,[fd00::5]:9000,minio.internal"
)
_ENTRY = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/]+))(?::(?P<port>[0-9]{1,5}))?")
_NUMERIC = re.compile(r"0x[0-9a-f]*|[0-9]+", re.IGNORECASE)
_MAX_PORT = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class AllowRule:
    """One entry of MOORINGS_S3_ALLOW: a network, or the addresses that exactly this host name has. None: any port."""

    network: Network | None = None
    host: str | None = None
    port: int | None = None

    def matches(self, form: Address, *, host: str, port: int) -> bool:
        """Whether the rule allows this address, which `host` resolved to, at this port."""
        if self.port not in (None, port):
            return False
        return form in self.network if self.network is not None else self.host == host


def parse_allow_rules(entries: Iterable[str]) -> tuple[AllowRule, ...]:
    """Parse the entries of MOORINGS_S3_ALLOW; raises `ValueError` with the form of an entry."""
    return tuple(_allow_rule(entry.strip()) for entry in entries)


def _allow_rule(entry: str) -> AllowRule:
    # An IPv6 address contains colons: a text that is a network as a whole has no port.
    network = _network(entry)
    if network is not None:
        return AllowRule(network=network)
    parts = _ENTRY.fullmatch(entry)
    port = int(parts["port"]) if parts is not None and parts["port"] else None
    if parts is not None and (port is None or 0 < port <= _MAX_PORT):
        network, host = _network(parts["ipv6"] or parts["name"]), _host(parts["name"] or "")
        if network is not None or host is not None:
            return AllowRule(network=network, host=host if network is None else None, port=port)
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
    """A host name in ASCII; None for a text that is none, or that a resolver would read as an address."""
    try:
        host = ascii_host(name)
    except ValueError:
        return None
    return None if is_numeric(host) else host


def is_numeric(host: str) -> bool:
    """Whether a host is an address in one of its spellings: no top-level domain is a number."""
    return ":" in host or _NUMERIC.fullmatch(host.removesuffix(".").rpartition(".")[2]) is not None


def read_address(text: str) -> Address | None:
    """Parse an address as resolvers return it, `::ffff:10.0.0.1` as `10.0.0.1`; None for other text or a scope id."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address


class AddressPolicy:
    """Decides on addresses by the tables above and the operator's allow rules."""

    def __init__(self, rules: Iterable[AllowRule] = ()) -> None:
        self._allow_rules = tuple(rules)

    def allows(self, address: Address, *, host: str, port: int) -> bool:
        """Whether to connect to an address of `host`. Every IPv4 address embedded in it must be allowed too."""
        forms = (address, *_embedded(address))
        if any(form in network for form in forms for network in NEVER):
            return False
        return all(self._is_allowed(form, host=host, port=port) for form in forms)

    def _is_allowed(self, form: Address, *, host: str, port: int) -> bool:
        if not any(form in network for network in DENIED):
            return True
        return any(rule.matches(form, host=host, port=port) for rule in self._allow_rules)


def _embedded(address: Address) -> Iterator[Address]:
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
        # Read for another prefix length it begins with a zero octet, which no destination address does.
        found += [part for part in read if part[0]]
    mapped = [part for part in (address.ipv4_mapped, address.sixtofour) if part is not None]
    yield from chain(mapped, address.teredo or (), map(IPv4Address, found))
