"""The last resort: what nobody expected is logged once, without a value, and answered with one fixed sentence."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from models.unexpected import report
from rest.errors import problem

logger = logging.getLogger("moorings.failures")


class UnexpectedFailures:
    """Turns an exception nobody mapped into a 500 with a request id that the log has too, unless an answer has begun.

    Stands inside `AnswerHeaders`, which notes that in the scope.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] != "http":
                raise
            sentence = report(error, logger)
            if "answered" not in scope:
                await problem(500, sentence)(scope, receive, send)
