"""What a connection took is free when it has ended, without the collector of Python, which rarely sees old objects."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Mapping

from tests.support.gateway.gateway import Gateway
from tests.support.gateway.served import Served, serving

CONNECTIONS = 5
DEADLINE_S = 10.0
KEPT = ("HardenedProtocol", "WebSocketProtocol", "RequestResponseCycle", "ReplayCycle", "RequestState", "LightEvent")
_HOST = b"Host: 127.0.0.1\r\n"
_EVENTS = b'{"query": "subscription { backupDestinationEvents { id } }"}'
_SOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


def _frame(text: bytes) -> bytes:
    """A text frame of a client, whose mask changes nothing."""
    return bytes((0x81, 0x80 | 126)) + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text


EXCHANGES: Mapping[str, tuple[bytes, bytes]] = {
    "list": (b"GET /api/backup-destinations HTTP/1.1\r\n%s%s\r\n", b"]"),
    "health": (b"GET /healthz HTTP/1.1\r\n%s%s\r\n", b"\r\n\r\n"),
    "unknown": (b"GET /nothing HTTP/1.1\r\n%s%s\r\n", b"404"),
    "part": (b"POST /api/backup-destinations HTTP/1.1\r\nContent-Length: 99\r\n%s%s\r\n{", b""),
    "malformed": (b"\x16\x03\x01 %s%s", b"400"),
    "stream": (
        b"POST /graphql HTTP/1.1\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n%%s%%s\r\n%s" % (len(_EVENTS), _EVENTS),
        b"200",
    ),
    "socket": (b"GET /graphql HTTP/1.1\r\n%s%s" + _SOCKET, b"101"),
    "no socket": (b"GET /nothing HTTP/1.1\r\n%s%s" + _SOCKET, b"HTTP/1.1 "),
}
"""What is sent, with places for the headers of the host and the token, and what is in the response."""


def kept() -> Counter[str]:
    """How many objects there are that belong to connections."""
    return Counter(name for each in gc.get_objects() if (name := type(each).__name__) in KEPT)


async def more(reader: asyncio.StreamReader, received: bytes) -> bytes:
    """What comes next; the other side does not end the connection before."""
    data = await reader.read(65_536)
    assert data, received
    return data


async def exchange(served: Served, sent: bytes, wanted: bytes, *, subscribes: bool, aborts: bool) -> None:
    """One connection, which the client ends after the response."""
    reader, writer = await asyncio.open_connection(*served.address)
    writer.write(sent)
    async with asyncio.timeout(DEADLINE_S):
        received = b""
        while wanted not in received:
            received += await more(reader, received)
        if subscribes:
            writer.write(_frame(b'{"type": "connection_init"}'.ljust(200)))
            while b"connection_ack" not in received:
                received += await more(reader, received)
            begin = b'{"type": "subscribe", "id": "1", "payload": {"query": "{ viewer { id } }"}}'
            writer.write(_frame(begin.ljust(200)))
            while b'"complete"' not in received:
                received += await more(reader, received)
    if aborts:
        writer.transport.abort()
        return
    writer.close()
    await writer.wait_closed()


async def left_by(served: Served, sent: bytes, wanted: bytes, *, subscribes: bool) -> Counter[str]:
    """The objects that stay after some connections, when none is open."""
    for aborts in (True, False):  # the first makes what stays
        await exchange(served, sent, wanted, subscribes=subscribes, aborts=aborts)
    await all_ended(served)
    gc.collect()
    before = kept()
    gc.disable()
    try:
        for number in range(CONNECTIONS):
            await exchange(served, sent, wanted, subscribes=subscribes, aborts=number % 2 == 1)
        await all_ended(served)
        return kept() - before
    finally:
        gc.enable()


async def all_ended(served: Served) -> None:
    """Wait until no connection is open, and nothing runs that belonged to one."""
    async with asyncio.timeout(DEADLINE_S):
        while served.app.connections:  # noqa: ASYNC110 - nothing announces the end
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)


async def test_an_ended_connection_leaves_nothing_to_the_collector(gateway: Gateway) -> None:
    account = await gateway.new_user()
    async with serving(gateway) as served:
        left = {}
        for name, (asked, wanted) in EXCHANGES.items():
            sent = asked % (_HOST, b"Authorization: Bearer %s\r\n" % account.token.encode())
            left[name] = await left_by(served, sent, wanted, subscribes=name == "socket")

    assert {name: objects for name, objects in left.items() if objects} == {}
