"""The gateway's application in this process, and connections to it whose other end is the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message

from app.main import create_app
from app.settings import Settings
from models.events.event_stream import EventStreams
from models.vault.secret import Secret
from tests.support.gateway.gateway import Gateway

DEADLINE_S = 60.0


class Connection:
    """One request or socket: what the client sends is put in, what it receives is taken out."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        """`unread` in the scope is how many messages the client leaves untaken before the next one has to wait."""
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue(scope.pop("unread", 0))
        self._task = asyncio.ensure_future(app(scope, self._incoming.get, self._outgoing.put))

    def put(self, type_: str, **others: Any) -> None:
        """Let the client do something."""
        self._incoming.put_nowait({"type": type_, **others})

    async def take(self, type_: str) -> Message:
        """The next thing the client is sent, which is of that type."""
        async with asyncio.timeout(DEADLINE_S):
            message = await self._outgoing.get()
        assert message["type"] == type_, message
        return message

    async def ended(self) -> None:
        """Wait until the application is done with it."""
        async with asyncio.timeout(DEADLINE_S):
            await self._task


@asynccontextmanager
async def running(gateway: Gateway, **settings: Any) -> AsyncIterator[tuple[Callable[..., Connection], EventStreams]]:
    """The application on the gateway's database: what opens a connection to it, and its streams of events."""
    keys = Secret(gateway.settings["secret_keys"])
    app = create_app(Settings(database_url=gateway.database_url, secret_keys=keys, rate_limit="off", **settings))
    async with app.router.lifespan_context(app) as state:
        assert state is not None

        def open_connection(type_: str, token: str, headers: dict[str, str], **others: Any) -> Connection:
            named = {"host": "127.0.0.1", "authorization": f"Bearer {token}", **headers}
            scope = {
                "type": type_,
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "path": "/graphql",
                "raw_path": b"/graphql",
                "root_path": "",
                "query_string": b"",
                "headers": [(name.encode(), value.encode()) for name, value in named.items()],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 2),
                "state": dict(state),
                **others,
            }
            return Connection(app, scope)

        yield open_connection, state["streams"]


async def readers_of(streams: EventStreams, count: int) -> None:
    """Wait until that many readers listen."""
    async with asyncio.timeout(DEADLINE_S):
        while len(streams) != count:  # noqa: ASYNC110 - nothing announces that one leaves
            await asyncio.sleep(0.01)
