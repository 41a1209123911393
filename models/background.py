"""Something that runs beside the rest for as long as a block lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def in_background(act: Coroutine[object, object, None], *, name: str) -> AsyncIterator[None]:
    """Run `act` as a task of that name; at the end of the block it is cancelled and waited for."""
    task = asyncio.create_task(act, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def side_by_side(act: Callable[[], Awaitable[None]], count: int) -> None:
    """Run `act` so many times at once; ends when all have, also when one fails or the caller is cancelled.

    `asyncio.gather` by itself leaves the others behind then, to go on alone.
    """
    for ended in await asyncio.gather(*(act() for _ in range(count)), return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
