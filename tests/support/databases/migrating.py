"""`moorings migrate` as processes of their own, held back or killed in the middle from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import asyncpg

from app.database import MIGRATION_LOCK
from tests.support.gateway.gateway import MOORINGS, Gateway, environment

Process = subprocess.Popen[str]

DEADLINE_S = 30
POLL_S = 0.001
WAITING = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
TABLES = {
    "sqlite": "SELECT count(*) AS n FROM sqlite_master",
    "postgresql": "SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'public'",
}
CONNECTED = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def start(gateway: Gateway) -> Process:
    """`moorings migrate` on its way."""
    return subprocess.Popen(
        [MOORINGS, "migrate"],
        env=environment(**gateway.settings),
        cwd=gateway.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():  # noqa: ASYNC110 - a process or a database gives no sign of its own
            await asyncio.sleep(POLL_S)


@asynccontextmanager
async def nobody_migrates(gateway: Gateway) -> AsyncIterator[Callable[[Sequence[Process]], Awaitable[None]]]:
    """Keep the lock of migrations; yields a way to wait until all of some processes are waiting for it."""
    if gateway.address.url is None:
        with closing(_open_file(gateway)) as connection:
            connection.execute("BEGIN IMMEDIATE")

            async def all_wait(processes: Sequence[Process]) -> None:
                await until(lambda: _each([_has_open(process.pid, gateway) for process in processes]))

            yield all_wait
    else:
        outside = await asyncpg.connect(gateway.address.url)
        await outside.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)

        async def as_many_wait(processes: Sequence[Process]) -> None:
            await until(lambda: _counts(gateway, WAITING, len(processes)))

        yield as_many_wait
        await outside.close()


async def kill_in_the_middle(gateway: Gateway) -> None:
    """Start a migration, kill it with SIGKILL while it has begun and not ended, and wait until nothing of it runs."""
    if gateway.address.url is None:
        await _kill_on_sqlite(gateway)
    else:
        await _kill_on_postgresql(gateway, gateway.address.url)


async def kill_at_first_sight(gateway: Gateway) -> None:
    """Start a migration and kill it with SIGKILL as soon as anybody else can see anything of it."""
    process = start(gateway)

    async def is_seen() -> bool:
        return process.poll() is not None or await gateway.rows(TABLES[gateway.engine]) != [{"n": 0}]

    await until(is_seen)
    process.kill()
    process.communicate()


async def _kill_on_postgresql(gateway: Gateway, url: str) -> None:
    """A table of the same name that is not committed yet holds up the migration when it comes to that table."""
    outside = await asyncpg.connect(url)
    transaction = outside.transaction()
    await transaction.start()
    await outside.execute("CREATE TABLE events (id integer)")
    process = start(gateway)
    await until(lambda: _counts(gateway, WAITING, 1))
    process.kill()
    process.communicate()
    await transaction.rollback()
    await outside.close()
    await until(lambda: _counts(gateway, CONNECTED, 0))


async def _kill_on_sqlite(gateway: Gateway) -> None:
    """Nothing holds up a writer that has begun: hence stopped first, then asked whether it still has the file."""
    with closing(_open_file(gateway)) as outside:
        process = start(gateway)

        async def is_stopped_in_the_middle() -> bool:
            assert process.poll() is None, "the migration ended before it was seen"
            if not _is_locked(outside):
                return False
            process.send_signal(signal.SIGSTOP)
            await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            if _is_locked(outside):
                return True
            process.send_signal(signal.SIGCONT)
            return False

        await until(is_stopped_in_the_middle)
        process.kill()
        process.communicate()


def _open_file(gateway: Gateway) -> sqlite3.Connection:
    """A connection that never waits, on a file in WAL mode already: to set the mode, everybody else has to be away."""
    connection = sqlite3.connect(str(gateway.address.path), timeout=0, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _is_locked(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    connection.execute("ROLLBACK")
    return False


def _has_open(pid: int, gateway: Gateway) -> bool:
    """Whether the process has the database's file open: its next step is to wait for the lock."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(descriptor.readlink())
    return gateway.address.path in found


async def _each(conditions: Sequence[bool]) -> bool:
    return all(conditions)


async def _counts(gateway: Gateway, question: str, wanted: int) -> bool:
    """Asked anew on a connection of its own: within a transaction the answer would stay the same."""
    return await gateway.rows(question) == [{"n": wanted}]
