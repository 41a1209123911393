"""A URL of several servers leads to the one that takes writes, before a fail-over and after it; real servers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from models.database.connecting.servers import CONNECT_S, connect, servers_of
from tests.support.api.destinations import LIST
from tests.support.databases.postgres import PostgresServer
from tests.support.databases.standby import Standby, standby_first, standing_by
from tests.support.databases.stoppable_postgres import StoppablePostgres, own_postgres
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import PATH, over_sse

POSITION = "{ viewer { latestEventId } }"
EVENTS = "subscription ($after: ID) { backupDestinationEvents(after: $after) { id } }"
BACK_WITHIN_S = 10.0
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[StoppablePostgres, Standby]]:
    """A primary and its standby."""
    with own_postgres() as primary, standing_by(primary) as standby:
        yield primary, standby


@pytest.mark.parametrize(
    ("attributes", "leads_to_the_standby"),
    [
        ("primary", False),
        ("read-write", False),
        (None, False),
        ("any", True),
        ("standby", True),
        ("prefer-standby", True),
    ],
)
async def test_the_servers_are_chosen_as_the_url_says(
    servers: tuple[StoppablePostgres, Standby], attributes: str | None, *, leads_to_the_standby: bool
) -> None:
    """The standby is named first; without a word the primary is meant."""
    connection = await connect(standby_first(*servers, "postgres", attributes))
    is_standby = await connection.fetchval("SELECT pg_is_in_recovery()")
    await connection.close()

    assert is_standby is leads_to_the_standby


async def test_a_server_that_hangs_hides_no_other(postgres: PostgresServer) -> None:
    """It takes connections and says nothing; several of them would use up one limit of time for all."""
    with socket.socket() as first, socket.socket() as second:
        for hung in (first, second):
            hung.bind(("127.0.0.1", 0))
            hung.listen()
        parts = urlsplit(postgres.url("postgres"))
        login, _, host = parts.netloc.rpartition("@")
        ports = [hung.getsockname()[1] for hung in (first, second)]
        hosts = ",".join([*(f"127.0.0.1:{port}" for port in ports), host])
        started = time.monotonic()
        connection = await connect(parts._replace(netloc=f"{login}@{hosts}").geturl())
        waited_s = time.monotonic() - started
        await connection.close()

    assert waited_s < CONNECT_S


async def test_the_error_that_says_most_is_raised(servers: tuple[StoppablePostgres, Standby]) -> None:
    """A refusal before a wrong role, and that before a server that is away."""
    primary, standby = servers
    parts = urlsplit(primary.url("postgres"))
    login, _, host = parts.netloc.rpartition("@")
    away = "127.0.0.1:9"
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await connect(parts._replace(netloc=f"{login}@{away},{standby.host}").geturl())
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(parts._replace(netloc=f"postgres:wrong@{away},{host}").geturl())
    with pytest.raises(ConnectionRefusedError):
        await connect(parts._replace(netloc=f"{login}@{away},{away}").geturl())


def test_every_form_of_a_url_of_libpq_names_its_servers() -> None:
    """Where it does not name them itself, there are none."""
    assert servers_of("postgresql://u:p@a:1,b/x") == [("a", 1), ("b", 5432)]
    assert servers_of("postgresql://[::1]:7,[fe80::2]/x") == [("::1", 7), ("fe80::2", 5432)]
    assert servers_of("postgresql:///x?host=a,b&port=1,2") == [("a", 1), ("b", 2)]
    assert servers_of("postgresql:///x?host=a,b&port=7") == [("a", 7), ("b", 7)]
    assert servers_of("postgresql:///x?host=/run/one,/run/two") == [("/run/one", 5432), ("/run/two", 5432)]
    assert servers_of("postgresql:///x?service=y") == []


async def test_a_gateway_follows_the_primary(
    servers: tuple[StoppablePostgres, Standby], figure: Callable[[str], None]
) -> None:
    """It migrated, writes and listens at the second server of its URL, and when the first is promoted, there."""
    primary, standby = servers
    primary.create_database("followed")
    gateway = Gateway(standby_first(primary, standby, "followed", "read-write"))
    try:
        await asyncio.to_thread(gateway.start)
        account = await gateway.new_user()
        statuses: Counter[int] = Counter()
        async with account.client() as client:
            assert (await client.post(LIST, json={"label": "before", "type": "local"})).status_code == 201
            doctor = await asyncio.to_thread(gateway.command, "doctor")
            assert "database role" not in doctor.stdout, doctor.stdout

            await asyncio.to_thread(primary.halt)
            assert (await client.post(LIST, json={"label": "between", "type": "local"})).status_code == 503
            await asyncio.to_thread(standby.promote)
            promoted = time.monotonic()
            async with asyncio.timeout(DEADLINE_S):
                while not statuses[201]:
                    answer = await client.post(LIST, json={"label": "after", "type": "local"})
                    statuses[answer.status_code] += 1
                    await asyncio.sleep(0.05)
            back_s = time.monotonic() - promoted
            position = (await client.post(PATH, json={"query": POSITION})).json()["data"]["viewer"]["latestEventId"]
            async with over_sse(account, EVENTS, {"after": position}) as stream:
                await client.post(LIST, json={"label": "heard", "type": "local"})
                await stream.events(1)
            labels = [row["label"] for row in (await client.get(LIST)).json()["data"]]
    finally:
        gateway.close()
    figure(f"writes were back {back_s:.1f} s after the promotion")

    assert statuses.keys() <= {httpx.codes.CREATED, httpx.codes.SERVICE_UNAVAILABLE}
    assert sorted(labels) == ["after", "before", "heard"]
    assert back_s < BACK_WITHIN_S
