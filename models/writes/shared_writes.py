"""Writes that go together: the acts that are there at one moment are done in one statement and one commit.

An act that breaks a constraint spoils the statement for nobody: it took nothing over, and each act is done alone. When
the connection is lost, whether they took effect is unknown of all of them, and none is done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import orjson

from models.batcher import Batched
from models.database.postgresql import postgresql_behind
from models.events.event import Event


class _Act:
    """One write, in the columns of its statement; no other is the same."""

    __slots__ = ("columns", "end", "is_given_up")

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.columns = columns
        self.end: asyncio.Future[None] | None = None
        """Comes when the statement that it was sent with has ended, however that was."""
        self.is_given_up = False


class SharedWrites:
    """The acts of one process that are done by one of the `shared_statements`."""

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self._acts = Batched[_Act, int](self._do)

    async def do(self, columns: Mapping[str, Any]) -> int | None:
        """The id of the row that was written; None when the statement left the act out. Raises as `fetch` does.

        Whoever is cancelled has not acted, or learns of it when that is settled: nothing happens afterwards.
        """
        act = _Act(columns)
        try:
            return await self._acts.ask(act)
        except asyncio.CancelledError:
            act.is_given_up = True
            if act.end is not None:
                await asyncio.wait((act.end,))
            raise

    async def _do(self, acts: Collection[_Act]) -> dict[_Act, int]:
        """Those of the acts that were done, each with the id of its row."""
        database, sent = postgresql_behind(Event), [act for act in acts if not act.is_given_up]
        if database is None or not sent:
            return {}
        end = asyncio.get_running_loop().create_future()
        for act in sent:
            act.end = end
        try:
            told = orjson.dumps([{**act.columns, "n": n} for n, act in enumerate(sent)])
            return {sent[n]: id_ for n, id_ in await database.fetch(self._statement, told.decode())}
        finally:
            end.set_result(None)
