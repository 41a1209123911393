"""The addresses of clients, in one spelling."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway.driven import Driven
from web.server.addresses import without_mapping


@pytest.mark.parametrize(
    ("peer", "known_as"),
    [("::ffff:192.0.2.7", "192.0.2.7"), ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("::1", "::1")],
)
async def test_an_ipv4_client_of_a_socket_for_both_versions_is_known_by_its_ipv4_address(
    peer: str, known_as: str
) -> None:
    """As a trusted proxy and the networks of a token are named."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope["client"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    driven = Driven(app, peer)
    await driven.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await driven.settle()
    driven.close()

    assert seen == [(known_as, 1)]


def test_a_client_without_an_address_stays_one() -> None:
    assert without_mapping(None) is None
    assert without_mapping(("::ffff:0:1", 1)) == ("::ffff:0:1", 1)
