"""A whole response of a read, as an ASGI application that can be sent any number of times."""

from __future__ import annotations

from sys import getsizeof

from starlette.types import Receive, Scope, Send

Header = tuple[bytes, bytes]


class CachedResponse:
    """Status, headers, body and entity tag."""

    __slots__ = ("body", "headers", "status", "tag")

    def __init__(self, status: int, headers: tuple[Header, ...], body: bytes, tag: bytes) -> None:
        """`headers` are without length and tag; `tag` is empty for a response that has none."""
        self.status = status
        self.headers = headers
        self.body = body
        self.tag = tag

    @property
    def bytes(self) -> int:
        """The memory that its own texts take; headers are shared among responses."""
        return getsizeof(self.body) + getsizeof(self.tag)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [*self.headers, *([(b"etag", self.tag)] if self.tag else [])]
        if self.status != 304:  # which has no body, and so no length
            headers.insert(0, (b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
