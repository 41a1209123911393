"""Connections kept at hand between two statements, because handing one out and back costs half a statement.

They belong to the pool: one that nobody has used for a while goes back, and so do all of them when the pool closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

PART = 5
"""A fifth of a pool may be at hand, and none of a small one, so that transactions are never short of a connection."""
KEPT_S = 1.0
"""How long one stays at hand unused, at least."""


class AtHand:
    """The connections of one pool that are at hand."""

    def __init__(self, pool: Callable[[], asyncpg.Pool]) -> None:
        self._pool = pool
        self._idle: list[Any] = []
        self._used = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._returns: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many are at hand and not in use."""
        return len(self._idle)

    async def take(self) -> Any:
        """A connection, for one statement; give it back afterwards."""
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

    async def give_back(self, connection: Any, *, is_sound: bool) -> None:
        """Keep it at hand after a statement that went well, or return it to the pool, whoever is cancelled.

        Somebody who waits for one waits at the pool.
        """
        if is_sound and not self._waiting and self._has_room() and _is_open(connection):
            self._idle.append(connection)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._look)
        else:
            await asyncio.shield(self._pool().release(connection))

    async def return_all(self) -> None:
        """Return those that are not in use."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._pool().release(connection)

    def _has_room(self) -> bool:
        return len(self._idle) < self._pool().get_max_size() // PART

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        if self._used:
            self._used = False
            self._timer = loop.call_later(KEPT_S, self._look)
        elif self._idle:
            task = loop.create_task(self.return_all(), name="connections go back")
            self._returns.add(task)
            task.add_done_callback(self._returns.discard)


def _is_open(connection: Any) -> bool:
    """Whether it can be used; one that was lost the pool has taken back by itself, and it answers nothing any more."""
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False
