"""What GraphQL shows of one object: every field of every kind, by every way to it, and nothing of anybody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api.destinations import LONG_AGO, MISSING, TIMESTAMP, at, backdate
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of
from tests.support.graphql.graphql_documents import DESTINATION, EVENT, EVENTS, LIST, ONE, TYPES, destination_id

NODE = "query ($id: ID!) { node(id: $id) { id ...Destination ...Event ... on User { name } } }" + DESTINATION + EVENT
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
VIEWER = "{ viewer { __typename id databaseId name email } }"

OWN_FIELDS: dict[str, dict[str, Any]] = {
    "s3": {"kindName": "Amazon S3", "bucketName": "nightly", "pathStyleEndpoint": False, "region": "us-west-2"},
    "custom_s3": {
        "kindName": "Custom S3",
        "bucketName": "nightly",
        "pathStyleEndpoint": True,
        "endpoint": "https://s3.example.com",
        "region": None,
    },
    "local": {"kindName": "Local"},
}
"""What a destination of each type shows beside what all have."""

MALFORMED = (
    *("", " ", "1", "BackupDestination", "BackupDestination:", "BackupDestination:0", "BackupDestination:01"),
    *("BackupDestination:-1", "BackupDestination:1 ", "BackupDestination:1\n", "BackupDestination:١", "backup:1"),
    *("AmazonS3Destination:1", "BackupDestination:1.0", "BackupDestination:" + "9" * 20, "x" * 5_000, "\x00", ":1"),
)


@pytest.mark.parametrize("type_", TYPES)
async def test_every_field_of_a_destination_is_shown_by_every_way_to_it(gateway: Gateway, type_: str) -> None:
    """By its ID, as a node, in the list: the same object each time."""
    account = await gateway.new_user()
    number = await account.create(type_, label="Zürich ☃")
    id_ = destination_id(number)

    shown = (await data_of(account, ONE, {"id": id_}))["backupDestination"]
    node = (await data_of(account, NODE, {"id": id_}))["node"]
    (edge,) = (await data_of(account, LIST))["backupDestinations"]["edges"]

    timestamps = {name: shown.pop(name) for name in ("createdAt", "updatedAt", "credentialsSetAt") if name in shown}
    bucket = {} if type_ == "local" else {"reachability": "UNKNOWN"}
    shared = {"__typename": TYPES[type_], "id": id_, "databaseId": number, "label": "Zürich ☃"}
    assert shown == shared | bucket | OWN_FIELDS[type_]
    assert all(TIMESTAMP.fullmatch(timestamp) for timestamp in timestamps.values())
    assert len(timestamps) == (2 if type_ == "local" else 3)
    assert node == edge["node"] == shown | timestamps


@pytest.mark.parametrize("type_", TYPES)
async def test_both_apis_show_the_same_moments_numbers_and_names(gateway: Gateway, type_: str) -> None:
    """Whole seconds in UTC, whenever it was; `databaseId` is REST's `id`, and `kindName` its `type_human`."""
    account = await gateway.new_user()
    recent, old = await account.create(type_), await account.create(type_)
    await backdate(gateway, old)

    for number in (recent, old):
        async with account.client() as client:
            rest = (await client.get(at(number))).json()["data"]
        shown = (await data_of(account, ONE, {"id": destination_id(number)}))["backupDestination"]
        names = {"databaseId": "id", "label": "label", "kindName": "type_human"}
        names |= {"createdAt": "created_at", "updatedAt": "updated_at"}
        assert {field: shown[field] for field in names} == {field: rest[name] for field, name in names.items()}
    assert shown["createdAt"] == shown["updatedAt"] == LONG_AGO


async def test_what_kinds_share_is_asked_without_naming_them(gateway: Gateway) -> None:
    """An S3-compatible destination has a bucket and a reachability; a local one has neither."""
    account = await gateway.new_user()
    for type_ in TYPES:
        await account.create(type_)
    query = """{ backupDestinations { edges { node {
      label ... on S3CompatibleDestination { bucketName reachability } ... on Node { id }
    } } } }"""

    edges = (await data_of(account, query))["backupDestinations"]["edges"]

    assert [sorted(edge["node"]) for edge in edges] == [
        ["bucketName", "id", "label", "reachability"],
        ["bucketName", "id", "label", "reachability"],
        ["id", "label"],
    ]


async def test_a_local_destination_has_no_bucket_to_ask_for(gateway: Gateway) -> None:
    """What not every kind has cannot be asked of all; the credentials cannot be asked of any."""
    account = await gateway.new_user()

    for type_, field in (
        ("BackupDestination", "bucketName"),
        ("LocalDestination", "reachability"),
        ("S3CompatibleDestination", "endpoint"),
        ("AmazonS3Destination", "endpoint"),
        ("S3CompatibleDestination", "credentials { accessKey }"),
        ("CustomS3Destination", "secretKey"),
    ):
        answer = await ask(
            account, f"{{ backupDestinations {{ edges {{ node {{ ... on {type_} {{ {field} }} }} }} }} }}"
        )
        assert code_of(answer) == "GRAPHQL_VALIDATION_FAILED"


async def test_a_destination_that_is_foreign_or_missing_is_null(gateway: Gateway) -> None:
    """The two look the same, and neither is an error."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    numbers = [await stranger.create("custom_s3"), MISSING, 2**31 - 1, 2**31, 2**63, 9_999_999_999_999_999_999]

    for number in numbers:
        id_ = {"id": destination_id(number)}
        assert await data_of(account, ONE, id_) == {"backupDestination": None}
        assert await data_of(account, NODE, id_) == {"node": None}


async def test_the_viewer_is_the_owner_of_the_token_and_a_node(gateway: Gateway) -> None:
    """Nobody else's user is."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    id_ = f"User:{account.user_id}"

    viewer = (await data_of(account, VIEWER))["viewer"]

    own = {"id": id_, "databaseId": account.user_id, "name": "Test", "email": account.email}
    assert viewer == {"__typename": "User"} | own
    assert (await data_of(account, NODE, {"id": id_}))["node"] == {"id": id_, "name": "Test"}
    for other in (stranger.user_id, MISSING, 2**62):
        assert await data_of(account, NODE, {"id": f"User:{other}"}) == {"node": None}


async def test_an_event_is_a_node_of_its_owner_alone(gateway: Gateway) -> None:
    """Of the destination's owner."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    await account.create("local", label="Shed")
    (edge,) = (await data_of(account, EVENTS))["events"]["edges"]
    id_ = {"id": edge["node"]["id"]}

    assert (await data_of(account, NODE, id_))["node"] == edge["node"]
    assert await data_of(stranger, NODE, id_) == {"node": None}
    assert await data_of(account, NODE, {"id": "BackupDestinationEvent:9999999999999999999"}) == {"node": None}


async def test_nodes_come_in_the_order_of_their_ids(gateway: Gateway) -> None:
    """Null where there is none; the same object as often as it is asked for."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    local, amazon, foreign = await account.create("local"), await account.create("s3"), await stranger.create("s3")
    event = (await data_of(account, EVENTS))["events"]["edges"][0]["node"]["id"]
    user = f"User:{account.user_id}"
    ids = [*map(destination_id, (amazon, foreign, local, MISSING, amazon)), user, event, f"User:{stranger.user_id}"]

    nodes = (await data_of(account, NODES, {"ids": ids}))["nodes"]

    types = ["AmazonS3Destination", None, "LocalDestination", None, "AmazonS3Destination"]
    types += ["User", "BackupDestinationCreated", None]
    expected = [type_ and {"__typename": type_, "id": id_} for type_, id_ in zip(types, ids, strict=True)]
    assert nodes == expected


async def test_nodes_are_at_most_a_hundred(gateway: Gateway) -> None:
    """None is none."""
    account = await gateway.new_user()
    ids = [destination_id(await account.create("local"))] * 101

    assert await data_of(account, NODES, {"ids": []}) == {"nodes": []}
    assert len((await data_of(account, NODES, {"ids": ids[:100]}))["nodes"]) == 100
    assert code_of(await ask(account, NODES, {"ids": ids})) == "BAD_USER_INPUT"


async def test_a_malformed_id_is_the_clients_mistake(gateway: Gateway) -> None:
    """Told without repeating it."""
    account = await gateway.new_user()

    for id_ in MALFORMED:
        for query, variables in ((ONE, {"id": id_}), (NODE, {"id": id_}), (NODES, {"ids": [id_]})):
            answer = await ask(account, query, variables)
            assert code_of(answer) == "BAD_USER_INPUT", id_
            assert len(answer["errors"][0]["message"]) < 60


async def test_an_id_of_another_type_is_no_destination(gateway: Gateway) -> None:
    """Where a destination is asked for, a user's ID is malformed."""
    account = await gateway.new_user()

    for type_ in ("User", "BackupDestinationEvent"):
        assert code_of(await ask(account, ONE, {"id": f"{type_}:{account.user_id}"})) == "BAD_USER_INPUT"


async def test_without_a_token_nothing_but_the_schema_is_shown(gateway: Gateway) -> None:
    """A token that is none is refused for the schema too."""
    account = await gateway.new_user()

    async with account.client() as client:
        del client.headers["authorization"]
        for query in (VIEWER, "{ backupDestinations { totalCount } }", "{ __typename viewer { id } }"):
            answer = await client.post("/graphql", json={"query": query})
            assert (answer.status_code, code_of(answer.json())) == (401, "UNAUTHENTICATED")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert (await client.post("/graphql", json={"query": "{ __typename }"})).json() == {
            "data": {"__typename": "Query"}
        }
        headers = {"authorization": "Bearer nobody"}
        refused = await client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert code_of(refused.json()) == "UNAUTHENTICATED"


async def test_a_malformed_id_among_several_is_null_and_an_error_in_its_place(gateway: Gateway) -> None:
    """As graphql-core executes it the first time, and as a compiled query leaves it to graphql-core later."""
    account = await gateway.new_user()
    id_ = f"User:{account.user_id}"
    for _ in range(3):
        answer = await ask(
            account, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [id_, "x", id_, "Row:1"]}
        )

        assert answer["data"] == {"nodes": [{"id": id_}, None, {"id": id_}, None]}
        assert [error["path"] for error in answer["errors"]] == [["nodes", 1], ["nodes", 3]]
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


async def test_the_region_of_every_bucket_is_selected_without_naming_kinds(gateway: Gateway) -> None:
    """Null where none is set; beside each other, `String!` of one kind and `String` of another would be refused."""
    account = await gateway.new_user()
    for type_ in ("s3", "custom_s3", "local"):
        await account.create(type_)

    query = "{ backupDestinations { edges { node { ... on S3CompatibleDestination { region } } } } }"
    for _ in range(3):
        edges = (await data_of(account, query))["backupDestinations"]["edges"]

        assert [edge["node"] for edge in edges] == [{"region": "us-west-2"}, {"region": None}, {}]
