"""A compiled query with its variables: executed for any viewer, any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from graphql import OperationType

from models.accounts.viewer import Viewer
from schema.compiler.compiler import BoundOperation
from schema.context import context_of
from schema.execution.engine import Engine
from schema.execution.shown_checks import shows_checks
from schema.transport.negotiation import MediaType
from schema.transport.requests import BadRequest, load_json, parse_params
from web.request_state import Headers


def headers_of(media_type: MediaType | None) -> Headers:
    """The headers of a response but for its length; JSON where the client accepts none of the media types."""
    return _GRAPHQL if media_type is MediaType.GRAPHQL else _JSON


def _headers(media_type: MediaType) -> Headers:
    return ((b"content-type", f"{media_type}; charset=utf-8".encode()), (b"vary", b"Accept"))


_GRAPHQL, _JSON = _headers(MediaType.GRAPHQL), _headers(MediaType.JSON)


class PreparedQuery:
    """A prepared read of the GraphQL API; which abilities it needs, its fields decide."""

    __slots__ = ("_bound", "_state", "headers", "shows_checks")

    ability = None

    def __init__(
        self, bound: BoundOperation, headers: Headers, state: Mapping[str, Any], *, shows_checks: bool
    ) -> None:
        """`state` is what the lifespan left for every request."""
        self._bound = bound
        self._state = state
        self.headers = headers
        self.shows_checks = shows_checks

    async def body(self, viewer: Viewer) -> bytes | None:
        """The response in JSON, without errors; None when graphql-core has to execute the operation."""
        return await self._bound.answer(context_of(self._state, viewer))


class QueryShape:
    """Queries by POST that differ in nothing but their bodies."""

    __slots__ = ("_engine", "_headers", "_state")

    def __init__(self, engine: Engine, headers: Headers, state: Mapping[str, Any]) -> None:
        self._engine = engine
        self._headers = headers
        self._state = state

    def prepare(self, query: bytes, body: bytes) -> PreparedQuery | None:
        """The query in a body, if its document is known, but for its literals, and compiled, and its variables fit and
        cost no more than they may.
        """
        try:
            params = parse_params(load_json(body))
        except BadRequest:
            return None
        if not self._engine.is_plain(params.query, params.sha256):
            return None
        asked = params.query, params.operation_name
        prepared = self._engine.known(*asked)
        if prepared is None:
            bound = self._engine.bind_outline(*asked, params.variables)
        elif prepared.type is OperationType.QUERY:
            bound = self._engine.bind(prepared, params.variables)
        else:
            bound = None
        if bound is None:
            return None
        shows = prepared.shows_checks if prepared is not None else partial(shows_checks, params.query)
        return PreparedQuery(bound, self._headers, self._state, shows_checks=shows(params.variables))
