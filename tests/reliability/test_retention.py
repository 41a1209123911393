"""Events are pruned online, in small steps; a reader that stood before a pruned one gets an error, never silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.reliability.test_history import BEGINNING, EVENTS, LOG, is_refused, position_of
from tests.support.api.destinations import events_of
from tests.support.databases.databases import database_url
from tests.support.databases.many_rows import plant_events
from tests.support.databases.postgres import PostgresServer
from tests.support.figures import amount
from tests.support.gateway.gateway import Gateway
from tests.support.gateway.unharmed import Figure
from tests.support.graphql.graphql_client import LISTENS, data_of, over_socket

PRUNE = ("events", "prune", "--older-than", "90d")
MANY = amount(1_200, 50_000)


async def test_pruned_positions_are_errors_and_the_rest_goes_on(gateway: Gateway) -> None:
    """On the command line, beside the gateway; its cached log shows nothing that is gone."""
    account, quiet = await gateway.new_user(), await gateway.new_user()
    await account.create("local")
    await plant_events(gateway, account.user_id, ["old", "older"])
    await plant_events(gateway, quiet.user_id, ["last"])
    first, *old = [f"BackupDestinationEvent:{event['id']}" for event in await events_of(gateway, account.user_id)]
    await account.create("local")
    newest, end = await position_of(account), await position_of(quiet)
    assert len((await data_of(account, LOG))["events"]["edges"]) == 4

    dry = await asyncio.to_thread(gateway.command, *PRUNE, "--dry-run", "--json")
    assert json.loads(dry.stdout)["events"] >= 3
    assert len(await events_of(gateway, account.user_id)) == 4
    done = await asyncio.to_thread(gateway.command, *PRUNE)
    assert done.returncode == 0, done.stderr

    edges = (await data_of(account, LOG))["events"]["edges"]
    assert [edge["node"]["id"] for edge in edges] == [newest, first]
    for listen in LISTENS.values():
        for position in (BEGINNING, first, old[0]):
            await is_refused(account, listen, position)
    for after in (old[-1], newest):
        async with over_socket(account, EVENTS, {"after": after}) as listener:
            created = await account.create("local")
            heard = await listener.events(2)
            assert heard[-1]["backupDestinationId"] == f"BackupDestination:{created}"
    assert await position_of(quiet) == end
    async with over_socket(quiet, EVENTS, {"after": end}) as listener:
        await quiet.create("local")
        assert len(await listener.events(1)) == 1


async def test_writers_and_readers_go_on_while_events_are_pruned(gateway: Gateway, figure: Figure) -> None:
    """No request fails, and a stream hears every change."""
    account = await gateway.new_user()
    start = await position_of(account)
    for _ in range(0, MANY, 1_200):
        await plant_events(gateway, account.user_id, ["old"] * 1_200)
    async with over_socket(account, EVENTS, {"after": await position_of(account)}) as listener:
        pruning = asyncio.create_task(asyncio.to_thread(gateway.command, *PRUNE))
        written = 0
        async with account.client() as client:
            while written < 20 or not pruning.done():
                answer = await client.post("/api/backup-destinations", json={"label": f"{written}", "type": "local"})
                assert answer.status_code == httpx.codes.CREATED, answer.text
                written += 1
                assert (await client.get("/api/backup-destinations")).json()["meta"]["total"] == written
        assert (await pruning).returncode == 0
        assert len(await listener.events(written)) == written

    assert len(await events_of(gateway, account.user_id)) == written
    assert len((await data_of(account, LOG, {"after": None}))["events"]["edges"]) == min(written, 15)
    assert start == BEGINNING
    figure(f"{gateway.engine}: {MANY} events pruned beside {written} writes, each read and heard of")


@pytest.fixture(params=["sqlite", "postgresql"])
def forgetful(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that keeps events for ten days."""
    gateway = Gateway(database_url(request.param, postgres), events_retention="10d").start()
    yield gateway
    gateway.close()


async def test_events_are_pruned_by_the_setting(forgetful: Gateway) -> None:
    """From the start on; younger ones stay."""
    account = await forgetful.new_user()
    await account.create("local")
    await plant_events(forgetful, account.user_id, ["old"] * 600)
    await asyncio.to_thread(forgetful.stop)
    await asyncio.to_thread(forgetful.start)

    async with asyncio.timeout(60):
        while len(await events_of(forgetful, account.user_id)) > 1:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.1)

    assert [event["kind"] for event in await events_of(forgetful, account.user_id)] == ["created"]
