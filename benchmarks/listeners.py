"""Clients that subscribe to live events, over server-sent events or a WebSocket, and note when each event is there.

They read as little as they can, as `load.py` does: a thousand of them share a core with the database.
"""

from __future__ import annotations

import asyncio
import re
import struct
from abc import abstractmethod
from collections.abc import Iterator
from time import time
from typing import Any, cast

import orjson

from benchmarks.contenders import Transport
from benchmarks.dialects import Caller

DOCUMENT = """subscription Events {
  backupDestinationEvents {
    id occurredAt backupDestinationId tokenName
    ... on BackupDestinationUpdated { changedFields }
  }
}"""
PREFIX = "BackupDestinationEvent:"
_HEAD_END = b"\r\n\r\n"
_DATA = re.compile(rb"^data: (\{.*\})\r?$", re.MULTILINE)
_MASK = b"\x00\x00\x00\x00"
"""With which a frame is what it was; a client has to mask, and the content is no secret."""
_TEXT, _PONG = 0x1, 0xA
_KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Listener(asyncio.Protocol):
    """One subscriber. `begun` is done when the server has accepted the subscription, or fails with what it said."""

    def __init__(self, caller: Caller, port: int) -> None:
        self.caller = caller
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrived: list[tuple[int, float]] = []
        """The id of each event and the time of its arrival, in seconds since 1970."""
        self.begun_at_s = 0.0
        """When it was accepted, in seconds since 1970."""
        self.failure = ""
        """Why the subscription has ended; empty while it has not."""
        self._port = port
        self._got = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self.opening())

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail("the connection was closed")

    def data_received(self, data: bytes) -> None:
        now = time()
        self._got += data
        for payload in self.payloads():
            self._note(payload, now)

    def fail(self, said: str) -> None:
        """Note why there is no subscription, or no longer one."""
        if not self.begun.done():
            self.begun.set_exception(ConnectionError(said))
        self.failure = self.failure or said

    def begin(self) -> None:
        """Note that the server has accepted the subscription."""
        if not self.begun.done():
            self.begun_at_s = time()
            self.begun.set_result(None)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    @abstractmethod
    def opening(self) -> bytes:
        """The first bytes of the connection."""

    @abstractmethod
    def payloads(self) -> Iterator[Any]:
        """The responses that have come whole."""

    def _has_head(self, status: bytes) -> bool:
        """Whether the head of the response is there whole and taken; one of another status is a failure."""
        head, end, rest = self._got.partition(_HEAD_END)
        if not end:
            return False
        self._got = rest
        if head[9:12] != status:
            self.fail(repr(head))
            return False
        return True

    def _note(self, payload: Any, now: float) -> None:
        """Note the event of a response; one of another kind than was asked for spoils the run, by its absence."""
        event = (payload.get("data") or {}).get("backupDestinationEvents") or {}
        is_whole = event.get("changedFields") == ["label"] and event.get("occurredAt")
        ids = self.caller.destination_ids
        if is_whole and event.get("backupDestinationId") == f"BackupDestination:{ids[0]}":
            self.arrived.append((int(event["id"].removeprefix(PREFIX)), now))


class _OfServerSentEvents(Listener):
    _has_begun = False

    def opening(self) -> bytes:
        body = orjson.dumps({"query": DOCUMENT})
        return (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nAuthorization: Bearer {self.caller.token}\r\n"
            f"Accept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    def payloads(self) -> Iterator[Any]:
        if not self._has_begun:
            if not self._has_head(b"200"):
                return
            self._has_begun = True
            self.begin()
        lines, end, self._got = self._got.rpartition(b"\n")
        for found in _DATA.findall(lines + end):
            yield orjson.loads(found)


class _OfWebSocket(Listener):
    """Of graphql-transport-ws, without extensions."""

    _has_begun = False

    def opening(self) -> bytes:
        return (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()

    def payloads(self) -> Iterator[Any]:
        if not self._has_begun:
            if not self._has_head(b"101"):
                return
            self._has_begun = True
            self._send({"type": "connection_init", "payload": {"authorization": f"Bearer {self.caller.token}"}})
        for opcode, content in self._frames():
            match opcode:
                case 0x1:
                    yield from self._payloads_of(orjson.loads(content))
                case 0x9:  # a ping
                    self._send_frame(_PONG, content)
                case 0x8:  # the end
                    self.fail(f"the server closed the socket: {content!r}")

    def _payloads_of(self, message: Any) -> Iterator[Any]:
        match message["type"]:
            case "connection_ack":
                subscribe = {"type": "subscribe", "id": "1", "payload": {"query": DOCUMENT}}
                self._send(subscribe)
                self._send({"type": "ping"})
            case "pong":  # which follows the subscribe message
                self.begin()
            case "ping":
                self._send({"type": "pong"})
            case "next":
                yield message["payload"]
            case _:
                self.fail(repr(message))

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole; a server masks none and, for messages as short as these, splits none."""
        while len(self._got) >= 2:
            length, start = self._got[1], 2
            if length == 126:
                if len(self._got) < 4:
                    return
                (length,), start = struct.unpack_from("!H", self._got, 2), 4
            if len(self._got) < start + length:
                return
            opcode, content = self._got[0] & 0x0F, self._got[start : start + length]
            self._got = self._got[start + length :]
            yield opcode, content

    def _send(self, message: object) -> None:
        self._send_frame(_TEXT, orjson.dumps(message))

    def _send_frame(self, opcode: int, content: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - what is answered came over it
        length = bytes([0x80 | len(content)]) if len(content) < 126 else b"\xfe" + struct.pack("!H", len(content))
        self._transport.write(bytes([0x80 | opcode]) + length + _MASK + content)


def listener(transport: Transport, caller: Caller, port: int) -> Listener:
    """A subscriber over this transport; it begins with its connection."""
    return (_OfServerSentEvents if transport is Transport.SSE else _OfWebSocket)(caller, port)
