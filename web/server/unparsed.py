"""Reads the head of a request that is refused anyway, for a small part of what the parser costs.

Only what leaves no doubt is read: one whole request in one piece, with a head in the plainest form and a body of the
length that it says, or none. Everything else is the parser's.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from web.fast_path.incoming_request import IncomingRequest
from web.http.no_event import NoEvent

_HEAD = re.compile(
    rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!\"$-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
_FIELD = re.compile(rb"([A-Za-z0-9-]+): ([ -~]*)\r\n")
_MOST_HEAD_BYTES = 4_096
_REFUSED_BY_THE_PARSER = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection"})
_ONCE = frozenset({b"host", b"content-length", b"authorization"})


class WholeRequest(NamedTuple):
    """A request but for its body."""

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    """With names in lower case."""


class RefusedCycle:
    """A request that is going to be refused, in the place of a cycle, with what uvicorn's protocol reads of one."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "request", "response_complete", "response_started")

    def __init__(self, request: IncomingRequest) -> None:
        self.request = request
        self.keep_alive = request.keep_alive
        self.disconnected = self.response_started = self.response_complete = False
        self.message_event = NoEvent()


def whole_request(data: bytes) -> WholeRequest | None:
    """The only request in a piece, all of it; None where the parser has to look."""
    head = _HEAD.match(data, 0, _MOST_HEAD_BYTES)
    if head is None:
        return None
    headers, length, once = [], 0, set()
    for spelled, value in _FIELD.findall(head[3]):
        name = spelled.lower()
        if name in _ONCE:
            if name in once:
                return None
            once.add(name)
            if name == b"content-length":
                if not (value.isdigit() and len(value) < 8):
                    return None
                length = int(value)
        elif name in _REFUSED_BY_THE_PARSER and value.lower() != b"keep-alive":
            return None
        headers.append((name, value))
    if b"host" not in once or len(data) != head.end() + length:
        return None
    return WholeRequest(head[1], head[2], headers)
