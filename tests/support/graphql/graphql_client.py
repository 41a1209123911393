"""Asks GraphQL the way a client does: over HTTP, and subscriptions over WebSocket or server-sent events."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.support.gateway.gateway import Account

PATH = "/graphql"
ANSWER_DEADLINE_S = 60.0
# Nothing here speaks TLS, and to load the machine's certificates takes longer than most tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Answer = dict[str, Any]


class Ended(Exception):
    """A subscription is over: no answer will come any more."""


class Listener:
    """An open subscription; every answer is taken from it once."""

    def __init__(self, answers: AsyncGenerator[Answer, None]) -> None:
        self._answers = answers
        self._awaited: asyncio.Task[Answer] | None = None

    async def answer(self, deadline_s: float = ANSWER_DEADLINE_S) -> Answer:
        """The next answer, `data` or `errors`; raises `Ended` behind the last, TimeoutError when none comes yet."""
        if self._awaited is None:
            self._awaited = asyncio.create_task(self._next())
        done, _ = await asyncio.wait((self._awaited,), timeout=deadline_s)
        if not done:
            raise TimeoutError
        awaited, self._awaited = self._awaited, None
        return awaited.result()

    async def _next(self) -> Answer:
        try:
            return await anext(self._answers)
        except StopAsyncIteration:
            raise Ended from None

    async def close(self) -> None:
        """Await nothing any more."""
        if self._awaited is not None:
            self._awaited.cancel()
            await asyncio.wait((self._awaited,))
        await self._answers.aclose()

    async def events(self, count: int, deadline_s: float = ANSWER_DEADLINE_S) -> list[dict[str, Any]]:
        """The next events, that many; whoever waits for them in vain has to give up the subscription."""
        answers = [] if self._awaited is None else [await self.answer(deadline_s)]
        async with asyncio.timeout(deadline_s):
            while len(answers) < count:
                answers.append(await self._next())
        assert [answer for answer in answers if "errors" in answer] == []
        return [answer["data"]["backupDestinationEvents"] for answer in answers]


Listen = Callable[..., AbstractAsyncContextManager[Listener]]


def http_client(account: Account, token: str | None = None) -> httpx.AsyncClient:
    """An HTTP client that carries the account's token, or another."""
    headers = {"authorization": f"Bearer {token or account.token}"}
    return httpx.AsyncClient(timeout=60, base_url=account.gateway.url, headers=headers, verify=NO_TLS)


async def post(client: httpx.AsyncClient, query: str, variables: Mapping[str, Any] | None = None) -> Answer:
    """The answer to a query or a mutation, errors and all."""
    answer = await client.post(PATH, json={"query": query, "variables": variables or {}})
    assert answer.headers["content-type"] == "application/json; charset=utf-8", answer.text
    body: Answer = answer.json()
    return body


async def ask(
    account: Account, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
) -> Answer:
    """The same on a connection of its own."""
    async with http_client(account, token) as client:
        return await post(client, query, variables)


async def data_of(account: Account, query: str, variables: Mapping[str, Any] | None = None) -> Any:
    """The data of an answer without errors."""
    answer = await ask(account, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]


def code_of(answer: Answer) -> str:
    """`extensions.code` of the one error of an answer."""
    (error,) = answer["errors"]
    code: str = error["extensions"]["code"]
    return code


@asynccontextmanager
async def listen_on_socket(
    client: httpx.AsyncClient, query: str, variables: Mapping[str, Any] | None = None
) -> AsyncIterator[Listener]:
    """A subscription on a WebSocket of its own, to where a client asks and with its token."""
    url = str(client.base_url.copy_with(scheme="ws", path=PATH))
    protocols = [Subprotocol("graphql-transport-ws")]
    # Who leaves in the middle of a queue does not wait for the end of it.
    async with connect(url, subprotocols=protocols, max_queue=16, close_timeout=0.3) as socket:
        init = {"Authorization": client.headers["authorization"]}
        await socket.send(json.dumps({"type": "connection_init", "payload": init}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        payload = {"query": query, "variables": variables or {}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))

        async def answers() -> AsyncGenerator[Answer, None]:
            async for text in socket:
                message = json.loads(text)
                assert message["id"] == "1"
                if message["type"] == "next":
                    yield message["payload"]
                    continue
                if message["type"] == "error":
                    yield {"errors": message["payload"]}
                return

        async with _closed_at_the_end(Listener(answers())) as listener:
            yield listener


@asynccontextmanager
async def listen_on_sse(
    client: httpx.AsyncClient, query: str, variables: Mapping[str, Any] | None = None
) -> AsyncIterator[Listener]:
    """A subscription as server-sent events."""
    headers = {"accept": "text/event-stream"}
    body = {"query": query, "variables": variables or {}}
    async with client.stream("POST", PATH, json=body, headers=headers) as response:
        assert response.status_code == httpx.codes.OK
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"

        async def answers() -> AsyncGenerator[Answer, None]:
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "complete":
                    return
                elif name == "data":
                    yield json.loads(value)

        async with _closed_at_the_end(Listener(answers())) as listener:
            yield listener


@asynccontextmanager
async def over_socket(
    account: Account, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
) -> AsyncIterator[Listener]:
    """An account's subscription on a WebSocket."""
    async with http_client(account, token) as client, listen_on_socket(client, query, variables) as listener:
        yield listener


@asynccontextmanager
async def over_sse(
    account: Account, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
) -> AsyncIterator[Listener]:
    """An account's subscription as server-sent events."""
    async with http_client(account, token) as client, listen_on_sse(client, query, variables) as listener:
        yield listener


LISTENS: Mapping[str, Listen] = {"WebSocket": over_socket, "SSE": over_sse}


@asynccontextmanager
async def _closed_at_the_end(listener: Listener) -> AsyncIterator[Listener]:
    try:
        yield listener
    finally:
        await listener.close()
