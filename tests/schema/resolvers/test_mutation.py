"""Creating, changing and deleting through GraphQL: payloads, partial updates, and what is left behind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api.destinations import FORBIDDEN, MISSING, NOT_FOUND, backdate, events_of, stored
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of
from tests.support.graphql.graphql_documents import CREATE, DELETE, INPUTS, LIST, ONE, UPDATE, destination_id, draft

EXPECTED: dict[str, dict[str, Any]] = {
    "amazonS3": {"__typename": "AmazonS3Destination", "bucketName": "nightly", "region": "us-west-2"},
    "customS3": {"__typename": "CustomS3Destination", "endpoint": "https://s3.example.com", "region": None},
    "local": {"__typename": "LocalDestination", "kindName": "Local"},
}

NOT_ONE_KIND = [
    {},
    {"local": None},
    {"local": {"label": "A"}, "amazonS3": None},
    draft("local") | draft("customS3"),
    draft("local") | draft("customS3") | draft("amazonS3"),
    None,
]

PARTIAL: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("customS3", {"label": "Weekly"}, {"label": "Weekly"}, "label"),
    ("customS3", {"region": "here"}, {"region": "here"}, "region"),
    ("customS3", {"bucketName": " weekly ", "pathStyleEndpoint": True},
     {"bucketName": "weekly", "pathStyleEndpoint": True}, "bucket_name path_style_endpoint"),
    ("customS3", {"endpoint": "http://[::1]:9000/a", "credentials": {"accessKey": "a2", "secretKey": "s2"}},
     {"endpoint": "http://[::1]:9000/a"}, "access_key secret_key endpoint"),
    ("amazonS3", {"region": "eu-north-1", "label": "A amazonS3 destination"}, {"region": "eu-north-1"}, "region"),
    ("amazonS3", {"credentials": {"accessKey": "a2", "secretKey": "s2"}}, {}, "access_key secret_key"),
    ("local", {"label": "Weekly", "region": None, "credentials": None}, {"label": "Weekly"}, "label"),
]  # fmt: skip


async def make(account: Account, kind: str, **changes: Any) -> int:
    """The number of a new destination."""
    result = (await data_of(account, CREATE, {"input": draft(kind, **changes)}))["result"]
    assert result["__typename"] == "CreateBackupDestinationPayload", result
    return int(result["backupDestination"]["databaseId"])


async def update(account: Account, number: int, changes: dict[str, Any]) -> dict[str, Any]:
    """The result of an update."""
    result: dict[str, Any] = (await data_of(account, UPDATE, {"id": destination_id(number), "input": changes}))[
        "result"
    ]
    return result


async def shown(account: Account, number: int) -> Any:
    """A destination as it is now."""
    return (await data_of(account, ONE, {"id": destination_id(number)}))["backupDestination"]


@pytest.mark.parametrize("kind", INPUTS)
async def test_a_destination_of_each_kind_is_created_and_shown(gateway: Gateway, kind: str) -> None:
    """The payload is the destination as every query shows it, and its edge."""
    account = await gateway.new_user()

    result = (await data_of(account, CREATE, {"input": draft(kind, label="  Nightly ")}))["result"]

    made, edge = result["backupDestination"], result["edge"]
    assert made == await shown(account, made["databaseId"])
    assert made["label"] == "Nightly"
    assert {field: made[field] for field in EXPECTED[kind]} == EXPECTED[kind]
    assert edge["node"] == {"id": made["id"]}
    (listed,) = (await data_of(account, LIST))["backupDestinations"]["edges"]
    assert listed["node"] == made
    rest = await data_of(account, LIST, {"after": edge["cursor"]})
    assert rest["backupDestinations"]["edges"] == []


async def test_credentials_are_sealed_and_never_shown(gateway: Gateway) -> None:
    """The row holds envelopes."""
    account = await gateway.new_user()
    keys = {"accessKey": "canary-access", "secretKey": "canary-secret"}

    answer = await ask(account, CREATE, {"input": draft("customS3", credentials=keys)})
    number = answer["data"]["result"]["backupDestination"]["databaseId"]
    row = await stored(gateway, number)

    assert "canary" not in str(answer)
    assert "canary" not in str(row)
    assert all(row[column].startswith("s1:") for column in ("access_key", "secret_key"))


@pytest.mark.parametrize("value", NOT_ONE_KIND)
async def test_an_input_of_no_kind_or_several_is_refused(gateway: Gateway, value: Any) -> None:
    """As a variable and as a literal, before anything runs."""
    account = await gateway.new_user()
    literal = 'mutation { createBackupDestination(input: {local: {label: "A"}, amazonS3: null}) { __typename } }'

    answer = await ask(account, CREATE, {"input": value})

    assert "data" not in answer
    assert code_of(answer) == "BAD_USER_INPUT"
    assert code_of(await ask(account, literal)) == "GRAPHQL_VALIDATION_FAILED"
    assert await gateway.rows(f"SELECT id FROM backup_destinations WHERE user_id = {account.user_id}") == []  # noqa: S608 - our own integer


async def test_a_kind_behind_a_variable_must_be_given(gateway: Gateway) -> None:
    """A variable that may be null is no way to give none; that is the client's mistake, and told as one."""
    account = await gateway.new_user()
    query = """mutation ($local: LocalDestinationInput%s) {
      createBackupDestination(input: {local: $local}) { __typename } }"""

    made = await ask(account, query % "!", {"local": {"label": "A"}})
    refused = [await ask(account, query % "", variables) for variables in ({}, {"local": None})]

    assert made["data"]["createBackupDestination"] == {"__typename": "CreateBackupDestinationPayload"}
    assert {code_of(answer) for answer in refused} <= {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
    assert [event["label"] for event in await events_of(gateway, account.user_id)] == ["A"]


@pytest.mark.parametrize(("kind", "changes", "expected", "fields"), PARTIAL)
async def test_an_update_changes_what_is_given_and_keeps_the_rest(
    gateway: Gateway, kind: str, changes: dict[str, Any], expected: dict[str, Any], fields: str
) -> None:
    """The event names the attributes that changed."""
    account = await gateway.new_user()
    number = await make(account, kind)
    await backdate(gateway, number)
    before = await shown(account, number)

    result = await update(account, number, changes)

    after = result["backupDestination"]
    assert after == await shown(account, number)
    assert after["updatedAt"] > before["updatedAt"]
    moved = {"updatedAt"} | ({"credentialsSetAt"} if "credentials" in changes else set())
    assert {f: v for f, v in after.items() if f not in moved} == {
        f: expected.get(f, v) for f, v in before.items() if f not in moved
    }
    event = (await events_of(gateway, account.user_id))[-1]
    assert (event["kind"], event["changed_fields"]) == ("updated", fields)


async def test_null_is_not_left_out(gateway: Gateway) -> None:
    """Where the kind allows it, null clears; left out, the value stays."""
    account = await gateway.new_user()
    number = await make(account, "customS3", region="here")

    kept = await update(account, number, {"label": "Weekly"})
    cleared = await update(account, number, {"region": None})
    query = """mutation ($id: ID!, $label: String, $region: String) {
      updateBackupDestination(id: $id, input: {label: $label, region: $region}) { __typename } }"""
    await update(account, number, {"region": "there"})
    absent = await ask(account, query, {"id": destination_id(number), "label": "Daily"})

    assert kept["backupDestination"]["region"] == "here"
    assert cleared["backupDestination"]["region"] is None
    assert "errors" not in absent
    destination = await shown(account, number)
    assert (destination["label"], destination["region"]) == ("Daily", "there")


async def test_an_update_of_nothing_leaves_no_event_and_no_new_moment(gateway: Gateway) -> None:
    """Neither without a field nor with the values that are there."""
    account = await gateway.new_user()
    number = await make(account, "amazonS3")
    await backdate(gateway, number)
    before = await shown(account, number)

    for changes in ({}, {"label": before["label"], "region": "us-west-2", "pathStyleEndpoint": False}):
        assert (await update(account, number, changes))["backupDestination"] == before

    assert [event["kind"] for event in await events_of(gateway, account.user_id)] == ["created"]


async def test_a_deleted_destination_is_gone(gateway: Gateway) -> None:
    """The second time there is none."""
    account = await gateway.new_user()
    number = await make(account, "amazonS3")
    id_ = {"id": destination_id(number)}

    deleted = (await data_of(account, DELETE, id_))["result"]
    again = (await data_of(account, DELETE, id_))["result"]

    assert deleted == {"__typename": "DeleteBackupDestinationPayload", "deletedId": id_["id"]}
    assert again == {"__typename": "NotFoundProblem", "message": NOT_FOUND}
    assert await shown(account, number) is None


async def test_every_write_leaves_an_event_of_this_api_and_token(gateway: Gateway) -> None:
    """Created, updated, deleted."""
    account = await gateway.new_user()

    number = await make(account, "customS3")
    await update(account, number, {"label": "Weekly", "credentials": {"accessKey": "a", "secretKey": "b"}})
    await data_of(account, DELETE, {"id": destination_id(number)})
    events = await events_of(gateway, account.user_id)

    told = [(e["kind"], e["destination_id"], e["changed_fields"], e["protocol"], e["token_name"]) for e in events]
    assert told == [
        ("created", number, "", "graphql", "test"),
        ("updated", number, "label access_key secret_key", "graphql", "test"),
        ("deleted", number, "", "graphql", "test"),
    ]
    assert {event["token_id"] for event in events} == {int(account.token.partition("|")[0])}


async def test_a_foreign_or_missing_destination_is_a_problem_and_stays_as_it_is(gateway: Gateway) -> None:
    """That comes before what the input says."""
    account, stranger = await gateway.new_user(), await gateway.new_user()
    foreign = await stranger.create("s3")
    before = await stored(gateway, foreign)
    forbidden = {"__typename": "ForbiddenProblem", "message": FORBIDDEN}
    missing = {"__typename": "NotFoundProblem", "message": NOT_FOUND}
    cases = [(foreign, forbidden), *((n, missing) for n in (MISSING, 2**31, 2**63, 9_999_999_999_999_999_999))]

    for number, problem in cases:
        for changes in ({"label": "Mine"}, {"label": "x" * 256}, {}):
            assert await update(account, number, changes) == problem
        assert (await data_of(account, DELETE, {"id": destination_id(number)}))["result"] == problem

    assert await stored(gateway, foreign) == before
    assert await events_of(gateway, account.user_id) == []


async def test_mutations_of_one_document_run_one_after_another(gateway: Gateway) -> None:
    """A refused one does not undo those before it, nor keep back those behind it."""
    account = await gateway.new_user()
    query = """mutation ($long: String!) {
      one: createBackupDestination(input: {local: {label: "One"}}) { __typename }
      two: createBackupDestination(input: {local: {label: $long}}) { __typename }
      three: createBackupDestination(input: {local: {label: "Three"}}) { __typename }
    }"""

    results = await data_of(account, query, {"long": "x" * 256})

    made = {"__typename": "CreateBackupDestinationPayload"}
    assert results == {"one": made, "two": {"__typename": "ValidationProblem"}, "three": made}
    assert [event["label"] for event in await events_of(gateway, account.user_id)] == ["One", "Three"]
