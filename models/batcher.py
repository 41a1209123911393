"""Lookups shared by the requests that wait for them: all that queue up while a statement is under way become the next.

A request never joins a statement that was already sent, so it never reads what is older than its own arrival.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Generic, TypeVar

from models.errors import DatabaseUnavailable

Key = TypeVar("Key")
Found = TypeVar("Found")

MAX_KEYS = 128
"""Of one statement."""
SLOW_S = 0.01
"""A statement that takes longer no longer keeps the next one back."""


class Batched(Generic[Key, Found]):
    """Answers many askers with few statements; what a key does not find is None.

    A statement that fails for a reason of its own is tried once more for each of its keys alone, so that one key
    cannot spoil the others; a database that is away is told to all at once.
    """

    def __init__(self, fetch: Callable[[Collection[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        """`fetch` runs one statement for up to `MAX_KEYS` keys."""
        self._fetch = fetch
        self._waiting: dict[Key, list[asyncio.Future[Found | None]]] = {}
        self._keeping_back = 0
        self._is_due = False
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.asked = 0
        self.statements = 0

    def ask(self, key: Key) -> asyncio.Future[Found | None]:
        """What the key finds in a statement sent from now on; raises `DatabaseUnavailable`."""
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()  # Python asks the system for the process each time
        answer: asyncio.Future[Found | None] = loop.create_future()
        askers = self._waiting.get(key)
        if askers is None:
            self._waiting[key] = [answer]
        else:
            askers.append(answer)
        self.asked += 1
        if not self._is_due and not self._keeping_back:
            self._is_due = True
            loop.call_soon(loop.call_soon, self._send)  # whoever asks in a task just begun joins too
        return answer

    def _send(self) -> None:
        """Send what waits; whoever has gone meanwhile is not asked for."""
        self._is_due = False
        for key in [key for key, askers in self._waiting.items() if askers[0].done() and _are_all_gone(askers)]:
            del self._waiting[key]
        keys = list(self._waiting)[:MAX_KEYS]
        if keys:
            batch = {key: self._waiting.pop(key) for key in keys}
            self._keeping_back += 1
            task = asyncio.get_running_loop().create_task(self._run(batch), name="batched read")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, batch: dict[Key, list[asyncio.Future[Found | None]]]) -> None:
        keeping_back = True

        def let_the_next_go() -> None:
            nonlocal keeping_back
            if keeping_back:
                keeping_back = False
                self._keeping_back -= 1
                if self._waiting and not self._is_due:
                    self._send()

        overdue = asyncio.get_running_loop().call_later(SLOW_S, let_the_next_go)
        try:
            await self._answer(batch)
        except asyncio.CancelledError:  # the loop ends: no statement will be sent for whoever waits
            _refuse(self._waiting, None)
            self._waiting.clear()
            raise
        finally:
            overdue.cancel()
            let_the_next_go()

    async def _answer(self, batch: dict[Key, list[asyncio.Future[Found | None]]]) -> None:
        self.statements += 1
        try:
            found = await self._fetch(batch.keys())
        except Exception as error:  # noqa: BLE001 - it belongs to the askers
            if len(batch) == 1 or isinstance(error, DatabaseUnavailable):
                _refuse(batch, error)
            else:
                await asyncio.gather(*(self._answer({key: askers}) for key, askers in batch.items()))
        except BaseException:  # the loop ends: nobody may be left waiting
            _refuse(batch, None)
            raise
        else:
            for key, askers in batch.items():
                for asker in askers:
                    if not asker.done():
                        asker.set_result(found.get(key))


def _are_all_gone(askers: list[asyncio.Future[Any]]) -> bool:
    return all(asker.done() for asker in askers)


def _refuse(batch: Mapping[Any, list[asyncio.Future[Any]]], error: Exception | None) -> None:
    """Tell the askers that there is no answer; None is the end of everything."""
    for asker in (asker for askers in batch.values() for asker in askers if not asker.done()):
        if error is None:
            asker.cancel()
        else:
            asker.set_exception(error)
