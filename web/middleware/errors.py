"""Turns exceptions into answers: a refusal into what its handler says, anything else into one fixed sentence."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.error_report import report
from web.problem import problem

logger = logging.getLogger("moorings.failures")

Handler = Callable[[Request, Exception], Response]


Handlers = Mapping[type[Exception], Handler]


def answer_to(error: Exception, scope: Scope, handlers: Handlers) -> Response:
    """What to say of an exception; one that nobody expected is logged, once and without a value."""
    handler = _handler_of(error, handlers)
    return problem(500, report(error, logger)) if handler is None else handler(Request(scope), error)


def _handler_of(error: Exception, handlers: Handlers) -> Handler | None:
    found = (handlers.get(class_) for class_ in type(error).__mro__)
    return next((handler for handler in found if handler is not None), None)


class Failures:
    """What nobody expected is answered 500 with a request id that the log has too.

    So is anything that comes when an answer has already begun, except that there is nothing left to answer then.
    """

    def __init__(self, app: ASGIApp, *, handlers: Handlers) -> None:
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
            answer = answer_to(error, scope, {} if begun else self._handlers)
            if not begun:
                await answer(scope, receive, send)
