"""What one WebSocket client may send, and leave unread, before it is cut off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from tests.support.gateway.gateway import Account, Gateway
from web import pings
from web.server import websocket
from web.server.websocket import MAX_FRAGMENTS, MAX_FRAMES_AT_ONCE, WebSocketProtocol

TEXT, CONTINUATION, PING, PONG = 1, 0, 9, 10
CPU_S = 0.5
"""Of the gateway, for a flood of 20,000 frames; without a limit some seconds."""


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A frame of a client, with a mask of zeros."""
    assert len(payload) < 126
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


class RawSocket:
    """A WebSocket in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send bytes; raises ConnectionError when the gateway has cut the client off."""
        self.writer.write(data)
        async with asyncio.timeout(10):
            await self.writer.drain()

    async def frames(self, count: int) -> list[tuple[int, bytes]]:
        """The opcodes and payloads of the next frames."""
        found = []
        async with asyncio.timeout(10):
            for _ in range(count):
                first, length = await self.reader.readexactly(2)
                found.append((first & 0x0F, await self.reader.readexactly(length)))
        return found

    async def is_cut_off(self) -> bool:
        """Whether the connection ends without a close frame, after what was sent before."""
        try:
            async with asyncio.timeout(10):
                rest = await self.reader.read()
        except ConnectionError:
            return True
        return b"\x88" not in rest[-10:]


@asynccontextmanager
async def raw_socket_at(host: str, port: int) -> AsyncIterator[RawSocket]:
    """A socket after its handshake."""
    async with opening_socket(host, port) as socket:
        assert (await socket.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        yield socket


@asynccontextmanager
async def opening_socket(host: str, port: int, early: bytes = b"") -> AsyncIterator[RawSocket]:
    """A socket whose handshake was sent, with `early` in the same piece."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        + early
    )
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


def raw_socket(gateway: Gateway) -> AbstractAsyncContextManager[RawSocket]:
    """A socket of a gateway after its handshake."""
    return raw_socket_at(gateway.host, gateway.port)


def cpu_s(gateway: Gateway) -> float:
    """The processor time that the gateway has used."""
    fields = Path(f"/proc/{gateway.worker_pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """A user of the gateway."""
    return await gateway.new_user()


@pytest.mark.parametrize(
    ("begin", "flood"),
    [
        (b"", frame(PING)),
        (b"", frame(PONG)),
        (b"", frame(PING, b"p" * 100)),
        (frame(TEXT, b"{", fin=False), frame(CONTINUATION, fin=False)),
        (b"", frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"}")),
    ],
    ids=["empty pings", "empty pongs", "pings with a payload", "empty continuations", "messages in two fragments"],
)
async def test_a_flood_of_frames_ends_the_connection_and_costs_little(
    begin: bytes, flood: bytes, gateway: Gateway
) -> None:
    """Anonymous, before `connection_init`."""
    async with raw_socket(gateway) as socket:
        before = cpu_s(gateway)
        try:
            await socket.send(begin + flood * 20_000)
            assert await socket.is_cut_off()
        except ConnectionError:
            pass

    assert cpu_s(gateway) - before < CPU_S


async def test_so_many_frames_may_come_at_once(gateway: Gateway) -> None:
    async with raw_socket(gateway) as socket:
        await socket.send(b"".join(frame(PING, b"%d" % number) for number in range(MAX_FRAMES_AT_ONCE)))

        assert await socket.frames(MAX_FRAMES_AT_ONCE) == [(PONG, b"%d" % n) for n in range(MAX_FRAMES_AT_ONCE)]


async def test_a_message_has_so_many_fragments(account: Account) -> None:
    """A message of the most fragments is read; with one more the connection ends."""
    text = orjson.dumps({"type": "connection_init", "payload": {"token": account.token}})

    def fragments(count: int) -> bytes:
        rest = [text[n : n + 1] for n in range(count - 2)] + [text[count - 2 :]]
        assert len(rest) == count - 1
        first, last = frame(TEXT, fin=False), frame(CONTINUATION, rest.pop())
        return first + b"".join(frame(CONTINUATION, one, fin=False) for one in rest) + last

    async with raw_socket(account.gateway) as socket, raw_socket(account.gateway) as other:
        await socket.send(fragments(MAX_FRAGMENTS))
        assert await socket.frames(1) == [(TEXT, b'{"type":"connection_ack"}')]
        await other.send(fragments(MAX_FRAGMENTS + 1))
        assert await other.is_cut_off()


async def test_a_client_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while in which nothing of what was written for it could be sent."""
    monkeypatch.setattr(websocket, "UNREAD_S", 0.2)
    ended, lost = asyncio.Event(), asyncio.Event()

    class Watched(WebSocketProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    async def write_without_end(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "x" * 100_000})
        finally:
            ended.set()

    config = uvicorn.Config(write_without_end, lifespan="off", log_config=None, ws_ping_interval=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: Watched(config, state, {}), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, raw_socket_at("127.0.0.1", port):
        async with asyncio.timeout(10):
            await ended.wait()
            await lost.wait()


@asynccontextmanager
async def serving(app: ASGIApp, protocol: type[WebSocketProtocol], **options: Any) -> AsyncIterator[int]:
    """A server of WebSockets alone; yields its port."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, **options)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_client_that_answers_pings_stays_and_one_that_does_not_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pings, "TICK_S", 0.02)
    left = asyncio.Event()

    async def wait_for_the_end(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        left.set()

    options = {"ws_ping_interval": 0.05, "ws_ping_timeout": 0.5}
    async with serving(wait_for_the_end, WebSocketProtocol, **options) as port, raw_socket_at("127.0.0.1", port) as it:
        seen = set()
        for _ in range(3):
            ((opcode, payload),) = await it.frames(1)
            assert (opcode, len(payload)) == (PING, 4)
            seen.add(payload)
            await it.send(frame(PONG, payload))
        assert len(seen) == 3
        await it.frames(1)
        await it.send(frame(PONG, b"none"))
        async with asyncio.timeout(10):
            await left.wait()


async def test_a_frame_that_began_before_the_handshake_was_answered_is_read_whole() -> None:
    has_shaken_hands, has_spoken = asyncio.Event(), asyncio.Event()
    heard: asyncio.Queue[Message] = asyncio.Queue()

    class Watched(WebSocketProtocol):
        def data_received(self, data: bytes) -> None:
            is_frame = self.handshake_initiated
            super().data_received(data)
            if is_frame:
                has_spoken.set()

    async def accept_late(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        has_shaken_hands.set()
        await has_spoken.wait()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        heard.put_nowait(await receive())

    message = frame(TEXT, b"in two halves")
    async with serving(accept_late, Watched) as port, opening_socket("127.0.0.1", port) as it:
        async with asyncio.timeout(10):
            await has_shaken_hands.wait()  # or both would come in one piece
            await it.send(message[:9])
        assert (await it.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await it.send(message[9:])
        async with asyncio.timeout(10):
            assert await heard.get() == {"type": "websocket.receive", "text": "in two halves"}


@pytest.mark.parametrize("filling", ["", "\n" * 100], ids=["a short one", "one with many line ends"])
@pytest.mark.parametrize("cut", [0, 5], ids=["whole", "in two pieces"])
async def test_a_frame_in_the_piece_of_the_handshake_is_read(gateway: Gateway, filling: str, cut: int) -> None:
    """Some clients do not wait for the response to the handshake; what they send behind it is not lost."""
    ping = frame(TEXT, b'{"type":"ping"%s}' % filling.encode())
    end = cut or len(ping)
    async with opening_socket(gateway.host, gateway.port, ping[:end]) as it:
        assert (await it.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await it.send(ping[end:])
        assert await it.frames(1) == [(TEXT, b'{"type":"pong"}')]


async def test_a_client_that_sends_too_much_before_its_handshake_is_answered_is_cut_off() -> None:
    has_shaken_hands = asyncio.Event()

    async def never_answer(_scope: Scope, receive: Receive, _send: Send) -> None:
        has_shaken_hands.set()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with serving(never_answer, WebSocketProtocol) as port, opening_socket("127.0.0.1", port) as it:
        async with asyncio.timeout(10):
            await has_shaken_hands.wait()
        it.writer.write(bytes(websocket.MAX_EARLY_BYTES + 1))
        assert await it.is_cut_off()


async def test_a_handshake_that_is_refused_by_a_response_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 400, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    async with serving(refuse, WebSocketProtocol) as port, opening_socket("127.0.0.1", port) as it:
        async with asyncio.timeout(10):
            assert (await it.reader.read()).startswith(b"HTTP/1.1 400")
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize("text", [(b"\xff",), (b"\xc3", b"x")], ids=["in one frame", "in two"])
async def test_a_text_that_is_not_utf_8_closes_the_socket_and_is_no_error(
    text: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async def listen(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        assert (await receive())["type"] == "websocket.disconnect"

    async with serving(listen, WebSocketProtocol) as port, raw_socket_at("127.0.0.1", port) as it:
        for number, part in enumerate(text):
            await it.send(frame(CONTINUATION if number else TEXT, part, fin=number == len(text) - 1))
        assert await it.frames(1) == [(8, (1007).to_bytes(2))]
    assert "ERROR" not in caplog.text
