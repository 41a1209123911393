"""A worker opens as many connections as the setting says, and serves any number of requests over them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.api.destinations import LIST
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway

SIZE = 3
LISTENER = 1
OPEN = (
    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


@pytest.fixture
def narrow(postgres: PostgresServer) -> Iterator[Gateway]:
    gateway = Gateway(
        database_url("postgresql", postgres), database_pool_size=str(SIZE), rate_limit="100000/minute"
    ).start()
    yield gateway
    gateway.close()


async def test_requests_share_as_few_connections_as_the_setting_allows(narrow: Gateway) -> None:
    """Reads and writes of one user at the same time, many more than there are connections."""
    account = await narrow.new_user()

    async with account.client() as client:
        writes = [account.create("local", label=f"n{n}") for n in range(20)]
        reads = [client.get(f"{LIST}?page={n}") for n in range(40)]
        written = asyncio.gather(*writes)
        read = await asyncio.gather(*reads)
        ids = await written
    (found,) = await narrow.rows(OPEN)

    assert {response.status_code for response in read} == {200}
    assert len(set(ids)) == 20
    assert 1 < found["n"] <= SIZE + LISTENER
