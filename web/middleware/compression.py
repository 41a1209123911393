"""Compresses answers for clients that take it, where they are texts that are sent whole and not compressed already.

The response cache compresses what it keeps, once; the fast path repeats the heads that leave here. A client that sends
no `Accept-Encoding` gets what it would get without this layer.
"""

from __future__ import annotations

from collections.abc import Awaitable
from sys import getsizeof

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.cache.bounded_memo import BoundedMemo, compact
from web.cache.etags import in_coding
from web.compression.accept_encoding import NAME, Wanted, wanted_by
from web.compression.codings import Encoder
from web.request_state import RequestState, request_state

MAX_PUBLIC_BYTES = 4 * 1024 * 1024
"""Of what anyone may ask for, and what it becomes: the OpenAPI document, the schema, responses to introspection."""
MIN_PUBLIC_BYTES = 16 * 1024
"""Less is compressed anew each time."""
_VARY = (b"vary", b"Accept-Encoding")
_STREAMS = (b"text/event-stream", b"multipart/")
_TEXTS = (b"text/", b"application/json", b"application/graphql-response+json", b"application/problem+json")
_SENT_IN_PARTS = (b"accept-ranges", b"content-range", b"content-encoding")

Header = tuple[bytes, bytes]


class Compression:
    """ASGI middleware around everything that makes answers."""

    def __init__(self, app: ASGIApp, *, public: BoundedMemo[tuple[bytes, bytes], bytes]) -> None:
        """`public` keeps what large bodies of requests without a token became, by body and coding."""
        self._app = app
        self._encoder = Encoder()
        self._public = public

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        state = request_state(scope)
        state.wanted = wanted_by(scope["headers"])
        if state.wanted is None:
            return self._app(scope, receive, send)
        return self._app(scope, receive, _Compressing(self, state, state.wanted, send))

    def encode(self, body: bytes, coding: bytes, *, is_public: bool) -> bytes:
        """A body in a coding; large public ones are kept."""
        if not is_public or len(body) < MIN_PUBLIC_BYTES:
            return self._encoder.encode(body, coding)
        encoded = self._public.get((body, coding))
        if encoded is None:
            encoded = compact(self._encoder.encode(body, coding))
            self._public.put((compact(body), coding), encoded, getsizeof(body) + getsizeof(encoded))
        return encoded


class _Compressing:
    """The `send` of one request: holds the head back until the body tells whether it is whole."""

    def __init__(self, compression: Compression, state: RequestState, wanted: Wanted, send: Send) -> None:
        self._compression = compression
        self._state = state
        self._wanted = wanted
        self._send = send
        self._held: Message | None = None

    async def __call__(self, message: Message) -> None:
        held, self._held = self._held, None
        if message["type"] == "http.response.start":
            headers = message["headers"] = list(message.get("headers", ()))
            named = dict(headers)
            kind = named.get(b"content-type", b"")
            if not kind.startswith(_STREAMS):
                vary_by_encoding(headers)
            if self._may_compress(named, kind):
                self._held = message
                return
        elif held is not None:
            body = message.get("body", b"")
            if not message.get("more_body") and self._wanted.takes(len(body)):
                coding = self._wanted.coding
                body = self._compression.encode(body, coding, is_public=self._state.viewer is None)
                message = {**message, "body": body}
                held["headers"] = _encoded_headers(held["headers"], coding, len(body))
            await self._send(held)
        await self._send(message)

    def _may_compress(self, named: dict[bytes, bytes], kind: bytes) -> bool:
        if self._state.is_confidential or not self._wanted.coding or not kind.startswith(_TEXTS):
            return False
        return b"content-length" in named and named.keys().isdisjoint(_SENT_IN_PARTS) and not kind.startswith(_STREAMS)


def vary_by_encoding(headers: list[Header]) -> None:
    """Add `Accept-Encoding` to the `Vary` of a response, unless it is there."""
    for number, (name, value) in enumerate(headers):
        if name == b"vary":
            if value.strip() != b"*" and NAME not in value.lower():
                headers[number] = (name, value + b", " + _VARY[1])
            return
    headers.append(_VARY)


def _encoded_headers(headers: list[Header], coding: bytes, length: int) -> list[Header]:
    changed = {b"content-length": b"%d" % length}
    encoded = [
        (name, in_coding(value, coding) if name == b"etag" else changed.get(name, value)) for name, value in headers
    ]
    return [*encoded, (b"content-encoding", coding)]
