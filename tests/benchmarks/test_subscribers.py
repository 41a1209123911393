"""Subscribers note every event of their user when it arrives, in whatever pieces, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
import pytest

from benchmarks.contenders import Transport
from benchmarks.data import Committed
from benchmarks.dialects import Caller
from benchmarks.listeners import Listener, listener
from benchmarks.machine import BenchmarkRefused
from benchmarks.subscribers import lateness_ms

CALLER = Caller(user_id=7, token="1|secret", total=2, destination_ids=(4, 5))
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WEBSOCKET_HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def event(number: int, destination_id: int = 4, changed: Sequence[str] = ("label",)) -> dict[str, Any]:
    return {
        "data": {
            "backupDestinationEvents": {
                "id": f"BackupDestinationEvent:{number}",
                "occurredAt": "2024-08-07T00:00:00Z",
                "backupDestinationId": f"BackupDestination:{destination_id}",
                "tokenName": "load",
                "changedFields": changed,
            }
        }
    }


def sse(payload: object) -> bytes:
    text = b"id: any\nevent: next\ndata: %s\n\n" % orjson.dumps(payload)
    return b":\n\n" + b"%x\r\n%s\r\n" % (len(text), text)


def frame(content: bytes, opcode: int = 1) -> bytes:
    length = bytes([len(content)]) if len(content) < 126 else b"\x7e" + len(content).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + content


def messages(*sent: object) -> bytes:
    return b"".join(frame(orjson.dumps(one)) for one in sent)


def next_of(payload: object) -> object:
    return {"type": "next", "id": "1", "payload": payload}


async def listened(transport: Transport, sent: bytes) -> tuple[Listener, bytes]:
    """A subscriber to a server that sends this byte by byte, and what the server got."""
    got, is_over = b"", asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.readuntil(b"\r\n\r\n")
        for number in range(len(sent)):
            writer.write(sent[number : number + 1])
            await asyncio.sleep(0)
        writer.write_eof()
        got += await reader.read()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        _, one = await loop.create_connection(lambda: listener(transport, CALLER, port), "127.0.0.1", port)
        with suppress(ConnectionError):
            await one.begun
        await is_over.wait()
    return one, got


@pytest.mark.parametrize(
    ("transport", "sent"),
    [
        (Transport.SSE, SSE_HEAD + b"".join(map(sse, (event(1), event(2, destination_id=5), event(3))))),
        (
            Transport.WEBSOCKET,
            WEBSOCKET_HEAD
            + messages({"type": "connection_ack"}, {"type": "pong"}, {"type": "ping"})
            + frame(b"beat", opcode=9)
            + messages(next_of(event(1)), next_of(event(2, changed=["endpoint"])), next_of(event(3))),
        ),
    ],
)
async def test_events_are_found_in_whatever_pieces_they_come(transport: Transport, sent: bytes) -> None:
    """One of another destination or field is none of those that were written."""
    one, got = await listened(transport, sent)

    assert [id_ for id_, _ in one.arrived] == [1, 3]
    assert 0 < one.begun_at_s <= one.arrived[0][1] <= one.arrived[1][1]
    assert b"Bearer 1|secret" in got
    if transport is Transport.WEBSOCKET:
        assert got.endswith(b'\x81\x8f\0\0\0\0{"type":"pong"}' + b"\x8a\x84\0\0\0\0beat")


@pytest.mark.parametrize(
    ("transport", "sent", "said"),
    [
        (Transport.SSE, b"HTTP/1.1 401 Unauthorized\r\n\r\n", "401 Unauthorized"),
        (Transport.WEBSOCKET, b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503 Service"),
        (Transport.WEBSOCKET, WEBSOCKET_HEAD + frame(b"\x11\x33Forbidden", opcode=8), "Forbidden"),
        (Transport.WEBSOCKET, WEBSOCKET_HEAD + messages({"type": "error", "id": "1"}), "error"),
    ],
)
async def test_a_refused_subscription_says_why(transport: Transport, sent: bytes, said: str) -> None:
    one, _ = await listened(transport, sent)

    assert said in one.failure
    assert said in str(one.begun.exception())


async def a_listener(arrived: Sequence[tuple[int, float]]) -> Listener:
    one = listener(Transport.SSE, CALLER, 1)
    one.begun_at_s = 10.0
    one.arrived = list(arrived)
    return one


EVENTS = [
    Committed(id=1, user_id=7, at_s=9.0),
    Committed(id=2, user_id=7, at_s=11.0),
    Committed(id=3, user_id=7, at_s=20.0),
    Committed(id=4, user_id=8, at_s=21.0),
]


async def test_lateness_is_counted_from_the_commit_of_events_after_the_warm_up() -> None:
    assert lateness_ms([await a_listener([(2, 11.5), (3, 20.25)])], EVENTS, since_s=15.0) == [250.0]


@pytest.mark.parametrize(
    "arrived",
    [[(3, 20.25)], [(2, 11.5)], [(2, 11.5), (3, 20.25), (3, 20.25)], [(3, 20.25), (2, 21.0)], [(2, 11.5), (4, 21.5)]],
)
async def test_an_event_that_is_missing_or_doubled_or_out_of_order_or_of_another_user_ends_the_run(
    arrived: Sequence[tuple[int, float]],
) -> None:
    with pytest.raises(BenchmarkRefused, match="A subscriber got"):
        lateness_ms([await a_listener(arrived)], EVENTS, since_s=15.0)
