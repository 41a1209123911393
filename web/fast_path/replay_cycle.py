"""Replays a request that was already prepared.

Every replay still looks the token up, counts the request and asks the cache; it skips routing, middleware and parsing.
Where the response is not cached, the read is asked for beside the token's lookup instead of behind it: both wait for
the database at the same time. What was read that way counts only when the database still has the same row of the token.
The user's revision is in that row and never repeats, so what was read is no older than the request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from time import perf_counter
from typing import Any, Protocol

from models.accounts.token_row import TokenRow
from models.accounts.viewer import Viewer
from models.errors import Unauthenticated
from models.outage import cause_of
from models.tracing.spans import Span, context_within, within
from web.access_log import shown_path
from web.auth.authenticator import SPAN as AUTHENTICATION
from web.auth.authenticator import bearer_text
from web.auth.known_tokens import KnownToken
from web.cache.cache_key import CacheKey
from web.cache.cached_response import CachedResponse
from web.compression.accept_encoding import wanted
from web.fast_path.fast_path import FastPath
from web.fast_path.incoming_request import IncomingRequest
from web.fast_path.preparation_key import PlainHead
from web.fast_path.prepared_request import PreparedRequest
from web.http.header_encoding import SharedLines
from web.http.no_event import NoEvent

_DEFAULT_LINES = SharedLines()


class Connection(Protocol):
    """What a replay needs of the connection that its request came over."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    tasks: set[asyncio.Task[None]]

    @property
    def default_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """The server's own headers; one list stands for them until they change."""
        ...

    def on_response_complete(self) -> None:
        """Go on with the next request."""

    def start_standard(self, replay: ReplayCycle) -> None:
        """Let the standard path answer the request in place of the replay, which has written nothing."""


class ReplayCycle:
    """One request and its response, in the place of uvicorn's `RequestResponseCycle`, with what its protocol reads."""

    __slots__ = (
        *("_authentication", "_bearer", "_condition", "_connection", "_digest", "_fast_path", "_known", "_prepared"),
        *("_started", "_state"),
        *(
            "authorization",
            "disconnected",
            "keep_alive",
            "message_event",
            "request",
            "response_complete",
            "response_started",
        ),
    )

    def __init__(
        self,
        connection: Connection,
        fast_path: FastPath,
        prepared: PreparedRequest,
        request: IncomingRequest,
        head: PlainHead,
    ) -> None:
        """`head` is the request's."""
        self._connection = connection
        self._fast_path = fast_path
        self._prepared = prepared
        self.request = request
        self._state = request.state
        if head.accept_encoding is not None and fast_path.compresses:
            self._state.wanted = wanted(head.accept_encoding)
        self._condition = head.condition
        self.authorization = head.authorization
        self._started = perf_counter()
        self.disconnected = self.response_started = self.response_complete = False
        self.keep_alive = request.keep_alive
        self.message_event = NoEvent()
        self._authentication: Span | None = None

    def start(self) -> bool:
        """Look the token up; False, having done nothing, for one that cannot be valid."""
        if self._fast_path.tracing is not None:
            request = self.request
            path = request.target.partition(b"?")[0].decode("ascii")
            method = request.method.decode("ascii")
            span = self._fast_path.tracing.begin(self._state, method, path, request.headers, request.version)
            if span is not None:
                self._authentication = span.child(AUTHENTICATION)
                with within(self._authentication):
                    return self._start()
        return self._start()

    def _start(self) -> bool:
        authorization = self.authorization
        prepared, authenticator = self._prepared, self._prepared.authenticator
        self._digest = authenticator.known_tokens.digest(authorization)
        known = self._known = authenticator.known_tokens.get(self._digest)
        try:
            self._bearer = authenticator.parse(bearer_text(authorization)) if known is None else known.bearer
            row = authenticator.look_up(self._bearer)
        except Unauthenticated:
            self._end_authentication(Unauthenticated.__name__)
            return False
        if known is not None and not self._condition:
            key = CacheKey(known.viewer, prepared.request_key)
            if self._fast_path.cache.contains(key):
                self._state.cache_key = key
            elif self._may_read(known.viewer) and not authenticator.is_exhausted(known.viewer):
                self._run(self._read_beside(known, key, row))
                return True
        row.add_done_callback(self._looked_up)
        return True

    def _may_read(self, viewer: Viewer) -> bool:
        ability = self._prepared.read.ability
        return ability is None or viewer.allows(ability)

    def _looked_up(self, row: asyncio.Future[TokenRow | None]) -> None:
        """Answer from the cache without a task, which would cost more; read in one."""
        authenticator = self._prepared.authenticator
        try:
            known = self._authenticated(row.result())
            if authenticator.counts_here:
                authenticator.accept_now(known.viewer, self._state)
                cached = self._cached(known.viewer)
                if cached is not None:
                    self._write(cached)
                    return
        except asyncio.CancelledError:  # the event loop ends
            self._end_span(None, "")
            self._connection.transport.close()
        except Exception as error:  # noqa: BLE001 - the standard path words it
            self._leave(error)
        else:
            self._run(self._read(known.viewer, is_accepted=authenticator.counts_here))

    def _authenticated(self, row: TokenRow | None) -> KnownToken:
        """The viewer of the row, the one that was known while the row is the same; raises `Unauthenticated`."""
        known = self._known
        address = self._state.address
        if known is None or row is None or known.row != row or not (row.is_valid() and row.may_be_used_from(address)):
            authenticator = self._prepared.authenticator
            viewer = authenticator.viewer_behind(row, self._bearer, address)
            assert row is not None  # noqa: S101 - it has a viewer
            known = KnownToken(self._bearer, row, viewer)
            authenticator.known_tokens.put(self._digest, known)
            self._state.cache_key = None
        self._end_authentication()
        return known

    def _end_authentication(self, error_type: str = "") -> None:
        """End the span of the authentication, if there is one that has not ended."""
        span = self._authentication
        if span is not None and not span.is_ended:
            if error_type:
                span.fail(error_type)
            span.end()

    def _cached(self, viewer: Viewer) -> CachedResponse | None:
        """The cached response, or a 304; raises `AbilityMissing` before either."""
        prepared = self._prepared
        if prepared.read.ability is not None:
            viewer.require(prepared.read.ability)
        key = self._state.cache_key
        if key is None:
            key = self._state.cache_key = CacheKey(viewer, prepared.request_key)
        return self._fast_path.cache.get(key, self._condition, self._state.wanted)

    async def _read_beside(self, before: KnownToken, key: CacheKey, row: asyncio.Future[TokenRow | None]) -> None:
        """Read for the viewer that was known, while the token is looked up."""
        body = failure = None
        try:
            body = await self._prepared.read.body(before.viewer)
        except Exception as error:  # noqa: BLE001 - raised below, if the viewer still stands
            failure = error
        known = self._authenticated(await row)
        await self._prepared.authenticator.accept(known.viewer, self._state)
        if known is not before:
            await self._read(known.viewer, is_accepted=True)
        elif failure is not None:
            raise failure
        else:
            self._state.cache_key = key
            self._finish(key, body)

    async def _read(self, viewer: Viewer, *, is_accepted: bool) -> None:
        if not is_accepted:
            await self._prepared.authenticator.accept(viewer, self._state)
            cached = self._cached(viewer)
            if cached is not None:
                self._write(cached)
                return
        key = self._state.cache_key or CacheKey(viewer, self._prepared.request_key)
        self._finish(key, await self._prepared.read.body(viewer))

    def _finish(self, key: CacheKey, body: bytes | None) -> None:
        if body is None:
            self._state.is_replayed = True
            self._fast_path.prepared_requests.drop(self._state.preparation_key)
            self._leave()
        else:
            read, put = self._prepared.read, self._fast_path.cache.put
            shows, asked = read.shows_checks, self._state.wanted
            self._write(put(key, read.headers, body, self._condition, asked, shows_checks=shows))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        span = self._state.span
        context = None if span is None else context_within(span)
        task = self._connection.loop.create_task(self._answered(work), context=context)
        self._connection.tasks.add(task)
        task.add_done_callback(self._connection.tasks.discard)

    async def _answered(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the standard path words it
            self._leave(error)
        except asyncio.CancelledError:
            self._end_span(None, "")
            self._connection.transport.close()
            raise

    def _end_span(self, status: int | None, route: str) -> None:
        """End the span of the request, if there is one."""
        tracing = self._fast_path.tracing
        if tracing is not None and self._state.span is not None:
            self._end_authentication()
            tracing.end(self._state, method=self.request.method.decode("ascii"), route=route, status=status)

    def _leave(self, error: Exception | None = None) -> None:
        """Hand the request to the standard path, with what is known of it.

        A failed authentication is found again there, where failures are counted.
        """
        state = self._state
        self._end_authentication("" if error is None else cause_of(error))
        if not isinstance(error, Unauthenticated):
            state.error = error
        if error is None and state.viewer is not None:
            state.request_key = self._prepared.request_key
        self._connection.start_standard(self)

    def _write(self, response: CachedResponse) -> None:
        state = self._state
        form = None if state.wanted is None else response.coding
        head = self._prepared.heads.get((response.status, state.rate_limit is not None, form))
        if head is None:  # the standard path has not sent one of this kind yet
            state.response = response
            self._leave()
            return
        connection = self._connection
        took_s = perf_counter() - self._started
        self._fast_path.metrics.count(head.counter, took_s)
        self._prepared.authenticator.replayed += 1
        if state.span is not None:
            state.span_attributes = head.span_attributes
            self._end_span(response.status, head.route)
        access_log = self._fast_path.access_log
        if access_log is not None:
            method, target = self.request.method.decode("ascii"), self.request.target.partition(b"?")[0]
            path, size = shown_path(target.decode("ascii")), len(response.body)
            access_log.add(state, method, path, status=response.status, took_s=took_s, sent=size)
        self.response_complete = True
        if not (self.disconnected or connection.transport.is_closing()):
            lines = head.lines(response, state.rate_limit, state.request_id)
            default_lines = _DEFAULT_LINES.of(connection.default_headers)
            if self.keep_alive:
                connection.transport.write(b"".join((head.status_line, default_lines, lines, response.body)))
            else:
                parts = (head.status_line, default_lines, lines[:-2], b"connection: close\r\n\r\n", response.body)
                connection.transport.write(b"".join(parts))
                connection.transport.close()
        connection.on_response_complete()
