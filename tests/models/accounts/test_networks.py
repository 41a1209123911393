"""The networks that a token may be used from."""

from __future__ import annotations

import pytest

from models.accounts.networks import is_within, store_networks


@pytest.mark.parametrize(
    ("network", "stored", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", "::ffff:11.0.0.1"),
        ("::ffff:10.1.2.3", "10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
        ("2001:db8::/32", "2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ("::/0", "::/0", "2001:db8::1", "10.1.2.3"),
    ],
)
def test_ipv4_inside_of_ipv6_is_ipv4(network: str, stored: str, inside: str, outside: str) -> None:
    """In the network as in the address."""
    assert store_networks([network]) == stored
    assert is_within(inside, stored)
    assert not is_within(outside, stored)
