"""The start of an application whose database may be away: it serves at once, and says 503 until the database is there.

A worker that is started anew during an outage would otherwise end again and again, and its clients would wait.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from models.background import in_background
from models.error_report import where
from models.errors import DatabaseUnavailable, Refusal
from models.outage import Outage, cause_of

RETRY_S = 0.5
PATIENCE_S = 1.0
"""How long the database may be away before the worker says that it could serve without it."""
TRY_AGAIN_LATER = 1013
_NEEDS_NOTHING = "/healthz"
logger = logging.getLogger("moorings")


class Opening:
    """Opens what the application needs, now or later."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[dict[str, Any]]], *, waits: bool) -> None:
        """`opened` opens everything and gives the lifespan's state; with `waits`, a database that is away may come."""
        self._opened = opened
        self._waits = waits
        self.done = asyncio.Event()
        """Set when everything is open."""

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[dict[str, Any]]:
        """The application's lifespan; its state is filled when everything is open."""
        state: dict[str, Any] = {}
        first = asyncio.get_running_loop().create_future()
        async with in_background(self._open(state, first), name="opening"):
            await first
            yield state

    async def _open(self, state: dict[str, Any], first: asyncio.Future[None]) -> None:
        """Open, and close when cancelled; `first` is done when it is open or waits no more, or has the reason."""
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + PATIENCE_S
        outage = Outage(begins="The database does not answer", ends="The database answers again")
        while True:
            try:
                async with self._opened() as values:
                    state.update(values)
                    outage.end()
                    self.done.set()
                    if not first.done():
                        first.set_result(None)
                    await asyncio.Event().wait()
            except DatabaseUnavailable as error:
                if not self._waits:
                    first.set_exception(error)
                    return
                if not first.done() and loop.time() > patient_until:
                    outage.begin(cause_of(error))
                    first.set_result(None)
                await asyncio.sleep(RETRY_S)
            except Exception as error:  # noqa: BLE001 - raised by the lifespan, or logged
                if first.done():
                    reason = str(error) if isinstance(error, Refusal) else where(error)
                    logger.critical("The worker cannot go on: %s", reason)
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
                first.set_exception(error)
                return


class Opened:
    """Refuses requests while the application is not open, as if the database were asked; the innermost middleware."""

    def __init__(self, app: ASGIApp, *, opening: Opening) -> None:
        self._app = app
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._opening.done.is_set() or scope["type"] == "lifespan" or scope["path"] == _NEEDS_NOTHING:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            raise DatabaseUnavailable
        else:
            await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
            await WebSocketClose(TRY_AGAIN_LATER, "The database is not available")(scope, receive, send)
