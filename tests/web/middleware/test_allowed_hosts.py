"""A Host header is a name or an address with an optional port; anything else names no gateway, with `*` too."""

from __future__ import annotations

import pytest

from web.middleware.allowed_hosts import Hosts

WELL_FORMED = ["localhost", "localhost:8000", "LOCALHOST:1", "a-b_c.example", "127.0.0.1:65535", "[::1]", "[::1]:8000"]
WELL_FORMED += ["[2001:DB8::1]:443", "[::ffff:10.0.0.1]"]
MALFORMED = [
    "",
    ":80",
    "[",
    "]",
    "[]",
    "[::1",
    "::1",
    "::1]",
    "[::1]x",
    "[::1]:",
    "[::1]:x",
    "[::1]:65536",
    "[::1]:000080",
]
MALFORMED += ["[evil.example]", "[<script>]", "[::1]@evil.example", "[fe80::1%eth0]", "[::1][::1]", "a]", "a[0]"]
MALFORMED += [
    "localhost:",
    "localhost:65536",
    "localhost:-1",
    "localhost:8000:8000",
    "local host",
    "a/b",
    "a@b",
    "bü.example",
]


@pytest.mark.parametrize("host", WELL_FORMED)
def test_a_well_formed_host_is_allowed_where_any_is(host: str) -> None:
    assert Hosts(["*"]).allow(host.encode())


@pytest.mark.parametrize("host", MALFORMED)
def test_a_malformed_host_is_never_allowed(host: str) -> None:
    assert not Hosts(["*"]).allow(host.encode())


def test_an_address_in_brackets_is_allowed_as_it_is_listed() -> None:
    hosts = Hosts(["[::1]", "*.example.com"])

    assert hosts.allow(b"[::1]:8000")
    assert hosts.allow(b"a.example.com")
    assert not hosts.allow(b"[::2]:8000")
    assert not hosts.allow(b".example.com")
