"""Secrets on WebSockets, in streams, in URLs and in multipart bodies of the GraphQL API; most of them are refused."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from tests.support.gateway.gateway import Account
from tests.support.graphql.graphql_documents import CREATE, TEST, draft
from tests.support.secrecy.canary import Canaries
from tests.support.secrecy.canary_requests import JSON, Shot

PROTOCOL = "graphql-transport-ws"
WAIT_S = 10.0
_EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What is sent on one WebSocket; `token` is for `connection_init`, which comes first unless it is None."""

    messages: Sequence[str | bytes] = ()
    token: str | None = None
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    subprotocol: str = PROTOCOL
    reason: str = ""
    """Of the close frame at the end."""


def conversations(new: Callable[[], str], token: str) -> Iterator[Conversation]:
    """All of them, each with canaries of its own."""
    number = token.partition("|")[0]
    for scheme in ("Bearer ", f"Bearer {number}|", "Basic ", "bearer mrg_", ""):
        yield Conversation(headers={"Authorization": f"{scheme}{new()}"}, messages=[_message("connection_init")])
        basic = base64.b64encode(new().encode()).decode()
        yield Conversation(headers={"Authorization": f"Basic {basic}"}, messages=[_message("connection_init")])
    for name in ("Cookie", "Origin", "X-Request-Id", "Sec-WebSocket-Extensions", "Host"):
        yield Conversation(headers={name: new()}, token=token)
    for name in ("token", "authorization", "access_token", "query"):
        yield Conversation(query=urlencode({name: new()}), token=token)
        yield Conversation(query=urlencode({name: f"Bearer {new()}"}), headers={"Host": "elsewhere"})
    yield Conversation(subprotocol=quote(new(), safe=""))
    payloads: list[object] = [
        {"authorization": f"Bearer {new()}"},
        {"Authorization": new()},
        {"headers": {"Authorization": f"Bearer {number}|{new()}"}},
        {"token": new()},
        {"authToken": f"Bearer {new()}"},
        {"token": f"{number}|mrg_{new()}"},
        {new(): new()},
        {"authorization": {"Bearer": new()}},
        new(),
        [new()],
    ]
    for payload in payloads:
        yield Conversation(messages=[_message("connection_init", payload=payload)])
    keys = {"accessKey": new(), "secretKey": new()}
    given = draft("customS3", endpoint="https://s3.example.com", credentials=keys)
    asked: list[object] = [
        {"query": CREATE, "variables": {"input": given}},
        {"query": TEST, "variables": {"input": new()}},
        {"query": TEST, "variables": {new(): new()}},
        {"query": CREATE, "variables": {"input": {**given, "label": [new()]}}},
        {"query": f'{{ backupDestination(id: "{new()}") {{ id }} }}'},
        {"query": f'mutation {{ x(secret: "{new()}") }}'},
        {"query": f'{{ viewer(a: """{new()}""") '},
        {"query": f'subscription {{ backupDestinationEvents(after: "{new()}") {{ id }} }}'},
        {"query": "{ viewer { id } }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": new()}}},
        {"query": {"secret": new()}},
        {"variables": new()},
        new(),
    ]
    yield Conversation(token=token, messages=[_subscribe(str(n), payload) for n, payload in enumerate(asked[:-4])])
    for payload in asked[-4:]:
        yield Conversation(token=token, messages=[_subscribe("x", payload)])
    broken: list[str | bytes] = [
        new(),
        new().encode(),
        json.dumps({"type": new()}),
        json.dumps({"type": "ping", "payload": {"secret": [new()]}})[:-1],
        json.dumps([new()]),
        json.dumps({"type": "subscribe", "payload": new()}),
        json.dumps({"type": "complete", "secret": new()}),
        f'{{"type": "ping", "type": "{new()}"}}',
        new() * 30_000,
    ]
    for message in broken:
        yield Conversation(token=token, messages=[message])
        yield Conversation(messages=[message])
    yield Conversation(token=token, reason=new())


def stream_shots(new: Callable[[], str]) -> Iterator[Shot]:
    """Requests over HTTP: documents and variables in URLs, streams, and multipart bodies."""
    keys = {"accessKey": new(), "secretKey": new()}
    given = draft("customS3", endpoint="https://s3.example.com", credentials=keys)
    documents: list[dict[str, Any]] = [
        {"query": TEST, "variables": {"input": new()}},
        {"query": f'{{ backupDestination(id: "{new()}") {{ id }} }}'},
        {"query": f'{{ viewer(secret: "{new()}") {{ id }} }}'},
        {"query": new(), "operationName": new()},
        {"query": CREATE, "variables": {"input": {**given, "label": {"secret": new()}}}},
        {"query": CREATE, "variables": {"input": given}},
    ]
    for accept in (_EVENTS, JSON):
        for document in documents:
            body = json.dumps(document).encode()
            yield Shot(method="POST", path="/graphql", body=body, headers={"Content-Type": JSON, "Accept": accept})
            texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}
            yield Shot(method="GET", path=f"/graphql?{urlencode(texts)}", headers={"Accept": accept})
        parts = (("operations", json.dumps(documents[-1])), ("map", json.dumps({"0": [new()]})), ("0", new()))
        form = "".join(
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts
        )
        kind = {"Content-Type": f"multipart/form-data; boundary={quote(new(), safe='')}", "Accept": accept}
        yield Shot(method="POST", path="/graphql", body=f"{form}--x--\r\n".encode(), headers=kind)
        kind = {"Content-Type": "multipart/form-data; boundary=x", "Accept": accept}
        yield Shot(method="POST", path="/graphql", body=f"{form}--x--\r\n".encode(), headers=kind)
    yield Shot(method="GET", path=f"/graphql?query={{__typename}}&token={quote(new())}", headers={"Accept": JSON})
    yield Shot(method="GET", path=f"/graphql?{quote(new())}", headers={"Accept": "text/html"})


async def converse(account: Account, canaries: Canaries) -> list[bytes]:
    """Everything that is answered on the WebSockets, the reasons of closed ones included."""
    turns = asyncio.Semaphore(4)

    async def take_turn(conversation: Conversation) -> bytes:
        async with turns:
            return await _hold(account, conversation)

    return await asyncio.gather(*map(take_turn, conversations(canaries.new, account.full_token)))


async def _hold(account: Account, conversation: Conversation) -> bytes:
    """What is answered in one conversation."""
    url = f"ws://{account.gateway.host}:{account.gateway.port}/graphql?{conversation.query}"
    try:
        async with asyncio.timeout(WAIT_S):
            socket = await connect(
                url,
                additional_headers=dict(conversation.headers),
                subprotocols=[Subprotocol(conversation.subprotocol)],
                proxy=None,
            )
    except (InvalidHandshake, InvalidMessage, ConnectionError) as error:
        return repr(error).encode()
    found: list[bytes] = []
    try:
        messages = list(conversation.messages)
        if conversation.token is not None:
            messages.insert(0, _message("connection_init", payload={"token": conversation.token}))
        for message in messages:
            await socket.send(message)
        await socket.send(_message("ping", payload={"last": True}))
        await _read(socket, found, operations=sum('"subscribe"' in str(message) for message in messages))
        await socket.close(reason=conversation.reason)
    except ConnectionClosed as closed:
        found.append(str(closed.rcvd).encode())
    finally:
        await socket.close()
    return b"\n".join(found)


async def _read(socket: ClientConnection, found: list[bytes], *, operations: int) -> None:
    """Keep what comes, up to the answer to the last ping and the ends of all operations."""
    has_ponged = False
    async with asyncio.timeout(WAIT_S):
        async for message in socket:
            found.append(message.encode() if isinstance(message, str) else message)
            has_ponged |= b'"last"' in found[-1]
            operations -= re.search(rb'"type":"(complete|error)"', found[-1]) is not None
            if has_ponged and operations <= 0:
                return
    found.append(f"{socket.close_code} {socket.close_reason}".encode())


def _message(type_: str, **others: Any) -> str:
    return json.dumps({"type": type_, **others})


def _subscribe(id_: str, payload: object) -> str:
    return _message("subscribe", id=id_, payload=payload)
