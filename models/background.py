"""Tasks that run beside the caller's own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import NoReturn

from models.errors import DatabaseUnavailable

LOOK_S = 3_600.0
SHARE = 20
"""The part of a retention after which is looked again, where that is less than an hour."""
AGAIN_S = 10.0
"""Until the next try with a database that was away."""


@asynccontextmanager
async def in_background(coroutine: Coroutine[object, object, None], *, name: str) -> AsyncIterator[None]:
    """Run the coroutine as a task of that name; at the end of the block it is cancelled and awaited."""
    task = asyncio.create_task(coroutine, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run_concurrently(work: Callable[[], Awaitable[None]], count: int) -> None:
    """Run `count` calls of `work` at once; ends when all have ended, also when one fails or the caller is cancelled.

    `asyncio.gather` by itself returns at the first failure and leaves the other calls running.
    """
    for result in await asyncio.gather(*(work() for _ in range(count)), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def prune_repeatedly(prune: Callable[[timedelta], Awaitable[object]], retention: timedelta) -> NoReturn:
    """Call `prune`, which removes what is older than the retention, now and every hour.

    A database that is away is tried again soon.
    """
    while True:
        wait_s = min(LOOK_S, max(0.5, retention.total_seconds() / SHARE))
        try:
            await prune(retention)
        except DatabaseUnavailable:
            wait_s = min(wait_s, AGAIN_S)
        await asyncio.sleep(wait_s)
