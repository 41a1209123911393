"""Tasks that run beside the caller's own code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress


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
