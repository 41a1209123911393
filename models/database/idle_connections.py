"""Connections kept idle between two statements, because acquiring one from the pool costs half a statement.

They belong to the pool: one that was not used for a while goes back, and so do all of them when the pool closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

PART = 5
"""At most a fifth of a pool is kept idle, and none of a small one, so that transactions always find a connection."""
KEPT_S = 1.0
"""Seconds for which an unused connection is kept, at least."""


class IdleConnections:
    """The idle connections of one pool."""

    def __init__(self, pool: Callable[[], asyncpg.Pool]) -> None:
        self._pool = pool
        self._idle: list[Any] = []
        self._used = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._returns: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many connections are idle here and not in use."""
        return len(self._idle)

    async def acquire(self) -> Any:
        """A connection for one statement; `release` it afterwards."""
        while self._idle:
            connection = self._idle.pop()
            if _is_open(connection):
                self._used = True
                return connection
            await self._pool().release(connection)
        self._waiting += 1
        try:
            return await self._pool().acquire()
        finally:
            self._waiting -= 1

    async def release(self, connection: Any, *, is_sound: bool) -> None:
        """Keep the connection after a statement that succeeded, or return it to the pool, also when cancelled.

        It goes to the pool while another caller waits there for one.
        """
        if is_sound and not self._waiting and self._has_room() and _is_open(connection):
            self._idle.append(connection)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._expire)
        else:
            await asyncio.shield(self._pool().release(connection))

    async def return_all(self) -> None:
        """Return the idle connections to the pool."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._pool().release(connection)

    def _has_room(self) -> bool:
        return len(self._idle) < self._pool().get_max_size() // PART

    def _expire(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._used:
            self._used = False
            self._timer = loop.call_later(KEPT_S, self._expire)
        elif self._idle:
            task = loop.create_task(self.return_all(), name="return idle connections")
            self._returns.add(task)
            task.add_done_callback(self._returns.discard)


def _is_open(connection: Any) -> bool:
    """Whether the connection can be used; the pool has already taken back one that was lost."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False
