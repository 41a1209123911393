"""Puts hostile operations, requests and conversations on the wire, and says what is wrong with what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from schema.errors import Code
from tests.hostile.operations.case import Conversation, Operation, Request
from tests.hostile.rest.wire import Answer, NoAnswerError, exchange
from tests.support.gateway.gateway import Account, Gateway
from tests.support.stopwatch import Stopwatch

DEADLINE_S = 2.0
MAX_ANSWER_BYTES = 100_000
GRAPHQL, JSON = "application/graphql-response+json", "application/json"
ALIVE = orjson.dumps({"query": "{ __typename }"})


def written(gateway: Gateway, request: Request, token: str) -> bytes:
    """A request as bytes, with Host, Content-Length and the token where it does not set its own."""
    names = {name.lower() for name, _ in request.headers}
    head = [f"{request.method} {request.target} HTTP/1.1", f"Host: {gateway.host}:{gateway.port}", "Connection: close"]
    head += [f"{name}: {value}" for name, value in request.headers]
    head += [f"Authorization: Bearer {token}"] if request.with_token else []
    head += [] if "transfer-encoding" in names else [f"Content-Length: {len(request.body)}"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + request.body


async def play_operation(account: Account, operation: Operation) -> list[str]:
    """Send an operation in a good request, and judge the answer."""
    headers = (("Content-Type", JSON), ("Accept", GRAPHQL))
    body = json.dumps(operation.body).encode()
    status = 200 if operation.executed else 400
    request = Request(name=operation.name, headers=headers, body=body, status=status, code=operation.code)
    found = await play_request(account, request)
    return found + await _is_alive(account)


async def play_request(account: Account, request: Request) -> list[str]:
    """Send a request, and judge the answer."""
    gateway, watch = account.gateway, Stopwatch(account.gateway.worker_pid)
    try:
        answer = await exchange(gateway.host, gateway.port, written(gateway, request, account.token))
    except NoAnswerError as error:
        return [f"{request.name}: {error}"]
    took_s = watch.seconds
    return [f"{request.name}: {complaint}" for complaint in _complaints(request, answer, took_s)]


def _complaints(request: Request, answer: Answer, took_s: float) -> Iterable[str]:
    if answer.status != request.status:
        yield f"{answer.status} instead of {request.status}: {answer.body[:200]!r}"
    if took_s > DEADLINE_S:
        yield f"took {took_s:.1f} s"
    if len(answer.body) > MAX_ANSWER_BYTES:
        yield f"answers with {len(answer.body)} bytes"
    if any(secret in answer.text for secret in request.canaries):
        yield "tells the secret"
    if request.code is not None:
        yield from _wrong_errors(answer, request.code, executed=request.status == 200)


def _wrong_errors(answer: Answer, code: Code, *, executed: bool) -> Iterable[str]:
    if answer.header("content-type").partition(";")[0] not in (GRAPHQL, JSON):
        yield f"answers as {answer.header('content-type')}"
        return
    body: dict[str, Any] = orjson.loads(answer.body)
    codes = {error.get("extensions", {}).get("code") for error in body.get("errors", ())}
    if codes != {code}:
        yield f"refuses with {sorted(map(str, codes))} instead of {code}: {answer.body[:200]!r}"
    if ("data" in body) is not executed:
        yield f"has{'' if executed else ' no business with'} data"


async def play_conversation(account: Account, conversation: Conversation) -> list[str]:
    """Hold a conversation, and judge how it ends."""
    url = account.gateway.url.replace("http", "ws", 1) + "/graphql"
    subprotocols = [Subprotocol(name) for name in conversation.subprotocols] or None
    watch = Stopwatch(account.gateway.worker_pid)
    async with connect(url, subprotocols=subprotocols, max_queue=256) as socket:
        try:
            async with asyncio.timeout(20):
                found = await _converse(socket, conversation, account.token)
        except TimeoutError:
            found = ["nothing came back"]
    if (took_s := watch.seconds) > DEADLINE_S:
        found.append(f"took {took_s:.1f} s")
    return [f"{conversation.name}: {complaint}" for complaint in found]


async def _converse(socket: ClientConnection, conversation: Conversation, token: str) -> list[str]:
    told: list[str] = []
    try:
        if conversation.initialised:
            await socket.send(orjson.dumps({"type": "connection_init", "payload": {"token": token}}).decode())
            told.append(str(await socket.recv()))
        for frame in conversation.frames:
            text = frame.replace("%TOKEN%", token) if isinstance(frame, str) else frame
            await socket.send(text, text=True if conversation.as_text else None)
        error, closed = (await _message_of(socket, "error", "x", told))["payload"], None
        await socket.send('{"type": "ping"}')
        await _message_of(socket, "pong", None, told)
    except ConnectionClosed as end:
        error, closed = None, end.rcvd.code if end.rcvd is not None else 0
    found = [] if closed == conversation.closes else [f"closes with {closed} instead of {conversation.closes}"]
    codes = None if error is None else {entry["extensions"]["code"] for entry in error}
    if codes != (None if conversation.code is None else {conversation.code}):
        found.append(f"errs with {codes} instead of {conversation.code}")
    text = "".join(told)
    found += ["tells the secret"] if any(secret in text for secret in conversation.canaries) else []
    return found + (["answers at length"] if len(text) > MAX_ANSWER_BYTES else [])


async def _message_of(socket: ClientConnection, type_: str, id_: str | None, told: list[str]) -> dict[str, Any]:
    """The next message of that type, for that operation; those before it are noted too."""
    while True:
        told.append(str(await socket.recv()))
        message: dict[str, Any] = orjson.loads(told[-1])
        if (message["type"], message.get("id")) == (type_, id_):
            return message


async def _is_alive(account: Account) -> list[str]:
    request = Request(name="a good request afterwards", body=ALIVE, status=200, code=None)
    return await play_request(account, request)
