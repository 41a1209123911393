"""The checks that were made of a destination: in pages, newest first, up to a number, gone with the destination."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks import leases
from models.checks.past_checks import past_checks
from models.checks.report import CheckDepth
from models.pagination import Bounds
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import ask, code_of, data_of
from tests.support.graphql.graphql_documents import CHECK, destination_id
from tests.support.stores.checking import found
from tests.support.stores.peers import MemoryStore, ReceivedRequest, error, listening

HISTORY = """
query ($id: ID!, $first: Int, $after: String) {
  backupDestination(id: $id) { ... on S3CompatibleDestination { checks(first: $first, after: $after) {
    edges { cursor node { checkedAt reachable failedStep code durationMs steps { name durationMs } } }
    pageInfo { hasNextPage hasPreviousPage endCursor }
  } } }
}
"""
LISTED = """
{ backupDestinations { edges { node {
  ... on S3CompatibleDestination { checks(first: 1) { edges { node { code } } } }
} } } }
"""


async def complete(gateway: Gateway, account: Account, number: int, *reachable: bool, kept: int = 50) -> None:
    """Store checks with these outcomes, as the clock does; each 1 s after the other."""
    viewer = on_behalf_of(account.user_id, Protocol.SCHEDULER)
    async with gateway.models():
        for n, is_reachable in enumerate(reachable):
            lease = await leases.acquire(number)
            assert lease is not None
            report = found(CheckDepth.FULL, reachable=is_reachable)
            report = replace(report, checked_at=report.checked_at + timedelta(seconds=n))
            await leases.complete(lease, report, viewer, every=timedelta(hours=1), kept=kept)


async def history(account: Account, number: int, **variables: Any) -> dict[str, Any]:
    data = await data_of(account, HISTORY, {"id": destination_id(number), **variables})
    checks: dict[str, Any] = data["backupDestination"]["checks"]
    return checks


async def test_checks_are_kept_with_their_outcome_step_and_durations(gateway: Gateway) -> None:
    """In pages from the newest on; the history of a new destination is empty."""
    account, full = await gateway.new_user(), iter((False, True, False))

    async def override(asked: ReceivedRequest) -> bytes | None:
        is_refused = asked.method == "PUT" and next(full)
        return error("400 Bad Request", "QuotaExceeded") if is_refused else None

    async with listening(MemoryStore(override).script) as peer:
        number = await account.create("custom_s3", custom_s3_endpoint=peer.url)
        empty = await history(account, number)
        for _ in range(3):
            await data_of(account, CHECK, {"id": destination_id(number)})

    first = await history(account, number, first=2)
    second = await history(account, number, first=2, after=first["pageInfo"]["endCursor"])

    assert empty["edges"] == []
    nodes = [edge["node"] for page in (first, second) for edge in page["edges"]]
    assert [(node["reachable"], node["failedStep"], node["code"]) for node in nodes] == [
        (True, None, None),
        (False, "WRITE", "STORAGE_FULL"),
        (True, None, None),
    ]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, second)] == [True, False]
    for node in nodes:
        assert node["durationMs"] == sum(step["durationMs"] for step in node["steps"])
        assert len(node["steps"]) == 9


async def test_a_first_failure_by_the_clock_is_in_the_history_before_a_second_look_confirms_it(
    gateway: Gateway,
) -> None:
    account = await gateway.new_user()
    number = await account.create("custom_s3")

    await complete(gateway, account, number, True, False)

    edges = (await history(account, number))["edges"]
    assert [edge["node"]["reachable"] for edge in edges] == [False, True]


async def test_the_oldest_are_dropped_and_a_smaller_number_is_kept_from_then_on(gateway: Gateway) -> None:
    account = await gateway.new_user()
    number, other = await account.create("custom_s3"), await account.create("custom_s3")
    await complete(gateway, account, other, True)

    lengths = []
    for kept in (3, 2, 0):
        await complete(gateway, account, number, True, True, True, True, kept=kept)
        lengths.append(len((await history(account, number))["edges"]))

    assert lengths == [3, 2, 0]
    assert len((await history(account, other))["edges"]) == 1


async def test_the_history_goes_with_the_destination(gateway: Gateway) -> None:
    """Also with its user."""
    account, other = await gateway.new_user(), await gateway.new_user()
    numbers = [await each.create("custom_s3") for each in (account, other)]
    for each, number in zip((account, other), numbers, strict=True):
        await complete(gateway, each, number, True)

    await gateway.rows(f"DELETE FROM backup_destinations WHERE id = {numbers[0]}")  # noqa: S608
    await gateway.rows(f"DELETE FROM users WHERE id = {other.user_id}")  # noqa: S608

    rows = await gateway.rows(f"SELECT id FROM past_checks WHERE destination_id IN ({numbers[0]}, {numbers[1]})")  # noqa: S608
    assert rows == []


async def test_each_destination_of_a_list_has_its_own(gateway: Gateway) -> None:
    """The newest, by one statement for all of them; a report that cannot be read is left out."""
    account = await gateway.new_user()
    numbers = [await account.create("custom_s3") for _ in range(3)]
    for number, reachable in zip(numbers, (True, False, True), strict=True):
        await complete(gateway, account, number, reachable, reachable)
    await gateway.rows(f"UPDATE past_checks SET report = '{{}}' WHERE destination_id = {numbers[2]}")  # noqa: S608

    listed = await data_of(account, LISTED)

    shown = [edge["node"]["checks"]["edges"] for edge in listed["backupDestinations"]["edges"]]
    assert shown == [[{"node": {"code": None}}], [{"node": {"code": "ACCESS_DENIED"}}], []]


@pytest.mark.parametrize("after", ["x", "WyJldmVudCIsbnVsbCwxXQ", "WyJjaGVjayIsbnVsbCwwXQ"])
async def test_another_cursor_is_refused(after: str, gateway: Gateway) -> None:
    """Garbage, one of an event, and one before the first."""
    account = await gateway.new_user()
    number = await account.create("custom_s3")

    assert code_of(await ask(account, HISTORY, {"id": destination_id(number), "after": after})) == "BAD_USER_INPUT"


async def test_no_destination_has_no_statement() -> None:
    assert await past_checks([], Bounds()) == {}
