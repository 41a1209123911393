"""The proxy of the tests cuts where it says: what reached the server is there, and the client does not learn it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.databases.postgres import PostgresServer
from tests.support.databases.tcp_proxy import Fate, TcpProxy, proxied

LOST = (asyncpg.PostgresConnectionError, OSError)


@pytest.fixture
async def proxy(postgres: PostgresServer) -> AsyncIterator[TcpProxy]:
    """A proxy before a database with a table."""
    url = postgres.url("postgres")
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE IF EXISTS harbour; CREATE TABLE harbour (name text)")
    await connection.close()
    with proxied(url, table="harbour") as proxy:
        yield proxy


async def names(postgres: PostgresServer) -> list[str]:
    """What the table holds, past the proxy."""
    connection = await asyncpg.connect(postgres.url("postgres"))
    try:
        return [row["name"] for row in await connection.fetch("SELECT name FROM harbour ORDER BY name")]
    finally:
        await connection.close()


async def test_a_cut_before_the_commit_stores_nothing_and_one_after_it_stores(
    postgres: PostgresServer, proxy: TcpProxy
) -> None:
    """The same for a transaction and for a statement of its own; commits of other tables do not count."""
    insert = "INSERT INTO harbour VALUES ($1)"
    proxy.decide([None, None, Fate.CUT_BEFORE, Fate.CUT_AFTER, Fate.CUT_BEFORE, Fate.CUT_AFTER])
    url = proxy.url(postgres.url("postgres"))
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TEMPORARY TABLE other (name text)")
    await connection.execute("INSERT INTO other VALUES ($1)", "x")
    await connection.execute(insert, "alone")
    async with connection.transaction():
        await connection.execute(insert, "in a transaction")

    for name in ("before", "after"):
        with pytest.raises(LOST):
            async with connection.transaction():
                await connection.execute(insert, f"{name} in a transaction")
        connection = await asyncpg.connect(url)
    for name in ("before", "after"):
        with pytest.raises(LOST):
            await connection.execute(insert, f"{name} alone")
        connection = await asyncpg.connect(url)
    await connection.close()

    assert await names(postgres) == ["after alone", "after in a transaction", "alone", "in a transaction"]
    assert (proxy.commits, proxy.cuts) == (6, 4)


async def test_silence_a_black_hole_and_a_reset_are_what_they_say(postgres: PostgresServer, proxy: TcpProxy) -> None:
    url = proxy.url(postgres.url("postgres"))
    connection = await asyncpg.connect(url, command_timeout=0.5)
    proxy.hold()
    with pytest.raises(TimeoutError):
        await connection.fetch("SELECT 1")
    proxy.release()
    proxy.cut(reset=True)
    with pytest.raises((*LOST, asyncpg.InterfaceError)):
        await connection.fetch("SELECT 1")
    connection = await asyncpg.connect(url, command_timeout=0.5)
    proxy.decide([Fate.SILENCE])

    with pytest.raises(TimeoutError):
        await connection.execute("INSERT INTO harbour VALUES ('silent')")

    connection.terminate()
    assert await names(postgres) == ["silent"]
