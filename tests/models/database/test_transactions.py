"""What the engines promise of transactions: bounded waits, nothing half done, and every connection comes back."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, closing, nullcontext
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from tortoise.transactions import in_transaction

from app.database import POOL_SIZE, connections
from models.accounts.user import User
from models.accounts.viewer import Viewer
from models.destinations.attributes import Attribute, DestinationKind
from models.destinations.row import DestinationRow
from models.destinations.table import BackupDestination
from models.errors import DatabaseUnavailable
from models.events.event import Event
from models.writes.idempotency_key import IdempotencyKey
from tests.support.api.writes import SERVICE
from tests.support.databases.databases import ENGINES, migrated, viewer_of
from tests.support.databases.postgres import PostgresServer
from tests.support.gateway.gateway import Gateway
from tests.support.stopwatch import Stopwatch

LIMIT_S = 2.0
"""How long a lock, or a connection of the pool, is waited for."""

RAW = {Attribute.LABEL: "Nightly", Attribute.KIND: DestinationKind.LOCAL}
OWN = "FROM pg_stat_activity WHERE application_name = 'moorings' AND datname = current_database()"
KILL = f"SELECT pg_terminate_backend(pid, 2000) {OWN}"
OPEN = f"SELECT count(*) AS n {OWN} AND state LIKE 'idle in transaction%'"
CONNECTIONS = {"sqlite": 1, "postgresql": POOL_SIZE}


@pytest.fixture(scope="module", params=ENGINES)
def database(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Gateway]:
    """A database of each engine for these tests alone."""
    with migrated(request.param, postgres) as gateway:
        yield gateway


@pytest.fixture
async def viewer(database: Gateway) -> AsyncIterator[Viewer]:
    """A user without destinations, with the models open; and at the end nothing is left open or half done."""
    async with database.models():
        await User.all().delete()
        row = await User.create(email="ada@example.com", name="Ada", created_at=datetime(2024, 8, 7, tzinfo=UTC))
        yield viewer_of(row)
        await assert_whole()
        await assert_nothing_is_open(database)


async def create(viewer: Viewer) -> DestinationRow:
    """Store a destination: a transaction of two rows and two triggers."""
    return await SERVICE.create(viewer, RAW)


async def assert_whole() -> None:
    """Every destination has its event, and is counted."""
    (owner,) = await User.all()
    destinations = await BackupDestination.all().count()
    assert (destinations, destinations) == (await Event.all().count(), owner.destination_count)


async def assert_nothing_is_open(database: Gateway) -> None:
    """No transaction is open, and all connections can be had at once."""
    if database.engine == "sqlite":
        with closing(sqlite3.connect(str(database.address.path), timeout=0, isolation_level=None)) as outside:
            outside.execute("BEGIN IMMEDIATE")
    async with all_connections(database):
        if database.engine == "postgresql":
            assert await database.rows(OPEN) == [{"n": POOL_SIZE}]


@asynccontextmanager
async def all_connections(database: Gateway) -> AsyncIterator[None]:
    """Take every connection there is into a transaction."""
    taken, release = asyncio.Semaphore(0), asyncio.Event()

    async def take() -> None:
        async with in_transaction():
            taken.release()
            await release.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS[database.engine]):
            tasks.create_task(take())
        for _ in range(CONNECTIONS[database.engine]):
            await taken.acquire()
        yield
        release.set()


@asynccontextmanager
async def kept_from(viewer: Viewer, database: Gateway) -> AsyncIterator[None]:
    """Somebody else keeps what a write of the viewer needs: the file, or the row of the user."""
    if database.address.url is None:
        with closing(sqlite3.connect(str(database.address.path), isolation_level=None)) as outside:
            outside.execute("BEGIN IMMEDIATE")
            yield
    else:
        connection = await asyncpg.connect(database.address.url)
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM users WHERE id = $1 FOR UPDATE", viewer.user_id)
            yield
        await connection.close()


async def assert_unavailable_in_time(act: Awaitable[object]) -> None:
    """It is refused, neither at once nor much later than promised."""
    started, watch = time.monotonic(), Stopwatch()
    with pytest.raises(DatabaseUnavailable):
        await act
    assert time.monotonic() - started >= LIMIT_S * 0.8
    assert watch.seconds <= LIMIT_S * 1.5


async def test_a_transaction_that_waits_for_a_connection_is_counted(database: Gateway, viewer: Viewer) -> None:
    """On the embedded database it waits for the one connection that writes."""
    async with all_connections(database):
        waiting = asyncio.create_task(create(viewer))
        async with asyncio.timeout(LIMIT_S):
            while connections()["waiting"] != 1:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
    await waiting
    assert connections()["waiting"] == 0


async def test_a_lock_that_somebody_else_keeps_is_waited_for_two_seconds(viewer: Viewer, database: Gateway) -> None:
    """Then the write is refused; waits do not add up for those behind it, and when the lock is free writes go on."""
    async with kept_from(viewer, database):
        await asyncio.gather(*(assert_unavailable_in_time(create(viewer)) for _ in range(5)))

    await create(viewer)


async def test_a_short_lock_is_waited_for(viewer: Viewer, database: Gateway) -> None:
    """A write that comes at the wrong moment is late, not refused."""
    async with kept_from(viewer, database):
        late = asyncio.create_task(create(viewer))
        done, _ = await asyncio.wait([late], timeout=0.3)
        assert not done

    await late


async def test_a_single_statement_that_meets_a_lock_is_refused_alike(viewer: Viewer, database: Gateway) -> None:
    """A write outside any transaction, such as the note of a token's last use."""
    rename = User.filter(id=viewer.user_id).update(name="Grace")
    async with kept_from(viewer, database):
        await assert_unavailable_in_time(rename)

    await User.filter(id=viewer.user_id).update(name="Grace")
    assert (await User.get()).name == "Grace"


async def test_when_all_connections_are_taken_the_next_is_waited_for_two_seconds(
    viewer: Viewer, database: Gateway
) -> None:
    """For a transaction, and on PostgreSQL for a read alike; on SQLite reads have connections of their own."""
    async with all_connections(database):
        read = User.all() if database.engine == "sqlite" else assert_unavailable_in_time(User.all())
        await asyncio.gather(assert_unavailable_in_time(create(viewer)), read)

    await create(viewer)


async def test_an_exception_in_a_transaction_leaves_nothing_behind(viewer: Viewer) -> None:
    """No row, no event, no count and no revision."""
    before = (await User.get()).revision

    async def fail_at_the_end() -> None:
        async with in_transaction():
            await create(viewer)
            assert await Event.all().count() == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_at_the_end()

    assert await Event.all().count() == 0
    assert (await User.get()).revision == before


async def test_a_cancelled_task_leaves_no_transaction_open(viewer: Viewer, database: Gateway) -> None:
    """The client went away while its transaction stood still: its connection is free, its changes are gone."""
    has_written = asyncio.Event()

    async def write_and_stand_still() -> None:
        async with in_transaction():
            await create(viewer)
            has_written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write_and_stand_still())
    await has_written.wait()
    await cancel(task)

    await assert_nothing_is_open(database)
    assert await Event.all().count() == 0


async def test_a_task_cancelled_while_it_waits_for_a_lock_leaves_nothing_open(
    viewer: Viewer, database: Gateway
) -> None:
    """Neither the wait nor the lock that comes too late."""
    async with kept_from(viewer, database):
        tasks = [asyncio.create_task(create(viewer)) for _ in range(3)]
        await asyncio.wait(tasks, timeout=0.2)
        await cancel(*tasks)

    await assert_nothing_is_open(database)
    assert await Event.all().count() == 0


async def test_a_task_cancelled_at_any_moment_has_done_all_or_nothing(viewer: Viewer) -> None:
    """The destination, its event and the count come together or not at all."""
    outcomes = set()
    for turns in range(60):
        task = asyncio.create_task(create(viewer))
        for _ in range(turns):
            await asyncio.sleep(0)
        outcomes.add(await cancel(task))
        await assert_whole()

    assert True in outcomes
    await create(viewer)


async def test_killed_connections_are_refused_once_and_replaced(viewer: Viewer, database: Gateway) -> None:
    """Those that idle in the pool, and the one in the middle of a transaction; on SQLite nobody can kill one."""
    async with all_connections(database):
        pass
    with pytest.raises(DatabaseUnavailable) if database.engine == "postgresql" else nullcontext():
        async with in_transaction():
            await create(viewer)
            await kill_connections(database)
            await create(viewer)
    outcomes = await asyncio.gather(*(create(viewer) for _ in range(2 * POOL_SIZE)), return_exceptions=True)

    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(refusal) for refusal in refusals} <= {DatabaseUnavailable}
    await assert_nothing_is_open(database)
    await asyncio.gather(*(create(viewer) for _ in range(POOL_SIZE)))


async def kill_connections(database: Gateway) -> None:
    """Have PostgreSQL end every connection of the models, as a restart would."""
    if database.engine == "postgresql":
        await database.rows(KILL)


async def cancel(*tasks: asyncio.Task[Any]) -> bool:
    """Cancel tasks and wait for their end; says whether one was cancelled before it was done."""
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    return any(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


async def test_a_table_that_is_altered_beneath_prepared_statements_refuses_one_transaction_at_most(
    viewer: Viewer, database: Gateway
) -> None:
    """As when a newer version migrates while this one serves: PostgreSQL asks that they be prepared again."""

    async def read() -> None:
        async with in_transaction():  # where none can be sent again
            await IdempotencyKey.filter(user_id=viewer.user_id)

    await read()
    if database.engine == "postgresql":  # SQLite prepares again by itself
        await database.rows("ALTER TABLE idempotency_keys ALTER COLUMN result TYPE varchar(300)")
        with pytest.raises(DatabaseUnavailable):
            await read()
    await read()
    await create(viewer)


async def test_a_transaction_on_a_server_that_was_handed_over_is_refused_as_unavailable(
    viewer: Viewer, database: Gateway
) -> None:
    """A standby takes no writes; the ORM would take its error for a mistake in the use of transactions."""

    async def create_there() -> None:
        async with in_transaction() as transaction:
            await transaction.execute_query("SET TRANSACTION READ ONLY")
            await create(viewer)

    if database.engine == "postgresql":
        with pytest.raises(DatabaseUnavailable):
            await create_there()
    await create(viewer)
