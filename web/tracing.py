"""A span for each request: OpenTelemetry's conventions for HTTP servers, with nothing in it that may hold a secret.

The path is as the log of requests has it, and there is no query, no header and no body. Streams and WebSockets have
spans that end when they begin; each operation over a WebSocket has one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.tracing.spans import Attributes, Span, Tracer, Value, within
from web.access_log import METHODS, shown_path
from web.health_paths import HEALTH_PATHS
from web.request_state import RequestState, request_state

_EVENTS = b"text/event-stream"
_TRACE_HEADERS = frozenset({b"traceparent", b"tracestate"})


class RequestTracing:
    """Begins and ends the spans of requests."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def begin(
        self, state: RequestState, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], version: str
    ) -> Span | None:
        """The span of a request, which is begun unless it was before; None when it is not sampled."""
        if state.is_traced:
            return state.span
        state.is_traced = True
        if path in HEALTH_PATHS:
            return None
        shown = method if method in METHODS else "_OTHER"
        attributes: dict[str, Value] = {
            "http.request.method": shown,
            "url.path": shown_path(path),
            "url.scheme": "http",
            "network.protocol.name": "http",
            "network.protocol.version": version,
            "moorings.request_id": state.request_id.decode("ascii"),
        }
        if state.address:
            attributes["client.address"] = state.address
        given = [header for header in headers if header[0] in _TRACE_HEADERS]
        state.span = self._tracer.start(
            "HTTP" if shown == "_OTHER" else shown, attributes, kind="server", headers=given
        )
        return state.span

    def end(self, state: RequestState, *, method: str, route: str, status: int | None, scheme: str = "http") -> None:
        """End the span of a request with what came of it; `route` is empty where there is none."""
        span = state.span
        if span is None or span.is_ended:
            return
        attributes: dict[str, Value] = {"url.scheme": scheme, **state.span_attributes}
        if route:
            attributes["http.route"] = route
            span.rename(f"{method if method in METHODS else 'HTTP'} {route}")
        if status is not None:
            attributes["http.response.status_code"] = status
        viewer = state.viewer
        if viewer is not None:
            attributes["moorings.user_id"] = viewer.user_id
            attributes["moorings.protocol"] = viewer.protocol.value
            if viewer.token_id is not None:
                attributes["moorings.token_id"] = viewer.token_id
        span.set(attributes)
        if status is None:
            span.fail("disconnected")
        elif status >= 500:
            span.fail(str(status))
        span.end()

    async def watch(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an application answer a request, or serve a WebSocket, within its span."""
        state = request_state(scope)
        method = scope.get("method", "GET")  # which a WebSocket begins with
        version = scope.get("http_version", "1.1")
        span = self.begin(state, method, scope["path"], scope["headers"], version)
        if span is None:
            await app(scope, receive, send)
            return
        status: int | None = None

        def end() -> None:
            route = getattr(scope.get("route"), "path", "")
            scheme = "https" if scope["scheme"] in ("https", "wss") else "http"
            self.end(state, method=method, route=route, status=status, scheme=scheme)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                if _is_stream(message):
                    end()
            elif kind == "websocket.accept":
                status = 101
                end()
            elif kind == "websocket.close" and status is None:
                status = 403
            await send(message)

        with within(span):
            try:
                await app(scope, receive, send_and_note)
            finally:
                end()


def _is_stream(message: Message) -> bool:
    headers = message.get("headers", ())
    return any(name == b"content-type" and value.startswith(_EVENTS) for name, value in headers)


def operation_span(state: RequestState, name: str, attributes: Attributes) -> Span | None:
    """Begin the span of an operation on a WebSocket, in the trace that its handshake belongs to; None without one."""
    return None if state.span is None else state.span.child(name, attributes, kind="server")
