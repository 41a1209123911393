"""How many of a pool's connections the statements of one user may hold that may wait for locks.

Without a bound, the writes that wait for one locked row take all connections, and every other user waits with them.
Reads and shared writes need none of this: they wait for no lock, and serve all users in one statement.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.errors import DatabaseUnavailable

RESERVED = 2
"""Connections that such statements of all users together leave to reads."""
WAIT_S = 2.0
"""How long a statement waits for its user's share, as for a connection of the pool."""


class PoolShares:
    """The shares of one pool."""

    def __init__(self, size: int) -> None:
        """`size` is the number of connections in the pool."""
        self._per_user = max(1, size // 2)
        self._all = asyncio.Semaphore(max(1, size - RESERVED))
        self._users: dict[int, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, user_id: int) -> AsyncIterator[None]:
        """Around a statement of a user; raises `DatabaseUnavailable` when there is no turn within `WAIT_S`."""
        turns, count = self._users.get(user_id, (None, 0))
        turns = turns or asyncio.Semaphore(self._per_user)
        self._users[user_id] = turns, count + 1
        try:
            try:
                async with asyncio.timeout(WAIT_S):
                    await turns.acquire()
                    try:
                        await self._all.acquire()
                    except BaseException:
                        turns.release()
                        raise
            except TimeoutError as error:
                raise DatabaseUnavailable from error
            try:
                yield
            finally:
                self._all.release()
                turns.release()
        finally:
            turns, count = self._users.pop(user_id)
            if count > 1:
                self._users[user_id] = turns, count - 1
