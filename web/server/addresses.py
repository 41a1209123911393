"""The addresses of clients, in one spelling."""

from __future__ import annotations

_MAPPED = "::ffff:"


def without_mapping(client: tuple[str, int] | None) -> tuple[str, int] | None:
    """The host and port of a client, an IPv4 address as itself where a socket for both versions has it inside of IPv6.

    So that it is the one that the settings and the networks of tokens name (RFC 4291, 2.5.5.2).
    """
    if client is None or not client[0].startswith(_MAPPED) or "." not in client[0]:
        return client
    return client[0].removeprefix(_MAPPED), client[1]
