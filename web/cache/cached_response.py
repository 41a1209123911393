"""A whole response of a read, as an ASGI application that can be sent any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getsizeof
from types import MappingProxyType

from starlette.types import Receive, Scope, Send

from web.cache.bounded_memo import compact

Header = tuple[bytes, bytes]


FORM_BYTES = 250
"""Memory of a form besides its texts."""


class CachedResponse:
    """Status, headers, body and entity tag, and the forms of it in the content codings that were asked for."""

    __slots__ = ("body", "checks_revision", "coding", "forms", "headers", "status", "tag")

    def __init__(
        self,
        status: int,
        headers: tuple[Header, ...],
        body: bytes,
        tag: bytes,
        *,
        coding: bytes = b"",
        checks_revision: int | None = None,
    ) -> None:
        """`headers` are without length and tag; `tag` is empty for a response that has none, `coding` without one.

        `checks_revision` is the user's of a response that shows checks, and None for any other.
        """
        self.status = status
        self.headers = headers
        self.body = body
        self.tag = tag
        self.coding = coding
        self.forms: Mapping[bytes, CachedResponse] = _NO_FORMS
        """By coding."""
        self.checks_revision = checks_revision

    @property
    def bytes(self) -> int:
        """The memory that its own texts take, and its forms; headers are shared among responses."""
        own = getsizeof(self.body) + getsizeof(self.tag)
        return own + sum(FORM_BYTES + form.bytes for form in self.forms.values()) if self.forms else own

    def compact(self) -> None:
        """Copy the body, before it is kept, into memory of its own size."""
        self.body = compact(self.body)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [*self.headers, *([(b"etag", self.tag)] if self.tag else [])]
        if self.status != 304:  # which has no body, and so no length
            headers.insert(0, (b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_NO_FORMS: Mapping[bytes, CachedResponse] = MappingProxyType({})
