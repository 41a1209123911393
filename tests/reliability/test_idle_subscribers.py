"""What an open stream of events takes of a worker's memory while nothing happens."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import orjson
import pytest

from benchmarks.contenders import Transport
from benchmarks.dialects import Caller
from benchmarks.listeners import Listener, listener
from models.accounts.bearer import digest_of, new_secret
from schema.transport.sse import KEEP_ALIVE_S
from tests.support.figures import FULL, amount
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import Figure, resident_bytes

STREAMS = amount(300, 1_000)
WARM = 60
"""Opened before anything is measured."""
MAX_BYTES = 17_000 if FULL else 25_000
"""Of each; the fewer there are, the more of the collector's young generation is counted with each."""
DEADLINE_S = 30.0
SETTLE_S = 2.0 if FULL else 0.5
LISTEN = "subscription { backupDestinationEvents { id ... on BackupDestinationUpdated { changedFields } } }"
SINCE = "2024-08-07 00:00:00+00:00"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway of its own, whose memory no other test has filled, with room for as many clients at one address."""
    gateway = Gateway(
        max_address_connections="5000",
        max_connections="6000",
        graphql_max_user_subscriptions="5000",
        graphql_max_user_sockets="5000",
    )
    gateway.start()
    yield gateway
    gateway.close()


def new_tokens(gateway: Gateway, count: int, *, users: int) -> list[str]:
    """Tokens of so many new users, in turn."""
    tokens = []
    with closing(sqlite3.connect(str(gateway.address.path), timeout=10)) as database, database:
        statement = "INSERT INTO users (email, name, created_at) VALUES (?, 'Test', ?)"
        ids = [database.execute(statement, (f"idle{n}-{users}@example.com", SINCE)).lastrowid for n in range(users)]
        for n in range(count):
            secret = new_secret()
            row = (ids[n % users], digest_of(secret), SINCE)
            token = database.execute(
                "INSERT INTO tokens (user_id, name, digest, abilities, created_at) VALUES (?, 'idle', ?, '*', ?)", row
            )
            tokens.append(f"{token.lastrowid}|{secret}")
    return tokens


async def subscribe(gateway: Gateway, token: str, *, padding: int = 0) -> asyncio.StreamWriter:
    """Open a stream, and wait until its response has begun; `padding` makes the request's body larger."""
    body = orjson.dumps({"query": LISTEN, "extensions": {"padding": "x" * padding}})
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode())
    if padding:
        await asyncio.sleep(0.1)  # the endpoint waits for the body
    writer.write(body)
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return writer


async def begin(gateway: Gateway, token: str, transport: Transport) -> Listener:
    """A subscriber whose subscription has begun."""
    caller = Caller(user_id=0, token=token, total=0, destination_ids=())
    loop = asyncio.get_running_loop()
    _, one = await loop.create_connection(lambda: listener(transport, caller, gateway.port), "127.0.0.1", gateway.port)
    await asyncio.wait_for(one.begun, DEADLINE_S)
    return one


async def open_streams(gateway: Gateway) -> int:
    """How many there are, by the gateway's metrics."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=DEADLINE_S) as client:
        metrics = (await client.get("/metrics")).text
    return int(float(metrics.partition("\nmoorings_streams_open ")[2].partition("\n")[0]))


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("users", [STREAMS, 1] if FULL else [STREAMS])
async def test_an_idle_subscriber_takes_little_memory(
    gateway: Gateway, users: int, transport: Transport, figure: Figure
) -> None:
    """A stream holds its connection and where it is in the events, and none of the layers its request came through."""
    tokens = new_tokens(gateway, STREAMS + WARM, users=users)

    with ExitStack() as streams:
        for token in tokens[:WARM]:
            streams.callback((await begin(gateway, token, transport)).close)
        before = resident_bytes(gateway)
        for token in tokens[WARM:]:
            streams.callback((await begin(gateway, token, transport)).close)
        await asyncio.sleep(SETTLE_S)
        assert await open_streams(gateway) == STREAMS + WARM
        each = (resident_bytes(gateway) - before) / STREAMS

    async with asyncio.timeout(DEADLINE_S):
        while await open_streams(gateway):  # noqa: ASYNC110 - nothing tells when all that have left are noticed
            await asyncio.sleep(0.05)
    figure(f"{STREAMS} idle subscribers over {transport} take {each / 1_000:.1f} kB each, {users} users")
    assert each < MAX_BYTES


async def test_a_client_that_leaves_is_noticed_whatever_it_has_sent(gateway: Gateway) -> None:
    """A large body stops the reading of its connection, and then its end would be noticed by a write alone."""
    (token,) = new_tokens(gateway, 1, users=1)
    writer = await subscribe(gateway, token, padding=100_000)
    assert await open_streams(gateway) == 1

    writer.transport.abort()

    async with asyncio.timeout(KEEP_ALIVE_S / 3):
        while await open_streams(gateway):  # noqa: ASYNC110 - nothing tells when it is noticed
            await asyncio.sleep(0.05)
