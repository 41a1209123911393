"""The fast path: a memo of what the standard path prepared, which replays reads without routing and middleware.

Only successes are written by the fast path, with the head that the standard path sent for the same request. Everything
else - what was not seen before, a refusal, a write, a stream - is the standard path's, which the fast path hands the
viewer it has authenticated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from http import HTTPStatus

from starlette.types import Message, Scope, Send
from uvicorn.middleware.proxy_headers import _TrustedHosts

from models.accounts.networks import UNKNOWN_ADDRESS, canonical_address
from web.access_log import AccessLog
from web.auth.authenticator import Authenticator
from web.cache.response_cache import ResponseCache
from web.fast_path.preparation_key import PlainHead, PreparationKey
from web.fast_path.prepared_request import MAX_BYTES, PreparedRequest, PreparedRequests, ResponseHead
from web.fast_path.prepared_shape import MAX_SHAPED_BODY_BYTES, MAX_SHAPES_BYTES, PreparedShape
from web.metrics.memories import Memory
from web.metrics.metrics import Metrics
from web.request_state import ReadShape, RequestState
from web.tracing import RequestTracing

_REPLAYED = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)


class FastPath:
    """The memo of one application, and the parts that replays share."""

    def __init__(
        self,
        authenticators: Iterable[Authenticator],
        *,
        cache: ResponseCache,
        metrics: Metrics,
        trusted_proxies: Sequence[str],
        access_log: AccessLog | None = None,
        tracing: RequestTracing | None = None,
        max_body_bytes: int = MAX_SHAPED_BODY_BYTES,
        compresses: bool = True,
    ) -> None:
        """`authenticators` has the one of each API; the standard path refuses bodies of more than `max_body_bytes`, and
        compresses as the fast path does.
        """
        self.compresses = compresses
        self.access_log = access_log
        self.tracing = tracing
        self._authenticators = {each.protocol: each for each in authenticators}
        self.cache = cache
        self.metrics = metrics
        self.prepared_requests: PreparedRequests[PreparedRequest] = PreparedRequests()
        self.shapes: PreparedRequests[PreparedShape] = PreparedRequests(MAX_SHAPES_BYTES)
        self._max_shaped_body_bytes = min(MAX_SHAPED_BODY_BYTES, max_body_bytes)
        self._proxies = _TrustedHosts(list(trusted_proxies)) if trusted_proxies else None

    def memories(self) -> list[Memory]:
        """What it keeps, and how much at most."""
        return [
            Memory(name="prepared requests", read=lambda: self.prepared_requests.bytes, max_bytes=MAX_BYTES),
            Memory(name="shapes of requests", read=lambda: self.shapes.bytes, max_bytes=MAX_SHAPES_BYTES),
        ]

    def trusts(self, peer: tuple[str, int] | None) -> bool:
        """Whether the forwarded headers of a connection's peer count."""
        return self._proxies is not None and peer is not None and peer[0] in self._proxies

    def forwarded_address(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """The client address that a trusted proxy forwards, empty without one."""
        values = [value for name, value in headers if name == b"x-forwarded-for"]
        if not values or self._proxies is None:
            return ""
        address, _ = self._proxies.get_trusted_client_address(b", ".join(values).decode("latin-1"))
        return address

    def client_address(self, peer: tuple[str, int] | None, headers: Sequence[tuple[bytes, bytes]]) -> str:
        """The address of a request's client, in its one spelling: the peer's, or what a trusted peer forwards."""
        forwarded = self.forwarded_address(headers) if self.trusts(peer) else ""
        return canonical_address(forwarded or peer[0]) if peer is not None else UNKNOWN_ADDRESS

    def find(self, head: PlainHead, body: bytes, *, is_proxied: bool) -> tuple[PreparationKey, PreparedRequest | None]:
        """The key of a request, and what it was prepared to, or is now because another of its shape was."""
        key = head.key(body, is_proxied=is_proxied)
        return key, self.prepared_requests.get(key) or self._prepared_by_shape(key)

    def _prepared_by_shape(self, key: PreparationKey) -> PreparedRequest | None:
        shape = self.shapes.get(key.shape())
        if shape is None or len(key.body) > self._max_shaped_body_bytes:
            return None
        prepared = shape.prepare(key.target.partition(b"?")[2], key.body)
        if prepared is not None:
            self.prepared_requests.put(key, prepared)
        return prepared

    def recording(self, scope: Scope, state: RequestState, send: Send) -> Send:
        """A `send` that keeps what a successful read was prepared to, and forgets the token of a user who writes."""

        def send_and_record(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                status = message["status"]
                if state.prepared_read is None:
                    if state.viewer is not None and status < HTTPStatus.BAD_REQUEST:
                        self._authenticators[state.viewer.protocol].known_tokens.forget(state.viewer.user_id)
                elif status in _REPLAYED:
                    self._record(scope, state, status, message["headers"])
            return send(message)

        return send_and_record

    def _record(self, scope: Scope, state: RequestState, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
        key, read, request_key = state.preparation_key, state.prepared_read, state.request_key
        if key is None or read is None or request_key is None or state.viewer is None:
            return
        prepared = self.prepared_requests.get(key)
        if prepared is None or prepared.read is not read:
            heads = {} if prepared is None else prepared.heads
            prepared = PreparedRequest(read, request_key, self._authenticators[state.viewer.protocol])
            prepared.heads = heads
            self.prepared_requests.put(key, prepared)
            if state.read_shape is not None:
                self._record_shape(key, state.read_shape, prepared)
        form = None if state.wanted is None else dict(headers).get(b"content-encoding", b"")
        kind = status, state.rate_limit is not None, form
        prepared.heads[kind] = ResponseHead(
            status,
            headers,
            self.metrics.counter_of(scope, status),
            route=getattr(scope.get("route"), "path", ""),
            span_attributes=state.span_attributes,
        )

    def _record_shape(self, key: PreparationKey, shape: ReadShape, prepared: PreparedRequest) -> None:
        """Let the other requests of the shape be prepared, with the heads that were sent for any of them."""
        of_all = key.shape()
        known = self.shapes.get(of_all)
        if known is None:
            known = PreparedShape(shape, prepared)
            self.shapes.put(of_all, known)
        prepared.heads = known.heads
