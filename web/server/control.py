"""What the supervisor and a worker say to each other, over a pair of connected sockets.

A message of the worker is one byte; that of an outage has a length and a text behind it. A message of the supervisor is
two: what to do, and the number of the listening socket it is about, which comes along when the worker does not have it.
When one end closes, its process has ended.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

_MOST_BYTES = 1_024
_MOST_DESCRIPTORS = 16
_OUTAGE = b"o"
_MOST_TEXT_BYTES = 4_096


class Report(Enum):
    """What a worker says."""

    ABLE = b"b"
    """It can accept, and refuses most requests until what it needs, as the database, is open."""
    READY = b"r"
    """Everything is open: it can serve, and waits for a socket to accept from."""
    ALIVE = b"a"
    """Its event loop runs: said every `ALIVE_S` seconds."""
    LEAVES = b"l"
    """It was asked to end (SIGTERM), and will when another is in its place."""


class OutageReport(NamedTuple):
    """That a worker is in an outage, or no more."""

    subject: str
    """What is away, in the same words at the beginning and the end, and of every worker."""
    is_on: bool
    line: str
    """Of the log."""


class Order(Enum):
    """What the supervisor says."""

    ACCEPT = b"a"
    """Accept connections from the socket that comes along."""
    RELEASE = b"r"
    """Accept no more from the socket of this number; another process does."""
    UNREADY = b"u"
    """Say on `/readyz` that the process is about to stop; it serves as before."""
    DRAIN = b"d"
    """Accept what waits in the sockets, close them, end streams, finish requests, and exit."""


ALIVE_S = 0.5


def report(link: socket.socket, what: Report) -> None:
    """Say something to the supervisor, if it is still there."""
    with suppress(OSError):
        link.send(what.value)


def report_outage(link: socket.socket, said: OutageReport) -> bool:
    """Let the supervisor log an outage once for all workers; False when it cannot be reached."""
    text = json.dumps(said).encode()
    if len(text) > _MOST_TEXT_BYTES:
        return False
    try:
        return link.send(_OUTAGE + len(text).to_bytes(2, "big") + text) > 0
    except OSError:
        return False


def reports(link: socket.socket, pending: bytearray) -> Iterator[Report | OutageReport]:
    """What a worker has said since the last call; `pending` keeps the beginning of a text that has not come whole.

    Raises EOFError when the worker has ended.
    """
    said, _ = _received(link)
    pending += said
    while pending:
        if pending[:1] != _OUTAGE:
            yield Report(bytes(pending[:1]))
            del pending[:1]
            continue
        end = 3 + int.from_bytes(pending[1:3], "big")
        if len(pending) < max(3, end):
            return
        yield OutageReport(*json.loads(pending[3:end]))
        del pending[:end]


def order(link: socket.socket, what: Order, number: int = 0, listener: socket.socket | None = None) -> None:
    """Tell a worker something, if it is still there."""
    with suppress(OSError):
        if listener is None:
            link.send(what.value + bytes([number]))
        else:
            socket.send_fds(link, [what.value + bytes([number])], [listener.fileno()])


def orders(link: socket.socket) -> Iterator[tuple[Order, int, socket.socket | None]]:
    """What the supervisor has said since the last call; raises EOFError when it has ended."""
    said, descriptors = _received(link)
    sockets = iter(descriptors)
    for place in range(0, len(said), 2):
        what = Order(said[place : place + 1])
        listener = socket.socket(fileno=next(sockets)) if what is Order.ACCEPT else None
        yield what, said[place + 1], listener


def _received(link: socket.socket) -> tuple[bytes, Sequence[int]]:
    """What has come since the last call, and the descriptors along with it; raises EOFError at the other side's end."""
    try:
        said, descriptors, _, _ = socket.recv_fds(link, _MOST_BYTES, _MOST_DESCRIPTORS)
    except BlockingIOError:
        return b"", ()
    except ConnectionError:
        raise EOFError from None
    if not said:
        raise EOFError
    return said, descriptors
