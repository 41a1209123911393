"""Clients that do not read what they asked for hold a bounded amount of memory in all, and one that reads is served."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import orjson
import pytest

from tests.hostile.test_connections import abort
from tests.support.databases.many_rows import plant_copies
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.served import Served, serving
from tests.web.fast_path.test_fast_path import JSON, wire

MEBIBYTE = 1_048_576
BOUND = 4 * MEBIBYTE
READERS = 400 if os.environ.get("MOORINGS_FULL") == "1" else 60
PAGE = (
    "{ backupDestinations(first: 100) { edges { node { id label ... on S3CompatibleDestination { bucketName } } } } }"
)


@pytest.fixture(scope="module")
def embedded() -> Iterator[Gateway]:
    """A gateway of these tests' own."""
    gateway = Gateway().start()
    yield gateway
    gateway.close()


@pytest.fixture
async def account(embedded: Gateway) -> Account:
    """A user whose page is large."""
    account = await embedded.new_user()
    await plant_copies(account, 100)
    return account


def asking(account: Account) -> bytes:
    """A request of a large page."""
    return wire("POST", "/graphql", account.token, *JSON, body=orjson.dumps({"query": PAGE}))


async def connected(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose client takes little at a time."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, served.address)
    return await asyncio.open_connection(sock=client, limit=4_096)


async def test_what_clients_do_not_read_is_bounded_over_all_of_them(account: Account) -> None:
    """The bound holds at any time, and a client that reads gets all of its page meanwhile."""
    async with serving(account.gateway, max_buffered_bytes=BOUND, max_address_connections=1_000) as served:
        buffered = served.app.buffered
        assert buffered is not None
        expected = (await served.ask(asking(account))).body
        assert len(expected) > 100_000
        unread, most = [], 0
        try:
            for _ in range(READERS):
                reader, writer = await connected(served)
                reader._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
                unread.append(writer)
                writer.write(asking(account) * 30)
            async with asyncio.timeout(30):
                while most < BOUND // 2:
                    most = max(most, buffered.bytes)
                    await asyncio.sleep(0)
            for _ in range(5):
                assert (await served.ask(asking(account))).body == expected
                most = max(most, buffered.bytes)
        finally:
            for writer in unread:
                await abort(writer)

        assert most <= BOUND
        async with asyncio.timeout(10):
            while len(buffered):  # noqa: ASYNC110 - nothing tells that a connection is gone
                await asyncio.sleep(0.01)


async def test_the_slowest_are_cut_off_first(account: Account) -> None:
    """One that reads on, though slowly, keeps its connection."""
    async with serving(account.gateway, max_buffered_bytes=MEBIBYTE, max_address_connections=1_000) as served:
        expected = (await served.ask(asking(account))).body
        reader, steady = await connected(served)
        steady.write(asking(account) * 40)
        await reader.readuntil(b"\r\n\r\n")
        unread = []
        received = 0
        try:
            for _ in range(30):
                other, writer = await connected(served)
                other._transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own
                unread.append(writer)
                writer.write(asking(account) * 30)
                for _ in range(4):
                    received += len(await reader.read(65_536))
            async with asyncio.timeout(60):
                while received < 39 * len(expected):
                    piece = await reader.read(65_536)
                    assert piece, "it was cut off"
                    received += len(piece)
        finally:
            for writer in (*unread, steady):
                with suppress(ConnectionError):
                    await abort(writer)
