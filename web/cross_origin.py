"""Which pages of other origins may call the gateway, and the headers that let their browsers do so (CORS).

A browser shows a page nothing of a response without these headers, not even its status. So refusals carry them too,
those that the server writes before there is a request for the application included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
REQUEST_HEADERS = (
    *("Accept", "Authorization", "Content-Type", "X-Requested-With"),
    *("If-Match", "If-None-Match", "Prefer", "Idempotency-Key", "Last-Event-ID", "X-Request-Id", "X-GraphQL-Cost"),
    *("Cache-Control", "Pragma", "Apollo-Require-Preflight", "GraphQL-Preflight", "X-Apollo-Operation-Name"),
    *("X-Apollo-Operation-Id", "apollographql-client-name", "apollographql-client-version"),
    *("graphql-client-name", "graphql-client-version"),
    *("traceparent", "tracestate", "baggage", "sentry-trace", "b3", "X-B3-TraceId", "X-B3-SpanId"),
    *("X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags", "X-Amzn-Trace-Id", "X-Correlation-Id", "newrelic"),
    *("X-Datadog-Trace-Id", "X-Datadog-Parent-Id", "X-Datadog-Origin", "X-Datadog-Sampling-Priority"),
)
"""What pages may send: what the APIs read, and what clients and tracing libraries send unasked."""
RESPONSE_HEADERS = (
    *("ETag", "Location", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("X-Request-Id", "Idempotent-Replayed"),
)
"""What pages may read beside the few headers that every page may."""
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


class CrossOrigin:
    """The origins whose pages may call, and the headers that those may send."""

    def __init__(self, *, origins: Sequence[str], headers: Iterable[str] = ()) -> None:
        """`origins` may have one label `*`, for exactly one label; `headers` are allowed beside the usual ones."""
        self._origins = frozenset(origin for origin in origins if "*" not in origin)
        patterns = [re.escape(origin).replace(r"\*", _LABEL) for origin in origins if "*" in origin]
        self._pattern = re.compile("|".join(patterns)) if patterns else None
        self._headers = list({name.lower(): name for name in (*headers, *REQUEST_HEADERS)}.values())

    def middleware(self) -> Middleware:
        """The layer that answers preflights and adds the headers to the application's responses."""
        return Middleware(
            CORSMiddleware,
            allow_origins=self._origins,
            allow_origin_regex=None if self._pattern is None else self._pattern.pattern,
            allow_methods=METHODS,
            allow_headers=self._headers,
            expose_headers=RESPONSE_HEADERS,
        )

    def lines(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The header lines of a response to a request with these headers, names in lower case."""
        found = [value for name, value in headers if name == b"origin"]
        if len(found) != 1 or not self._allows(found[0].decode("latin-1")):
            return b"vary: Origin\r\n"
        exposed = ", ".join(RESPONSE_HEADERS).encode("ascii")
        return (b"access-control-allow-origin: %s\r\naccess-control-expose-headers: %s\r\nvary: Origin\r\n") % (
            found[0],
            exposed,
        )

    def _allows(self, origin: str) -> bool:
        return origin in self._origins or (self._pattern is not None and self._pattern.fullmatch(origin) is not None)
