"""Python's gql, unmodified, on real gateways: over HTTP with the schema it introspects, and over WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from gql import Client, gql
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

from tests.support.gateway.gateway import Account, Gateway

LIST = """query List($filter: BackupDestinationFilter) {
  backupDestinations(first: 10, filter: $filter) {
    totalCount
    edges { node { __typename label ... on S3CompatibleDestination { bucketName } } }
  }
}"""
RENAME = """mutation Rename($id: ID!, $label: String!) {
  updateBackupDestination(id: $id, input: {label: $label}) {
    ... on UpdateBackupDestinationPayload { backupDestination { label } }
    ... on Problem { message }
  }
}"""
LATEST = "{ events(first: 1) { edges { node { id } } } }"
EVENTS = """subscription Events($after: ID) {
  backupDestinationEvents(after: $after) { id __typename protocol ... on BackupDestinationUpdated { changedFields } }
}"""


def over_http(account: Account, token: str | None = None) -> Client:
    """A client of gql that fetches the schema first and checks every document against it."""
    headers = {"Authorization": f"Bearer {token or account.token}"}
    transport = HTTPXAsyncTransport(f"{account.gateway.url}/graphql", headers=headers)
    return Client(transport=transport, fetch_schema_from_transport=True)


@pytest.fixture
async def session(gateway: Gateway) -> AsyncIterator[tuple[Account, AsyncClientSession]]:
    """A WebSocket of gql, as a user of its own."""
    account = await gateway.new_user()
    url = f"{gateway.url.replace('http', 'ws')}/graphql"
    transport = WebsocketsTransport(url, init_payload={"Authorization": f"Bearer {account.token}"})
    async with Client(transport=transport) as session:
        yield account, session


async def ask(session: AsyncClientSession, document: str, **variables: Any) -> Any:
    """The data of one operation."""
    request = gql(document)
    request.variable_values = variables
    return await session.execute(request)


async def test_gql_asks_and_changes_over_http(gateway: Gateway) -> None:
    """Lists, problems and errors arrive where gql has a place for them."""
    account = await gateway.new_user()
    id_ = f"BackupDestination:{await account.create('s3', label='Nightly')}"
    await account.create("local", label="Cellar")

    async with over_http(account) as session:
        listed = (await ask(session, LIST, filter={"kinds": ["AMAZON_S3"]}))["backupDestinations"]
        renamed = await ask(session, RENAME, id=id_, label="Weekly")
        refused = await ask(session, RENAME, id=id_, label="")
        with pytest.raises(GraphQLError, match="Cannot query field 'secretKey'"):
            await ask(session, "{ viewer { secretKey } }")
        with pytest.raises(TransportQueryError) as malformed:
            await ask(session, '{ node(id: "nonsense") { id } }')

    node = {"__typename": "AmazonS3Destination", "label": "Nightly", "bucketName": "nightly"}
    assert listed == {"totalCount": 1, "edges": [{"node": node}]}
    assert renamed["updateBackupDestination"] == {"backupDestination": {"label": "Weekly"}}
    assert refused["updateBackupDestination"] == {"message": "The label field is required."}
    assert malformed.value.errors is not None
    assert malformed.value.errors[0]["extensions"] == {"code": "BAD_USER_INPUT"}


async def test_gql_is_told_at_once_that_a_token_is_wrong(gateway: Gateway) -> None:
    account = await gateway.new_user()

    with pytest.raises(TransportQueryError) as refused:
        async with over_http(account, token="1|mrg_wrong"):
            pass

    assert refused.value.errors is not None
    assert refused.value.errors[0]["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_gql_hears_over_a_websocket_what_is_done_through_rest(
    session: tuple[Account, AsyncClientSession],
) -> None:
    """A subscription beside queries on the same socket; another goes on behind an event that was seen."""
    account, socket = session
    number = await account.create("local", label="Cellar")
    [edge] = (await ask(socket, LATEST))["events"]["edges"]

    async def heard(after: str, count: int) -> list[dict[str, Any]]:
        request = gql(EVENTS)
        request.variable_values = {"after": after}
        events: list[dict[str, Any]] = []
        async for answer in socket.subscribe(request):
            events.append(answer["backupDestinationEvents"])
            if len(events) == count:
                break
        return events

    async with account.client() as client:
        await client.put(f"/api/backup-destinations/{number}", json={"label": "Attic"})
        await client.delete(f"/api/backup-destinations/{number}")
    updated, deleted = await heard(edge["node"]["id"], 2)

    assert (updated["__typename"], updated["changedFields"]) == ("BackupDestinationUpdated", ["label"])
    assert (deleted["__typename"], deleted["protocol"]) == ("BackupDestinationDeleted", "REST")
    assert await heard(updated["id"], 1) == [deleted]
