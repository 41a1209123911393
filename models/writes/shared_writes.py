"""Writes that share a statement and a commit: those that are pending at the same time are executed together.

A write that breaks a constraint undoes the statement for all; each is then executed alone. When the connection is
lost, the outcome of all of them is unknown, and none is executed again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from models.batcher import Batcher
from models.database.postgresql import postgresql_behind
from models.events.event import Event


class _PendingWrite:
    """One write, by the columns of its statement; compared by identity, so that no two are the same key."""

    __slots__ = ("columns", "end", "is_cancelled")

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = columns
        self.end: asyncio.Future[None] | None = None
        """Done when the statement it was sent with has ended, whatever the outcome."""
        self.is_cancelled = False


class SharedWrites:
    """The writes of one process that use one of the `shared_statements`."""

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self._batcher = Batcher[_PendingWrite, int](self._execute)

    async def execute(self, columns: Mapping[str, Any]) -> int | None:
        """The id of the row that was written; None when the statement left the write out. Raises as `fetch` does.

        A cancelled call returns once its outcome is settled: either it was never sent, or its statement has ended.
        """
        write = _PendingWrite(columns)
        try:
            return await self._batcher.load(write)
        except asyncio.CancelledError:
            write.is_cancelled = True
            if write.end is not None:
                await asyncio.wait((write.end,))
            raise

    async def _execute(self, writes: Collection[_PendingWrite]) -> dict[_PendingWrite, int]:
        """The writes that were executed, each with the id of its row."""
        database, sent = postgresql_behind(Event), [write for write in writes if not write.is_cancelled]
        if database is None or not sent:
            return {}
        end = asyncio.get_running_loop().create_future()
        for write in sent:
            write.end = end
        try:
            given = orjson.dumps([{**write.columns, "n": n} for n, write in enumerate(sent)])
            return {sent[n]: id_ for n, id_ in await database.fetch(self._statement, given.decode(), is_write=True)}
        finally:
            end.set_result(None)
