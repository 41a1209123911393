"""What an operator reads of a bad day: one line for each thing that went, and one for its return, from all workers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

import httpx
import pytest

from tests.support.databases.redis_server import RedisServer, redis_binary
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.figures import FULL
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.processes import children, until
from tests.web.metrics.test_metrics import until_so_many_serve

LIST = "/api/backup-destinations"
AT_ONCE = 8
CASES = [("sqlite", 1), ("postgresql", 2), *([("sqlite", 2), ("postgresql", 1)] if FULL else [])]


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    """A PostgreSQL that these tests stop."""
    with own_postgres() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer | None]:
    """A Redis that these tests stop; None where there is none for this Python."""
    binary = redis_binary()
    if binary is None:
        yield None
        return
    server = RedisServer(binary).start()
    yield server
    server.stop()


async def statuses(account: Account) -> set[int]:
    """Of requests over connections that every worker has some of."""
    found: set[int] = set()

    async def ask() -> None:
        async with account.client(Connection="close") as client:
            found.add((await client.get(LIST)).status_code)

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return found


async def until_all_are(account: Account, status: int) -> None:
    """Wait until every worker answers so, and has for a while."""
    async with asyncio.timeout(60):
        for _ in range(3):
            while await statuses(account) != {status}:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)


@contextmanager
def database_away(gateway: Gateway, server: StoppablePostgres) -> Iterator[tuple[str, str]]:
    """Take the database away in the block; gives what the line of its beginning and that of its end say."""
    if gateway.address.path is None:
        server.halt()
        try:
            yield "The database does not answer: ", "The database answers again, after "
        finally:
            server.resume()
        return
    path = gateway.address.path
    aside = path.with_suffix(".aside")
    path.rename(aside)
    try:
        yield f"The database file {path} went away", f"The database file {path} is back, after "
    finally:
        aside.rename(path)


@asynccontextmanager
async def one_line_each(gateway: Gateway, begins: str, ends: str) -> AsyncIterator[None]:
    """What happens in the block is one line of the log, and its end is one after it."""
    yield
    await until(lambda: ends in gateway.log_text())
    await asyncio.sleep(0)
    log = gateway.log_text()
    assert (log.count(begins), log.count(ends)) == (1, 1), log


@pytest.mark.parametrize(("engine", "workers"), CASES)
async def test_what_goes_and_comes_back_is_one_line_each(
    engine: str, workers: int, server: StoppablePostgres, redis: RedisServer | None
) -> None:
    """A killed worker, the database and Redis, one after the other."""
    url = None
    if engine == "postgresql":
        name = f"lines_{uuid4().hex}"
        server.create_database(name)
        url = server.url(name)
    limits = {"rate_limit": "100000/minute", "rate_limit_storage": "memory://" if redis is None else redis.url}
    gateway = Gateway(url, workers=workers, **limits)
    await asyncio.to_thread(gateway.start)
    try:
        await until_so_many_serve(gateway, workers)
        account = await gateway.new_user()
        await until_all_are(account, httpx.codes.OK)

        before = children(gateway.pid)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: before[0] not in children(gateway.pid) and len(children(gateway.pid)) == workers)
        await until_so_many_serve(gateway, workers)
        assert gateway.log_text().count(f"Worker {before[0]} has ended: signal SIGKILL.") == 1

        with database_away(gateway, server) as (begins, ends):
            await until_all_are(account, httpx.codes.SERVICE_UNAVAILABLE)
        async with one_line_each(gateway, begins, ends):
            await until_all_are(account, httpx.codes.OK)

        if redis is None:
            return
        redis.send(signal.SIGSTOP)
        await until_all_are(account, httpx.codes.OK)
        await until(lambda: "The rate limits cannot be counted" in gateway.log_text())
        redis.send(signal.SIGCONT)
        async with one_line_each(gateway, "The rate limits cannot be counted: ", "The rate limits are counted again, "):
            while "The rate limits are counted again" not in gateway.log_text():
                await until_all_are(account, httpx.codes.OK)
    finally:
        await asyncio.to_thread(gateway.close)
