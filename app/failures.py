"""The last resort: what nobody expected is logged once, without a value, and answered with one fixed sentence."""

from __future__ import annotations

import logging
import traceback
from secrets import token_hex

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rest.errors import problem

logger = logging.getLogger("moorings.failures")


class UnexpectedFailures:
    """Turns an exception nobody mapped into a 500 with a request id that the log has too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noting_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, send_noting_start)
        except ClientDisconnect:
            return
        except Exception as error:
            if scope["type"] != "http":
                raise
            request_id = token_hex(8)
            logger.error("request %s failed: %s", request_id, where(error))
            if not started:
                refusal = problem(500, f"Something went wrong on our side; the request id is {request_id}.")
                await refusal(scope, receive, send)


def where(error: BaseException) -> str:
    """The types and places of an exception and its causes, never its message: databases put values into theirs."""
    parts = []
    cause: BaseException | None = error
    while cause is not None:
        frames = traceback.extract_tb(cause.__traceback__)
        places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        parts.append(f"{type(cause).__module__}.{type(cause).__qualname__} at {places}")
        cause = cause.__cause__ or cause.__context__
    return " because of ".join(parts)
