"""An answer as bytes, which can be sent any number of times."""

from __future__ import annotations

from sys import getsizeof

from starlette.types import Receive, Scope, Send

from web.http.header_encoding import head_of
from web.middleware.default_headers import Header, completed

OK = 200
_LENGTH, _TAG = b"{length}", b"{tag}"


class Sort:
    """What answers of one sort have in common: everything in their heads but the length and the tag."""

    __slots__ = ("_form", "headers", "is_tagged", "status")

    def __init__(self, status: int, headers: tuple[Header, ...], *, is_tagged: bool) -> None:
        self.status = status
        self.headers = headers
        self.is_tagged = is_tagged
        form = head_of(status, completed(self._filled(_LENGTH, _TAG), {})).replace(b"%", b"%%")
        self._form = form.replace(_LENGTH, b"%d").replace(_TAG, b"%s")

    def head(self, length: int, tag: bytes) -> bytes:
        """The head on the wire, but for what changes from one answer to the next."""
        if self.status != OK:
            return self._form % tag
        return self._form % ((length, tag) if self.is_tagged else length)

    def all_headers(self, length: int, tag: bytes) -> list[Header]:
        """The headers as ASGI wants them."""
        return self._filled(b"%d" % length, tag)

    def _filled(self, length: bytes, tag: bytes) -> list[Header]:
        """A 304 has no body, and so no length."""
        first = [(b"content-length", length)] if self.status == OK else []
        return [*first, *self.headers, *([(b"etag", tag)] if self.is_tagged else [])]


class KeptAnswer:
    """A whole answer of a read, sent as ASGI wants it; on the fast lane, its head is written as it was rendered once.

    It leaves `is_read` in the scope, so that the fast lane may remember the request.
    """

    __slots__ = ("_head", "body", "sort", "tag")

    def __init__(self, sort: Sort, body: bytes, tag: bytes) -> None:
        """`tag` is empty for a sort that has none."""
        self.sort = sort
        self.body = body
        self.tag = tag
        self._head = b""

    @property
    def head(self) -> bytes:
        """All of the head but what changes from one answer to the next."""
        return self._head or self.sort.head(len(self.body), self.tag)

    def prepare(self) -> None:
        """Render the head, once for all the times it will be sent."""
        self._head = self.head

    @property
    def bytes(self) -> int:
        """The memory that its texts take."""
        return getsizeof(self.body) + getsizeof(self._head) + getsizeof(self.tag)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope["is_read"] = True
        headers = self.sort.all_headers(len(self.body), self.tag)
        await send({"type": "http.response.start", "status": self.sort.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
