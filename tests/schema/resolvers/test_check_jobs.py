"""A job checks all destinations of a filter, within bounds, and says how far it is, also after its process is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api.destinations import events_of
from tests.support.databases.databases import database_url
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Account, Gateway
from tests.support.graphql.graphql_client import LISTENS, Ended, Listen, ask, code_of, data_of, over_socket
from tests.support.graphql.graphql_documents import destination_id
from tests.support.stores.peers import MemoryStore, ReceivedRequest, listening

START = """
mutation ($filter: BackupDestinationFilter) {
  result: checkBackupDestinations(filter: $filter) {
    __typename
    ... on CheckBackupDestinationsPayload { job { ...J } }
    ... on CheckJobRunningProblem { message jobId }
  }
}
"""
JOB = "fragment J on CheckJob { id state total checked reachable unreachable leftOut startedAt endedAt }"
PROGRESS = "subscription ($id: ID!) { checkJobProgress(id: $id) { ...J } }" + JOB
SHOW = "query ($id: ID!) { checkJob(id: $id) { ...J } }" + JOB
DENIED = "http://10.11.12.13"
DEADLINE_S = 60
STORE_CHECKS = 30


@pytest.fixture(params=["sqlite", "postgresql"])
def own(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A gateway that may be stopped."""
    gateway = Gateway(database_url(request.param, postgres), s3_allow="127.0.0.0/8").start()
    yield gateway
    gateway.close()


async def started(account: Account, **filter_: Any) -> dict[str, Any]:
    """A job that has just been started."""
    result = (await data_of(account, START + JOB, {"filter": filter_}))["result"]
    assert result["__typename"] == "CheckBackupDestinationsPayload", result
    job: dict[str, Any] = result["job"]
    return job


async def shown(account: Account, job: dict[str, Any]) -> dict[str, Any]:
    """The job as it is now."""
    found: dict[str, Any] = (await data_of(account, SHOW, {"id": job["id"]}))["checkJob"]
    return found


async def followed(account: Account, job: dict[str, Any], listen: Listen = over_socket) -> list[dict[str, Any]]:
    """What a stream shows of a job, to its end."""
    seen = []
    async with asyncio.timeout(DEADLINE_S), listen(account, PROGRESS, {"id": job["id"]}) as listener:
        try:
            while True:
                seen.append((await listener.answer())["data"]["checkJobProgress"])
        except Ended:
            return seen


@pytest.mark.parametrize("listen", LISTENS.values(), ids=LISTENS)
async def test_all_destinations_of_a_filter_are_checked_and_counted(own: Gateway, listen: Listen) -> None:
    """Local ones have nothing to check; each check is an event, and stored as one that a user asked for."""
    account = await own.new_user()
    store = MemoryStore()
    async with listening(store.script) as peer:
        sound = [await account.create("custom_s3", label=f"in {n}", custom_s3_endpoint=peer.url) for n in range(5)]
        broken = [await account.create("custom_s3", label=f"in {n}", custom_s3_endpoint=DENIED) for n in range(2)]
        await account.create("custom_s3", label="other", custom_s3_endpoint=peer.url)
        await account.create("local", label="in a cellar")
        job = await started(account, labelContains="IN ")
        seen = await followed(account, job, listen)

    assert (job["state"], job["total"], job["checked"], job["endedAt"]) == ("RUNNING", 7, 0, None)
    last = seen[-1]
    counts = {name: last[name] for name in ("state", "total", "checked", "reachable", "unreachable", "leftOut")}
    assert counts == {"state": "COMPLETED", "total": 7, "checked": 7, "reachable": 5, "unreachable": 2, "leftOut": 0}
    assert last["endedAt"] is not None
    assert [one["checked"] for one in seen] == sorted(one["checked"] for one in seen)
    assert await shown(account, job) == last
    checked = [e["destination_id"] for e in await events_of(own, account.user_id) if e["kind"] == "checked"]
    assert sorted(checked) == sound + broken


async def test_a_user_has_one_job_at_a_time_and_few_checks_at_once(own: Gateway) -> None:
    """Another user's goes on beside it; a second one of the same user is refused until the first has ended."""
    account, other = await own.new_user(), await own.new_user()
    at_once: list[int] = []
    asked = 0
    enough = asyncio.Event()

    async def slow(_asked: ReceivedRequest) -> None:
        nonlocal asked
        asked += 1
        at_once.append(asked)
        if not enough.is_set():
            await asyncio.sleep(0.05)
        asked -= 1

    async with listening(MemoryStore(slow).script) as peer:
        for _ in range(6):
            await account.create("custom_s3", custom_s3_endpoint=peer.url)
        await other.create("custom_s3", custom_s3_endpoint=DENIED)
        job = await started(account)
        refused = (await data_of(account, START + JOB))["result"]
        others = await followed(other, await started(other))
        enough.set()
        mine = await followed(account, job)
        again = await started(account, labelContains="nothing has this")

    assert refused == {
        "__typename": "CheckJobRunningProblem",
        "message": "Another job of checks is running; wait for its end",
        "jobId": job["id"],
    }
    assert (others[-1]["state"], others[-1]["checked"]) == ("COMPLETED", 1)
    assert (mine[-1]["state"], mine[-1]["reachable"]) == ("COMPLETED", 6)
    assert max(at_once) <= 2
    assert again["total"] == 0
    assert (await data_of(other, SHOW, {"id": job["id"]}))["checkJob"] is None
    assert await followed(other, job) == []
    for malformed in ("", "CheckJob:0", "BackupDestination:1", "CheckJob:99999999999999999999"):
        assert code_of(await ask(account, SHOW, {"id": malformed})) == "BAD_USER_INPUT"


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
async def test_a_job_of_a_process_that_is_gone_says_that_it_was_interrupted(own: Gateway, is_killed: bool) -> None:
    """At once where the process was stopped, and where it was killed once it has given no sign for long enough."""
    account = await own.new_user()
    first = asyncio.Event()

    async def stuck_after_one(asked: ReceivedRequest) -> None:
        if first.is_set():
            await asyncio.Event().wait()

    async with listening(MemoryStore(stuck_after_one).script) as peer:
        for _ in range(3):
            await account.create("custom_s3", custom_s3_endpoint=peer.url)
        first.set()
        job = await started(account)
        await asyncio.to_thread(own.stop)
    await asyncio.to_thread(own.start)
    if is_killed:
        await own.rows("UPDATE check_jobs SET state = 'running', ended_at = NULL")
        assert (await shown(account, job))["state"] == "RUNNING"
        await own.rows("UPDATE check_jobs SET alive_until = '2024-08-07 00:00:45+00:00'")

    found = await shown(account, job)
    assert (found["state"], found["checked"]) == ("INTERRUPTED", 0)
    assert found["endedAt"] is not None
    assert (await followed(account, job))[-1] == found
    assert (await started(account, labelContains="nothing has this"))["state"] == "RUNNING"


async def comes_to(gateway: Gateway, state: str, checked: int) -> None:
    """Wait until a job has come so far."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            found = await gateway.rows("SELECT state, reachable FROM check_jobs")
            if found == [{"state": state, "reachable": checked}]:
                return
            await asyncio.sleep(0.1)


async def test_a_job_keeps_to_the_checks_that_a_store_may_have_in_a_minute() -> None:
    """It waits for the next minute, together with the checks that users ask for, and ends when its token does."""
    gateway = Gateway(None, s3_allow="127.0.0.0/8", rate_limit="600/minute").start()
    try:
        account = await gateway.new_user()
        async with listening(MemoryStore().script) as peer:
            for _ in range(STORE_CHECKS + 2):
                await account.create("custom_s3", custom_s3_endpoint=peer.url)
            await started(account)
            await comes_to(gateway, "running", STORE_CHECKS)
            connections = peer.connections
            await asyncio.sleep(1.5)
            assert peer.connections == connections
            await gateway.rows(f"UPDATE tokens SET revoked_at = created_at WHERE user_id = {account.user_id}")  # noqa: S608
            await comes_to(gateway, "interrupted", STORE_CHECKS)
    finally:
        gateway.close()


async def test_starting_a_job_needs_the_ability_to_change(gateway: Gateway) -> None:
    account = await gateway.new_user(abilities=["view-backup-destinations"])
    await account.create("local")

    answer = await ask(account, START + JOB)

    assert code_of(answer) == "FORBIDDEN"
    assert destination_id(1) == "BackupDestination:1"
