"""`/graphql` over HTTP: negotiates, authenticates, reads, executes, responds in JSON or as server-sent events.

In place of Strawberry's view, which fails 8 of the public GraphQL-over-HTTP audits, responds to malformed bodies with
500, and streams whenever a client merely lists `text/event-stream`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import orjson
from graphql import OperationType
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.accounts.viewer import Viewer
from models.errors import Refusal, TooManyAttempts, Unauthenticated
from models.writes.idempotency import KeyedRequest
from schema.compiler.compiler import BoundOperation
from schema.context import Context, context_of
from schema.errors import RETRY_AFTER_S, Code, code_of, error_of, refusal
from schema.execution.engine import Answer, Engine, NotExecuted
from schema.execution.persisted.queries import NOT_TRUSTED
from schema.execution.prepared import Prepared
from schema.execution.shared_responses import Responses
from schema.execution.shown_checks import shows_checks
from schema.execution.subscribed import Subscribed
from schema.transport.negotiation import MediaType, negotiate, prefers_page
from schema.transport.outcomes import Outcomes
from schema.transport.prepared_query import PreparedQuery, QueryShape, headers_of
from schema.transport.requests import (
    OPERATION_TYPE,
    BadRequest,
    BatchRefused,
    Params,
    keyed_request,
    read_body,
    read_params,
)
from schema.transport.sse import Closable, EventStream, OpenStreams
from schema.trusted_documents import TrustMode
from web.auth.authenticator import Authenticator
from web.auth.middleware import authenticated
from web.cache.cache_key import condition_of
from web.cache.response_cache import ResponseCache
from web.http.idempotency_key import REPLAYED, idempotency_key
from web.request_state import Headers, request_state

METHODS = "GET, POST"
COST_HEADER = b"x-graphql-cost"


class GraphQLView:
    """GraphQL over HTTP as an ASGI application."""

    def __init__(
        self,
        engine: Engine,
        authenticator: Authenticator,
        cache: ResponseCache,
        *,
        outcomes: Outcomes,
        page: ASGIApp | None = None,
    ) -> None:
        """`page` answers clients that prefer HTML; `outcomes` counts what became of each operation."""
        self.engine = engine
        self._authenticator = authenticator
        self._cache = cache
        self._page = page
        self._outcomes = outcomes
        self._streams = OpenStreams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if scope["method"] != "POST" and self._page is not None and prefers_page(_accept(scope)):
            await self._page(scope, receive, send)
            return
        media_type = negotiate(_accept(scope))
        response: ASGIApp
        try:
            response = await self._respond(request, media_type)
        except BatchRefused as error:
            self._outcomes.note_code(Code.BAD_REQUEST)
            results = [{"errors": [refusal(str(error), Code.BAD_REQUEST)]}] * error.size
            response = _text(orjson.dumps(results), media_type, 400 if media_type is MediaType.GRAPHQL else 200)
        except BadRequest as error:
            self._outcomes.note_code(Code.BAD_REQUEST)
            answer = {"errors": [refusal(str(error), Code.BAD_REQUEST)]}
            response = _json(answer, media_type, error.status, error.headers)
        except HTTPException as error:
            answer = {"errors": [refusal(error.detail, Code.BAD_REQUEST)]}
            self._outcomes.note_code(Code.BAD_REQUEST)
            response = _json(answer, media_type, error.status_code)
        except Refusal as error:
            self._outcomes.note_code(code_of(error))
            response = _refused(error, media_type)
        except NotExecuted as error:
            self._outcomes.note(orjson.dumps(error.answer))
            response = _json(error.answer, media_type, 400 if media_type is MediaType.GRAPHQL else 200)
        except ClientDisconnect:
            raise
        except Exception:
            self._outcomes.note_code(Code.INTERNAL_SERVER_ERROR)
            raise
        await response(scope, receive, send)

    async def _respond(self, request: Request, media_type: MediaType | None) -> ASGIApp:
        if request.method not in ("GET", "POST"):
            raise BadRequest("Only GET and POST are supported here.", status=405, headers={"Allow": METHODS})
        if media_type is None:
            raise BadRequest(f"The answer can be {', '.join(MediaType)}.", status=406)
        scope, state = request.scope, request_state(request.scope)
        await authenticated(scope, self._authenticator, required=False)
        params = read_params(scope, body := await read_body(scope, request.receive))
        known = await self._known(request, params, (body, media_type))
        if known is not None:
            self._outcomes.note_ok()
            return known
        if state.viewer is None:
            await self._authenticator.count_failure(scope)  # what anonymous clients make the gateway compute is limited
        try:
            prepared = self._prepare(request, params, state.viewer)
        except NotExecuted as error:
            if media_type is not MediaType.EVENTS:
                raise
            self._outcomes.note(orjson.dumps(error.answer))
            return EventStream(_only(error.answer), self._streams)
        state.span_attributes = {OPERATION_TYPE: prepared.type.value}
        state.is_confidential = prepared.type is OperationType.MUTATION
        keyed = _keyed(scope, prepared, params)
        context = context_of(
            scope["state"],
            state.viewer,
            rate_limit=state.rate_limit,
            last_event_id=request.headers.get("last-event-id"),
            keyed_request=keyed,
            wait_elsewhere=None if prepared.type is OperationType.SUBSCRIPTION else state.wait_elsewhere,
        )
        if media_type is MediaType.EVENTS:
            return EventStream(self._responses(prepared, params, context), self._streams)
        if prepared.type is OperationType.SUBSCRIPTION:
            message = "A subscription is answered as text/event-stream, or over a WebSocket."
            raise NotExecuted(refusal(message, Code.BAD_REQUEST))
        bound = None if state.is_replayed else self.engine.bind(prepared, params.variables)
        extensions = self._extensions(scope, prepared, params)
        if prepared.type is not OperationType.QUERY or state.viewer is None or extensions:
            written = await self.engine.write(bound, prepared, params.variables, context)
            self._outcomes.note(written.text)
            text = _extended(written.text, extensions)
            return _text(text, media_type, *_about(keyed))
        return await self._read(request, bound, prepared, params, context, (body, media_type))

    async def _known(self, request: Request, params: Params, form: tuple[bytes, MediaType]) -> ASGIApp | None:
        """The response for which the document need not be prepared; None where there is none."""
        state = request_state(request.scope)
        if form[1] is MediaType.EVENTS:
            return None
        if state.viewer is None:
            text = self.engine.introspection(params.query, params.operation_name, params.variables)
            return None if text is None else _text(text, form[1])
        if state.is_replayed or _wants_cost(request.scope):
            return None
        return await self._read_by_outline(request, params, state.viewer, form)

    async def _read_by_outline(
        self, request: Request, params: Params, viewer: Viewer, form: tuple[bytes, MediaType]
    ) -> ASGIApp | None:
        """The response of a query whose document is new, but differs from others in its literals alone; None for any
        other, and where only the document itself can tell what the response is.
        """
        asked = params.query, params.operation_name
        bound = None
        if self.engine.is_plain(params.query, params.sha256) and self.engine.known(*asked) is None:
            bound = self.engine.bind_outline(*asked, params.variables)
        if bound is None:
            return None
        scope, state, (body, media_type) = request.scope, request_state(request.scope), form
        key, condition = self._cache.key_of(viewer, scope, body), condition_of(scope)
        headers = headers_of(media_type)
        with_checks = shows_checks(params.query or "", params.variables)
        cached = state.response or self._cache.get(key, condition, state.wanted)
        if cached is None:
            text = await bound.answer(context_of(scope["state"], viewer, rate_limit=state.rate_limit))
            if text is None:
                return None
            cached = self._cache.put(key, headers, text, condition, state.wanted, shows_checks=with_checks)
        self._prepared(request, bound, headers, with_checks=with_checks)
        return cached

    def _prepared(self, request: Request, bound: BoundOperation, headers: Headers, *, with_checks: bool) -> None:
        """Let the fast path replay the request, and prepare others of its shape."""
        state, shared = request_state(request.scope), request.scope["state"]
        state.span_attributes = {OPERATION_TYPE: OperationType.QUERY.value}
        state.prepared_read = PreparedQuery(bound, headers, shared, shows_checks=with_checks)
        state.read_shape = QueryShape(self.engine, headers, shared) if request.method == "POST" else None

    async def _read(
        self,
        request: Request,
        bound: BoundOperation | None,
        prepared: Prepared,
        params: Params,
        context: Context,
        form: tuple[bytes, MediaType],
    ) -> ASGIApp:
        """The response of a viewer's query, from the cache or executed; a whole one that others share is kept."""
        scope, state, (body, media_type) = request.scope, request_state(request.scope), form
        key, condition = self._cache.key_of(context.viewer, scope, body), condition_of(scope)
        headers = headers_of(media_type)
        with_checks = prepared.shows_checks(params.variables)
        if bound is not None and self.engine.persisted.is_for_all(prepared.key[0]):
            self._prepared(request, bound, headers, with_checks=with_checks)
        cached = None if state.is_replayed else state.response or self._cache.get(key, condition, state.wanted)
        if cached is not None:
            self._outcomes.note_ok()
            return cached
        written = await self.engine.write(bound, prepared, params.variables, context)
        self._outcomes.note(written.text)
        if written.is_whole and context.is_shared:
            return self._cache.put(key, headers, written.text, condition, state.wanted, shows_checks=with_checks)
        state.prepared_read = None
        return _text(written.text, media_type)

    def _prepare(self, request: Request, params: Params, viewer: Viewer | None) -> Prepared:
        prepared = self.engine.prepare(
            params.query,
            params.operation_name,
            sha256=params.sha256,
            document_id=params.document_id,
            is_anonymous=viewer is None,
            viewer=viewer,
        )
        if request.method == "GET" and prepared.type is OperationType.MUTATION:
            raise BadRequest("A mutation must be sent by POST.", status=405, headers={"Allow": "POST"})
        return prepared

    def _extensions(self, scope: Scope, prepared: Prepared, params: Params) -> dict[str, Any]:
        """The `extensions` of a response: such responses are not cached."""
        extensions: dict[str, Any] = {}
        if _wants_cost(scope):
            extensions["cost"] = self.engine.cost_of(prepared, params.variables)
        if self.engine.persisted.mode_of(prepared.key[0], request_state(scope).viewer) is TrustMode.WARN:
            extensions["warnings"] = [NOT_TRUSTED]
        return extensions

    def _responses(self, prepared: Prepared, params: Params, context: Context) -> Closable:
        """What a stream sends."""
        if prepared.type is not OperationType.SUBSCRIPTION:
            return self._once(prepared, params, context)
        return _Streamed(partial(self.engine.listen, prepared, params.variables, context), self._outcomes)

    async def _once(self, prepared: Prepared, params: Params, context: Context) -> AsyncGenerator[Responses, None]:
        """The one response of an operation that is no subscription."""
        try:
            only = Responses.of(await self.engine.run(prepared, params.variables, context))
        except NotExecuted as error:
            only = Responses.of(error.answer)
        except Refusal as error:
            self._outcomes.note_code(code_of(error))
            yield Responses.of({"errors": [error_of(error)]})
            return
        self._outcomes.note(*only.texts)
        yield only


class _Streamed(AsyncIterator[Responses]):
    """Every response of a subscription; one that does not begin is an error in the stream, where clients look.

    No generator: see `EventBatches`.
    """

    __slots__ = ("_begin", "_is_over", "_outcomes", "_source")

    def __init__(self, begin: Callable[[], Awaitable[Subscribed]], outcomes: Outcomes) -> None:
        self._begin: Callable[[], Awaitable[Subscribed]] | None = begin
        self._outcomes = outcomes
        self._source: Subscribed | None = None
        self._is_over = False

    async def __anext__(self) -> Responses:
        if self._is_over:
            raise StopAsyncIteration
        try:
            if self._begin is not None:
                self._source = await self._begin()
                self._begin = None
                self._outcomes.note_ok()
            assert self._source is not None  # noqa: S101 - it has begun
            responses = await anext(self._source)
        except NotExecuted as error:
            self._is_over = True
            refused = Responses.of(error.answer)
            self._outcomes.note(*refused.texts)
            return refused
        except Refusal as error:
            self._is_over = True
            self._outcomes.note_code(code_of(error))
            return Responses.of({"errors": [error_of(error)]})
        self._outcomes.note_events(responses.texts)
        return responses

    async def aclose(self) -> None:
        """End the subscription, if it has begun."""
        if self._source is not None:
            await self._source.aclose()


def _keyed(scope: Scope, prepared: Prepared, params: Params) -> KeyedRequest | None:
    """The request of a mutation with an Idempotency-Key; raises `HTTPException` (400) for a malformed one."""
    if prepared.type is not OperationType.MUTATION:
        return None
    return keyed_request(idempotency_key(scope) or params.idempotency_key, prepared, params)


def _extended(text: bytes, extensions: dict[str, Any]) -> bytes:
    """A response in JSON with these `extensions`, if there are any."""
    return b'%s,"extensions":%s}' % (text[:-1], orjson.dumps(extensions)) if extensions else text


def _about(keyed: KeyedRequest | None) -> tuple[int, dict[str, str]]:
    """Status and headers of a response, which say what became of an Idempotency-Key."""
    if keyed is None:
        return 200, {}
    if keyed.is_in_use:
        return 409, {"Retry-After": str(RETRY_AFTER_S)}
    return 200, {REPLAYED: "true"} if keyed.is_replayed else {}


async def _only(answer: Answer) -> AsyncGenerator[Responses, None]:
    yield Responses.of(answer)


def _refused(error: Refusal, media_type: MediaType | None) -> Response:
    headers: dict[str, str] = {}
    status = 503
    if isinstance(error, Unauthenticated):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, TooManyAttempts):
        status = 429
        headers = {
            "Retry-After": str(error.retry_after_s),
            "X-RateLimit-Limit": str(error.quota.limit),
            "X-RateLimit-Remaining": str(error.quota.remaining),
            "X-RateLimit-Reset": str(error.resets_at),
        }
    else:
        headers = {"Retry-After": "1"}
    return _json({"errors": [error_of(error)]}, media_type, status, headers)


def _json(
    answer: Answer,
    media_type: MediaType | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return _text(orjson.dumps(answer), media_type, status, headers)


def _text(
    text: bytes,
    media_type: MediaType | None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    response = Response(text, status, headers)
    response.raw_headers += headers_of(media_type)
    return response


def _wants_cost(scope: Scope) -> bool:
    """Whether the response is to show the cost of its operation: such responses are not cached."""
    return any(name == COST_HEADER and value == b"1" for name, value in scope["headers"])


def _accept(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"accept"]
    return b", ".join(values).decode("latin-1") if values else None
