"""Refuses a body that grows beyond the limit while it is received, whatever Content-Length said."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """Counts the bytes of a request's body; reading one that is larger than `max_body_bytes` raises 413.

    Nothing is refused before the body is read, so authentication and ownership come first.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max = max_body_bytes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            if received == 0 and _announced(scope) > self._max:
                raise self._too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max:
                raise self._too_large()
            return message

        return self._app(scope, receive_within_limit, send)

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"The request body is larger than {self._max} bytes.")


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return 0
