"""Resolves host names without blocking the process while a name server hangs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread
from typing import Protocol


class Resolver(Protocol):
    """Resolves host names to addresses."""

    async def resolve(self, host: str) -> Sequence[str]:
        """All its addresses, as texts; raises `OSError` or `UnicodeError` when there are none."""


class SystemResolver:
    """Calls the operating system's resolver, `getaddrinfo`, for at most `lookups` hosts at once.

    It uses daemon threads of its own. A thread inside `getaddrinfo` cannot be interrupted: the event loop's executor
    would run out of threads, and the process would wait for them when it exits. A call beyond the limit waits for a
    free slot until its own deadline.
    """

    def __init__(self, *, lookups: int = 32) -> None:
        self._free = asyncio.Semaphore(lookups)

    async def resolve(self, host: str) -> Sequence[str]:
        """See `Resolver`."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Sequence[str]] = loop.create_future()

        def finish(found: Sequence[str] | OSError | UnicodeError) -> None:
            self._free.release()
            if answered.cancelled():
                return
            if isinstance(found, Exception):
                answered.set_exception(found)
            else:
                answered.set_result(found)

        def look_up() -> None:
            found = _look_up(host)
            # The loop may have ended before the name server answered.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, found)

        try:
            Thread(target=look_up, name="look-up", daemon=True).start()
        except RuntimeError as error:
            self._free.release()
            raise OSError("the machine has no thread left for a look-up") from error
        return await answered


def _look_up(host: str) -> Sequence[str] | OSError | UnicodeError:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return [str(address[0]) for *_, address in found]
