"""What `/metrics` says of GraphQL's errors, of streams, and of the whole installation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace

import asyncpg
import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from schema.errors import Code
from tests.support.databases.databases import database_url, update
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import over_socket, over_sse
from tests.support.ports import free_port

SUBSCRIPTION = {"query": "subscription { backupDestinationEvents { __typename } }"}
DEADLINE_S = 30.0


async def scraped(url: str) -> dict[str, float]:
    """Each sample by its name and labels."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{url}/metrics")).text
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


async def test_errors_of_graphql_are_counted_by_their_code(gateway: Gateway) -> None:
    account = await gateway.new_user(abilities=("create-backup-destinations",))
    before = await scraped(gateway.url)
    async with account.client() as client:
        for query in ("{ nowhere }", "{", "{ backupDestinations(first: 1) { totalCount } }"):
            assert (await client.post("/graphql", json={"query": query})).json()["errors"]
    after = await scraped(gateway.url)

    def grown(code: str) -> float:
        name = f'moorings_graphql_errors_total{{code="{code}"}}'
        return after.get(name, 0) - before.get(name, 0)

    assert (grown("GRAPHQL_VALIDATION_FAILED"), grown("GRAPHQL_PARSE_FAILED"), grown("FORBIDDEN")) >= (1, 1, 1)


async def _over_http(account: Account, query: str) -> None:
    async with account.client() as client:
        await client.post("/graphql", json={"query": query})


async def _over_socket(account: Account, query: str) -> None:
    async with over_socket(account, query) as listener:
        await listener.answer()


async def _over_sse(account: Account, query: str) -> None:
    async with over_sse(account, query) as listener:
        await listener.answer()


LIST = "{ backupDestinations(first: 1) { nodes { id } } }"
OUTCOMES = {
    "OK": LIST,
    "GRAPHQL_PARSE_FAILED": "{",
    "GRAPHQL_VALIDATION_FAILED": "{ nowhere }",
    "FORBIDDEN": 'mutation { deleteBackupDestination(id: "QmFja3VwRGVzdGluYXRpb246MQ==") { __typename } }',
}


@pytest.mark.parametrize("ask", [_over_http, _over_socket, _over_sse], ids=["HTTP", "WebSocket", "SSE"])
async def test_operations_are_counted_by_their_outcome_on_every_transport(
    gateway: Gateway, ask: Callable[[Account, str], Awaitable[None]]
) -> None:
    """Each once; what the fast path answers, and what the cache does, too."""
    account = await gateway.new_user(abilities=("view-backup-destinations",))
    for outcome, query in OUTCOMES.items():
        for _ in range(3 if outcome == "OK" else 1):  # over HTTP the second is a replay, and the third cached
            before = await scraped(gateway.url)
            await ask(account, query)
            after = await scraped(gateway.url)
            grown = {name: after[name] - before.get(name, 0) for name in after if "moorings_graphql_" in name}
            expected = {f'moorings_graphql_operations_total{{outcome="{outcome}"}}': 1.0}
            if outcome != "OK":
                expected[f'moorings_graphql_errors_total{{code="{outcome}"}}'] = 1.0
            assert {name: count for name, count in grown.items() if count and "_created" not in name} == expected


async def test_a_subscription_counts_when_it_begins_and_a_refused_socket_by_its_reason(gateway: Gateway) -> None:
    account = await gateway.new_user()
    before = await scraped(gateway.url)
    async with over_sse(account, SUBSCRIPTION["query"]), over_socket(account, SUBSCRIPTION["query"]):
        async with asyncio.timeout(DEADLINE_S):
            while await _grown(gateway, before, "operations_total", outcome="OK") < 2:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)
    with pytest.raises(ConnectionClosed):
        async with over_socket(replace(account, token="1|nothing"), LIST):
            pass
    assert await _grown(gateway, before, "errors_total", code="UNAUTHENTICATED") == 1
    labels = {name for name in await scraped(gateway.url) if name.startswith("moorings_graphql_errors_total")}
    assert labels <= {f'moorings_graphql_errors_total{{code="{code}"}}' for code in Code}


async def _grown(gateway: Gateway, before: dict[str, float], name: str, **labels: str) -> float:
    """By how much a metric of GraphQL has grown."""
    ((label, value),) = labels.items()
    full = f'moorings_graphql_{name}{{{label}="{value}"}}'
    return (await scraped(gateway.url)).get(full, 0) - before.get(full, 0)


async def test_the_connections_to_the_database_are_shown_with_their_limit(gateway: Gateway) -> None:
    found = await scraped(gateway.url)
    named = {name: value for name, value in found.items() if name.startswith("moorings_database_connections")}
    limit, opened, in_use, waiting = (
        named.pop(f'moorings_database_connections{{state="{state}"}}')
        for state in ("limit", "open", "in use", "waiting")
    )
    assert named == {}
    assert limit >= opened >= max(in_use, 1)
    assert waiting == 0


async def test_open_streams_and_their_lag_are_shown(gateway: Gateway) -> None:
    account = await gateway.new_user()
    before = (await scraped(gateway.url))["moorings_streams_open"]
    async with (
        account.client(Accept="text/event-stream") as client,
        client.stream("POST", "/graphql", json=SUBSCRIPTION) as stream,
    ):
        async with asyncio.timeout(DEADLINE_S):
            while (await scraped(gateway.url))["moorings_streams_open"] <= before:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.05)
            await account.create("local")
            async for line in stream.aiter_lines():
                if "BackupDestinationCreated" in line:
                    break
        lag_s = (await scraped(gateway.url))["moorings_event_lag_seconds"]
    assert 0 < lag_s < DEADLINE_S


async def test_the_figures_of_the_installation_are_of_its_rows_and_bounded() -> None:
    gateway = Gateway(metrics_destinations="2", check_interval="1h").start()
    try:
        account = await gateway.new_user()
        ids = [await account.create("s3") for _ in range(4)]
        for reachability, chosen in (("reachable", f"id < {ids[3]}"), ("unreachable", f"id = {ids[2]}")):
            await gateway.rows(update("backup_destinations", {"reachability": f"'{reachability}'"}, chosen))
        long_ago = "'2020-01-01 00:00:00+00:00'"
        overdue = f"SET created_at = {long_ago}, checked_at = {long_ago} WHERE id = {ids[0]}"
        await gateway.rows(f"UPDATE backup_destinations {overdue}")
        found = await _scraped_with_figures(gateway)
    finally:
        gateway.close()

    assert found['moorings_destinations{reachability="reachable"}'] == 2
    assert found['moorings_destinations{reachability="unreachable"}'] == 1
    named = {name: value for name, value in found.items() if name.startswith("moorings_destination_reachable")}
    assert named == {
        f'moorings_destination_reachable{{destination="{ids[2]}"}}': 0,
        f'moorings_destination_reachable{{destination="{ids[0]}"}}': 1,
    }
    assert found["moorings_checks_overdue"] == 1
    assert found["moorings_database_up"] == 1
    (build,) = [name for name in found if name.startswith("moorings_build_info")]
    assert re.fullmatch(r'moorings_build_info\{version="\d+\.\d+\.\d+"\}', build)


async def _scraped_with_figures(gateway: Gateway) -> dict[str, float]:
    async with asyncio.timeout(DEADLINE_S):
        while "moorings_checks_overdue" not in (found := await scraped(gateway.url)):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)
    return found


async def test_metrics_do_not_wait_for_figures_that_the_database_is_slow_to_give(postgres: PostgresServer) -> None:
    """As in an overload, when its statements wait for a connection; here they wait for a lock."""
    gateway = Gateway(database_url("postgresql", postgres)).start()
    try:
        assert gateway.address.url is not None
        connection = await asyncpg.connect(gateway.address.url)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute("LOCK TABLE backup_destinations IN ACCESS EXCLUSIVE MODE")
            meanwhile = await scraped(gateway.url)
            still_asking = await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
            await transaction.rollback()
        finally:
            await connection.close()
        later = await _scraped_with_figures(gateway)
    finally:
        gateway.close()

    assert meanwhile["moorings_database_up"] == 1
    assert "moorings_checks_overdue" not in meanwhile
    assert still_asking == 1
    assert later["moorings_checks_overdue"] == 0


async def test_metrics_may_have_a_port_of_their_own_with_several_workers() -> None:
    port = free_port()
    gateway = Gateway(workers=2, metrics_address=f"127.0.0.1:{port}").start()
    try:
        account: Account = await gateway.new_user()
        async with account.client() as client:
            assert (await client.get("/metrics")).status_code == httpx.codes.NOT_FOUND
            assert (await client.get("/api/backup-destinations")).status_code == httpx.codes.OK
            own = f"http://127.0.0.1:{port}"
            async with asyncio.timeout(DEADLINE_S):
                while (await scraped(own)).get("moorings_processes") != 2:  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(0.1)
            assert (await client.get(f"{own}/api/backup-destinations")).status_code == httpx.codes.NOT_FOUND
            assert (await client.post(f"{own}/metrics")).status_code == httpx.codes.METHOD_NOT_ALLOWED
    finally:
        gateway.close()
