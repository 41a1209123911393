"""A check that begins is told to the user's streams, in every process, and is in no history."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.api.destinations import events_of
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import LISTENS, Listen, data_of, over_socket
from tests.support.graphql.graphql_documents import CHECK, destination_id
from tests.support.stores.peers import MemoryStore, ReceivedRequest, listening

EVENTS = """subscription ($after: ID) {
  backupDestinationEvents(after: $after) {
    __typename id backupDestinationId protocol tokenName
    ... on BackupDestinationChecking { backupDestination { ... on S3CompatibleDestination { reachability } } }
    ... on BackupDestinationChecked { backupDestination { ... on S3CompatibleDestination { reachability } } }
  }
}"""
POSITION = "{ viewer { latestEventId } }"
NODE = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } }"
LOG = "{ events { nodes { id } } }"


@pytest.fixture(scope="module")
def neighbours(postgres: PostgresServer) -> Iterator[tuple[Gateway, Gateway]]:
    """Two processes on one database."""
    url = database_url("postgresql", postgres)
    first = Gateway(url, s3_allow="127.0.0.1").start()
    second = Gateway(url, s3_allow="127.0.0.1", secret_keys=str(first.settings["secret_keys"])).start()
    yield first, second
    for gateway in (first, second):
        gateway.close()


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_other_tabs_hear_that_a_check_begins_while_it_runs(
    neighbours: tuple[Gateway, Gateway], listen: Listen
) -> None:
    """In the process that checks and in another one, once in each; the store answers only after both have heard it."""
    here, there = neighbours
    account = await here.new_user()
    both_know = asyncio.Event()

    async def patient(_asked: ReceivedRequest) -> None:
        await both_know.wait()

    async with listening(MemoryStore(patient).script) as peer:
        number = await account.create("custom_s3", custom_s3_endpoint=peer.url)
        after = (await data_of(account, POSITION))["viewer"]["latestEventId"]
        elsewhere = replace(account, gateway=there)
        async with (
            listen(account, EVENTS, {"after": after}) as one,
            listen(elsewhere, EVENTS, {"after": after}) as other,
        ):
            checking = asyncio.create_task(data_of(account, CHECK, {"id": destination_id(number)}))
            begun = [(await listener.events(1))[0] for listener in (one, other)]
            both_know.set()
            await checking
            ended = [(await listener.events(1))[0] for listener in (one, other)]

    for event in begun:
        assert event["__typename"] == "BackupDestinationChecking"
        assert event["backupDestinationId"] == destination_id(number)
        assert (event["protocol"], event["tokenName"]) == ("GRAPHQL", "test")
        assert event["backupDestination"] == {"reachability": "CHECKING"}
    assert [event["__typename"] for event in ended] == ["BackupDestinationChecked"] * 2
    assert ended[0] == ended[1]


async def test_its_id_is_a_position_and_nothing_is_stored(gateway: Gateway) -> None:
    """A client that saw it last resumes without a hole; there is no node of that ID, and the history has none."""
    account = await gateway.new_user()
    number = await account.create("custom_s3", custom_s3_endpoint="http://10.11.12.13")
    after = (await data_of(account, POSITION))["viewer"]["latestEventId"]

    ids = []
    async with over_socket(account, EVENTS, {"after": after}) as listener:
        for _ in range(2):
            await data_of(account, CHECK, {"id": destination_id(number)})
            begun, ended = await listener.events(2)
            ids.append(begun["id"])
    async with over_socket(account, EVENTS, {"after": ids[-1]}) as again:
        (resumed,) = await again.events(1)

    assert (begun["__typename"], resumed) == ("BackupDestinationChecking", ended)
    assert len(set(ids)) == 2
    assert await data_of(account, NODE, {"id": ids[0]}) == {"node": None, "nodes": [None]}
    assert [event["kind"] for event in await events_of(gateway, account.user_id)] == ["created", "checked", "checked"]
    assert len((await data_of(account, LOG))["events"]["nodes"]) == 3
    assert (await data_of(account, POSITION))["viewer"]["latestEventId"] == ended["id"]
