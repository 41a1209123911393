"""A compiled query with its variables: executed for any viewer, any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.accounts.viewer import Viewer
from schema.compiler.compiler import BoundOperation
from schema.context import context_of
from schema.transport.negotiation import MediaType
from web.request_state import Headers


def headers_of(media_type: MediaType | None) -> Headers:
    """The headers of a response but for its length; JSON where the client accepts none of the media types."""
    return _GRAPHQL if media_type is MediaType.GRAPHQL else _JSON


def _headers(media_type: MediaType) -> Headers:
    return ((b"content-type", f"{media_type}; charset=utf-8".encode()), (b"vary", b"Accept"))


_GRAPHQL, _JSON = _headers(MediaType.GRAPHQL), _headers(MediaType.JSON)


class PreparedQuery:
    """A prepared read of the GraphQL API; which abilities it needs, its fields decide."""

    __slots__ = ("_bound", "_state", "headers")

    ability = None

    def __init__(self, bound: BoundOperation, headers: Headers, state: Mapping[str, Any]) -> None:
        """`state` is what the lifespan left for every request."""
        self._bound = bound
        self._state = state
        self.headers = headers

    async def body(self, viewer: Viewer) -> bytes | None:
        """The response in JSON, without errors; None when graphql-core has to execute the operation."""
        return await self._bound.answer(context_of(self._state, viewer))
