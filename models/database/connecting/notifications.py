"""Finds out whether a connection gets what others NOTIFY: not through a pooler in transaction mode."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import asyncpg

WITHIN_S = 2.0
"""How long a notification may take."""


async def notifications_arrive(
    listening: asyncpg.Connection, execute: Callable[[str], Awaitable[object]], *, within_s: float = WITHIN_S
) -> bool:
    """Whether a NOTIFY that `execute` sends over another connection reaches the one that listens.

    It has to be another: a pooler may give two transactions of one connection the same session by chance.
    """
    heard = asyncio.Event()
    channel = f"moorings_{uuid4().hex}"

    def hear(*_: object) -> None:
        heard.set()

    await listening.add_listener(channel, hear)
    await execute(f"NOTIFY {channel}")
    try:
        async with asyncio.timeout(within_s):
            await heard.wait()
    except TimeoutError:
        return False
    await listening.remove_listener(channel, hear)
    return True
