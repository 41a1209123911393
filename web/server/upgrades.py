"""Upgrades that a client offers and the gateway does not take: the request is served whole (RFC 9110, 7.8).

The parser behind uvicorn stops at the head of a request that offers an upgrade and parses nothing behind it. So the
head is written again without the offer, for a new parser, which then reads the body and the next requests as usual.
"""

from __future__ import annotations

from collections.abc import Sequence

Header = tuple[bytes, bytes]


def without_upgrade(method: bytes, target: bytes, version: bytes, headers: Sequence[Header]) -> bytes:
    """The head of a request without `Upgrade`, and without that option in `Connection`; names are in lower case."""
    lines = [b"%s %s HTTP/%s\r\n" % (method, target, version)]
    for name, value in headers:
        if name == b"upgrade":
            continue
        if name == b"connection":
            value = b", ".join(option for option in _options(value) if option.lower() != b"upgrade")  # noqa: PLW2901
        lines.append(b"%s: %s\r\n" % (name, value))
    return b"".join([*lines, b"\r\n"])


def offers_websocket(method: bytes, version: str, headers: Sequence[Header]) -> bool:
    """Whether a request offers an upgrade to a WebSocket (RFC 6455, 4.1): a GET without a body, in HTTP/1.1."""
    if method != b"GET" or version != "1.1":
        return False
    values = [value.lower() for name, value in headers if name == b"upgrade"]
    bodies = [value for name, value in headers if name in (b"content-length", b"transfer-encoding")]
    return values == [b"websocket"] and all(value == b"0" for value in bodies)


def _options(value: bytes) -> list[bytes]:
    return [option for option in (part.strip() for part in value.split(b",")) if option]
