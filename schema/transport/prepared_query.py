"""A compiled query with its variables, ready to be asked again by whoever sends the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.accounts.viewer import Viewer
from schema.compiler.compiler import Bound
from schema.context import context_of
from schema.transport.negotiation import MediaType

Headers = tuple[tuple[bytes, bytes], ...]


def headers_of(media_type: MediaType | None) -> Headers:
    """Those of an answer but for its length; JSON is what is said to those who did not ask for anything we have."""
    return _GRAPHQL if media_type is MediaType.GRAPHQL else _JSON


def _headers(shown: MediaType) -> Headers:
    return ((b"content-type", f"{shown}; charset=utf-8".encode()), (b"vary", b"Accept"))


_GRAPHQL, _JSON = _headers(MediaType.GRAPHQL), _headers(MediaType.JSON)


class Reading:
    """What a request asked for."""

    __slots__ = ("_bound", "_state", "headers")

    def __init__(self, bound: Bound, headers: Headers, state: Mapping[str, Any]) -> None:
        """`state` is what all requests have in common."""
        self._bound = bound
        self._state = state
        self.headers = headers

    async def body(self, viewer: Viewer) -> bytes | None:
        """The answer in JSON, without errors; None when graphql-core has to run the operation."""
        return await self._bound.answer(context_of(self._state, viewer))
