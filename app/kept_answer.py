"""An answer as bytes, which can be sent any number of times."""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof

from starlette.types import Receive, Scope, Send

from app.answer_headers import Header, completed
from app.heads import head_of


class KeptAnswer:
    """A whole answer of a read, sent as ASGI wants it; on the fast lane, its head is written as it was rendered once.

    It leaves `is_read` in the scope, so that the fast lane may remember the request.
    """

    __slots__ = ("_headers", "body", "head", "status", "tag")

    def __init__(self, status: int, headers: Iterable[Header], body: bytes, tag: bytes) -> None:
        self.status = status
        self._headers = tuple(headers)  # nobody it is sent through can change it
        self.body = body
        self.tag = tag
        self.head = b""
        """All of the head but what changes from one answer to the next; empty until it is prepared."""

    def prepare(self) -> None:
        """Render the head, once for all the times it will be sent."""
        self.head = head_of(self.status, completed(self._headers, {}))

    @property
    def bytes(self) -> int:
        """The memory that its texts take."""
        return getsizeof(self.body) + getsizeof(self.head) + sum(getsizeof(value) for _, value in self._headers)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        scope["is_read"] = True
        await send({"type": "http.response.start", "status": self.status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self.body})
