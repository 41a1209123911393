"""Clients that leave, or never start: the gateway listens to nobody for them."""

from __future__ import annotations

import orjson
import pytest

from models.accounts.token_usage import TokenUsage
from models.accounts.viewer import Protocol
from models.audit.trail import AuditTrail
from models.reads.reads import Reads
from schema.execution.engine import Engine
from schema.limits import Limits
from schema.transport import sse
from schema.transport import websocket as transport
from schema.transport.outcomes import Outcomes
from schema.transport.websocket import GraphQLSocket
from tests.support.api.destinations import events_of
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.in_process import Connection, readers_of, running
from web.auth.authenticator import Authenticator
from web.rate_limit.limiter import Limiter

LISTEN = "subscription { backupDestinationEvents { __typename } }"
FROM_THE_START = 'subscription {{ backupDestinationEvents(after: "BackupDestinationEvent:{}") {{ __typename }} }}'
PROTOCOL = "graphql-transport-ws"
STREAM = {"accept": "text/event-stream", "content-type": "application/json"}


@pytest.fixture
async def account(gateway: Gateway) -> Account:
    """Somebody who may do everything."""
    return await gateway.new_user()


async def something_happened(account: Account) -> str:
    """Store two events; returns the subscription that begins after the first of them."""
    for _ in range(2):
        await account.create("local")
    first, _ = await events_of(account.gateway, account.user_id)
    return FROM_THE_START.format(first["id"])


async def test_a_stream_that_is_left_ends_its_subscription(account: Account) -> None:
    """The gateway stops reading events for it, at once."""
    async with running(account.gateway) as (open_connection, streams):
        connection = open_connection("http", account.token, STREAM, method="POST", scheme="http")
        connection.put("http.request", body=orjson.dumps({"query": LISTEN}), more_body=False)
        assert (await connection.take("http.response.start"))["status"] == 200
        await readers_of(streams, 1)

        connection.put("http.disconnect")

        await connection.ended()
        await readers_of(streams, 0)


async def test_a_stream_that_is_not_read_is_cut_off(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer does not wait for it, and nothing is kept for it."""
    monkeypatch.setattr(sse, "SEND_S", 0.5)
    query = await something_happened(account)
    async with running(account.gateway) as (open_connection, streams):
        connection = open_connection("http", account.token, STREAM, method="POST", scheme="http", unread=1)
        connection.put("http.request", body=orjson.dumps({"query": query}), more_body=False)
        await readers_of(streams, 1)

        await connection.ended()
        await readers_of(streams, 0)


async def test_a_socket_that_is_not_read_is_closed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subscriptions end first; the reason follows as soon as it reads again."""
    monkeypatch.setattr(transport, "SEND_S", 0.5)
    query = await something_happened(account)
    async with running(account.gateway) as (open_connection, streams):
        connection = open_connection("websocket", account.token, {}, scheme="ws", subprotocols=[PROTOCOL], unread=2)
        connection.put("websocket.connect")
        connection.put("websocket.receive", text='{"type": "connection_init"}')
        message = {"type": "subscribe", "id": "1", "payload": {"query": query}}
        connection.put("websocket.receive", text=orjson.dumps(message).decode())
        await readers_of(streams, 1)

        await readers_of(streams, 0)
        await connection.take("websocket.accept")
        await connection.take("websocket.send")
        assert (await connection.take("websocket.close"))["code"] == transport.TRY_AGAIN_LATER
        connection.put("websocket.disconnect", code=1013)
        await connection.ended()


async def test_a_socket_that_closes_ends_its_subscriptions(account: Account) -> None:
    """The gateway stops reading events for it, at once."""
    async with running(account.gateway) as (open_connection, streams):
        connection = open_connection("websocket", account.token, {}, scheme="ws", subprotocols=[PROTOCOL])
        connection.put("websocket.connect")
        await connection.take("websocket.accept")
        connection.put("websocket.receive", text='{"type": "connection_init"}')
        await connection.take("websocket.send")
        for number in range(3):
            message = {"type": "subscribe", "id": f"{number}", "payload": {"query": LISTEN}}
            connection.put("websocket.receive", text=orjson.dumps(message).decode())
        await readers_of(streams, 3)
        connection.put("websocket.receive", text='{"type": "complete", "id": "1"}')
        await readers_of(streams, 2)

        connection.put("websocket.disconnect", code=1001)

        await connection.ended()
        await readers_of(streams, 0)


@pytest.mark.parametrize("said", [[], ['{"type": "ping"}', '{"type": "pong"}']], ids=["nothing", "only pings"])
async def test_a_socket_on_which_nothing_starts_is_closed(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; pings do not put it off."""
    monkeypatch.setattr(transport, "INIT_S", 0.05)
    off, trail = Limiter(None, None), AuditTrail()
    authenticator = Authenticator(
        protocol=Protocol.GRAPHQL, failures=off, requests=off, usage=TokenUsage(trail), reads=Reads(), trail=trail
    )
    view = GraphQLSocket(Engine(Limits()), authenticator, Outcomes())
    connection = Connection(view, {"type": "websocket", "path": "/graphql", "headers": [], "subprotocols": [PROTOCOL]})
    connection.put("websocket.connect")
    assert (await connection.take("websocket.accept"))["subprotocol"] == PROTOCOL
    for text in said:
        connection.put("websocket.receive", text=text)
    for _ in range(sum("ping" in text for text in said)):
        await connection.take("websocket.send")

    assert (await connection.take("websocket.close"))["code"] == 4408
    await connection.ended()
