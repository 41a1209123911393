"""The headers every answer carries: so that a browser neither guesses, nor tells, nor keeps, and a client can count."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")
_NOTHING_LOADS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


class AnswerHeaders:
    """Adds the headers in one step; an answer that sets its own caching or content policy keeps it.

    Those of the rate limit say where `scope["quota"]` stands, on refusals too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        def send_with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), *_ALWAYS]
                present = dict(headers)
                if b"cache-control" not in present:
                    headers.append(_NOT_KEPT)
                if b"content-security-policy" not in present:
                    headers.append(_NOTHING_LOADS)
                quota = scope.get("quota")
                if quota is not None and b"x-ratelimit-limit" not in present:
                    headers.append((b"x-ratelimit-limit", b"%d" % quota.limit))
                    headers.append((b"x-ratelimit-remaining", b"%d" % quota.remaining))
                message["headers"] = headers
            return send(message)

        return self._app(scope, receive, send_with_headers)
