"""What a check leaves behind: an event when it is news, what was found before when it comes to nothing, no wreckage."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks import leases
from models.checks.report import (
    BucketFacts,
    CheckCode,
    CheckDepth,
    CheckOutcome,
    CheckReport,
    CheckStep,
    CheckStepName,
)
from models.errors import DatabaseUnavailable
from tests.support.databases.databases import TIMESTAMP
from tests.support.gateway.gateway import Gateway
from tests.support.graphql.graphql_client import ask
from tests.support.graphql.graphql_documents import CHECKED
from tests.support.stores.checking import HeldProber, Stage, found, on_stage, until
from tests.support.stores.probing import failure, outcomes

FULL = CheckDepth.FULL
LATER = (timedelta(0), timedelta(minutes=-6))
"""An interval that much shorter is over as much later."""
STORED = "UPDATE backup_destinations SET {} WHERE id = {}"
LIST = "{ backupDestinations { edges { node { label ...Checked } } } }" + CHECKED
JUNK = [
    "",
    "junk",
    "null",
    "[]",
    "{}",
    '{"at":"now","steps":[],"suggestion":null}',
    '{"at":1e300,"steps":[],"suggestion":null}',
    '{"at":0,"steps":[[]],"suggestion":null}',
    '{"at":0,"steps":[["LIST","PASSED",null,Infinity]],"suggestion":null}',
    '{"at":0,"steps":[[["LIST"]]],"suggestion":null}',
    '{"at":0,"steps":7,"suggestion":[]}',
    "[" * 100_000,
]
"""Texts that other software may have written into the column of the report."""


@pytest.fixture
async def stage(gateway: Gateway) -> AsyncIterator[Stage]:
    """A user on each database."""
    async with on_stage(gateway) as stage:
        yield stage


def let_through(*, reachable: bool) -> HeldProber:
    """A prober that holds nothing."""
    prober = HeldProber(reachable=reachable)
    prober.release(100)
    return prober


@asynccontextmanager
async def locked(gateway: Gateway, id_: int) -> AsyncIterator[None]:
    """Another connection holds a lock on the row, or on the whole file."""
    if gateway.address.url is None:
        with closing(sqlite3.connect(str(gateway.address.path), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    connection = await asyncpg.connect(gateway.address.url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT id FROM backup_destinations WHERE id = $1 FOR UPDATE", id_)
            yield
    finally:
        await connection.close()


@pytest.mark.parametrize("protocol", [Protocol.SCHEDULER, Protocol.COMMAND_LINE])
async def test_a_check_records_an_event_when_a_user_asked_or_its_outcome_is_another(
    stage: Stage, protocol: Protocol
) -> None:
    """What the clock and the operator find again and again is stored, and no news."""
    id_, itself = await stage.make(), on_behalf_of(stage.viewer.user_id, protocol)
    up, down = (stage.checks(let_through(reachable=reachable)) for reachable in (True, False))

    for checks in (up, up, down, down, down, up):
        await checks.recheck(id_, itself)
    await up.check(stage.viewer, id_, FULL)
    await up.check(stage.viewer, id_, FULL)

    assert await stage.checked() == [
        *((protocol.value, reachable) for reachable in (True, False, True)),
        *[("graphql", True)] * 2,
    ]


async def test_credentials_that_do_not_open_are_reported_and_no_store_is_asked(stage: Stage) -> None:
    """Those of another row do not; and the destination is as any other whose check failed."""
    id_, other, prober = await stage.make(), await stage.make(), let_through(reachable=True)
    for column in ("access_key", "secret_key"):
        taken = (await stage.row(other))[column]
        own = (await stage.row(id_))[column]
        await stage.gateway.rows(STORED.format(f"{column} = '{taken}'", id_))

        row, report = await stage.checks(prober).check(stage.viewer, id_, FULL)

        assert failure(report) == (CheckStepName.AUTHENTICATE, CheckCode.SECRET_UNREADABLE)
        assert outcomes(report) == "SSSFSSSSS"
        assert (row.reachability, row.last_check) == ("unreachable", report.to_json())
        await stage.gateway.rows(STORED.format(f"{column} = '{own}'", id_))
    assert prober.probed == []
    assert (await stage.checks(prober).check(stage.viewer, id_, FULL))[1].reachable


@pytest.mark.parametrize("reachable", [None, True, False])
async def test_a_check_that_is_cancelled_leaves_what_was_found_before(stage: Stage, *, reachable: bool | None) -> None:
    """As when the gateway stops; no event is recorded."""
    id_ = await stage.make()
    if reachable is not None:
        itself = on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
        await stage.checks(let_through(reachable=reachable)).recheck(id_, itself)
    before, events = await stage.row(id_), await stage.checked()
    prober = HeldProber()
    checks = stage.checks(prober)
    asking = asyncio.create_task(checks.check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    await checks.aclose()

    await asyncio.wait({asking})
    assert asking.cancelled()
    assert await stage.row(id_) == before
    assert await stage.checked() == events


async def test_a_check_that_is_cancelled_at_any_time_leaves_no_lease(stage: Stage) -> None:
    """Also while it begins, or stores what it has found."""
    id_, ended = await stage.make(), set()
    checks = stage.checks(let_through(reachable=True))
    itself = on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)

    for step in range(60):
        task = asyncio.create_task(checks.recheck(id_, itself))
        await asyncio.sleep(step / 5_000)
        task.cancel()
        await asyncio.wait({task})
        ended.add(task.cancelled())

        row = await stage.row(id_)
        assert (row["claim"], row["reachability"]) in ((None, "unknown"), (None, "reachable")), step
    assert True in ended


async def test_a_database_that_is_away_when_a_check_is_stored_keeps_the_lease_until_it_expires(stage: Stage) -> None:
    """The caller gets `DatabaseUnavailable`; after the lease the destination is as before, and can be checked."""
    id_, prober = await stage.make(), HeldProber()
    await stage.checks(let_through(reachable=False)).check(stage.viewer, id_, FULL)
    checks = stage.checks(prober)
    asking = asyncio.create_task(checks.check(stage.viewer, id_, FULL))
    await until(lambda: prober.under_way == 1)

    async with locked(stage.gateway, id_):
        prober.release()
        with pytest.raises(DatabaseUnavailable):
            await asking
    claimed = await stage.row(id_)
    early = await leases.release_expired()
    await stage.gateway.rows(STORED.format(f"claimed_until = {TIMESTAMP}", id_))
    late = await leases.release_expired()

    assert (claimed["reachability"], claimed["claim"] is None, early, late) == ("checking", False, 0, 1)
    row = await stage.row(id_)
    assert (row["reachability"], row["claim"], row["claimed_until"]) == ("unreachable", None, None)
    assert await stage.checked() == [("graphql", False)]
    prober.release()
    assert (await checks.check(stage.viewer, id_, FULL))[1].reachable


async def test_an_expired_lease_is_acquired_again_and_its_former_holder_stores_nothing(stage: Stage) -> None:
    """A process that was only asleep finds its place taken."""
    id_, slow, quick = await stage.make(), HeldProber(reachable=False), let_through(reachable=True)
    asking = asyncio.create_task(stage.checks(slow).check(stage.viewer, id_, FULL))
    await until(lambda: slow.under_way == 1)
    await stage.gateway.rows(STORED.format(f"claimed_until = {TIMESTAMP}", id_))

    _, second = await stage.checks(quick).check(stage.viewer, id_, FULL)
    slow.release()
    _, first = await asking

    assert (first.reachable, second.reachable) == (False, True)
    assert (await stage.row(id_))["last_check"] == second.to_json()
    assert await stage.checked() == [("graphql", True)]


async def test_what_was_checked_since_the_clock_looked_is_not_checked_again(stage: Stage) -> None:
    """Two processes work through the same list; what the first has done is nothing for the second to do."""
    id_, prober, every = await stage.make(), let_through(reachable=True), timedelta(seconds=1000)
    itself, since = on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER), leases.stale_before(every)
    first, second = stage.checks(prober), stage.checks(prober)

    assert await first.recheck(id_, itself, stale_since=since)
    assert await second.recheck(id_, itself, stale_since=since) is None
    await stage.gateway.rows(STORED.format(f"checked_at = '{since}'", id_))
    assert await second.recheck(id_, itself, stale_since=since)
    assert len(prober.probed) == 2


async def test_junk_where_a_report_belongs_breaks_neither_a_check_nor_a_lease(stage: Stage) -> None:
    id_ = await stage.make()
    checks = stage.checks(let_through(reachable=True))
    for junk in JUNK:
        await stage.gateway.rows(STORED.format(f"last_check = '{junk}', checked_at = {TIMESTAMP}", id_))
        lease = await leases.acquire(id_)
        assert lease is not None
        await leases.release(lease)
        assert (await stage.row(id_))["reachability"] == "unknown"

        row, report = await checks.check(stage.viewer, id_, FULL)

        assert row.last_check == report.to_json()
    assert len(await stage.checked()) == len(JUNK)


async def test_junk_where_a_report_belongs_spoils_that_report_alone(gateway: Gateway) -> None:
    """The rest of the page is shown."""
    account = await gateway.new_user()
    spoilt, sound = await account.create("s3", label="Spoilt"), await account.create("s3", label="Sound")
    good = found(FULL, reachable=True).to_json()
    await gateway.rows(STORED.format(f"last_check = '{good}', reachability = 'reachable'", sound))

    for junk in JUNK:
        await gateway.rows(STORED.format(f"last_check = '{junk}', reachability = 'reachable'", spoilt))
        answer = await ask(account, LIST)

        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        bad, fine = (edge["node"] for edge in answer["data"]["backupDestinations"]["edges"])
        assert bad == {"label": "Spoilt", "reachability": "REACHABLE", "lastCheck": None}
        assert fine["lastCheck"]["reachable"]


async def test_by_the_clock_a_destination_becomes_unreachable_only_after_a_second_look(stage: Stage) -> None:
    """And says since when. A check that a user asks for counts at once."""
    id_, itself = await stage.make(), on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
    up, down = (stage.checks(let_through(reachable=reachable)) for reachable in (True, False))
    every = timedelta(hours=6)
    await up.recheck(id_, itself, every=every)

    await down.recheck(id_, itself, every=every)
    after_one = await stage.row(id_)
    found_due = [await leases.due(timedelta(hours=6) + later, limit=1_000) for later in LATER]
    due = [[each.id for each in found if each.id == id_] for found in found_due]
    await up.recheck(id_, itself, every=every)
    after_a_moment = await stage.row(id_)
    first = await down.recheck(id_, itself, every=every)
    await down.recheck(id_, itself, every=every)
    after_two = await stage.row(id_)
    await down.recheck(id_, itself, every=every)
    after_three = await stage.row(id_)

    assert after_one["reachability"] == "reachable"
    assert CheckReport.from_json(after_one["last_check"]).unreachable_since is not None
    assert due == [[], [id_]]
    assert CheckReport.from_json(after_a_moment["last_check"]).unreachable_since is None
    assert (after_two["reachability"], after_three["reachability"]) == ("unreachable", "unreachable")
    assert first is not None
    for row in (after_two, after_three):
        assert CheckReport.from_json(row["last_check"]).unreachable_since == first.checked_at
    assert await stage.checked() == [("scheduler", True), ("scheduler", False)]


async def test_by_the_clock_nothing_is_written_where_a_full_check_left_something(stage: Stage) -> None:
    """The later steps are as the last full check found them, until an earlier one fails."""
    id_, itself = await stage.make(), on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
    prober, every = let_through(reachable=True), timedelta(hours=6)
    full = found(FULL, reachable=True)
    delete = CheckStep(name=CheckStepName.DELETE, outcome=CheckOutcome.FAILED, code=CheckCode.ACCESS_DENIED)
    full = replace(full, steps=(*full.steps[:-1], delete), facts=BucketFacts(can_delete=False))
    await stage.gateway.rows(STORED.format(f"last_check = '{full.to_json()}', reachability = 'unreachable'", id_))

    for _ in range(3):
        await stage.checks(prober).recheck(id_, itself, every=every)
    stored = CheckReport.from_json((await stage.row(id_))["last_check"])
    await stage.checks(prober).recheck(id_, itself)
    failing = await stage.checks(let_through(reachable=False)).recheck(id_, itself, every=every)

    assert [depth for _, depth in prober.probed] == [CheckDepth.READ_ONLY] * 3 + [FULL]
    assert outcomes(stored) == "SSSSSPPSF"
    assert (stored.takes_backups, stored.facts) == (True, BucketFacts(can_delete=False))
    assert failing is not None
    assert not failing.reachable
    assert await stage.checked() == [("scheduler", True)]
