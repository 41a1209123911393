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

from models.accounts.viewer import Viewer
from models.errors import Refusal, TooManyAttempts, Unauthenticated
from schema.context import Context, context_of
from schema.errors import Code, error_of, refusal
from schema.execution.engine import Answer, Engine, NotExecuted
from schema.execution.prepared import Prepared
from schema.transport.negotiation import MediaType, negotiate, prefers_page
from schema.transport.prepared_query import Reading, headers_of
from schema.transport.requests import BadRequest, Params, read_body, read_params
from schema.transport.sse import EventStream

METHODS = "GET, POST"


class Admission(Protocol):
    """What this door needs to know who asks; `app` brings it."""

    async def admit(self, token: str, scope: Scope) -> Viewer:
        """The viewer of a token; raises `Unauthenticated` or `TooManyAttempts`."""
        ...


class KeptAnswers(Protocol):
    """What this door needs to give a finished answer twice; `app` brings it."""

    def question(self, viewer: Viewer, scope: Scope, body: bytes = b"") -> Any:
        """Everything that an answer depends on."""
        ...

    def known(self, question: Any) -> ASGIApp | None:
        """The answer, when it is kept or the client has it already."""
        ...

    def keep(self, question: Any, response: Response) -> ASGIApp:
        """What to send for a successful answer of a query, which may be given again from now on."""
        ...


class GraphQLView:
    """The HTTP half of this door, one object for all requests."""

    def __init__(
        self, engine: Engine, admission: Admission, answers: KeptAnswers, token_in: Any, *, page: ASGIApp | None = None
    ) -> None:
        """`token_in(scope)` is the bearer token of a request, or None; `page` answers those who prefer one."""
        self.engine = engine
        self._admission = admission
        self._answers = answers
        self._token_in = token_in
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if scope["method"] != "POST" and self._page is not None and prefers_page(_accept(scope)):
            await self._page(scope, receive, send)
            return
        media_type = negotiate(_accept(scope))
        response: ASGIApp
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

    async def _respond(self, request: Request, media_type: MediaType | None) -> ASGIApp:
        if request.method not in ("GET", "POST"):
            raise BadRequest("Only GET and POST are supported here.", status=405, allow=METHODS)
        if media_type is None:
            raise BadRequest(f"The answer can be {', '.join(MediaType)}.", status=406)
        scope = request.scope
        if "refusal" in scope:  # whoever asks is known before, when the request was seen before
            raise scope["refusal"]
        viewer: Viewer | None = scope.get("viewer")
        if viewer is None and (token := self._token_in(scope)) is not None:
            viewer = await self._admission.admit(token, scope)
        body = await read_body(scope, request.receive)
        if viewer is None:
            return await self._found_out(request, read_params(scope, body), None, media_type)
        question = self._answers.question(viewer, scope, body)
        known = self._answers.known(question)
        if known is not None:
            return known
        params: Params | None = scope.get("params")
        if params is None:
            params = scope["params"] = read_params(scope, body)
        response = await self._found_out(request, params, viewer, media_type)
        return self._answers.keep(question, response) if isinstance(response, _Lasting) else response

    async def _found_out(
        self, request: Request, params: Params, viewer: Viewer | None, media_type: MediaType
    ) -> Response:
        try:
            prepared = self._prepare(request, params, viewer)
        except NotExecuted as error:
            if media_type is not MediaType.EVENTS:
                raise
            return EventStream(_told(error.answer))
        context = context_of(request.scope["state"], viewer)
        if media_type is MediaType.EVENTS:
            return EventStream(self._streamed(prepared, params, context))
        if prepared.type is OperationType.SUBSCRIPTION:
            message = "A subscription is answered as text/event-stream, or over a WebSocket."
            raise NotExecuted(refusal(message, Code.BAD_REQUEST))
        was_tried = "was_tried" in request.scope  # on the fast lane, and came to nothing
        bound = None if was_tried else self.engine.bind(prepared, params.variables)
        if bound is not None and prepared.type is OperationType.QUERY:
            request.scope["reading"] = Reading(bound, headers_of(media_type), request.scope["state"])
        written = await self.engine.write(bound, prepared, params.variables, context)
        is_lasting = prepared.type is OperationType.QUERY and written.is_whole
        return _text(written.text, media_type, kind=_Lasting if is_lasting else Response)

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


class _Lasting(Response):
    """What a query without errors answered: the same until something of the viewer's changes."""


async def _told(answer: Answer) -> AsyncGenerator[Answer, None]:
    yield answer


def _refused(error: Refusal, media_type: MediaType | None) -> Response:
    headers: dict[str, str] = {}
    status = 503
    if isinstance(error, Unauthenticated):
        status, headers = 401, {"WWW-Authenticate": "Bearer"}
    elif isinstance(error, TooManyAttempts):
        status = 429
        headers = {"Retry-After": str(error.retry_after_s), "X-RateLimit-Reset": str(error.resets_at)}
    else:
        headers = {"Retry-After": "1"}
    return _json({"errors": [error_of(error)]}, media_type, status, headers)


def _json(
    answer: Answer,
    media_type: MediaType | None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return _text(orjson.dumps(answer), media_type, status, headers)


def _text(
    text: bytes,
    media_type: MediaType | None,
    status: int = 200,
    headers: dict[str, str] | None = None,
    *,
    kind: type[Response] = Response,
) -> Response:
    response = kind(text, status, headers)
    response.raw_headers += headers_of(media_type)
    return response


def _accept(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == b"accept"]
    return b", ".join(values).decode("latin-1") if values else None
