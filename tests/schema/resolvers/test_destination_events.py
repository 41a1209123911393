"""The history of each destination, on the destination: the same events that the list of all of them has of it."""

from __future__ import annotations

from typing import Any

from tests.support.api.destinations import at
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of, http_client
from tests.support.graphql.graphql_documents import destination_id

HISTORIES = """
query ($first: Int, $after: String, $filter: BackupDestinationEventFilter) {
  backupDestinations(first: 5) {
    nodes {
      id
      events(first: $first, after: $after, filter: $filter) {
        edges { cursor node { __typename id occurredAt backupDestinationId } }
        nodes { id }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  }
}
"""
ALL = """
query ($filter: BackupDestinationEventFilter) {
  events(first: 100, filter: $filter) { edges { cursor node { __typename id occurredAt backupDestinationId } } }
}
"""


async def renamed(account: Account, type_: str, times: int) -> str:
    """A destination of that type that was changed so often; its ID."""
    number = await account.create(type_)
    async with http_client(account) as client:
        for n in range(times):
            await client.put(at(number), json={"label": f"name {n}"})
    return destination_id(number)


async def histories(account: Account, **variables: Any) -> dict[str, Any]:
    """The page of events of each destination, by ID."""
    nodes = (await data_of(account, HISTORIES, variables))["backupDestinations"]["nodes"]
    return {node["id"]: node["events"] for node in nodes}


async def test_each_destination_has_its_events_page_by_page(gateway: Gateway) -> None:
    """As the list of all events has them, for every kind of destination, several in one operation."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    ids = [await renamed(account, type_, times) for times, type_ in enumerate(("local", "s3", "custom_s3"), start=1)]
    await renamed(stranger, "local", 1)

    found = await histories(account, first=20)
    assert list(found) == ids
    for id_, page in found.items():
        expected = (await data_of(account, ALL, {"filter": {"backupDestinationId": id_}}))["events"]["edges"]
        assert page["edges"] == expected
        assert page["nodes"] == [{"id": edge["node"]["id"]} for edge in expected]
        cursors = {"startCursor": expected[0]["cursor"], "endCursor": expected[-1]["cursor"]}
        assert page["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": False} | cursors

    seen, after = list[Any](), None
    while True:
        page = (await histories(account, first=2, after=after))[ids[2]]
        seen += page["edges"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == found[ids[2]]["edges"]


async def test_the_events_of_a_destination_are_filtered(gateway: Gateway) -> None:
    """By kind, protocol and time; a filter for another destination lets none through."""
    account = await gateway.new_user()
    id_, other = [await renamed(account, "local", 2) for _ in range(2)]

    async def kinds(**filter_: Any) -> list[str]:
        edges = (await histories(account, filter=filter_))[id_]["edges"]
        return [edge["node"]["__typename"].removeprefix("BackupDestination") for edge in edges]

    assert await kinds() == ["Updated", "Updated", "Created"]
    assert await kinds(kinds=["CREATED"]) == ["Created"]
    assert await kinds(kinds=[]) == await kinds(protocol="GRAPHQL") == await kinds(backupDestinationId=other) == []
    assert await kinds(protocol="REST", kinds=["UPDATED", "DELETED"]) == ["Updated", "Updated"]
    assert await kinds(since="2000-01-01T00:00:00Z", until="9999-12-31T23:59:59Z", backupDestinationId=id_) == [
        *("Updated", "Updated", "Created")
    ]
    assert await kinds(until="2000-01-01T00:00:00+05:00") == await kinds(since="9999-12-31T23:59:59Z") == []


async def test_a_position_that_is_not_in_the_history_is_refused(gateway: Gateway) -> None:
    account = await gateway.new_user()
    await renamed(account, "local", 0)

    for after in ("x", "WyJldmVudCIsbnVsbCwxXQ", "WyJpZCIsbnVsbCwxXQ"):
        assert code_of(await ask(account, HISTORIES, {"after": after})) == "BAD_USER_INPUT"
    many = "{ backupDestinations(first: 1) { nodes { events(first: 101) { nodes { id } } } } }"
    assert code_of(await ask(account, many)) == "BAD_USER_INPUT"
