"""Answers on the wire, written whole or piece by piece: what the application sends arrives, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.support.gateway.driven import Driven
from web.server import protocol
from web.server.protocol import HardenedProtocol

PLAIN = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
DEADLINE_S = 60.0
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Asking:
    """Asks a server with the bytes of requests, and reads until it hangs up."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    async def __call__(self, wire: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(wire)
        async with asyncio.timeout(DEADLINE_S):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


@asynccontextmanager
async def serving(act: Callable[[Any, Send], Awaitable[None]]) -> AsyncIterator[Asking]:
    """A server whose application is `act`."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await act(scope, send)

    config = uvicorn.Config(app, http=HardenedProtocol, log_config=None, access_log=False, lifespan="off")
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HardenedProtocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield Asking(server.sockets[0].getsockname())
    finally:
        server.close()
        await server.wait_closed()


def request(method: str = "GET", *, close: bool = True) -> bytes:
    return b"%s / HTTP/1.1\r\nhost: a\r\n%s\r\n" % (method.encode(), b"connection: close\r\n" if close else b"")


def answering(*headers: tuple[bytes, bytes], status: int = 200, body: bytes = b"hello") -> Any:
    async def act(_scope: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return act


async def test_requests_on_one_connection_are_answered_whole_and_in_order() -> None:
    async with serving(answering(*PLAIN)) as ask:
        answers = await ask(request(close=False) * 3 + request())

    parts = answers.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(parts) == 4
    assert all(part.endswith(b"content-length: 5\r\n\r\nhello") for part in parts[:3])
    assert parts[3].endswith(b"connection: close\r\n\r\nhello")


async def test_head_has_the_length_and_no_body() -> None:
    async with serving(answering(*PLAIN)) as ask:
        answer = await ask(request("HEAD"))

    assert b"content-length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_an_answer_without_a_length_comes_in_chunks() -> None:
    async with serving(answering((b"content-type", b"text/plain"))) as ask:
        answer = await ask(request())

    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"5\r\nhello\r\n0\r\n\r\n")


async def test_an_answer_without_a_length_ends_with_the_connection_in_http_1_0() -> None:
    """Whose clients know no chunks, and wait for no permission to send a body."""

    async def stream(_scope: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        for piece in (b"5\r\n", b"", b"hello"):
            await send({"type": "http.response.body", "body": piece, "more_body": piece != b"hello"})

    async with serving(stream) as ask:
        for extra in (b"", b"connection: keep-alive\r\n", b"expect: 100-continue\r\ncontent-length: 0\r\n"):
            head, _, body = (await ask(b"GET / HTTP/1.0\r\nhost: a\r\n%s\r\n" % extra)).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close" in head
            assert b"transfer-encoding" not in head
            assert body == b"5\r\nhello"
        answer = await ask(b"HEAD / HTTP/1.0\r\nhost: a\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n")
        assert b"transfer-encoding" not in answer


async def test_http_1_0_is_not_told_to_continue() -> None:
    """An expectation in such a request is ignored (RFC 9110, 10.1.1)."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": body})

    for version, is_told in ((b"1.0", False), (b"1.1", True)):
        driven = Driven(app)
        lines = b"POST / HTTP/%s\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n" % version
        await driven.send(lines, b"hi")
        await driven.settle()
        driven.close()
        assert driven.transport.written.startswith(b"HTTP/1.1 100 Continue") == is_told
        assert driven.transport.written.endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize("value", [b"a\r\nx-injected: 1", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_would_become_another_is_never_sent(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(answering(*PLAIN, (b"x-odd", value))) as ask:
        answer = await ask(request(close=False))

    assert answer == b""
    assert "Invalid HTTP header value" in caplog.text


@pytest.mark.parametrize("length", [b"4", b"6", b"0"])
async def test_a_length_that_is_not_the_bodys_ends_the_connection(
    length: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of the next answer could be taken for the rest of this one."""
    async with serving(answering((b"content-length", length))) as ask:
        answer = await ask(request(close=False) * 2)

    assert answer.count(b"HTTP/1.1") == 1
    assert caplog.records


async def test_the_head_of_a_stream_is_sent_before_its_first_piece() -> None:
    """A client learns at once that a stream has begun, whenever something happens in it."""
    go_on = asyncio.Event()

    async def stream(_scope: Any, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        async with asyncio.timeout(DEADLINE_S):
            await go_on.wait()
        await send({"type": "http.response.body", "body": b"late"})

    async with serving(stream) as ask:
        reader, writer = await asyncio.open_connection(*ask.address)
        writer.write(request())
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            go_on.set()
            assert b"late" in await reader.read()
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("count", [1, 5])
async def test_a_client_that_sends_no_more_is_answered(count: int) -> None:
    """Some clients close their side of the connection behind the request."""

    async def answer_late(_scope: Any, send: Send) -> None:
        await asyncio.sleep(0)
        await answering(*PLAIN)(_scope, send)

    async with serving(answer_late) as ask:
        reader, writer = await asyncio.open_connection(*ask.address)
        writer.write(request(close=False) * count)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE_S):
            answers = await reader.read()
        writer.close()

    assert answers.count(b"content-length: 5\r\n\r\nhello") == count


async def test_a_client_that_sends_no_more_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it sent a stream: it may have left."""
    monkeypatch.setattr(protocol, "ENDED_S", 0.05)
    ended: list[Any] = []

    async def wait(scope: Any, receive: Any, send: Send) -> None:
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass
        ended.append(scope["path"])

    for path in ("/slow", "/stream"):
        driven = Driven(wait)
        await driven.send(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % path.encode())
        if not driven.protocol.eof_received():
            driven.transport.close()  # as asyncio does
        async with asyncio.timeout(DEADLINE_S):
            await driven.transport.closed.wait()
        driven.close()
        await driven.settle()

    assert ended == ["/slow", "/stream"]
