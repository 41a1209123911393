"""`/graphql` over HTTP: negotiates, reads, admits, runs, answers - as JSON or as a stream of server-sent events.

Not strawberry's view: it fails 8 of the public GraphQL-over-HTTP audits, answers malformed bodies with 500, and
streams whenever a client merely lists `text/event-stream`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import orjson
from graphql import OperationType
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.errors import Refusal, TooManyAttempts, Unauthenticated
from models.event_stream import EventStreams
from models.service import DestinationService
from models.viewer import Viewer
from schema.context import Context
from schema.engine import Answer, Engine, NotExecuted, Prepared
from schema.errors import Code, error_of, refusal
from schema.negotiation import MediaType, negotiate, prefers_page
from schema.requests import BadRequest, Params, read_params
from schema.sse import EventStream

METHODS = "GET, POST"


class Admission(Protocol):
    """What this door needs to know who asks; `app` brings it."""

    async def admit(self, token: str, scope: Scope) -> Viewer:
        """The viewer of a token; raises `Unauthenticated` or `TooManyAttempts`."""
        ...


class GraphQLView:
    """The HTTP half of this door, one object for all requests."""

    def __init__(self, engine: Engine, admission: Admission, token_in: Any, *, page: ASGIApp | None = None) -> None:
        """`token_in(scope)` is the bearer token of a request, or None; `page` answers those who prefer one."""
        self.engine = engine
        self._admission = admission
        self._token_in = token_in
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        accept = _joined(request, "accept")
        if self._page is not None and request.method in ("GET", "HEAD") and prefers_page(accept):
            await self._page(scope, receive, send)
            return
        media_type = negotiate(accept)
        try:
            response = await self._respond(request, media_type)
        except BadRequest as error:
            headers = {} if error.allow is None else {"Allow": error.allow}
            response = _json({"errors": [refusal(str(error), Code.BAD_REQUEST)]}, media_type, error.status, headers)
        except HTTPException as error:
            answer = {"errors": [refusal(error.detail, Code.BAD_REQUEST)]}
            response = _json(answer, media_type, error.status_code)
        except Refusal as error:
            response = _refused(error, media_type)
        except NotExecuted as error:
            response = _json(error.answer, media_type, 400 if media_type is MediaType.GRAPHQL else 200)
        await response(scope, receive, send)

    async def _respond(self, request: Request, media_type: MediaType | None) -> Response:
        if request.method not in ("GET", "POST"):
            raise BadRequest("Only GET and POST are supported here.", status=405, allow=METHODS)
        if media_type is None:
            raise BadRequest(f"The answer can be {', '.join(MediaType)}.", status=406)
        token = self._token_in(request.scope)
        viewer = None if token is None else await self._admission.admit(token, request.scope)
        params = await read_params(request)
        try:
            prepared = self._prepare(request, params, viewer)
        except NotExecuted as error:
            if media_type is not MediaType.EVENTS:
                raise
            return EventStream(_told(error.answer))
        context = context_of(request, viewer)
        if media_type is MediaType.EVENTS:
            return EventStream(self._streamed(prepared, params, context))
        if prepared.type is OperationType.SUBSCRIPTION:
            message = "A subscription is answered as text/event-stream, or over a WebSocket."
            raise NotExecuted(refusal(message, Code.BAD_REQUEST))
        return _json(await self.engine.run(prepared, params.variables, context), media_type)

    def _prepare(self, request: Request, params: Params, viewer: Viewer | None) -> Prepared:
        prepared = self.engine.prepare(params.query, params.operation_name)
        if request.method == "GET" and prepared.type is OperationType.MUTATION:
            raise BadRequest("A mutation must be sent by POST.", status=405, allow="POST")
        if viewer is None and not prepared.only_introspects:
            raise Unauthenticated
        return prepared

    async def _streamed(self, prepared: Prepared, params: Params, context: Context) -> AsyncGenerator[Answer, None]:
        """Every answer of an operation; one that does not begin is told in the stream, where clients look."""
        try:
            if prepared.type is not OperationType.SUBSCRIPTION:
                yield await self.engine.run(prepared, params.variables, context)
                return
            async for answer in await self.engine.listen(prepared, params.variables, context):
                yield answer
        except NotExecuted as error:
            yield error.answer
        except Refusal as error:
            yield {"errors": [error_of(error)]}


async def _told(answer: Answer) -> AsyncGenerator[Answer, None]:
    yield answer


def context_of(request: Any, viewer: Viewer | None) -> Context:
    """The context of one operation, from the state that the lifespan left for every request."""
    service: DestinationService = request.state.service
    streams: EventStreams = request.state.streams
    return Context(service=service, streams=streams, current_viewer=viewer)


def _refused(error: Refusal, media_type: MediaType | None) -> Response:
    headers: dict[str, str] = {}
    status = 503
    if isinstance(error, Unauthenticated):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, TooManyAttempts):
        status = 429
        headers = {"Retry-After": str(error.retry_after_s), "X-RateLimit-Reset": str(error.quota.resets_at)}
    else:
        headers = {"Retry-After": "1"}
    return _json({"errors": [error_of(error)]}, media_type, status, headers)


def _json(
    answer: Answer, media_type: MediaType | None, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    shown = MediaType.GRAPHQL if media_type is MediaType.GRAPHQL else MediaType.JSON
    content_type = {"content-type": f"{shown}; charset=utf-8", "vary": "Accept"}
    return Response(orjson.dumps(answer), status, content_type | (headers or {}))


def _joined(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None
