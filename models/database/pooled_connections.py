"""The connections of a process to PostgreSQL: which statement gets one, and when none is asked for.

asyncpg's pool opens and closes them. In front of it, a few are kept idle between two statements, because acquiring one
from the pool costs half a statement. When the server gives no more (`max_connections`), callers take turns with those
that are open. While the server does not answer, one call in each pause tries, and every other is refused at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncpg

from models.errors import DatabaseUnavailable
from models.outage import Breaker, Outage, cause_of

ACQUIRE_S = 2.0
"""How long a statement waits for a connection."""
RETURN_S = 1.0
"""How long the server may take to confirm that a statement was cancelled, before its connection is ended."""
PAUSE_S = 1.0
"""How long nothing is tried after the server gave no connection, or did not answer."""
PART = 5
"""At most a fifth of a pool is kept idle, and none of a small one, so that transactions always find a connection."""
KEPT_S = 1.0
"""Seconds for which an unused connection is kept, at least."""

UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.InvalidCachedStatementError,
)
"""What asyncpg raises when the database is away, overloaded, handing over or being migrated; the request may be tried
again. The last one is raised once, for statements that were prepared before one of their tables was altered.
"""

LOST = (
    ConnectionResetError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InvalidCachedStatementError,
)
"""What asyncpg raises when a connection ends, or a statement that was prepared on it is outdated; the internal error,
between the server's message and its end.
"""


class PooledConnections:
    """The connections of one pool. Everything that needs one acquires it here."""

    def __init__(self, pool: Callable[[], asyncpg.Pool], size: int) -> None:
        """`pool` gives the open pool, and `size` is the most connections that it has."""
        self._pool = pool
        self._size = size
        self._leased = 0
        """How many are handed out or being opened."""
        self._idle: list[Any] = []
        self._turns: deque[asyncio.Future[Any]] = deque()
        """Those who wait, the first one first; each gets a connection, or None when it may try to open one."""
        self._used = False
        self._timer: asyncio.TimerHandle | None = None
        self._returns: set[asyncio.Task[None]] = set()
        self._full = Outage(
            begins="The database gives no more connections, those that are open take turns",
            ends="The database gives connections again",
        )
        self._opens_again_at = 0.0
        """When to try to open another connection; 0 while that works."""
        self._outage = Outage(begins="The database does not answer", ends="The database answers again")
        self._breaker = Breaker(self._outage, pause_s=PAUSE_S)
        self._answered_at = 0.0

    def __len__(self) -> int:
        """How many connections are idle here and not in use."""
        return len(self._idle)

    @property
    def waiting(self) -> int:
        """How many callers wait for a connection."""
        return sum(not turn.done() for turn in self._turns)

    @property
    def is_away(self) -> bool:
        """Whether the server did not answer when it was last tried."""
        return self._outage.is_on

    async def acquire(self, wait_s: float | None = None) -> Any:
        """A connection; `release` it afterwards.

        Raises `DatabaseUnavailable` at once while the server is known to be away, TimeoutError when none is free
        within `wait_s` (`ACQUIRE_S`), and what asyncpg raises when it cannot connect.
        """
        if self._outage.is_on and not self._breaker.admits():
            raise DatabaseUnavailable
        connection = self._take_idle()
        if connection is not None:
            return connection
        async with asyncio.timeout(ACQUIRE_S if wait_s is None else wait_s):
            while True:
                connection = await (self._open() if self._may_open() else self._turn())
                if connection is not None:
                    return connection

    async def release(self, connection: Any, *, is_sound: bool) -> None:
        """Give back a connection; `is_sound` says that its last statement or transaction has ended well.

        The first that waits gets it, or it is kept idle, or the pool has it back. A statement that was cancelled has
        ended then, so that a caller that goes away knows of no change that comes later.
        """
        if is_sound:
            self._answered_at = time.monotonic()
            if self._outage.is_on:
                self._breaker.note_success()
        if is_sound and _is_open(connection):
            if self._hand_on(connection):
                return
            if len(self._idle) < self._size // PART:
                self._leased -= 1
                self._idle.append(connection)
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._expire)
                return
        await asyncio.shield(self._return(connection))

    def note_silence(self, error: TimeoutError, *, waited_s: float) -> None:
        """Note that a statement had no answer for so long; if nothing else had one either, the server is away.

        One call may find out at once whether a new connection is answered.
        """
        if self._answered_at < time.monotonic() - waited_s:
            self._begin_outage(error, tries_at_once=True)

    async def return_all(self) -> None:
        """Return the idle connections to the pool."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        self._leased += len(idle)
        for connection in idle:
            await self._return(connection)

    async def close(self) -> None:
        """Return what is idle or on its way back."""
        await self.return_all()
        await asyncio.gather(*self._returns)

    def _take_idle(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            self._leased += 1
            if _is_open(connection):
                self._used = True
                return connection
            self._in_background(self._return(connection))
        return None

    def _may_open(self) -> bool:
        """Whether to acquire one from the pool, which opens one if it has none idle."""
        if self._leased >= self._size:
            return False
        pool = self._pool()
        if not self._opens_again_at or pool.get_idle_size() or not (self._leased or pool.get_size()):
            return True  # also when none is open: there is none to wait for
        now = time.monotonic()
        if now < self._opens_again_at:
            return False
        self._opens_again_at = now + PAUSE_S
        return True

    async def _open(self) -> Any:
        """A connection of the pool; None when the server gives none, but others are open to wait for."""
        pool = self._pool()
        is_new = not pool.get_idle_size()
        self._leased += 1
        try:
            try:
                connection = await pool.acquire()
            except LOST as error:  # the session was ended while it began, which says nothing about the next one
                if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
                    raise
                connection = await pool.acquire()
        except BaseException as error:
            self._leased -= 1
            if not isinstance(error, UNAVAILABLE):
                self._wake()
                raise
            self._opens_again_at = time.monotonic() + PAUSE_S
            is_full = isinstance(error, asyncpg.TooManyConnectionsError)
            if is_full:
                self._full.begin(cause_of(error))
            if pool.get_size():
                return None
            if not is_full:
                self._begin_outage(error, tries_at_once=False)
            raise
        if is_new:
            self._opens_again_at = 0.0
            self._full.end()
        return connection

    async def _turn(self) -> Any:
        """Wait for a connection that another gives back, or, which is None, for another try."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._turns.append(future)
        try:
            return await future
        except BaseException:
            if not future.done() or future.cancelled():
                with suppress(ValueError):
                    self._turns.remove(future)
            elif future.exception() is None:
                connection = future.result()
                if connection is None:
                    self._wake()
                elif not self._hand_on(connection):
                    self._in_background(self._return(connection))
            raise

    def _hand_on(self, connection: Any) -> bool:
        """Give a connection to the first that waits, if any does."""
        while self._turns:
            future = self._turns.popleft()
            if not future.done():
                future.set_result(connection)
                return True
        return False

    def _wake(self) -> None:
        """Let the first that waits look for a connection again."""
        self._hand_on(None)

    async def _return(self, connection: Any) -> None:
        try:
            with suppress(DatabaseUnavailable, *UNAVAILABLE):  # it has ended, and the pool knows, or has ended too
                await self._pool().release(connection, timeout=RETURN_S)
        finally:
            self._leased -= 1
            self._wake()

    def _begin_outage(self, error: BaseException, *, tries_at_once: bool) -> None:
        """Refuse what waits, and do not use connections again over which nothing may come any more."""
        self._breaker.note_failure(error, tries_at_once=tries_at_once)
        while self._turns:
            future = self._turns.popleft()
            if not future.done():
                future.set_exception(DatabaseUnavailable())
        idle, self._idle = self._idle, []
        for connection in idle:
            self._leased += 1
            abandon(connection)
            self._in_background(self._return(connection))
        pool: Any = self._pool()
        for holder in pool._holders:
            if holder.is_idle():
                holder.terminate()

    def _in_background(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work, name="return a connection")
        self._returns.add(task)
        task.add_done_callback(self._returns.discard)

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._used:
            self._used = False
            self._timer = loop.call_later(KEPT_S, self._expire)
        elif self._idle:
            self._in_background(self.return_all())


def abandon(connection: Any) -> None:
    """End a connection at once: the pool would first wait for its server to confirm that a statement was cancelled."""
    with suppress(asyncpg.InterfaceError):  # the pool has taken back one that was lost
        connection.terminate()


def _is_open(connection: Any) -> bool:
    """Whether the connection can be used; the pool has already taken back one that was lost."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False
