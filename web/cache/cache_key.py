"""What a response depends on: the request as it was sent, and the viewer at one revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Scope

from models.accounts.abilities import Ability
from models.accounts.viewer import Protocol, Viewer

READS = ("GET", "HEAD")

_VARY = {
    Protocol.REST: (b"vary", b"Authorization"),
    Protocol.GRAPHQL: (b"vary", b"Authorization, Accept"),
}

Headers = Sequence[tuple[bytes, bytes]]
Parts = tuple[str, str, str, bytes, bytes, bytes, bytes]
Key = tuple[int, int, frozenset[Ability], Parts]


class RequestKey(NamedTuple):
    """What a request asks for, without its viewer."""

    parts: Parts
    """Method, scheme, path, query, body, Host, Accept."""
    vary: tuple[bytes, bytes] | None
    """The `Vary` header of a response with an entity tag; None for a POST, whose response has no tag."""
    serialized: bytes
    """The parts as bytes, for an entity tag; empty where there is none."""

    @classmethod
    def of(cls, scope: Scope, protocol: Protocol, body: bytes = b"") -> RequestKey:
        """The key of a request. REST's responses do not depend on `Accept`, and HEAD is answered as GET."""
        given = joined(scope["headers"])
        reads = scope["method"] in READS
        parts = (
            "GET" if reads else scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            body,
            given.get(b"host", b""),
            given.get(b"accept", b"") if protocol is Protocol.GRAPHQL else b"",
        )
        return cls(parts, _VARY[protocol], repr(parts).encode()) if reads else cls(parts, None, b"")

    def like(self, query: bytes, body: bytes) -> RequestKey:
        """The key of a request that differs in nothing but its query and body."""
        method, scheme, path, _, _, host, accept = self.parts
        parts = (method, scheme, path, query, body, host, accept)
        return RequestKey(parts, self.vary, b"" if self.vary is None else repr(parts).encode())


class CacheKey:
    """Everything that a response depends on."""

    __slots__ = ("checks_revision", "key", "request", "tag")

    def __init__(self, viewer: Viewer, request: RequestKey) -> None:
        self.key: Key = (viewer.user_id, viewer.revision, viewer.abilities, request.parts)
        self.checks_revision = viewer.checks_revision
        """What a response depends on too that shows when or how a destination was checked last."""
        self.request = request
        self.tag: tuple[object, bool, bytes] | None = None
        """The `EntityTags` that computed the entity tag last, whether it is of a response that shows checks, and it."""


def condition_of(scope: Scope) -> bytes:
    """The `If-None-Match` of a request, empty without one."""
    values = [value for name, value in scope["headers"] if name == b"if-none-match"]
    return b", ".join(values)


def joined(headers: Headers) -> dict[bytes, bytes]:
    """The headers by name, those of one name joined as RFC 9110, 5.3 allows."""
    given = dict(headers)
    if len(given) == len(headers):
        return given
    given.clear()
    for name, value in headers:
        given[name] = given[name] + b", " + value if name in given else value
    return given
