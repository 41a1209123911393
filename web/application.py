"""Starlette without its two layers for exceptions, and with the fast path beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, MutableMapping
from functools import cached_property
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models.error_report import report_unexpected
from web.access_log import AccessLog
from web.admission.admission import Admission
from web.admission.refusals import Refusals
from web.buffered_bytes import BufferedBytes
from web.connections import Connections
from web.cross_origin import CrossOrigin
from web.fast_path.fast_path import FastPath
from web.pings import Pings
from web.request_state import KEY as STATE
from web.request_state import request_state
from web.stopping import Stopping
from web.tracing import RequestTracing

logger = logging.getLogger("moorings.failures")
_KEPT = ("type", "app", "method", "path", "route", "client", "state", "extensions", STATE)
"""Of the scope, while a stream or a WebSocket is open."""


class Application(Starlette):
    """The standard path. What its reads were prepared to is recorded, so that the fast path can replay them."""

    fast_path: FastPath | None = None
    access_log: AccessLog | None = None
    tracing: RequestTracing | None = None
    cross_origin: CrossOrigin | None = None
    """Whose pages may read what the server refuses; None where no other origin's may."""
    connections: Connections | None = None
    """Limits the connections of the server that runs the application."""
    admission: Admission | None = None
    """Decides which of its requests begin."""
    refusals: Refusals | None = None
    """What those get that it refuses."""
    buffered: BufferedBytes | None = None
    """Limits what its clients have not read yet."""
    opened: asyncio.Event | None = None
    """Set when what the application needs is open; None when that is so as soon as it has started."""

    @cached_property
    def stopping(self) -> Stopping:
        """Whether the process that serves the application is about to stop."""
        return Stopping()

    @cached_property
    def pings(self) -> Pings:
        """What keeps the WebSockets of the process that serves the application alive."""
        return Pings()

    @cached_property
    def websocket_paths(self) -> frozenset[str]:
        """Where a WebSocket may begin; everywhere else the offer of one is ignored (RFC 9110, 7.8)."""
        return frozenset(route.path for route in self.routes if isinstance(route, WebSocketRoute))

    def build_middleware_stack(self) -> ASGIApp:
        """The middleware, outermost first, around the routes; `Errors` does the work of Starlette's own two layers."""
        app: ASGIApp = self.router
        for middleware, args, kwargs in reversed(self.user_middleware):
            app = middleware(app, *args, **kwargs)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application.

        What follows the head of a stream is sent once the layers around the endpoint have returned: each would hold
        memory for as long as the stream is open, as would one more coroutine here.
        """
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        answer = None if self.access_log is None else self.access_log.begin(scope, send)
        try:
            await self._traced(scope, receive, answer or send)
            state = request_state(scope)
            rest, state.rest = state.rest, None
            if rest is None:
                return
            when_resting, state.when_resting = state.when_resting, None
            if when_resting is not None:
                when_resting()
            del state, when_resting  # which lead to the connection
            _shrink(scope, _KEPT)
            try:
                await rest(scope, receive, answer or send)
            except Exception as error:
                if scope["type"] != "http":
                    raise
                report_unexpected(error, logger, request_state(scope).request_id.decode("ascii"))
        finally:
            if answer is not None:
                answer.end()

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.tracing is None:
            await self._answer(scope, receive, send)
        else:
            await self.tracing.watch(self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = request_state(scope)
        if scope["type"] == "http" and self.fast_path is not None:
            send = self.fast_path.recording(scope, state, send)
        await super().__call__(scope, receive, send)


def _shrink(table: MutableMapping[str, Any], names: Collection[str]) -> None:
    """Leave in a dictionary what has these names, without the room that the others took."""
    kept = {name: value for name, value in table.items() if name in names}
    table.clear()
    table.update(kept)


def application_of(app: object) -> Application | None:
    """The application as uvicorn has it: alone, or behind the layer that reads forwarded headers; None for others."""
    if isinstance(app, ProxyHeadersMiddleware):
        app = app.app
    return app if isinstance(app, Application) else None
