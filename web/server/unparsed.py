"""Reads the head of a request that is refused anyway, for a small part of what the parser costs.

Only what leaves no doubt is read: one whole request in one piece, with a head in the plainest form and a body of the
length that it says, or none. Everything else is the parser's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from web.http.no_event import NoEvent

_HEAD = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_FIELD = re.compile(rb"([A-Za-z0-9-]+): ([ -~]*)\r\n")
_MOST_HEAD_BYTES = 4_096
_REFUSED_BY_THE_PARSER = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection"})
_ONCE = frozenset({b"host", b"content-length", b"authorization"})
_LOOKED_AT = _ONCE | _REFUSED_BY_THE_PARSER


class WholeRequest(NamedTuple):
    """A request but for its body."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    """With names in lower case."""
    authorization: bytes | None


class RefusedCycle:
    """A request that is going to be refused, in the place of a cycle, with what uvicorn's protocol reads of one."""

    __slots__ = ("disconnected", "request", "request_id", "response_complete")

    keep_alive = True
    response_started = False
    message_event = NoEvent()

    def __init__(self, request: WholeRequest, request_id: bytes) -> None:
        self.request = request
        self.request_id = request_id
        self.disconnected = self.response_complete = False


def whole_request(data: bytes) -> WholeRequest | None:
    """The only request in a piece, all of it; None where the parser has to look."""
    head = _HEAD.match(data, 0, _MOST_HEAD_BYTES)
    if head is None:
        return None
    method, target, lines = head.groups()
    headers: list[tuple[bytes, bytes]] = []
    once: dict[bytes, bytes] = {}
    for spelled, value in _FIELD.findall(lines):
        name = spelled.lower()
        if name in _LOOKED_AT:
            if name in _ONCE:
                if name in once:
                    return None
                once[name] = value
            elif value.lower() != b"keep-alive":
                return None
        headers.append((name, value))
    length = once.get(b"content-length", b"0")
    if b"host" not in once or not (length.isdigit() and len(length) < 8) or len(data) != head.end() + int(length):
        return None
    return WholeRequest(method, target, headers, once.get(b"authorization"))
