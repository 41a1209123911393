"""The application in this process behind a real port, on a gateway's database: tests reach into it while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
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
from web.fast_path.fast_path import FastPath
from web.fast_path.preparation_key import PreparationKey
from web.fast_path.prepared_request import PreparedRequest, PreparedRequests
from web.server.protocol import HardenedProtocol
from web.server.websocket import WebSocketProtocol

DEADLINE_S = 10.0
_TURNS = 5
"""Of the loop that both sides share; in the first of them the server reads what was sent."""
CHANGING = (b"date", b"x-ratelimit-remaining", b"x-request-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response: the status line, the header lines sorted and without those that change, and the body."""

    status: bytes
    headers: tuple[bytes, ...]
    body: bytes


class Served:
    """The application and its port."""

    def __init__(self, app: Application, address: tuple[str, int]) -> None:
        self.app = app
        self.address = address

    @property
    def fast_path(self) -> FastPath:
        """The application's fast path."""
        assert self.app.fast_path is not None
        return self.app.fast_path

    @property
    def prepared(self) -> Mapping[PreparationKey, PreparedRequest]:
        """The requests that the fast path can replay, the least recently used first."""
        return self.fast_path.prepared_requests._entries

    async def ask_standard(self, sent: bytes) -> Answer:
        """The standard path's answer to a request; the fast path starts without any prepared request or shape."""
        self.fast_path.prepared_requests = PreparedRequests()
        self.fast_path.shapes = PreparedRequests()
        return await self.ask(sent)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Talk]:
        """A connection that is kept alive."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            yield Talk(reader, writer)
        finally:
            writer.close()

    async def ask(self, sent: bytes) -> Answer:
        """The response to one request, on a connection of its own."""
        async with self.connection() as talk:
            return await talk.ask(sent)


class Talk:
    """Requests and responses on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, *pieces: bytes) -> Answer:
        """Send a request, piece by piece, each when the one before is on its way, and read the response."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        return await self.read(is_head=pieces[0].startswith(b"HEAD"))

    async def read(self, *, is_head: bool = False) -> Answer:
        """The next response."""
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


@asynccontextmanager
async def serving(gateway: Gateway, **settings: Any) -> AsyncIterator[Served]:
    """The application in this process, on the gateway's database; a process has one database at a time."""
    keys = Secret(gateway.settings["secret_keys"])
    given = {"rate_limit": "off", **settings}
    app = create_app(Settings(database_url=gateway.database_url, secret_keys=keys, **given))
    assert isinstance(app, Application)
    loop = asyncio.get_running_loop()
    trusted = list(given.get("trusted_proxies", ()))
    proxies: dict[str, Any] = {"proxy_headers": bool(trusted), "forwarded_allow_ips": trusted}
    config = uvicorn.Config(app, ws=WebSocketProtocol, log_config=None, access_log=False, lifespan="off", **proxies)
    config.load()
    async with app.router.lifespan_context(app) as state:
        server = await loop.create_server(
            lambda: HardenedProtocol(config, ServerState(), dict(state or {})), "127.0.0.1", 0
        )
        try:
            yield Served(app, server.sockets[0].getsockname())
        finally:
            server.close()
