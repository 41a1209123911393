"""What one connection may take from a gateway, and that other clients do not notice: figures of a real process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Served, serving
from tests.support.gateway.unharmed import MEBIBYTE, Figure, unharmed
from tests.web.fast_path.test_fast_path import DRAFT, JSON, LIST, wire
from web.connections import SPARE_PER_ADDRESS
from web.server import protocol
from web.server.protocol import MAX_QUEUED, HardenedProtocol


async def send_unread(gateway: Gateway, data: bytes, *, repeat: int, seconds: float) -> int:
    """Send `data` again and again and read nothing, until the gateway takes no more; returns the bytes it took."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port, limit=1)
    reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
    taken = 0
    try:
        async with asyncio.timeout(seconds):
            for _ in range(repeat):
                writer.write(data)
                await writer.drain()
                taken += len(data)
    except (TimeoutError, ConnectionError):
        pass
    await abort(writer)
    return taken


async def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection without waiting for the other side."""
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_pipelined_requests_whose_responses_nobody_reads_are_not_queued(
    attacked: Gateway, listed: bytes, figure: Figure
) -> None:
    """Eight megabytes of small requests, again and again."""
    requests = wire("GET", "/x", "") * 2_000
    async with unharmed(attacked, listed, figure):
        for _ in range(amount(3, 20)):
            taken = await send_unread(attacked, requests, repeat=8 * MEBIBYTE // len(requests), seconds=1.5)
            assert taken < 8 * MEBIBYTE


async def test_pipelined_requests_are_answered_in_order_and_a_bounded_number_waits(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0
    begin = HardenedProtocol._start

    def note(self: HardenedProtocol, request: object) -> None:
        nonlocal longest
        begin(self, request)  # type: ignore[arg-type]  # handed on
        longest = max(longest, len(self.pipeline))

    monkeypatch.setattr(HardenedProtocol, "_start", note)
    account = await gateway.new_user()
    async with serving(gateway) as served, served.connection() as talk:
        talk.writer.write(b"".join(wire("GET", f"{LIST}?page={n}", account.token) for n in range(1, 501)))
        for number in range(1, 501):
            assert f'"current_page":{number},'.encode() in (await talk.read()).body

    assert 1 < longest <= MAX_QUEUED


@pytest.mark.parametrize("part", ["trailer", "many trailers", "chunk extension"])
async def test_the_framing_of_a_chunked_body_is_bounded(
    attacked: Gateway, listed: bytes, figure: Figure, part: str
) -> None:
    """Trailers without end, and chunks that are nothing but extensions."""
    head = wire("POST", LIST, "", *JSON, "Transfer-Encoding: chunked") + b"2\r\n{}\r\n"
    start, rest = {
        "trailer": (b"0\r\nx: ", b"a" * 65_536),
        "many trailers": (b"0\r\n", b"x: a\r\n" * 10_000),
        "chunk extension": (b"", b"1;" + b"a" * 60_000 + b"\r\n \r\n"),
    }[part]
    async with unharmed(attacked, listed, figure):
        reader, writer = await asyncio.open_connection(attacked.host, attacked.port)
        writer.write(head + start)
        sent = 0
        with suppress(ConnectionError):
            while sent < 20 * MEBIBYTE:
                writer.write(rest)
                await writer.drain()
                sent += len(rest)
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                answer = await reader.read()
                assert answer[9:12] in (b"401", b"431", b"400", b"")
        await abort(writer)

    assert sent < 8 * MEBIBYTE


async def test_a_trailer_is_no_header(gateway: Gateway) -> None:
    """It authenticates nobody and says nothing of the client; a harmless one is dropped."""
    account = await gateway.new_user()
    chunked = f"{len(DRAFT):x}\r\n".encode() + DRAFT + b"\r\n0\r\n"
    token = f"Authorization: Bearer {account.token}\r\n\r\n".encode()
    async with serving(gateway) as served:
        without = wire("POST", LIST, "", *JSON, "Transfer-Encoding: chunked") + chunked + token
        assert (await served.ask(without)).status == b"HTTP/1.1 401 Unauthorized"
        harmless = wire("POST", LIST, account.token, *JSON, "Transfer-Encoding: chunked") + chunked
        assert (await served.ask(harmless + b"X-Sum: 1\r\n\r\n")).status == b"HTTP/1.1 201 Created"


async def test_a_client_that_takes_nothing_is_cut_off(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aborted, for closing would wait for it."""
    monkeypatch.setattr(protocol, "UNREAD_S", 0.3)
    made: list[HardenedProtocol] = []
    begin = HardenedProtocol.connection_made

    def note(self: HardenedProtocol, transport: asyncio.Transport) -> None:
        made.append(self)
        begin(self, transport)

    monkeypatch.setattr(HardenedProtocol, "connection_made", note)
    async with serving(gateway) as served:
        reader, writer = await asyncio.open_connection(*served.address, limit=1)
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
        try:
            writer.write(wire("GET", "/api/openapi.json", "") * 200)
            async with asyncio.timeout(20):
                while not made[0].transport.is_closing():  # noqa: ASYNC110 - nothing tells the client that reads nothing
                    await asyncio.sleep(0.01)
        finally:
            await abort(writer)


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    return await gateway.new_user()


@asynccontextmanager
async def opened(address: tuple[str, int], count: int, source: str) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections from a loopback address, each with half a head."""
    pairs = [await asyncio.open_connection(*address, local_addr=(source, 0)) for _ in range(count)]
    for _, writer in pairs:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    try:
        yield [reader for reader, _ in pairs]
    finally:
        for _, writer in pairs:
            await abort(writer)


async def status_of(address: tuple[str, int], request: bytes, source: str = "127.0.9.1") -> bytes:
    """The status code of a request on a connection of its own; empty when it is ended without a response."""
    reader, writer = await asyncio.open_connection(*address, local_addr=(source, 0))
    try:
        writer.write(request)
        with suppress(ConnectionError):
            return (await reader.read())[9:12]
        return b""
    finally:
        await abort(writer)


async def answers(address: tuple[str, int], request: bytes, source: str = "127.0.9.1") -> bool:
    """Whether a request is served."""
    return await status_of(address, request, source) == b"200"


async def has(served: Served, count: int, client: str | None = None) -> bool:
    """Whether so many connections are counted, for a client or in all."""
    assert served.app.connections is not None
    return (len(served.app.connections) if client is None else served.app.connections._of[client]) == count


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition of the server, which signals nothing when it holds."""
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def test_one_address_takes_no_more_than_its_connections(gateway: Gateway, account: Account) -> None:
    """It is told so, its probes are answered, and other clients notice nothing."""
    listed = wire("GET", LIST, account.token, "Connection: close")
    health = wire("GET", "/healthz", "", "Connection: close")
    async with serving(gateway, max_address_connections=5) as served:
        async with opened(served.address, 5, "127.0.66.1"):
            assert await status_of(served.address, listed, "127.0.66.1") == b"503"
            assert await status_of(served.address, health, "127.0.66.1") == b"200"
            assert await status_of(served.address, listed) == b"200"
        async with opened(served.address, 5 + SPARE_PER_ADDRESS, "127.0.66.1"):
            assert await status_of(served.address, listed, "127.0.66.1") == b""
            assert await status_of(served.address, listed) == b"200"
        await until(lambda: answers(served.address, listed, "127.0.66.1"))


async def test_health_is_answered_when_all_connections_are_taken(
    gateway: Gateway, account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """One line in the log says so, and one that it is over."""
    listed = wire("GET", LIST, account.token, "Connection: close")
    async with serving(gateway, max_connections=10) as served:
        async with opened(served.address, 8, "127.0.66.1"), opened(served.address, 4, "127.0.66.2"):
            assert await status_of(served.address, listed) == b"503"
            await until(lambda: answers(served.address, wire("GET", "/readyz", "", "Connection: close")))
        await until(lambda: answers(served.address, listed))

    levels = [record.levelname for record in caplog.records if record.name == "moorings.connections"]
    assert levels.count("WARNING") == 1


async def test_behind_a_proxy_connections_count_for_the_forwarded_address(gateway: Gateway, account: Account) -> None:
    """The proxy itself may have any number; requests in flight of one client may not take them all."""
    body = b'{"label": "x", "type": "local"}'

    def half(client: str) -> bytes:
        headers = (*JSON, f"X-Forwarded-For: {client}", "Expect: x", "Connection: close")
        return wire("POST", LIST, account.token, *headers, body=body)[:-5]

    async with serving(gateway, trusted_proxies=("127.0.0.1",), max_address_connections=3) as served:
        pairs = [await asyncio.open_connection(*served.address) for _ in range(9)]
        try:
            for _, writer in pairs[:3]:
                writer.write(half("203.0.113.7"))
            await until(lambda: has(served, 3, "203.0.113.7"))
            for reader, writer in pairs[3:5]:
                writer.write(half("203.0.113.7"))
                assert (await reader.read())[9:12] == b"503"
            reader, writer = pairs[5]
            writer.write(wire("GET", LIST, account.token, "X-Forwarded-For: 203.0.113.8", "Connection: close"))
            assert (await reader.read())[9:12] == b"200"
        finally:
            for _, writer in pairs:
                await abort(writer)


async def test_a_websocket_keeps_its_place_until_it_ends(gateway: Gateway, account: Account) -> None:
    upgrade = wire(
        "GET",
        "/graphql",
        account.token,
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: graphql-transport-ws"),
    )
    async with serving(gateway) as served:
        assert served.app.connections is not None
        reader, writer = await asyncio.open_connection(*served.address)
        writer.write(upgrade)
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        assert len(served.app.connections) == 1
        await abort(writer)
        await until(lambda: has(served, 0))
