"""Idle connections are sound, few, and go back to the pool when unused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from app.database import POOL_SIZE, connections, migrate
from models.accounts.user import User
from models.database import pooled_connections
from models.errors import DatabaseUnavailable
from tests.support.databases.databases import migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

DEADLINE_S = 60.0
PID = "SELECT pg_backend_pid() AS pid"


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated("postgresql", postgres) as gateway:
        yield gateway


@pytest.fixture
async def client(database: Gateway) -> AsyncIterator[Any]:
    """The ORM's client, open."""
    async with database.models():
        yield User._meta.db


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


async def test_one_statement_after_another_has_the_same_connection(client: Any) -> None:
    """And nothing is counted as in use between them."""
    pids = {(await client.fetch(PID))[0]["pid"] for _ in range(20)}

    assert len(pids) == 1
    assert len(client.connections) == 1
    assert connections()["in use"] == 0


async def test_many_statements_at_once_leave_few_idle(client: Any) -> None:
    """The others are the pool's again, and writes find theirs."""
    rows = await asyncio.gather(*(client.fetch("SELECT $1::int AS n, pg_sleep(0.01)", n) for n in range(50)))

    assert [row[0]["n"] for row in rows] == list(range(50))
    assert len(client.connections) <= POOL_SIZE // pooled_connections.PART
    assert connections()["in use"] == 0


async def test_those_that_wait_for_a_connection_are_counted(client: Any) -> None:
    running = [asyncio.create_task(client.fetch("SELECT pg_sleep(0.3)")) for _ in range(POOL_SIZE + 3)]

    await until(lambda: connections()["waiting"] == 3)

    await asyncio.gather(*running)
    assert connections()["waiting"] == 0
    assert connections()["limit"] == POOL_SIZE


async def test_one_that_was_lost_is_not_used_again(client: Any, database: Gateway) -> None:
    pid = (await client.fetch(PID))[0]["pid"]
    lost = client.connections._idle[0]
    await database.rows(f"SELECT pg_terminate_backend({pid})")
    await until(lambda: not pooled_connections._is_open(lost))

    assert (await client.fetch(PID))[0]["pid"] != pid


async def test_one_whose_statement_failed_goes_back_to_the_pool(client: Any) -> None:
    with pytest.raises(DatabaseUnavailable):
        await client.fetch("SELECT pg_terminate_backend(pg_backend_pid())")

    assert len(client.connections) == 0
    assert (await client.fetch(PID))[0]["pid"] > 0


async def test_an_unused_connection_goes_back_to_the_pool(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the pool may close what is idle for long."""
    monkeypatch.setattr(pooled_connections, "KEPT_S", 0.01)
    await client.fetch(PID)

    await until(lambda: len(client.connections) == 0)

    await until(lambda: connections()["in use"] == 0)
    assert (await client.fetch(PID))[0]["pid"] > 0


async def test_a_statement_that_is_called_off_leaves_no_connection_in_use(client: Any) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.fetch("SELECT pg_sleep(5)")

    await until(lambda: connections()["in use"] == 0)
    assert (await client.fetch(PID))[0]["pid"] > 0


async def test_a_pool_of_one_keeps_none_back_from_a_transaction(
    database: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a migration has it, which first asks whether the database answers: it would wait, and then be refused."""
    monkeypatch.setattr(pooled_connections, "KEPT_S", 3_600.0)

    await migrate(database.address)
