"""Authenticates every request before the application behind it."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import Unauthenticated
from web.auth.authenticator import Authenticator, bearer_token
from web.request_state import request_state


async def authenticated(scope: Scope, authenticator: Authenticator, *, required: bool = True) -> None:
    """Set the viewer in the request's state, unless the fast path has.

    Raises what the fast path met, `Unauthenticated` (without a token only if one is `required`), `TooManyAttempts`.
    """
    state = request_state(scope)
    if state.error is not None:
        raise state.error
    if state.viewer is not None:
        return
    token = bearer_token(scope)
    if token is not None:
        await authenticator.authenticate(token, scope)
    elif required:
        await authenticator.count_failure(scope)
        raise Unauthenticated


class Authentication:
    """ASGI middleware around the routes of one API."""

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await authenticated(scope, self._authenticator)
        await self._app(scope, receive, send)
