"""Turns exceptions into responses: a refusal into what its handler says, anything else into one fixed sentence."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.error_report import report_unexpected
from web.problem import problem
from web.request_state import request_state

logger = logging.getLogger("moorings.failures")

Handler = Callable[[Request, Exception], Response]
Handlers = Mapping[type[Exception], Handler]


class Errors:
    """Answers an exception by its class's handler; an unexpected one with 500 and an id that the log has too.

    An unexpected exception behind the start of a response is logged alone: nothing is left to answer.
    """

    def __init__(self, app: ASGIApp, *, handlers: Handlers) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        def send_noting_start(message: Message) -> Awaitable[None]:
            nonlocal has_begun
            has_begun = True
            return send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] != "http":
                raise
            handler = None if has_begun else self._handler_of(error)
            if handler is None:
                request_id = request_state(scope).request_id.decode("ascii")
                response = problem(500, report_unexpected(error, logger, request_id))
            else:
                response = handler(Request(scope), error)
            if not has_begun:
                await response(scope, receive, send)

    def _handler_of(self, error: Exception) -> Handler | None:
        found = (self._handlers.get(class_) for class_ in type(error).__mro__)
        return next((handler for handler in found if handler is not None), None)
