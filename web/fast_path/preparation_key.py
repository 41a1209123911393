"""The parsed fields of a request that decide what it is prepared to: everything in it but the token.

Every header is part of the key, except those that nothing in the gateway reads and those that each replay looks at
anew. A header that is not listed here costs an entry for each of its values, and never a wrong response.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MAX_BODY_BYTES = 65_536

IGNORED = frozenset(
    {
        *(b"user-agent", b"referer", b"accept-language", b"accept-charset", b"cookie", b"dnt"),
        *(b"connection", b"keep-alive", b"te", b"cache-control", b"pragma", b"priority", b"from", b"date", b"via"),
        *(b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest", b"sec-fetch-user", b"sec-gpc", b"save-data"),
        *(b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"upgrade-insecure-requests"),
        *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-server", b"x-real-ip"),
        *(b"forwarded", b"x-request-id", b"x-correlation-id", b"traceparent", b"tracestate", b"baggage"),
        *(b"sentry-trace", b"x-amzn-trace-id", b"x-b3-traceid", b"x-b3-spanid", b"x-b3-sampled", b"b3", b"newrelic"),
        *(b"x-b3-parentspanid", b"x-b3-flags", b"x-datadog-trace-id", b"x-datadog-parent-id", b"x-datadog-origin"),
        *(b"x-datadog-sampling-priority", b"graphql-client-name", b"graphql-client-version"),
        *(b"x-requested-with", b"apollographql-client-name", b"apollographql-client-version"),
    }
)
"""Read by nothing that prepares or answers a read; `x-forwarded-proto` is, behind a trusted proxy."""

_UNPLAIN = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"range"})

_SINGLE = frozenset({b"authorization", b"if-none-match", b"content-length", b"accept-encoding"})
"""Looked at by each replay, or following from the body."""

Header = tuple[bytes, bytes]


class PreparationKey(NamedTuple):
    """Found in the memo by equality."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    is_proxied: bool
    """Whether the peer's forwarded headers are trusted."""
    body: bytes

    def shape(self) -> PreparationKey:
        """The key of all requests that differ in nothing but the query of their URL and their body."""
        return PreparationKey(self.method, self.target.partition(b"?")[0], self.headers, self.is_proxied, b"")


class PlainHead(NamedTuple):
    """The head of a request that the fast path may replay."""

    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    authorization: bytes
    condition: bytes
    """`If-None-Match`, empty without one."""
    accept_encoding: bytes | None

    def key(self, body: bytes, *, is_proxied: bool) -> PreparationKey:
        """The key of the whole request."""
        return PreparationKey(self.method, self.target, self.headers, is_proxied, body)


def plain_head(method: bytes, target: bytes, headers: Sequence[Header]) -> PlainHead | None:
    """The fields of a head; None unless it is a GET or POST with one token and a body of known, small length."""
    single: dict[bytes, bytes] = {}
    kept = []
    for header in headers:
        name = header[0]
        if name in IGNORED:
            continue
        if name in _SINGLE:
            if name in single:
                return None
            single[name] = header[1]
        elif name in _UNPLAIN:
            return None
        else:
            kept.append(header)
    authorization = single.get(b"authorization")
    if authorization is None or method not in (b"GET", b"POST") or not _is_small(single.get(b"content-length", b"0")):
        return None
    condition, accept_encoding = single.get(b"if-none-match", b""), single.get(b"accept-encoding")
    return PlainHead(method, target, tuple(kept), authorization, condition, accept_encoding)


def _is_small(length: bytes) -> bool:
    return length.isdigit() and len(length) < 8 and int(length) <= MAX_BODY_BYTES
