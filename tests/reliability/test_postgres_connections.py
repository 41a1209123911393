"""A PostgreSQL that hangs, gives no more connections, or ends those that are open, as the gateway's clients see it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest

from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.figures import amount
from tests.support.gateway.gateway import Account, Gateway

LIST = "/api/backup-destinations"
OPEN_TO_OTHERS = 12
"""The server's `max_connections`, of which 3 are for superusers."""
PROMISED_S = 5.0
MARGIN_S = 1.5
"""What a machine that runs the whole suite may add."""
HUNG_S = amount(7, 30)
READERS = 12
REQUESTS = amount(60, 600)
KILLS = amount(10, 100)
Figure = Callable[[str], None]


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    """A PostgreSQL of these tests' own, with few connections."""
    with own_postgres(max_connections=str(OPEN_TO_OTHERS)) as server:
        server.create_database("connections")
        server.execute("postgres", "CREATE ROLE gateway LOGIN PASSWORD 'gateway'")
        server.execute("postgres", "ALTER DATABASE connections OWNER TO gateway")
        server.execute("connections", "ALTER SCHEMA public OWNER TO gateway")
        yield server


@pytest.fixture
async def account(server: StoppablePostgres) -> AsyncIterator[Account]:
    """A user of a gateway there, whose role is no superuser."""
    gateway = Gateway(server.url("connections", user="gateway", password="gateway"), rate_limit="off")
    await asyncio.to_thread(gateway.start)
    yield await gateway.new_user()
    await asyncio.to_thread(gateway.close)


async def test_a_postgresql_that_hangs_is_answered_503_in_time_and_then_at_once(
    server: StoppablePostgres, account: Account, figure: Figure
) -> None:
    """Every process of it is stopped; reads that wait for it, and those that come later, are refused."""
    async with account.client() as client:
        paths = [f"{LIST}/{await account.create('local')}", LIST, f"{LIST}?page=2", "/readyz"]
        for path in paths:
            assert (await client.get(path)).status_code == httpx.codes.OK
        with server.frozen():
            latencies: list[float] = []
            began = time.monotonic()

            async def read(path: str) -> None:
                while time.monotonic() < began + HUNG_S:
                    started = time.monotonic()
                    answer = await client.get(path)
                    latencies.append(time.monotonic() - started)
                    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
                    assert int(answer.headers["Retry-After"]) >= 1
                    await asyncio.sleep(0.05)

            await asyncio.gather(*(read(path) for path in paths for _ in range(READERS // 4)))
        async with asyncio.timeout(60):
            while (await client.get("/readyz")).status_code != httpx.codes.OK:  # noqa: ASYNC110 - asked
                await asyncio.sleep(0.05)
        for path in paths:
            assert (await client.get(path)).status_code == httpx.codes.OK

    at_once = sum(latency < 0.2 for latency in latencies)
    figure(f"hung for {HUNG_S} s: 503 after at most {max(latencies):.2f} s, {at_once} of {len(latencies)} at once")
    assert max(latencies) < PROMISED_S + MARGIN_S
    assert len(latencies) > 3 * READERS * HUNG_S / PROMISED_S, "without a pause each would wait for a time-out"
    log = await account.gateway.logged("The database answers again, after ")
    assert log.count("The database does not answer: TimeoutError.") == 1
    assert log.count("The database answers again, after ") == 1
    assert "Traceback" not in log


async def test_the_connections_that_are_left_are_used_when_others_hold_all_the_rest(
    server: StoppablePostgres, account: Account, figure: Figure
) -> None:
    """One connection of the gateway is open, and PostgreSQL gives no other: requests take turns with it."""
    async with account.client() as client, AsyncExitStack() as stack:
        await account.create("local")
        await asyncio.gather(*(client.get(f"{LIST}?page={page}") for page in range(1, 3)))
        await hold_all(server, stack)
        reads = (client.get(f"{LIST}?page={page}") for page in range(REQUESTS))
        writes = (client.post(LIST, json={"label": f"{n}", "type": "local"}) for n in range(REQUESTS // 4))
        started = time.monotonic()
        answers = await asyncio.gather(*reads, *writes)
        figure(f"{len(answers)} requests over what was left: {time.monotonic() - started:.1f} s")

        assert not Counter(answer.status_code for answer in answers).keys() - {200, 201, 422}, "none is refused"
        assert (await client.get("/readyz")).status_code == httpx.codes.OK
    assert account.gateway.log_text().count("gives no more connections") <= 1


async def hold_all(server: StoppablePostgres, stack: AsyncExitStack) -> None:
    """Open connections until there is none left for a role that is no superuser."""
    url = server.url("connections", user="gateway", password="gateway")
    while True:
        try:
            connection = await asyncpg.connect(url)
        except asyncpg.TooManyConnectionsError:
            return
        stack.push_async_callback(connection.close)


async def test_a_read_whose_connection_is_ended_is_sent_again_over_another(
    server: StoppablePostgres, account: Account, figure: Figure
) -> None:
    """An operator ends every session of the gateway, again and again; no client notices."""
    ends = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway' AND pid <> pg_backend_pid()"
    )
    operator = await asyncpg.connect(server.url("connections"))
    statuses: Counter[int] = Counter()
    over = asyncio.Event()

    async with account.client() as client:
        path = f"{LIST}/{await account.create('local')}"

        async def read(number: int) -> None:
            while not over.is_set():
                answer = await client.get(f"{LIST}?per_page={len(statuses) + 1}" if number % 2 else path)
                statuses[answer.status_code] += 1

        reading = [asyncio.create_task(read(number)) for number in range(4)]
        for _ in range(KILLS):
            await operator.execute(ends)
            served = statuses.total()
            async with asyncio.timeout(30):
                while statuses.total() < served + 20:  # noqa: ASYNC110 - others count
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.4)  # within the budget of what is sent again
        over.set()
        await asyncio.gather(*reading)
    await operator.close()
    figure(f"{KILLS} times all sessions ended: {dict(statuses)}")
    unexpected = [line for line in account.gateway.log_text().splitlines() if " INFO " not in line]
    assert statuses.keys() == {200}, unexpected
