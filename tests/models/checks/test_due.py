"""Which destinations are due by the clock, and when: each at a time of its own, found by an index."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from sqlite3 import connect

import asyncpg
import pytest

from app import check_scheduler
from models.checks import check_turn, leases
from models.clock import MAX_AHEAD, current_second
from models.destinations.attributes import Attribute, DestinationKind
from tests.support.databases import sealed
from tests.support.databases.databases import ENGINES, TIMESTAMP, migrated
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.stores.checking import HeldProber, age, on_stage, until

HOUR = timedelta(hours=1)
MANY = 500


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A migrated database without a gateway."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


async def test_each_destination_is_due_at_a_time_of_its_own_around_the_interval(database: Gateway) -> None:
    """The same in every process; made counts until the first check, and a directory is never due."""
    async with on_stage(database) as stage:
        ids = {await stage.make() for _ in range(100)}
        local = {Attribute.LABEL: "Cellar", Attribute.KIND: DestinationKind.LOCAL}
        await stage.service.create(stage.viewer, local)

        async def due(limit: int = 200) -> list[int]:
            return [due.id for due in await leases.due(timedelta(seconds=1000), limit=limit)]

        for column in ("created_at", "checked_at"):
            before: set[int] = set()
            assert await due() == []
            for seconds, least, most in ((890, 0, 0), (950, 10, 40), (1000, 35, 65), (1050, 60, 90), (1110, 100, 100)):
                await age(database, seconds, column)
                now = set(await due())
                assert before <= now == set(await due()) <= ids
                assert least <= len(now) <= most
                before = now
            await age(database, 0, "checked_at")
        await age(database, 1200, "checked_at")
        oldest = max(ids)
        await database.rows(f"UPDATE backup_destinations SET checked_at = {TIMESTAMP} WHERE id = {oldest}")  # noqa: S608
        assert len(await due(7)) == 7
        assert (await due(7))[0] == oldest


async def test_what_was_checked_later_than_now_is_due_because_the_clock_was_set_back(database: Gateway) -> None:
    """Otherwise it would wait until the clock is where it was; what is a few seconds ahead is another process's."""
    async with on_stage(database) as stage:
        id_ = await stage.make()
        for ahead_s, is_due in ((20, False), (86_400, True)):
            await age(database, -ahead_s, "checked_at")
            assert [due.id for due in await leases.due(HOUR, limit=10)] == ([id_] if is_due else [])
            lease = await leases.acquire(id_, stale_since=leases.stale_before(HOUR))
            assert (lease is not None) is is_due


async def test_what_came_in_while_triggers_were_off_gets_a_turn_with_its_next_change_or_the_next_start(
    database: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A destination without a row in the table of turns would never be checked."""
    monkeypatch.setattr(check_turn, "STEP", 2)
    monkeypatch.setattr(check_scheduler, "LOOK_S", 0.02)
    async with on_stage(database) as stage:
        ids = [await stage.make() for _ in range(5)]
        await age(database, 10, "checked_at")
        turns = "SELECT * FROM check_turns ORDER BY destination_id"
        await database.rows("DELETE FROM check_turns")
        await age(database, 20, "checked_at")
        whole = await database.rows(turns)
        assert [row["destination_id"] for row in whole] == ids

        await database.rows("DELETE FROM check_turns")
        scheduler = asyncio.create_task(check_scheduler.run_scheduled_checks(stage.checks(HeldProber()), None))
        try:
            await until(lambda: "5 turns of checks were missing" in caplog.text)
        finally:
            scheduler.cancel()
        filled = await database.rows(turns)

    assert filled == whole
    assert all(row["since"] for row in whole)


async def test_destinations_that_are_not_due_yet_do_not_delay_those_that_are(database: Gateway) -> None:
    """Though all were checked in the same second, and the scheduler takes a few at a time."""
    user_id, every = (await database.new_user()).user_id, timedelta(days=1)
    await sealed.insert(database, database.settings["secret_keys"], user_id, MANY)
    await age(database, every.total_seconds(), "checked_at")

    async with database.models():
        due = {due.id for due in await leases.due(every, limit=MANY)}
        taken: set[int] = set()
        while few := {due.id for due in await leases.due(every, limit=10)}:
            assert not taken & few
            taken |= few
            now, ids = current_second(), ", ".join(map(str, few))
            await database.rows(f"UPDATE backup_destinations SET checked_at = '{now}' WHERE id IN ({ids})")  # noqa: S608

    assert MANY * 0.4 < len(due) < MANY * 0.6
    assert due <= taken
    assert len(taken - due) < 9


async def test_what_is_due_is_found_by_its_index(database: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """However many are not due; only what was found is sorted, to order it fairly. What was checked later than now is
    found apart from what was checked long ago."""
    user_id = (await database.new_user()).user_id
    await sealed.insert(database, database.settings["secret_keys"], user_id, 500)
    await age(database, 1)
    async with database.models():
        with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
            await leases.due(HOUR, limit=50)
    (statement,) = (r.getMessage() for r in caplog.records if "coalesce" in r.getMessage())
    sql = statement.partition(": ")[0]
    # What begins otherwise waits for SQLite's one writer.
    assert sql.startswith("SELECT")

    if database.address.url is None:
        with closing(connect(str(database.address.path))) as raw:
            steps = raw.execute(f"EXPLAIN QUERY PLAN {sql}", [str(current_second())] * 2).fetchall()
        found_in = [parent for _, parent, _, detail in steps if "check_turns_due" in detail]
        beside = [detail for _, parent, _, detail in steps if parent in found_in]
        assert len(beside) == len(found_in) == 2, steps
    else:
        raw_url = await asyncpg.connect(database.address.url)
        await raw_url.execute("ANALYZE backup_destinations, check_turns")
        times = leases.stale_before(HOUR), current_second() + MAX_AHEAD
        plan = [row["QUERY PLAN"] for row in await raw_url.fetch(f"EXPLAIN {sql}", *times)]
        await raw_url.close()
        found_at = [n for n, line in enumerate(plan) if "Index Scan using check_turns_due" in line]
        assert len(found_at) == 2, plan
        assert all("Limit" in plan[n - 1] for n in found_at), plan
