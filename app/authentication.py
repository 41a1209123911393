"""Finds out who asks: reads the bearer token of a request and puts the `Viewer` into its scope."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from app.limits import Limiter
from models.bearer import viewer_of
from models.errors import Unauthenticated
from models.token_usage import TokenUsage
from models.viewer import Protocol


class Authentication:
    """Lets a request through with its viewer in `scope["viewer"]`; raises `Unauthenticated` or `TooManyAttempts`."""

    def __init__(self, app: ASGIApp, *, protocol: Protocol, failures: Limiter, usage: TokenUsage) -> None:
        self._app = app
        self._protocol = protocol
        self._failures = failures
        self._usage = usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            viewer = await viewer_of(_bearer_text(scope), self._protocol)
        except Unauthenticated:
            await self._failures.hit("failed authentication", _client_address(scope))
            raise
        if viewer.token_id is not None:
            self._usage.note(viewer.token_id)
        scope["viewer"] = viewer
        await self._app(scope, receive, send)


def _bearer_text(scope: Scope) -> str:
    """The text behind `Authorization: Bearer` (RFC 6750); one header, one token, no other place."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(values) != 1:
        raise Unauthenticated
    scheme, _, text = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated
    return str(text)


def _client_address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "unknown"
