"""What a check that finds nothing new costs: its rows stay where they are, and so do the user's responses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from models.accounts.viewer import Protocol, on_behalf_of
from models.checks.report import CheckDepth
from tests.support.databases.databases import ENGINES, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import HeldProber, Stage, on_stage, until

IS_FULL = os.environ.get("MOORINGS_FULL") == "1"
DESTINATIONS, ROUNDS = (2_000, 10) if IS_FULL else (40, 6)
HOUR = timedelta(hours=1)
LEAST_SHARE = 0.9
UPDATES = "SELECT relname, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"


@pytest.fixture
def on_postgresql(postgres: PostgresServer) -> Iterator[Gateway]:
    with migrated("postgresql", postgres) as gateway:
        yield gateway


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database that no gateway serves."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture
async def stage(database: Gateway) -> AsyncIterator[Stage]:
    async with on_stage(database) as stage:
        yield stage


def let_through() -> HeldProber:
    """A prober that finds every store as it was, at once."""
    prober = HeldProber()
    prober.release(10**6)
    return prober


async def updates(gateway: Gateway) -> dict[str, tuple[int, int]]:
    """For each table how many rows were updated, and how many of them within their page and without their indexes.

    Complete once the connections that made them are closed.
    """
    return {row["relname"]: (row["n_tup_upd"], row["n_tup_hot_upd"]) for row in await gateway.rows(UPDATES)}


async def check_all(stage: Stage, user_id: int, ids: list[int]) -> None:
    """A round of checks by the clock."""
    checks, itself = stage.checks(let_through()), on_behalf_of(user_id, Protocol.SCHEDULER)
    for id_ in ids:
        assert await checks.recheck(id_, itself, every=HOUR) is not None


async def test_checks_by_the_clock_update_rows_in_place(on_postgresql: Gateway) -> None:
    """No column that a check changes has an index among those of destinations and users, and pages have room."""
    gateway = on_postgresql
    async with on_stage(gateway) as stage:
        user_id = stage.viewer.user_id
        ids = [await stage.make(label=f"Nightly {n}") for n in range(DESTINATIONS)]
        await check_all(stage, user_id, ids)
    before = await updates(gateway)

    async with on_stage(gateway) as stage:
        for _ in range(ROUNDS):
            await check_all(stage, user_id, ids)
    after = await updates(gateway)

    made = {
        table: tuple(now - then for now, then in zip(after[table], before[table], strict=True))
        for table in ("backup_destinations", "users", "check_turns")
    }
    print("updates, and those in place:", made)  # noqa: T201 - the figures of a full run
    updated, in_place = made["backup_destinations"]
    assert updated == 2 * ROUNDS * DESTINATIONS
    assert in_place >= LEAST_SHARE * updated, made
    updated, in_place = made["users"]
    assert updated >= ROUNDS * DESTINATIONS
    assert in_place >= LEAST_SHARE * updated, made


async def revisions(stage: Stage) -> tuple[int, int]:
    """The user's revision of all that is shown, and the one of the last checks."""
    (row,) = await stage.gateway.rows(
        f"SELECT revision, checks_revision FROM users WHERE id = {stage.viewer.user_id}"  # noqa: S608 - our own integer
    )
    return row["revision"], row["checks_revision"]


async def test_a_check_by_the_clock_that_finds_nothing_new_changes_its_own_revision_alone(stage: Stage) -> None:
    """While it runs it changes none, and the destination shows what was found before."""
    id_, itself = await stage.make(), on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
    await check_all(stage, stage.viewer.user_id, [id_])
    before, prober = await revisions(stage), HeldProber()

    checking = asyncio.create_task(stage.checks(prober).recheck(id_, itself, every=HOUR))
    await until(lambda: prober.under_way == 1)
    during = await revisions(stage), (await stage.row(id_))["reachability"]
    prober.release()
    assert await checking is not None
    after = await revisions(stage)

    assert during == (before, "reachable")
    assert after[0] == before[0]
    assert after[1] > before[1]


async def test_a_check_that_finds_something_new_or_was_asked_for_changes_what_is_shown(stage: Stage) -> None:
    """The second failure in a row by the clock is what is shown; one that was asked for shows that it runs."""
    id_, itself = await stage.make(), on_behalf_of(stage.viewer.user_id, Protocol.SCHEDULER)
    await check_all(stage, stage.viewer.user_id, [id_])
    failing = HeldProber(reachable=False)
    failing.release(2)
    seen = [await revisions(stage)]
    for _ in range(2):
        await stage.checks(failing).recheck(id_, itself, every=HOUR)
        seen.append(await revisions(stage))

    prober = HeldProber()
    checking = asyncio.create_task(stage.checks(prober).check(stage.viewer, id_, CheckDepth.FULL))
    await until(lambda: prober.under_way == 1)
    during = await revisions(stage), (await stage.row(id_))["reachability"]
    prober.release()
    await checking

    assert [later[0] > earlier[0] for earlier, later in pairwise(seen)] == [False, True]
    assert during[1] == "checking"
    assert seen[-1][0] < during[0][0] < (await revisions(stage))[0]


async def test_the_rows_beside_destinations_follow_any_sql(stage: Stage) -> None:
    """Inserted, moved to a kind without a store, claimed and deleted past the gateway."""
    id_, other, rows = await stage.make(), await stage.make(label="Other"), stage.gateway.rows

    async def beside() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        turns = await rows("SELECT destination_id, since, checked_at FROM check_turns ORDER BY destination_id")
        return turns, await rows("SELECT destination_id, claimed_until FROM check_leases ORDER BY destination_id")

    created = [(await stage.row(each))["created_at"] for each in (id_, other)]
    turns, leases = await beside()
    assert [(row["destination_id"], row["checked_at"]) for row in turns] == [(id_, None), (other, None)]
    assert [row["since"] for row in turns] == created
    assert leases == []

    claimed = "checked_at = updated_at, claim = 'x', claimed_until = updated_at"
    await rows(f"UPDATE backup_destinations SET {claimed} WHERE id = {id_}")  # noqa: S608 - our own
    row = await stage.row(id_)
    turns, leases = await beside()
    assert (turns[0]["since"], turns[0]["checked_at"]) == (row["checked_at"], row["checked_at"])
    assert leases == [{"destination_id": id_, "claimed_until": row["claimed_until"]}]

    await rows("UPDATE backup_destinations SET claim = NULL, claimed_until = NULL")
    assert (await beside())[1] == []
    await rows(f"DELETE FROM backup_destinations WHERE id = {id_}")  # noqa: S608
    assert [row["destination_id"] for row in (await beside())[0]] == [other]
