"""Lookups that arrive together share a statement: everything queued while one statement runs becomes the next one.

A lookup never joins a statement that was already sent, so it never returns data older than the lookup itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import Context
from typing import Generic, TypeVar

from models.errors import DatabaseUnavailable
from models.tracing.spans import Span, context_within, current_span, joint

Key = TypeVar("Key")
Found = TypeVar("Found")

MAX_KEYS = 128
"""Keys of one statement."""
SLOW_S = 0.01
"""After this many seconds a running statement no longer holds the next one back, unless most take about as long."""
SLOW_FACTOR = 3
"""How many times the usual duration a statement may then take first."""
MAX_SLOW_S = 0.2
"""The most that a statement holds the next one back.

When all statements take longer because the process is busy, more of them at the same time take longer still: on SQLite
their threads wait for the same interpreter lock, and batches that share less cost more for each lookup.
"""
USUAL_PART = 0.2
"""How much the last statement counts in the usual duration."""


class Batcher(Generic[Key, Found]):
    """Answers many lookups with few statements; a key that is not found gives None.

    When a statement fails for a reason of its own, each of its keys is tried once more alone, so that one key cannot
    spoil the others; `DatabaseUnavailable` goes to all of them at once.
    """

    def __init__(self, fetch: Callable[[Collection[Key]], Awaitable[Mapping[Key, Found]]]) -> None:
        """`fetch` runs one statement for up to `MAX_KEYS` keys."""
        self._fetch = fetch
        self._waiting: dict[Key, list[asyncio.Future[Found | None]]] = {}
        self._blocking = 0  # running statements that hold the next one back
        self._usual_s = 0.0  # how long statements took lately
        self._is_scheduled = False
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._spans: dict[Key, list[Span]] | None = None
        """Those of the callers that wait; None while none was ever traced."""
        self.requests = 0
        self.statements = 0

    def load(self, key: Key) -> asyncio.Future[Found | None]:
        """What a statement sent from now on finds for the key; raises `DatabaseUnavailable`."""
        loop = self._loop
        if loop is None or loop.is_closed():
            loop = self._loop = asyncio.get_running_loop()  # which makes a system call each time
        future: asyncio.Future[Found | None] = loop.create_future()
        futures = self._waiting.get(key)
        if futures is None:
            self._waiting[key] = [future]
        else:
            futures.append(future)
        self.requests += 1
        span = current_span()
        if span is not None:
            if self._spans is None:
                self._spans = {}
            self._spans.setdefault(key, []).append(span)
        if not self._is_scheduled and not self._blocking:
            self._is_scheduled = True
            loop.call_soon(loop.call_soon, self._send)  # one turn later: tasks that have just begun join too
        return future

    def _send(self) -> None:
        """Send what waits, without the keys whose callers were all cancelled meanwhile."""
        self._is_scheduled = False
        for key in [key for key, futures in self._waiting.items() if futures[0].done() and _all_done(futures)]:
            del self._waiting[key]
            if self._spans is not None:
                self._spans.pop(key, None)
        keys = list(self._waiting)[:MAX_KEYS]
        if keys:
            batch = {key: self._waiting.pop(key) for key in keys}
            self._blocking += 1
            task = asyncio.get_running_loop().create_task(
                self._run(batch), name="batched read", context=self._context_of(batch)
            )
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _context_of(self, batch: Collection[Key]) -> Context | None:
        """The context that a batch runs in: within the spans of all its callers, whichever of them sends it."""
        if self._spans is None:
            return None
        return context_within(joint([span for key in batch for span in self._spans.pop(key, ())]))

    async def _run(self, batch: dict[Key, list[asyncio.Future[Found | None]]]) -> None:
        is_blocking = True

        def unblock() -> None:
            nonlocal is_blocking
            if is_blocking:
                is_blocking = False
                self._blocking -= 1
                if self._waiting and not self._is_scheduled:
                    self._send()

        loop = asyncio.get_running_loop()
        began = loop.time()
        timer = loop.call_later(max(SLOW_S, min(self._usual_s * SLOW_FACTOR, MAX_SLOW_S)), unblock)
        try:
            await self._resolve(batch)
        except asyncio.CancelledError:  # the loop ends: no statement will be sent for those that wait
            _fail(self._waiting, None)
            self._waiting.clear()
            raise
        finally:
            timer.cancel()
            self._usual_s += (loop.time() - began - self._usual_s) * USUAL_PART
            unblock()

    async def _resolve(self, batch: dict[Key, list[asyncio.Future[Found | None]]]) -> None:
        self.statements += 1
        try:
            found = await self._fetch(batch.keys())
        except Exception as error:  # noqa: BLE001 - it belongs to the callers
            if len(batch) == 1 or isinstance(error, DatabaseUnavailable):
                _fail(batch, error)
            else:
                await asyncio.gather(*(self._resolve({key: futures}) for key, futures in batch.items()))
        except BaseException:  # the loop ends: no caller may be left waiting
            _fail(batch, None)
            raise
        else:
            for key, futures in batch.items():
                for future in futures:
                    if not future.done():
                        future.set_result(found.get(key))


def _all_done(futures: list[asyncio.Future[Found | None]]) -> bool:
    return all(future.done() for future in futures)


def _fail(batch: Mapping[Key, list[asyncio.Future[Found | None]]], error: Exception | None) -> None:
    """Give the error to every caller that still waits; None cancels them."""
    for future in (future for futures in batch.values() for future in futures if not future.done()):
        if error is None:
            future.cancel()
        else:
            future.set_exception(error)
