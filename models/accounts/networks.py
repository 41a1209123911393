"""The networks that a token may be used from, stored as their texts separated by spaces."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from models.errors import AccountRefused
from models.short_memo import memo_of_short

MAX_LENGTH = 1_024
_MAPPED_BITS = 96
"""Before an IPv4 address inside of IPv6 (RFC 4291, 2.5.5.2)."""
UNKNOWN_ADDRESS = "unknown"
"""Of a client without an address, such as one behind a Unix socket."""


def store_networks(texts: Iterable[str]) -> str:
    """The stored form of networks, such as `10.0.0.0/8` or `2001:db8::1`; raises `AccountRefused`."""
    networks = []
    for text in texts:
        try:
            networks.append(str(_unmapped(ip_network(text.strip()))))
        except ValueError as error:
            raise AccountRefused(
                f"{text!r} is not a network; write 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32, without bits of a host."
            ) from error
    stored = " ".join(dict.fromkeys(networks))
    if len(stored) > MAX_LENGTH:
        raise AccountRefused(f"The networks of a token may have {MAX_LENGTH} characters together.")
    return stored


@lru_cache(maxsize=1_024)
def is_within(address: str, networks: str) -> bool:
    """Whether an address is in one of the stored networks; one that is no IP address is in none."""
    try:
        parsed = _address(address)
    except ValueError:
        return False
    return any(parsed in network for network in _networks(networks))


@memo_of_short(4_096, 64)
def canonical_address(text: str) -> str:
    """The one spelling of a client's address; `unknown` for what is no IP address, whatever a proxy has sent."""
    try:
        return str(_address(text))
    except ValueError:
        return UNKNOWN_ADDRESS


def _address(text: str) -> IPv4Address | IPv6Address:
    """An address without its scope; IPv4 inside of IPv6 as IPv4. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """A network as the addresses in it are compared: of IPv4 where it is one of IPv4 addresses inside of IPv6."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


@lru_cache(maxsize=64)
def _networks(stored: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(map(ip_network, stored.split()))
