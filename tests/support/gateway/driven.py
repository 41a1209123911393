"""The server's protocol driven by hand, on a transport in memory, without a socket or a gateway."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn import Config
from uvicorn.server import ServerState

from tests.support.gateway.transport import MemoryTransport
from web.server.protocol import HardenedProtocol

DEADLINE_S = 60


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what arrived of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    names = sorted(name.decode() for name, _ in scope["headers"])
    seen = json.dumps([scope["method"], scope["path"], body.decode(), names]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(seen))]})
    await send({"type": "http.response.body", "body": seen})


class Driven:
    """One connection to an ASGI application."""

    def __init__(self, app: Any = echo, peer: str = "127.0.0.1") -> None:
        self.transport = MemoryTransport(peer)
        self.state = ServerState()
        config = Config(app=app, log_config=None, lifespan="off")
        config.load()
        self.protocol = HardenedProtocol(config=config, server_state=self.state, app_state={})
        self.protocol.connection_made(self.transport)

    async def send(self, *pieces: bytes) -> None:
        """Hand pieces over, each when what the one before set off has begun."""
        for piece in pieces:
            self.protocol.data_received(piece)
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until no application runs."""
        async with asyncio.timeout(DEADLINE_S):
            while self.state.tasks:
                await asyncio.gather(*self.state.tasks)
                await asyncio.sleep(0)

    @property
    def statuses(self) -> list[str]:
        """The status codes that were written, in order."""
        return [part[:3].decode() for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that were written, in order."""
        return [part.partition(b"\r\n\r\n")[2] for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]

    def close(self) -> None:
        """End the connection."""
        self.protocol.connection_lost(None)


async def answers_to(*pieces: bytes) -> list[Any]:
    """What the echo saw of the requests in these pieces of one connection."""
    driven = Driven()
    await driven.send(*pieces)
    await driven.settle()
    driven.close()
    return [json.loads(body) for body in driven.bodies]
