"""No user sees or changes anything of another user through GraphQL, whatever field, cursor or stream is tried."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.schema.resolvers.test_objects import NODE, NODES
from tests.schema.resolvers.test_paging import ORDERS, PAGE
from tests.support.api.destinations import MISSING, backdate, events_of, stored
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import LISTENS, Answer, Listen, ask, code_of, data_of
from tests.support.graphql.graphql_documents import (
    CREATE,
    DELETE,
    EVENTS,
    LIST,
    LISTEN,
    ONE,
    UPDATE,
    destination_id,
    draft,
)

CANARY = "cnry5b1e7d"
SEARCH = """
query ($text: String) { backupDestinations(filter: {labelContains: $text}) { totalCount edges { node { label } } } }
"""


async def owner_of_canaries(gateway: Gateway) -> tuple[Account, list[int]]:
    """A user all of whose destinations are marked with the canary, and their ids."""
    account = await gateway.new_user()
    bucket = {"s3_bucket_name": CANARY}
    s3 = [await account.create(type_, label=f"{CANARY} {type_}", **bucket) for type_ in ("s3", "custom_s3")]
    return account, [*s3, await account.create("local", label=f"{CANARY} local")]


def like_for_missing(answer: Answer, number: int) -> str:
    """An answer about one row as it would be about the row that is missing."""
    return str(answer).replace(str(number), str(MISSING))


async def test_every_query_shows_of_a_stranger_what_it_shows_of_nobody(gateway: Gateway) -> None:
    """Null for a foreign row is the null for a missing one."""
    account, (owner, numbers) = await gateway.new_user(), await owner_of_canaries(gateway)
    await account.create("local", label="own")
    event = (await data_of(owner, EVENTS))["events"]["edges"][0]["node"]["id"]
    ids = [*map(destination_id, numbers), event, f"User:{owner.user_id}"]

    answers = [await ask(account, NODES, {"ids": ids}), await ask(account, LIST), await ask(account, EVENTS)]
    answers += [await ask(account, SEARCH, {"text": CANARY})]
    answers += [await ask(account, NODE, {"id": id_}) for id_ in ids]
    for number in numbers:
        foreign = await ask(account, ONE, {"id": destination_id(number)})
        missing = await ask(account, ONE, {"id": destination_id(MISSING)})
        assert like_for_missing(foreign, number) == str(missing)

    assert CANARY not in str(answers)
    assert owner.email not in str(answers)
    assert answers[0]["data"] == {"nodes": [None] * len(ids)}
    assert [answer["data"]["backupDestinations"]["totalCount"] for answer in (answers[1], answers[3])] == [1, 0]
    assert len(answers[2]["data"]["events"]["edges"]) == 1


async def test_a_strangers_cursor_is_a_place_in_ones_own_list(gateway: Gateway) -> None:
    """It leads to no row of the stranger's, in any order and either direction; nor does one of the events."""
    account, (owner, _) = await gateway.new_user(), await owner_of_canaries(gateway)
    own = await account.create("local", label="own")

    for order in ORDERS:
        cursors = (await data_of(owner, PAGE, {"orderBy": order}))["backupDestinations"]["edges"]
        for cursor in (cursors[0]["cursor"], cursors[-1]["cursor"]):
            for window in ({"after": cursor}, {"before": cursor, "last": 9}):
                found = (await data_of(account, PAGE, {"orderBy": order, **window}))["backupDestinations"]
                assert {edge["node"]["databaseId"] for edge in found["edges"]} <= {own}
                assert found["totalCount"] == 1
    edge = (await data_of(owner, EVENTS))["events"]["edges"][-1]
    for window in ({"after": edge["cursor"]}, {"before": edge["cursor"]}):
        answer = await ask(account, EVENTS, window)
        assert CANARY not in str(answer)
        assert answer["errors"][0]["extensions"]["reason"] == "UNKNOWN_EVENT"


@pytest.mark.parametrize("number_of_row", [0, 1, 2])
async def test_no_mutation_changes_a_strangers_row(gateway: Gateway, number_of_row: int) -> None:
    """Nor does the problem say anything of it; no event is stored for either."""
    account, (owner, numbers) = await gateway.new_user(), await owner_of_canaries(gateway)
    number = numbers[number_of_row]
    await backdate(gateway, number)
    before = await stored(gateway, number), await events_of(gateway, owner.user_id)
    id_ = {"id": destination_id(number)}

    answers = [
        await ask(account, UPDATE, id_ | {"input": changes})
        for changes in (
            {"label": "Mine"},
            {"credentials": {"accessKey": "a", "secretKey": "b"}},
            {"endpoint": None},
            {},
        )
    ]
    answers.append(await ask(account, DELETE, id_))

    assert {answer["data"]["result"]["__typename"] for answer in answers} == {"ForbiddenProblem"}
    assert CANARY not in str(answers)
    assert (await stored(gateway, number), await events_of(gateway, owner.user_id)) == before
    assert await events_of(gateway, account.user_id) == []


async def test_a_destination_is_made_for_the_owner_of_the_token(gateway: Gateway) -> None:
    """There is no field to say for whom."""
    account, stranger = await gateway.new_user(), await gateway.new_user()

    for field in ("userId", "user_id", "user", "id", "databaseId"):
        answer = await ask(account, CREATE, {"input": draft("local", **{field: stranger.user_id})})
        assert code_of(answer) == "BAD_USER_INPUT"
    made = (await data_of(account, CREATE, {"input": draft("local")}))["result"]["backupDestination"]

    assert (await stored(gateway, made["databaseId"]))["user_id"] == account.user_id
    assert await events_of(gateway, stranger.user_id) == []


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_a_stream_tells_ones_own_events_alone(gateway: Gateway, listen: Listen) -> None:
    """The stranger's events before, between and after are not shown, and are no position to begin from."""
    account, (owner, numbers) = await gateway.new_user(), await owner_of_canaries(gateway)
    foreign = (await data_of(owner, EVENTS))["events"]["edges"][-1]["node"]["id"]
    await account.create("local", label="first")
    first = (await data_of(account, EVENTS))["events"]["edges"][-1]["node"]["id"]

    async with listen(account, LISTEN, {"after": foreign}) as listener:
        assert code_of(await listener.answer()) == "BAD_USER_INPUT"
    async with listen(account, LISTEN, {"after": first}) as listener:
        made = []
        for number in numbers:
            await data_of(owner, UPDATE, {"id": destination_id(number), "input": {"label": f"{CANARY} again"}})
            made.append(destination_id(await account.create("local", label="own")))
        heard = await listener.events(3)
        await data_of(owner, DELETE, {"id": destination_id(numbers[0])})
        with pytest.raises(TimeoutError):
            await listener.answer(deadline_s=0.3)

    assert [event["backupDestinationId"] for event in heard] == made
    assert CANARY not in str(heard)


async def test_the_same_document_of_two_users_at_once_is_answered_to_each(gateway: Gateway) -> None:
    """What the gateway keeps of a document is not kept of a user."""
    accounts = [await gateway.new_user() for _ in range(2)]
    for number, account in enumerate(accounts):
        await account.create("local", label=f"of {number}")
    query = "{ viewer { databaseId } backupDestinations { totalCount edges { node { label } } } }"

    answers: list[Any] = await asyncio.gather(*(data_of(accounts[n % 2], query) for n in range(40)))

    for n, answer in enumerate(answers):
        assert answer["viewer"] == {"databaseId": accounts[n % 2].user_id}
        assert answer["backupDestinations"] == {"totalCount": 1, "edges": [{"node": {"label": f"of {n % 2}"}}]}
