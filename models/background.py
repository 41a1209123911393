"""Something that runs beside the rest for as long as a block lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
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
