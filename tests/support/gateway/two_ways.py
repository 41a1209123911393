"""One application behind two ports: one that has the fast lane, and one where every request goes the usual way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from app.main import create_app
from app.settings import Settings
from models.vault.secret import Secret
from tests.support.gateway.gateway import Gateway
from web.application import Application
from web.server.protocol import HardenedProtocol

DEADLINE_S = 10.0
_TURNS = 5
"""Of the loop that both sides share; in the first of them the server reads what was sent."""
CHANGING = (b"date", b"x-ratelimit-remaining")


class ShortWay(HardenedProtocol):
    """A connection as the server makes them, which logs no requests; pytest lets every logger have a handler."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False


class UsualWay(ShortWay):
    """A connection without a fast lane."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lane = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status line, the headers in no order but for those that change, and the body."""

    status: bytes
    headers: tuple[bytes, ...]
    body: bytes


class Way:
    """One of the two ports."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Talk]:
        """A connection that is kept alive."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield Talk(reader, writer)
        finally:
            writer.close()

    async def ask(self, wire: bytes) -> Answer:
        """The answer to one request, on a connection of its own."""
        async with self.connection() as talk:
            return await talk.ask(wire)


class Talk:
    """Requests and answers on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, *pieces: bytes) -> Answer:
        """Send a request, piece by piece, each when the one before is on its way, and read the answer."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        return await self.read(is_head=pieces[0].startswith(b"HEAD"))

    async def read(self, *, is_head: bool = False) -> Answer:
        """The next answer."""
        async with asyncio.timeout(DEADLINE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
            named = dict(line.split(b": ", 1) for line in lines)
            length = 0 if is_head else int(named.get(b"content-length", b"0"))
            body = await self._reader.readexactly(length)
        kept = tuple(sorted(line for line in lines if line.split(b":")[0] not in CHANGING))
        return Answer(status=status, headers=kept, body=body)

    async def ends(self) -> bool:
        """Whether the other side hangs up now."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._reader.read() == b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """The application and its two ports."""

    app: Application
    lane: Way
    usual: Way


@asynccontextmanager
async def both_ways(gateway: Gateway, **settings: Any) -> AsyncIterator[Both]:
    """The application in this process, on the gateway's database."""
    keys = Secret(gateway.settings["secret_keys"])
    given = {"rate_limit": "off", **settings}
    app = create_app(Settings(database_url=gateway.database_url, secret_keys=keys, **given))
    assert isinstance(app, Application)
    loop = asyncio.get_running_loop()
    trusted = list(given.get("trusted_proxies", ()))
    proxies: dict[str, Any] = {"proxy_headers": bool(trusted), "forwarded_allow_ips": trusted}
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", **proxies)
    config.load()
    async with app.router.lifespan_context(app) as state:
        serving = [
            await loop.create_server(lambda way=way: way(config, ServerState(), dict(state or {})), "127.0.0.1", 0)  # type: ignore[misc]  # mypy does not infer a lambda's default
            for way in (ShortWay, UsualWay)
        ]
        lane, usual = (Way(server.sockets[0].getsockname()) for server in serving)
        try:
            yield Both(app=app, lane=lane, usual=usual)
        finally:
            for server in serving:
                server.close()
