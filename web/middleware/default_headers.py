"""The headers that every response carries: no sniffing, no referrer, no framing, no caching, the rate limit, the id."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import Quota
from web.request_id import HEADER as REQUEST_ID
from web.request_state import request_state

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE = (b"cache-control", b"no-store")
_NOTHING_LOADS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
LIMIT, REMAINING = b"x-ratelimit-limit", b"x-ratelimit-remaining"


Header = tuple[bytes, bytes]


def completed(headers: Iterable[Header], rate_limit: Quota | None, request_id: bytes) -> list[Header]:
    """A response's headers and the default ones; a response may bring a caching or content policy of its own."""
    all_ = [*headers, (REQUEST_ID, request_id), *_ALWAYS]
    present = dict(all_)
    if b"cache-control" not in present:
        all_.append(_NO_STORE)
    if b"content-security-policy" not in present:
        all_.append(_NOTHING_LOADS)
    if rate_limit is not None and LIMIT not in present:
        all_.append((LIMIT, b"%d" % rate_limit.limit))
        all_.append((REMAINING, b"%d" % rate_limit.remaining))
    return all_


class DefaultHeaders:
    """Adds the default headers to every response of the application behind it."""

    def __init__(self, app: ASGIApp, *, hsts_s: int) -> None:
        """`hsts_s` goes to clients that came over HTTPS, themselves or to a trusted proxy (RFC 6797); 0: never."""
        self._app = app
        self._https_only = [(b"strict-transport-security", b"max-age=%d" % hsts_s)] if hsts_s else []

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        state = request_state(scope)
        https_only = self._https_only if scope["scheme"] == "https" else []

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                message["headers"] = completed(given, state.rate_limit, state.request_id) + https_only
            return send(message)

        return self._app(scope, receive, send_with_headers)
