"""What all requests have in common that differ in the query of their URL or in their body: the rest of a preparation.

Clients ask for one page after another, with variables of their own: each of their requests is another one, and what the
standard path makes of it differs in nothing but what the query and the body say.
"""

from __future__ import annotations

from web.fast_path.prepared_request import PreparedRequest
from web.request_state import ReadShape

MAX_SHAPES_BYTES = 1024 * 1024
MAX_SHAPED_BODY_BYTES = 8_192
"""A body is parsed before its token is looked up: the standard path parses larger ones, after it."""


class PreparedShape:
    """Prepares requests of one shape."""

    __slots__ = ("_first", "_shape", "heads")

    def __init__(self, shape: ReadShape, first: PreparedRequest) -> None:
        """`first` is the request that the standard path answered."""
        self._shape = shape
        self._first = first
        self.heads = first.heads
        """Shared by all requests of the shape: of each kind of response, the head that the first had."""

    def prepare(self, query: bytes, body: bytes) -> PreparedRequest | None:
        """Another request of the shape; None where only the standard path can tell what is asked for."""
        read = self._shape.prepare(query, body)
        if read is None:
            return None
        first = self._first
        prepared = PreparedRequest(read, first.request_key.like(query, body), first.authenticator)
        prepared.heads = self.heads
        return prepared
