"""The headers every answer carries: so that a browser neither guesses, nor tells, nor keeps, and a client can count."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")
_NOTHING_LOADS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


Header = tuple[bytes, bytes]


def completed(headers: Iterable[Header], scope: Scope) -> list[Header]:
    """The headers of an answer with those that every answer carries; it may bring its own caching or content policy.

    Those of the rate limit say where `scope["quota"]` stands, on refusals too.
    """
    all_ = [*headers, *_ALWAYS]
    present = dict(all_)
    if b"cache-control" not in present:
        all_.append(_NOT_KEPT)
    if b"content-security-policy" not in present:
        all_.append(_NOTHING_LOADS)
    quota = scope.get("quota")
    if quota is not None and b"x-ratelimit-limit" not in present:
        all_.append((b"x-ratelimit-limit", b"%d" % quota.limit))
        all_.append((b"x-ratelimit-remaining", b"%d" % quota.remaining))
    return all_


class AnswerHeaders:
    """Adds the headers to every answer of the application behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message.get("headers", ()), scope)
            return send(message)

        return self._app(scope, receive, send_with_headers)
