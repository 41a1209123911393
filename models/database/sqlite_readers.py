"""The read connections of the embedded database: in WAL mode they wait neither for a writer nor for its fsync.

Each statement sees what was committed before it was sent, so that a request reads what it wrote.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from models.database.sqlite_thread import in_thread
from models.errors import DatabaseUnavailable

MAX_READERS = 4
"""One answers nearly everything; the others are opened when statements take long enough to wait for each other."""
STATEMENT_S = 5.0
"""How long a statement may take, as on PostgreSQL."""
ACQUIRE_S = 2.0
"""How long a connection is waited for while all are at work."""

P = ParamSpec("P")
Result = TypeVar("Result")


class Readers:
    """A pool of connections that cannot write, each with a thread of its own."""

    def __init__(self, open_connection: Callable[[], Awaitable[aiosqlite.Connection]]) -> None:
        self._open_connection = open_connection
        self._idle: list[aiosqlite.Connection] = []
        self._waiting: deque[asyncio.Future[aiosqlite.Connection]] = deque()
        self._is_closed = False
        self._all_closed = asyncio.Event()
        self._freeing: set[asyncio.Task[None]] = set()
        self.size = 0

    @property
    def in_use(self) -> int:
        """How many are at work."""
        return self.size - len(self._idle)

    @property
    def waiting(self) -> int:
        """How many callers wait for one."""
        return sum(not waiting.done() for waiting in self._waiting)

    async def run(
        self, work: Callable[Concatenate[sqlite3.Connection, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """Call `work` with a connection, in the connection's thread; raises `DatabaseUnavailable` after a time-out.

        What runs too long, or for a caller that was cancelled, is interrupted.
        """
        connection = self._idle.pop() if self._idle else await self._acquire()
        try:
            async with asyncio.timeout(STATEMENT_S):
                result = await in_thread(connection, work, *args, **kwargs)
        except TimeoutError as error:
            self._interrupt(connection)
            raise DatabaseUnavailable from error
        except asyncio.CancelledError:
            self._interrupt(connection)
            raise
        except BaseException:
            self._release(connection)
            raise
        self._release(connection)
        return result

    async def close(self) -> None:
        """Close the connections, those at work when their statement has ended."""
        self._is_closed = True
        for waiting in self._waiting:
            waiting.cancel()
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._close(connection)
        if self.size:
            await self._all_closed.wait()

    async def _acquire(self) -> aiosqlite.Connection:
        if self.size < MAX_READERS:
            self.size += 1
            try:
                return await self._open_connection()
            except BaseException:
                self.size -= 1
                raise
        waiting: asyncio.Future[aiosqlite.Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(ACQUIRE_S):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                self._release(waiting.result())
            if isinstance(error, TimeoutError) or (self._is_closed and waiting.cancelled()):
                raise DatabaseUnavailable from error
            raise

    def _release(self, connection: aiosqlite.Connection) -> None:
        while self._waiting and not self._is_closed:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        if self._is_closed:
            self._in_background(self._close(connection))
        else:
            self._idle.append(connection)

    async def _close(self, connection: aiosqlite.Connection) -> None:
        try:
            await connection.close()
        finally:
            self.size -= 1
            if not self.size:
                self._all_closed.set()

    def _interrupt(self, connection: aiosqlite.Connection) -> None:
        """End the connection's statement, and release it once its thread is free."""
        connection._conn.interrupt()
        self._in_background(self._release_when_free(connection))

    async def _release_when_free(self, connection: aiosqlite.Connection) -> None:
        await in_thread(connection, _nothing)
        self._release(connection)

    def _in_background(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)


def _nothing(_connection: sqlite3.Connection) -> None:
    """Wait for the thread's turn."""
