"""What the server refuses before a request is a request."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from tests.support.gateway.gateway import Gateway
from tests.support.gateway.transport import MemoryTransport
from web.access_log import AccessLog
from web.server import protocol as http_protocol
from web.server.protocol import MAX_HEAD_BYTES, MAX_HEADERS

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


async def answer_to(gateway: Gateway, *pieces: bytes) -> bytes:
    """Everything the server says to these bytes before it closes, or until 5 s are over."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def status_and_error(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), orjson.loads(body)["error"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n", (431, "Request Header Fields Too Large")),
        (HEAD + b"X: a\r\n" * MAX_HEADERS + b"\r\n", (431, "Request Header Fields Too Large")),
        (b"GET /healthz HTTP/1.1\r\n\r\n", (400, "Bad Request")),
        (HEAD + b"Host: 127.0.0.1\r\n\r\n", (400, "Bad Request")),
        (b"GET /healthz HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n", (505, "HTTP Version Not Supported")),
        (b"nonsense\r\n\r\n", (400, "Bad Request")),
    ],
    ids=["too large", "too many fields", "no host", "two hosts", "another version", "no request"],
)
async def test_a_head_that_breaks_a_limit_is_refused_as_json(
    gateway: Gateway, head: bytes, expected: tuple[int, str]
) -> None:
    assert status_and_error(await answer_to(gateway, head)) == expected


async def test_a_head_without_an_end_is_refused_before_it_ends(gateway: Gateway) -> None:
    answer = await answer_to(gateway, HEAD + b"X: ", b"a" * (2 * MAX_HEAD_BYTES))
    assert status_and_error(answer)[0] == 431


async def test_a_head_within_the_limits_is_served(gateway: Gateway) -> None:
    answer = await answer_to(gateway, HEAD + b"X: a\r\n" * (MAX_HEADERS - 2) + b"Connection: close\r\n\r\n")
    assert b'{"status":"ok"}' in answer


async def test_requests_on_one_connection_are_each_judged_by_themselves(gateway: Gateway) -> None:
    several = (HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n") * 4
    answer = await answer_to(gateway, several + HEAD + b"Connection: close\r\n\r\n")
    assert answer.count(b'{"status":"ok"}') == 5


@pytest.mark.parametrize("cut", [50, 9_000, MAX_HEAD_BYTES - 100])
async def test_a_later_head_that_comes_in_pieces_is_measured_whole(gateway: Gateway, cut: int) -> None:
    """A part of it that came together with the request before counts as well."""
    large = HEAD + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n"
    first = HEAD + b"\r\n"
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    try:
        writer.write(first + large[:cut])
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200")
        writer.write(large[cut:])
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 431")
    finally:
        writer.close()


@pytest.mark.parametrize("beginning", [b"", HEAD], ids=["nothing", "half a head"])
async def test_a_head_that_takes_too_long_ends_the_connection(
    beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from uvicorn import Config
    from uvicorn.server import ServerState

    monkeypatch.setattr(http_protocol, "HEAD_S", 0.05)
    transport = MemoryTransport()
    config = Config(app=lambda *_: None, log_config=None)
    protocol = http_protocol.HardenedProtocol(config=config, server_state=ServerState(), app_state={})
    lines: list[bytes] = []
    protocol._access_log = AccessLog(lines.append, as_json=False)
    protocol.connection_made(transport)
    protocol.data_received(beginning)

    async with asyncio.timeout(5):
        await transport.closed.wait()

    assert status_and_error(transport.written) == (408, "Request Timeout")
    protocol._access_log.flush()
    assert [b"408" in line for line in lines] == [True]
    protocol.connection_lost(None)


async def test_a_client_that_takes_a_little_is_not_cut_off() -> None:
    """Only one that has taken nothing since the last look is."""
    from uvicorn import Config
    from uvicorn.server import ServerState

    transport = MemoryTransport()
    config = Config(app=lambda *_: None, log_config=None)
    protocol = http_protocol.HardenedProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(transport)
    transport.unread = 100
    protocol.pause_writing()

    transport.unread = 99
    protocol._look_at_writes(100)
    assert not transport.aborted.is_set()
    assert protocol._write_deadline is not None

    protocol._look_at_writes(99)
    assert transport.aborted.is_set()
    protocol.connection_lost(None)
