"""While the database is away the gateway says so, in time and in its own words, and afterwards it serves again."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import httpx
import pytest

from app.database import migrate
from models.accounts.bearer import new_secret
from models.accounts.token_usage import TokenUsage
from models.accounts.viewer import Protocol
from models.audit.trail import AuditTrail
from models.errors import DatabaseUnavailable
from tests.support.databases.databases import unserved
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.gateway.behind_proxy import behind_proxy
from tests.support.gateway.gateway import Account, Gateway
from tests.support.gateway.unharmed import Figure
from tests.support.stopwatch import Stopwatch

LIST = "/api/backup-destinations"
ANSWERED_WITHIN_S = 5.0
BACK_WITHIN_S = 15.0
OVER_S = 20.0
AT_ONCE_S = 0.5
FAR_S = 0.05
"""Added to each message, one after the other, of which a log-in has two dozen."""
ATTEMPTS = 3
"""To connect takes more than half of the time that it may, and a busy machine adds to it, but hardly each time."""
UNAVAILABLE = {
    "error": "Service Unavailable",
    "message": "The database is not available just now; try again in a moment.",
}

BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' "
    "AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
def server() -> Iterator[StoppablePostgres]:
    """A PostgreSQL that may be stopped."""
    with own_postgres() as server:
        server.create_database("outage")
        yield server


@pytest.fixture
async def account(server: StoppablePostgres) -> AsyncIterator[Account]:
    """A user of a gateway on the PostgreSQL that may be stopped."""
    gateway = Gateway(server.url("outage")).start()
    yield await gateway.new_user()
    gateway.close()


async def test_a_postgresql_far_away_is_served_from(postgres: PostgresServer) -> None:
    """A server on another continent: to connect takes more than a second."""
    with behind_proxy(postgres) as (gateway, proxy, _):
        account = await gateway.new_user()
        proxy.delay_s = FAR_S
        async with account.client() as client:
            for _ in range(ATTEMPTS):
                proxy.cut()
                answers = await asyncio.gather(*(client.get(LIST) for _ in range(8)))
                statuses = {answer.status_code for answer in answers}
                if statuses == {httpx.codes.OK}:
                    break
                async with asyncio.timeout(BACK_WITHIN_S):
                    while (await client.get(LIST)).status_code != httpx.codes.OK:  # noqa: ASYNC110 - each asks
                        await asyncio.sleep(0.1)

    assert statuses == {httpx.codes.OK}


async def test_a_server_that_takes_connections_and_says_nothing_is_found_out(postgres: PostgresServer) -> None:
    """As after a fail-over that left the old address without a host: there is no statement that could time out."""
    with behind_proxy(postgres) as (gateway, proxy, _):
        account, worker = await gateway.new_user(), gateway.worker_pid
        async with account.client() as client:
            assert (await client.get(LIST)).status_code == httpx.codes.OK
            proxy.hold()
            proxy.cut()
            async with asyncio.timeout(OVER_S):
                while "The database does not answer" not in gateway.log_text():
                    assert (await client.get(LIST)).status_code == httpx.codes.SERVICE_UNAVAILABLE
            seconds = []
            for _ in range(10):
                watch = Stopwatch(worker)
                assert (await client.get(LIST)).status_code == httpx.codes.SERVICE_UNAVAILABLE
                seconds.append(watch.seconds)
            proxy.release()
            async with asyncio.timeout(BACK_WITHIN_S):
                while (await client.get(LIST)).status_code != httpx.codes.OK:  # noqa: ASYNC110 - each asks
                    await asyncio.sleep(0.1)
        log = gateway.log_text()

    assert sum(second < AT_ONCE_S for second in seconds) >= len(seconds) // 2, "most are refused without a try"
    assert log.count("The database does not answer") == 1


async def every_request(client: httpx.AsyncClient, id_: int) -> dict[str, httpx.Response]:
    """The answers to one request of each kind, asked at once."""
    body = {"label": "During the outage", "type": "local"}
    requests = {
        "ready": client.get("/readyz"),
        "list": client.get(LIST),
        "show": client.get(f"{LIST}/{id_}"),
        "create": client.post(LIST, json=body),
        "update": client.put(f"{LIST}/{id_}", json=body),
        "delete": client.delete(f"{LIST}/{id_}"),
    }
    return dict(zip(requests, await asyncio.gather(*requests.values()), strict=True))


async def expect_outage(account: Account, id_: int) -> None:
    """Whatever needs the database is refused in time as unavailable; what does not need it is answered."""
    async with account.client() as client:
        watch = Stopwatch(account.gateway.worker_pid)
        answers = await every_request(client, id_)
        wall_s = watch.seconds

        assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 503)
        assert all(answer.json() == UNAVAILABLE for answer in answers.values())
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers.values())
        assert wall_s < ANSWERED_WITHIN_S
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert "The database does not answer just now." in (await client.get("/")).text
        junk = await client.get(LIST, headers={"Authorization": "Bearer junk"})
        assert junk.status_code == httpx.codes.UNAUTHORIZED, "junk is refused without asking"
        unknown = await client.get(LIST, headers={"Authorization": f"Bearer {new_secret()}"})
        assert unknown.status_code == httpx.codes.SERVICE_UNAVAILABLE, "not knowing is not refusing"


async def expect_service(account: Account, id_: int) -> None:
    """Everything works again without a restart, and nothing of the outage was kept."""
    async with account.client() as client:
        deadline = time.monotonic() + BACK_WITHIN_S
        while (await client.get("/readyz")).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, "the gateway did not find its database again"
        for _ in range(15):  # every connection of the pool, not the one that was mended
            answer = await client.get(f"{LIST}/{id_}")
            assert answer.status_code == httpx.codes.OK
            assert answer.json()["data"]["label"] == "Before the outage"
        assert (await client.get(LIST)).json()["meta"]["total"] == 1
        assert (await client.put(f"{LIST}/{id_}", json={"label": "After"})).status_code == httpx.codes.OK
    assert "Traceback" not in account.gateway.log_text()


async def test_a_stopped_postgresql_is_answered_503_until_it_is_back(
    server: StoppablePostgres, account: Account
) -> None:
    id_ = await account.create("local", label="Before the outage")

    server.halt()
    try:
        await expect_outage(account, id_)
    finally:
        server.resume()

    await expect_service(account, id_)


async def test_a_postgresql_that_hangs_is_answered_as_unready_in_time(
    server: StoppablePostgres, account: Account, figure: Figure
) -> None:
    """A stopped process keeps its connections and sends nothing: only a time limit notices."""
    id_ = await account.create("local", label="Before the outage")
    backends = [row["pid"] for row in await account.gateway.rows(BACKENDS)]

    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with account.client() as client:
            watch = Stopwatch(account.gateway.worker_pid)
            ready, alive = await asyncio.gather(client.get("/readyz"), client.get("/healthz"))
            wall_s = watch.seconds
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)

    figure(f"`/readyz` is 503 after {wall_s:.1f} s")
    assert (ready.status_code, ready.json()) == (503, UNAVAILABLE)
    assert "Retry-After" in ready.headers
    assert alive.status_code == httpx.codes.OK
    assert wall_s < ANSWERED_WITHIN_S
    await expect_service(account, id_)


async def test_a_write_that_waits_too_long_for_the_embedded_database_is_refused_as_unavailable() -> None:
    with unserved(None) as embedded:
        await migrate(embedded.address)
        account, usage = await embedded.new_user(), TokenUsage(AuditTrail())
        usage.note(int(account.token.partition("|")[0]), "127.0.0.1", account.user_id, Protocol.REST, b"an-id")

        async with embedded.models():
            with closing(sqlite3.connect(str(embedded.address.path), isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(DatabaseUnavailable):
                    await usage.flush()
                other.execute("ROLLBACK")
            await usage.flush()

        (row,) = await embedded.rows("SELECT last_used_at FROM tokens WHERE last_used_at IS NOT NULL")
        assert row["last_used_at"] is not None
