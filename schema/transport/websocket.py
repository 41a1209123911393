"""`/graphql` over WebSocket: the protocol graphql-transport-ws, several operations on one connection.

In place of Strawberry's handler, which raises on messages that are no objects, closes the whole socket for an unknown
operation, and looks the token up only once, at the start.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
from graphql import OperationType
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from models.accounts.viewer import Viewer
from models.errors import DatabaseUnavailable, Refusal, TooManyAttempts, Unauthenticated
from models.tracing.spans import NO_ATTRIBUTES, Span, ending
from schema.context import context_of
from schema.errors import Code, code_of, error_of, refusal
from schema.execution.engine import Engine, NotExecuted
from schema.execution.shared_responses import Responses
from schema.execution.subscribed import Subscribed
from schema.transport.outcomes import Outcomes
from schema.transport.requests import OPERATION_TYPE, BadRequest, Params, keyed_request, load_json, parse_params
from web.auth.authenticator import Authenticator, bearer_text, bearer_token
from web.http.websocket_texts import TEXTS
from web.request_state import request_state
from web.tracing import operation_span

SUBPROTOCOL = "graphql-transport-ws"
INIT_S = 10.0
SEND_S = 30.0
MAX_ID_LENGTH = 256

INVALID_MESSAGE = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
SUBPROTOCOL_NOT_ACCEPTABLE = 4406
INIT_TIMEOUT = 4408
SUBSCRIBER_EXISTS = 4409
TOO_MANY_INITS = 4429
TRY_AGAIN_LATER = 1013
CLOSED = 1006
_WANTED = 'Unauthorized: connection_init needs {"authorization": "Bearer <token>"}'
logger = logging.getLogger("moorings.graphql")


class _Close(Exception):
    """The socket must be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class GraphQLSocket:
    """The GraphQL API over WebSocket, one object for all connections."""

    def __init__(self, engine: Engine, authenticator: Authenticator, outcomes: Outcomes) -> None:
        """`outcomes` counts what became of each operation, and of connections that were not initialised."""
        self.engine = engine
        self.authenticator = authenticator
        self.outcomes = outcomes
        self.open: Counter[int] = Counter()
        """Initialised sockets of each user, in this process."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            await socket.accept()
            await socket.close(SUBPROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        await socket.accept(SUBPROTOCOL)
        connection = _Connection(self, scope)
        if "app" in scope:
            request_state(scope).rest = connection
        else:
            await connection(scope, receive, send)


class _Connection:
    """A WebSocket that is accepted; it is served without the layers that its handshake came through."""

    __slots__ = ("_acknowledged", "_api", "_operations", "_scope", "_sending", "_token", "_user_id", "_write")

    def __init__(self, api: GraphQLSocket, scope: Scope) -> None:
        self._api = api
        self._scope = scope
        self._write: Send | None = None  # while it is open
        self._token = bearer_token(scope)
        self._acknowledged = False
        self._user_id: int | None = None
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it until it is closed."""
        self._write = send
        try:
            try:
                async with asyncio.timeout(INIT_S):
                    while not self._acknowledged:
                        await self._handle(self._parsed(await receive()))
            except TimeoutError:
                raise _Close(INIT_TIMEOUT, "Connection initialisation timeout") from None
            while True:
                await self._handle(self._parsed(await receive()))
        except _Close as close:
            await self._close(close)
        except WebSocketDisconnect:
            pass
        finally:
            await self._end()

    async def _end(self) -> None:
        """Stop the operations that are still open."""
        if self._user_id is not None:
            self._api.open[self._user_id] -= 1
            if not self._api.open[self._user_id]:
                del self._api.open[self._user_id]
            self._user_id = None
        tasks = list(self._operations.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _close(self, close: _Close) -> None:
        """Close the socket, unless it is closed already."""
        write, self._write = self._write, None
        if write is not None:
            with suppress(RuntimeError, OSError):
                await write({"type": "websocket.close", "code": close.code, "reason": close.reason})

    def _parsed(self, received: Message) -> dict[str, Any]:
        """A message of the client; raises `_Close` for what is none, and `WebSocketDisconnect` at the end."""
        if received["type"] == "websocket.disconnect":
            self._write = None
            raise WebSocketDisconnect(received.get("code") or 1005)
        text = received.get("text")
        try:
            message = load_json(text) if isinstance(text, str) else None
        except (BadRequest, UnicodeError):
            message = None
        if not isinstance(message, dict):
            raise _Close(INVALID_MESSAGE, "A message must be a JSON object in a text frame")
        return message

    async def _handle(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._init(message.get("payload"))
            case "ping":
                await self._send({"type": "pong"} | _payload_of(message))
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                self._stop(message)
            case _:
                raise _Close(INVALID_MESSAGE, "Unknown type of message")

    async def _init(self, payload: object) -> None:
        if self._acknowledged:
            raise _Close(TOO_MANY_INITS, "Too many initialisation requests")
        if payload is not None and not isinstance(payload, dict):
            raise _Close(INVALID_MESSAGE, "The payload must be an object")
        self._token = _token_of(payload or {}) or self._token
        if self._token is None:
            self._api.outcomes.note_code(Code.UNAUTHENTICATED)
            raise _Close(UNAUTHORIZED, _WANTED)
        try:
            viewer = await self._authenticate(self._token)
        except (TooManyAttempts, DatabaseUnavailable) as error:
            self._api.outcomes.note_code(code_of(error))
            logger.warning("A WebSocket was closed at connection_init: %s", type(error).__name__)
            raise _Close(TRY_AGAIN_LATER, str(error)) from None
        if self._api.open[viewer.user_id] >= self._api.engine.limits.user_sockets:
            raise _Close(TRY_AGAIN_LATER, "Too many connections")
        self._user_id = viewer.user_id
        self._api.open[self._user_id] += 1
        self._acknowledged = True
        await self._send({"type": "connection_ack"})

    async def _authenticate(self, token: str) -> Viewer:
        """Look the token up, for each operation anew; raises `_Close`, `TooManyAttempts`, `DatabaseUnavailable`."""
        try:
            return await self._api.authenticator.authenticate(token, self._scope)
        except Unauthenticated:
            self._api.outcomes.note_code(Code.UNAUTHENTICATED)
            raise _Close(FORBIDDEN, "Forbidden") from None

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if not self._acknowledged or self._token is None:
            raise _Close(UNAUTHORIZED, _WANTED)
        id_ = message.get("id")
        if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID_LENGTH:
            raise _Close(INVALID_MESSAGE, "A subscribe message must have an id")
        try:
            params = parse_params(message.get("payload"))
        except BadRequest as error:
            self._api.outcomes.note_code(Code.BAD_REQUEST)
            raise _Close(INVALID_MESSAGE, str(error)) from None
        if id_ in self._operations:
            raise _Close(SUBSCRIBER_EXISTS, f"Subscriber for {id_[:64]} already exists")
        if len(self._operations) >= self._api.engine.limits.subscriptions:
            text = f"At most {self._api.engine.limits.subscriptions} operations may be open on one connection."
            self._api.outcomes.note_code(Code.LIMIT)
            await self._send({"id": id_, "type": "error", "payload": [refusal(text, Code.LIMIT)]})
            return
        span = operation_span(request_state(self._scope), "graphql", NO_ATTRIBUTES)
        run = self._execute(id_, params) if span is None else self._run(id_, params, span)
        self._operations[id_] = asyncio.create_task(run, name="graphql operation")

    def _stop(self, message: dict[str, Any]) -> None:
        id_ = message.get("id")
        if not isinstance(id_, str):
            raise _Close(INVALID_MESSAGE, "A complete message must have an id")
        task = self._operations.pop(id_, None)
        if task is not None:
            task.cancel()

    async def _run(self, id_: str, params: Params, span: Span) -> None:
        """Execute one operation in a span of its own."""
        with ending(span):
            await self._execute(id_, params, span)

    async def _execute(self, id_: str, params: Params, span: Span | None = None) -> None:
        """Execute one operation until its `complete` or `error`; its errors do not end the socket."""
        try:
            final: dict[str, Any] | None = None
            try:
                before = b'{"id":%s,"type":"next","payload":' % orjson.dumps(id_)
                begun = await self._begin(params, span)
                del params, span  # the text of the document among them
                if isinstance(begun, Responses):
                    await self._send_texts([b"%s%s}" % (before, text) for text in begun.texts])
                else:
                    try:
                        async for responses in begun:
                            self._api.outcomes.note_events(responses.texts)
                            await self._send_texts([b"%s%s}" % (before, text) for text in responses.texts])
                            del responses
                    finally:
                        await begun.aclose()
            except NotExecuted as error:
                self._api.outcomes.note(orjson.dumps(error.answer))
                final = {"id": id_, "type": "error", "payload": error.answer["errors"]}
            except Refusal as error:
                self._api.outcomes.note_code(code_of(error))
                final = {"id": id_, "type": "error", "payload": [error_of(error)]}
            self._operations.pop(id_, None)
            await self._send(final or {"id": id_, "type": "complete"})
        except _Close as close:
            await self._close(close)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            await self._close(_Close(TRY_AGAIN_LATER, "Too slow"))

    async def _begin(self, params: Params, span: Span | None) -> Responses | Subscribed:
        """The response of an operation, or a subscription that has begun and has to be closed."""
        engine = self._api.engine
        scope = self._scope
        viewer = await self._authenticate(self._token or "")
        prepared = engine.prepare(
            params.query,
            params.operation_name,
            sha256=params.sha256,
            document_id=params.document_id,
            viewer=viewer,
        )
        if span is not None:
            span.rename(prepared.type.value)
            span.set({OPERATION_TYPE: prepared.type.value})
        keyed = keyed_request(params.idempotency_key, prepared, params)
        rate_limit = request_state(scope).rate_limit
        context = context_of(scope["state"], viewer, rate_limit=rate_limit, keyed_request=keyed)
        if prepared.type is not OperationType.SUBSCRIPTION:
            only = Responses.of(await engine.run(prepared, params.variables, context))
            self._api.outcomes.note(*only.texts)
            return only
        begun = await engine.listen(prepared, params.variables, context)
        self._api.outcomes.note_ok()
        if span is not None:
            span.end()
        return begun

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_texts([orjson.dumps(message)])

    async def _send_texts(self, texts: Sequence[bytes]) -> None:
        """Send messages, together where the server can: each alone costs a system call."""
        async with asyncio.timeout(SEND_S), self._sending:
            if self._write is None:
                raise WebSocketDisconnect(CLOSED)
            try:
                if TEXTS in self._scope.get("extensions", ()):
                    await self._write({"type": "websocket.send", TEXTS: texts})
                    return
                for text in texts:
                    await self._write({"type": "websocket.send", "text": text.decode()})
            except OSError:  # as servers say that the client has left
                raise WebSocketDisconnect(CLOSED) from None


def _payload_of(message: dict[str, Any]) -> dict[str, Any]:
    return {"payload": message["payload"]} if message.get("payload") is not None else {}


def _token_of(payload: dict[str, Any]) -> str | None:
    """The token in the payload of `connection_init`, in the forms that clients send; None if it has none.

    `{"authorization": "Bearer …"}`, the same inside of `headers`, `{"token": "…"}` or `{"authToken": "…"}`; names in
    any case, a token with or without `Bearer`. "", which no token is, for another scheme of authorization.
    """
    headers = payload.get("headers")
    named = {name.lower(): value for name, value in payload.items() if isinstance(value, str)}
    if isinstance(headers, dict):
        named |= {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    if "authorization" in named:
        return bearer_text(named["authorization"].encode("utf-8", "replace"))
    token = named.get("token", named.get("authtoken"))
    if token is None:
        return None
    scheme, space, text = token.partition(" ")
    return text if space and scheme.lower() == "bearer" else token
