"""How often one may ask for a check, how many in one operation, and how long it may take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from models.clock import current_second
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.configured import configured
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import Answer, ask, code_of, data_of
from tests.support.graphql.graphql_documents import CHECK, TEST, destination_id, draft
from tests.support.stopwatch import Stopwatch
from tests.support.stores.peers import MemoryStore, ReceivedRequest, listening

CHECKS = 5
STORE_CHECKS = 30
EXECUTION_S = 1
SLOW_S = 0.7
"""Of each of four answers: together they are longer than any other operation of that gateway may take."""
DENIED = "http://10.11.12.13"
ONE = 'checkBackupDestination(id: "BackupDestination:2000000001") { __typename }'
OTHER = 'testBackupDestination(input: {local: {label: "A"}}) { __typename }'

TOO_MANY = {
    "by aliases": f"mutation {{ a: {ONE} b: {ONE} }}",
    "one of each": f"mutation {{ {ONE} {OTHER} }}",
    "behind something else": f'mutation {{ {ONE} deleteBackupDestination(id: "x") {{ __typename }} b: {OTHER} }}',
    "in a fragment": f"mutation {{ {ONE} ...F }} fragment F on Mutation {{ {OTHER} }}",
    "in an inline fragment": f"mutation {{ ... {{ {ONE} }} ... on Mutation {{ ... {{ b: {ONE} }} }} }}",
    "in a fragment of a fragment": (
        f"mutation {{ ...F b: {OTHER} }} fragment F on Mutation {{ ...G }} fragment G on Mutation {{ {ONE} }}"
    ),
    "though one is skipped": f"mutation {{ {ONE} {OTHER.replace('{ __', '@skip(if: true) { __')} }}",
    "twice the same": f"mutation {{ {OTHER} {OTHER} }}",
}


@pytest.fixture(scope="module")
def counting(postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that counts and is in a hurry; what it counts, and when it gives up, the databases have no part in."""
    settings = {
        "rate_limit": "600/minute",
        "graphql_execution_seconds": str(EXECUTION_S),
        "s3_allow": "127.0.0.1,127.0.0.2",
    }
    with configured("sqlite", postgres, **settings) as gateway:
        yield gateway


async def tried(account: Account, endpoint: str = DENIED) -> Answer:
    """The answer to a test of values for that endpoint."""
    return await ask(account, TEST, {"input": draft("customS3", endpoint=endpoint)})


@pytest.mark.parametrize("document", TOO_MANY.values(), ids=TOO_MANY)
async def test_a_second_check_in_one_operation_is_refused(gateway: Gateway, document: str) -> None:
    answer = await ask(await gateway.new_user(), document)

    assert code_of(answer) == "COST_LIMIT_EXCEEDED"
    assert "data" not in answer or answer["data"] is None


async def test_a_document_may_have_several_operations_with_a_check_each(gateway: Gateway) -> None:
    """And one operation a check beside something else."""
    account = await gateway.new_user()
    beside = f'mutation {{ {ONE} deleteBackupDestination(id: "BackupDestination:2000000001") {{ __typename }} }}'
    answer = await data_of(account, beside)
    document = {"query": f"mutation A {{ {ONE} }} mutation B {{ {OTHER} }}", "operationName": "B"}

    async with account.client() as client:
        named = await client.post("/graphql", json=document)

    assert {result["__typename"] for result in answer.values()} == {"NotFoundProblem"}
    assert named.json() == {"data": {"testBackupDestination": {"__typename": "NotCheckableProblem"}}}


@pytest.mark.parametrize(
    "hosts",
    [
        ["10.11.12.14"],
        # One address by seven names, as a wildcard in the DNS makes as many as one likes.
        ["127.0.0.2", "127.2", "127.0.2", "0x7f.2", "0x7f000002", "2130706434", "0177.0.0.2"],
    ],
    ids=["a host", "an address"],
)
async def test_checks_of_one_host_or_address_are_bounded_over_all_users(hosts: list[str], counting: Gateway) -> None:
    """Many users together are refused what each may do alone, at whatever port and path."""
    codes: list[str | None] = []
    for user in range(STORE_CHECKS // CHECKS + 1):
        account = await counting.new_user()
        answers = [await tried(account, f"http://{hosts[user % len(hosts)]}:{9 + n}/p{n}") for n in range(CHECKS)]
        codes += [code_of(answer) if answer.get("errors") else None for answer in answers]
    another_host = await tried(await counting.new_user(), "http://10.11.12.15")

    assert codes == [None] * STORE_CHECKS + ["RATE_LIMITED"] * CHECKS
    assert not another_host.get("errors")


async def test_a_sixth_check_within_a_minute_is_refused_for_that_user_alone(counting: Gateway) -> None:
    """Checks and tests count together; what is no check is not counted, and anything else may still be asked."""
    account, other = await counting.new_user(), await counting.new_user()
    id_ = {"id": destination_id(await account.create("custom_s3", custom_s3_endpoint=DENIED))}
    local = {"id": destination_id(await account.create("local"))}

    for _ in range(CHECKS - 2):
        assert "errors" not in await tried(account)
        assert (await data_of(account, CHECK, local))["result"]["__typename"] == "NotCheckableProblem"
    for _ in range(2):
        assert (await data_of(account, CHECK, id_))["result"]["report"]
    refused = [await ask(account, CHECK, id_), await tried(account)]
    allowed = [await data_of(account, CHECK, local), await data_of(account, "{ viewer { id } }")]

    assert [code_of(answer) for answer in refused] == ["RATE_LIMITED"] * 2
    assert {answer["errors"][0]["message"] for answer in refused} == {"Too Many Attempts."}
    assert allowed[0]["result"]["__typename"] == "NotCheckableProblem"
    assert "errors" not in await tried(other)


async def test_a_check_may_take_longer_than_any_other_operation(counting: Gateway) -> None:
    """Its own deadline ends it, not that of an execution; somebody else waits no longer for their own."""
    account, other = await counting.new_user(), await counting.new_user()

    async def slow(_asked: ReceivedRequest) -> None:
        await asyncio.sleep(SLOW_S)

    async with listening(MemoryStore(slow).script) as peer:
        started, watch = time.monotonic(), Stopwatch(counting.worker_pid)
        waiting = asyncio.create_task(tried(account, peer.url))
        meanwhile = await data_of(other, "{ viewer { id } }")
        first_s = watch.seconds
        answer = await waiting
        wall_s = time.monotonic() - started

    assert answer["data"]["result"]["report"]["reachable"]
    assert meanwhile["viewer"]
    assert first_s < EXECUTION_S < 4 * SLOW_S < wall_s


async def test_a_check_that_waits_for_another_process_too_long_is_told_so(counting: Gateway) -> None:
    """The other one had it for longer than a check can take."""
    account = await counting.new_user()
    number = await account.create("custom_s3", custom_s3_endpoint=DENIED)
    await counting.rows(
        "UPDATE backup_destinations SET reachability = 'checking', claim = 'somebody', "  # noqa: S608 - our own integer
        f"claimed_until = '{current_second() + timedelta(seconds=55)}' WHERE id = {number}"
    )

    answer = await ask(account, CHECK, {"id": destination_id(number)})

    assert code_of(answer) == "TIMED_OUT"
