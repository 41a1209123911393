"""Turns exceptions into answers: a refusal into what its handler says, anything else into one fixed sentence."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.unexpected import report
from rest.errors import problem

logger = logging.getLogger("moorings.failures")

Handler = Callable[[Request, Exception], Response]


class Failures:
    """What nobody expected is logged once, without a value, and answered 500 with a request id that the log has too.

    So is anything that comes when an answer has already begun, except that there is nothing left to answer then.
    """

    def __init__(self, app: ASGIApp, *, handlers: Mapping[type[Exception], Handler]) -> None:
        self._app = app
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        def send_noting_start(message: Message) -> Awaitable[None]:
            nonlocal begun
            begun = True
            return send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] != "http":
                raise
            handler = None if begun else self._handler_of(error)
            answer = problem(500, report(error, logger)) if handler is None else handler(Request(scope), error)
            if not begun:
                await answer(scope, receive, send)

    def _handler_of(self, error: Exception) -> Handler | None:
        found = (self._handlers.get(class_) for class_ in type(error).__mro__)
        return next((handler for handler in found if handler is not None), None)
