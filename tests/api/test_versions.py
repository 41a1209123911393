"""No update is lost: a change may name the version it is meant for, and of racing ones for a version one wins."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.api.destinations import LIST, MISSING, assert_refused, at, events_of
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of
from tests.support.graphql.graphql_documents import destination_id

ROUNDS, WRITERS = 3, 25
VERSION = "query ($id: ID!) { backupDestination(id: $id) { version label } }"
UPDATE = """mutation ($id: ID!, $input: UpdateBackupDestinationInput!, $version: Int) {
  result: updateBackupDestination(id: $id, input: $input, expectedVersion: $version) { __typename
    ... on UpdateBackupDestinationPayload { backupDestination { version label } }
    ... on ConflictProblem { message backupDestination { version label } } } }"""
DELETE = """mutation ($id: ID!, $version: Int) {
  result: deleteBackupDestination(id: $id, expectedVersion: $version) { __typename
    ... on ConflictProblem { backupDestination { label } } } }"""
WON, LOST = "UpdateBackupDestinationPayload", "ConflictProblem"


async def shown(account: Account, number: int) -> dict[str, Any]:
    """The version and the label."""
    found: dict[str, Any] = (await data_of(account, VERSION, {"id": destination_id(number)}))["backupDestination"]
    return found


async def change(account: Account, number: int, label: str, version: int | None) -> dict[str, Any]:
    """The result of an update by GraphQL."""
    variables = {"id": destination_id(number), "input": {"label": label}, "version": version}
    result: dict[str, Any] = (await data_of(account, UPDATE, variables))["result"]
    return result


async def test_a_change_of_another_version_is_a_conflict_with_the_current_row(gateway: Gateway) -> None:
    """Without a version everything is as it was; a version is another after every change."""
    account = await gateway.new_user()
    number = await account.create("local", label="first")
    before = await shown(account, number)

    changed = await change(account, number, "second", before["version"])
    refused = await change(account, number, "third", before["version"])
    free = await change(account, number, "fourth", None)
    gone = {"id": destination_id(number), "version": changed["backupDestination"]["version"]}
    kept = (await data_of(account, DELETE, gone))["result"]

    assert changed["__typename"] == WON
    assert changed["backupDestination"]["version"] != before["version"]
    assert (refused["__typename"], refused["backupDestination"]) == (LOST, changed["backupDestination"])
    assert free["__typename"] == WON
    assert kept == {"__typename": LOST, "backupDestination": {"label": "fourth"}}
    assert [event["kind"] for event in await events_of(gateway, account.user_id)] == ["created", "updated", "updated"]


@pytest.mark.parametrize("version", ["", "1", 1.5, True, 2**31])
async def test_a_version_that_can_be_none_is_bad_input(gateway: Gateway, version: object) -> None:
    account = await gateway.new_user()
    number = await account.create("local")
    variables = {"id": destination_id(number), "input": {"label": "x"}, "version": version}

    assert code_of(await ask(account, UPDATE, variables)) == "BAD_USER_INPUT"


async def test_rest_changes_nothing_that_if_none_match_excludes(gateway: Gateway) -> None:
    """RFC 9110, 13.1.2: compared weakly, behind `If-Match`."""
    account = await gateway.new_user()
    number = await account.create("local", label="first")
    async with account.client() as client:
        tag = (await client.get(at(number))).headers["etag"]
        for excluded in ("*", tag, f'"x", W/{tag}'):
            condition = {"If-None-Match": excluded}
            assert_refused(await client.put(at(number), json={"label": "second"}, headers=condition), 412)
            assert_refused(await client.delete(at(number), headers=condition | {"If-Match": tag}), 412)
        other = {"If-None-Match": '"x"', "If-Match": tag}
        assert (await client.put(at(number), json={"label": "third"}, headers=other)).status_code == 200
        assert_refused(await client.put(at(MISSING), json={"label": "x"}, headers={"If-None-Match": "*"}), 404)


async def test_rest_changes_only_what_the_client_has_seen_with_if_match(gateway: Gateway) -> None:
    """RFC 9110, 13.1.1: compared strongly, with the tag of the destination itself."""
    account = await gateway.new_user()
    number = await account.create("local", label="first")
    async with account.client() as client:
        tag = (await client.get(at(number))).headers["etag"]
        assert (await client.put(at(number), json={"label": "second"}, headers={"If-Match": tag})).status_code == 200
        for stale in (tag, f"W/{tag}", '"x"', f'"x", {tag}', ""):
            answer = await client.put(at(number), json={"label": "third"}, headers={"If-Match": stale})
            assert_refused(answer, 412)
            assert_refused(await client.delete(at(number), headers={"If-Match": stale}), 412)
        weak = f"W/{(await client.get(at(number))).headers['etag']}"
        assert (await client.put(at(number), json={"label": "x"}, headers={"If-Match": weak})).status_code == 412
        assert (await client.put(at(number), json={"label": "fourth"}, headers={"If-Match": "*"})).status_code == 200
        current = f'"x", {(await client.get(at(number))).headers["etag"]}'
        assert (await client.delete(at(number), headers={"If-Match": current})).status_code == 200
        assert (await client.put(at(number), json={"label": "x"}, headers={"If-Match": "*"})).status_code == 404
        assert (await client.get(LIST)).json()["data"] == []


async def test_of_racing_writers_exactly_one_wins_for_each_version(gateway: Gateway) -> None:
    """Through both APIs at once."""
    account = await gateway.new_user()
    number = await account.create("local", label="start")
    async with account.client() as client:

        async def by_rest(tag: str, label: str) -> bool:
            answer = await client.put(at(number), json={"label": label}, headers={"If-Match": tag})
            assert answer.status_code in (200, 412)
            return answer.status_code == 200

        async def by_graphql(version: int, label: str) -> bool:
            return bool((await change(account, number, label, version))["__typename"] == WON)

        for turn in range(ROUNDS):
            tag, version = (await client.get(at(number))).headers["etag"], (await shown(account, number))["version"]
            labels = [f"{turn} {writer}" for writer in range(WRITERS)]
            won = await asyncio.gather(
                *(by_rest(tag, f"rest {label}") for label in labels),
                *(by_graphql(version, f"graphql {label}") for label in labels),
            )
            every = [f"{api} {label}" for api in ("rest", "graphql") for label in labels]
            assert won.count(True) == 1
            assert (await shown(account, number))["label"] == every[won.index(True)]
    assert len(await events_of(gateway, account.user_id)) == 1 + ROUNDS
