"""Finds the viewer of a request: reads its bearer token, looks it up, counts the request."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope

from models.accounts.abilities import Ability
from models.accounts.bearer import Bearer, parse_bearer, refusal_of, viewer_behind
from models.accounts.networks import UNKNOWN_ADDRESS, canonical_address
from models.accounts.token_row import TokenRow
from models.accounts.token_usage import TokenUsage
from models.accounts.viewer import Protocol, Viewer
from models.audit.entry import Actor, Origin
from models.audit.trail import AuditTrail, RefusedSignIn
from models.errors import Quota, Unauthenticated
from models.reads.reads import Reads
from models.tracing.spans import measured
from web.auth.known_tokens import KnownTokens
from web.rate_limit.limiter import Limiter
from web.request_state import RequestState, request_state

SPAN = "authenticate"


class Authenticator:
    """Authenticates the requests of one API."""

    def __init__(
        self,
        *,
        protocol: Protocol,
        failures: Limiter,
        requests: Limiter,
        usage: TokenUsage,
        reads: Reads,
        trail: AuditTrail,
        wildcard_includes_use: bool = False,
    ) -> None:
        """`failures` counts failed authentications per client address, `requests` requests per user.

        `trail` lets the audit have those that are refused. With `wildcard_includes_use` the ability `*` allows to use
        destinations too.
        """
        self._reads = reads
        self._trail = trail
        self.protocol = protocol
        self._failures = failures
        self._requests = requests
        self._usage = usage
        self._wildcard_includes_use = wildcard_includes_use
        self.known_tokens = KnownTokens()
        self.replayed = 0
        """Requests of this API that the fast path has answered."""

    async def authenticate(self, token: str, scope: Scope) -> Viewer:
        """Set the viewer and the rate limit in the request's state, and return the viewer.

        Raises `Unauthenticated`, `TooManyAttempts`, `DatabaseUnavailable`.
        """
        with measured(SPAN):
            return await self._authenticate(token, scope)

    async def _authenticate(self, token: str, scope: Scope) -> Viewer:
        state, bearer, row = request_state(scope), None, None
        state.address = state.address or address_of(scope)
        try:
            bearer = self.parse(token)
            row = await self.look_up(bearer)
            viewer = self.viewer_behind(row, bearer, state.address)
        except Unauthenticated:
            is_junk = bearer is None or (bearer.is_foreign and not self._reads.has_imported_tokens)
            self._note_refusal(row, None if is_junk else bearer, state)
            await self.count_failure(scope)
            raise
        viewer = viewer._replace(address=state.address, request_id=state.request_id.decode("ascii"))
        await self.accept(viewer, state)
        return viewer

    def parse(self, token: str) -> Bearer:
        """Read the text of a token; raises `Unauthenticated` for what cannot be one, without asking the database."""
        return parse_bearer(token, or_foreign=self._reads.may_be_imported())

    def look_up(self, bearer: Bearer) -> asyncio.Future[TokenRow | None]:
        """What the database has of a token; it or the future raises `Unauthenticated` for one that cannot be there."""
        return self._reads.token_of(bearer)

    def viewer_behind(self, token: TokenRow | None, bearer: Bearer, address: str) -> Viewer:
        """The viewer of a token that was looked up, used from an address; raises `Unauthenticated`."""
        viewer = viewer_behind(token, bearer, self.protocol, address)
        if self._wildcard_includes_use and Ability.ALL in viewer.abilities:
            viewer = viewer._replace(abilities=viewer.abilities | {Ability.USE})
        return viewer

    async def accept(self, viewer: Viewer, state: RequestState) -> None:
        """Count a request of an authenticated viewer; raises `TooManyAttempts`."""
        self._set_viewer(viewer, state)
        state.rate_limit = await self._requests.hit(*_request_of(viewer))

    @property
    def counts_here(self) -> bool:
        """Whether requests are counted in the memory of this process, so that `accept_now` may be used."""
        return self._requests.counts_here

    def is_exhausted(self, viewer: Viewer) -> bool:
        """Whether another request of the viewer would be beyond the limit, as far as this process counts."""
        return self._requests.is_exhausted(*_request_of(viewer))

    def accept_now(self, viewer: Viewer, state: RequestState) -> None:
        """Synchronous `accept`, for counts in the memory of this process."""
        self._set_viewer(viewer, state)
        state.rate_limit = self._requests.count(*_request_of(viewer))

    async def count_failure(self, scope: Scope) -> Quota | None:
        """Count a failed authentication of the client's address; raises `TooManyAttempts` beyond the limit."""
        return await self._failures.hit("failed authentication", address_of(scope))

    def _set_viewer(self, viewer: Viewer, state: RequestState) -> None:
        if viewer.token_id is not None:
            self._usage.note(viewer.token_id, state.address, viewer.user_id, viewer.protocol, state.request_id)
        state.viewer = viewer

    def _note_refusal(self, row: TokenRow | None, bearer: Bearer | None, state: RequestState) -> None:
        """Let the audit have a refused sign-in; the token and its user only where the client has its secret."""
        reason = RefusedSignIn.MALFORMED if bearer is None else refusal_of(row, bearer, state.address)
        if row is None or reason is RefusedSignIn.UNKNOWN:
            row = None
        origin = Origin(
            actor=Actor.STRANGER if row is None else Actor.USER,
            user_id=None if row is None else row.user_id,
            token_id=None if row is None else row.id,
            address=state.address,
            protocol=self.protocol.value,
            request_id=state.request_id.decode("ascii"),
        )
        self._trail.note_refusal(reason or RefusedSignIn.UNKNOWN, origin)


def address_of(scope: Scope) -> str:
    """The address of the request's client, behind trusted proxies too, in its one spelling."""
    client = scope.get("client")
    return canonical_address(client[0]) if client else UNKNOWN_ADDRESS


def _request_of(viewer: Viewer) -> tuple[str, str]:
    """What a request is counted for."""
    return "user", str(viewer.user_id)


def bearer_token(scope: Any) -> str | None:
    """The text behind `Authorization: Bearer` (RFC 6750): one header, one token, no other place.

    None without such a header; "", which no token is, when there are several or it is not of that form.
    """
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    return bearer_text(values[0]) if len(values) == 1 else ""


def bearer_text(authorization: bytes) -> str:
    """The token in the value of an `Authorization` header; "" for any other scheme."""
    scheme, _, text = authorization.decode("latin-1").partition(" ")
    return text.lstrip(" ") if scheme.lower() == "bearer" else ""
