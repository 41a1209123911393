"""Finds out who asks: reads the bearer token of a request, counts it, and gives the `Viewer`."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from models.accounts.bearer import Bearer, look_up, parse_bearer, viewer_behind
from models.accounts.token_usage import TokenUsage
from models.accounts.viewer import Protocol, Viewer
from models.errors import Unauthenticated
from models.reads.reads import Reads, TokenRow
from web.rate_limit.limiter import Limiter


class Doorkeeper:
    """Lets a viewer in through a door: the token is looked up, its use noted, the request counted."""

    def __init__(
        self, *, protocol: Protocol, failures: Limiter, requests: Limiter, usage: TokenUsage, reads: Reads
    ) -> None:
        self._reads = reads
        self._protocol = protocol
        self._failures = failures
        self._requests = requests
        self._usage = usage

    async def admit(self, token: str, scope: Scope) -> Viewer:
        """The viewer of a token; raises `Unauthenticated` or `TooManyAttempts`. The count is left in the scope."""
        try:
            bearer = scope["bearer"] = parse_bearer(token)
            viewer = viewer_behind(await look_up(bearer, self._reads), bearer, self._protocol)
        except Unauthenticated:
            await self.refuse(scope)
            raise
        if viewer.token_id is not None:
            self._usage.note(viewer.token_id)
        scope["quota"] = await self._requests.hit(*_request_of(viewer))
        return viewer

    @property
    def admits_at_once(self) -> bool:
        """Whether all it has to wait for is what the database has of a token."""
        return self._requests.counts_here and self._failures.counts_here

    def look_up(self, bearer: Bearer) -> asyncio.Future[TokenRow | None]:
        """What the database has of a token that was read before."""
        return look_up(bearer, self._reads)

    def admit_at_once(self, token: TokenRow | None, bearer: Bearer, scope: Scope) -> Viewer:
        """As `admit`, when the token was looked up and it `admits_at_once`."""
        try:
            viewer = viewer_behind(token, bearer, self._protocol)
        except Unauthenticated:
            self._failures.count(*_failure_of(scope))
            raise
        self.count(viewer, scope)
        return viewer

    def count(self, viewer: Viewer, scope: Scope) -> None:
        """Let in a viewer whose token is still what it was, as `admit_at_once` does; raises `TooManyAttempts`."""
        if viewer.token_id is not None:
            self._usage.note(viewer.token_id)
        scope["quota"] = self._requests.count(*_request_of(viewer))

    async def refuse(self, scope: Scope) -> None:
        """Count a failed authentication of this client; raises `TooManyAttempts` when there were too many."""
        await self._failures.hit(*_failure_of(scope))


class Authentication:
    """Lets a request through with its viewer in `scope["viewer"]`, or raises as `Doorkeeper.admit` does."""

    def __init__(self, app: ASGIApp, *, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "refusal" in scope:  # on the fast lane it may be known
            raise scope["refusal"]
        if "viewer" not in scope:
            token = bearer_token(scope)
            if token is None:
                await self._doorkeeper.refuse(scope)
                raise Unauthenticated
            scope["viewer"] = await self._doorkeeper.admit(token, scope)
        await self._app(scope, receive, send)


def _request_of(viewer: Viewer) -> tuple[str, str]:
    """What a request is counted for."""
    return "user", str(viewer.user_id)


def _failure_of(scope: Scope) -> tuple[str, str]:
    """What a failed authentication is counted for."""
    client = scope.get("client")
    return "failed authentication", client[0] if client else "unknown"


def bearer_token(scope: Any) -> str | None:
    """The text behind `Authorization: Bearer` (RFC 6750): one header, one token, no other place.

    None without such a header; "", which no token is, when it is there and is not of that form.
    """
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    scheme, _, text = values[0].decode("latin-1").partition(" ")
    return str(text) if len(values) == 1 and scheme.lower() == "bearer" else ""
