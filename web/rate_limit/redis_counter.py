"""Counts that several processes share in Redis, by the library `limits`, loaded only where there is a Redis."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import Any, NamedTuple

from limits import parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from models.outage import Breaker, Outage
from web.rate_limit.rate import Rate

TIMEOUT_S = 0.5
"""How long a count may take; a Redis that hangs costs each request this much until the breaker opens."""
PAUSE_S = 2.0
"""How long a Redis that failed is left alone between two tries."""
_parsed = cache(parse)
"""The library's own form of a rate; there is one for each limit."""


class Count(NamedTuple):
    """Where a count stands after a hit."""

    allowed: bool
    remaining: int
    left_s: float
    """Until the window ends."""


class SharedCounts:
    """The counts behind one URL."""

    def __init__(self, url: str) -> None:
        """Raises `limits.errors.ConfigurationError` when the library for `redis://` is missing."""
        storage = storage_from_string(f"async+{url}", implementation="redispy", wrap_exceptions=True)
        if not isinstance(storage, Storage):
            raise TypeError(f"{type(storage).__name__} does not count asynchronously")
        self._strategy = FixedWindowRateLimiter(storage)
        outage = Outage(begins="The rate limits cannot be counted", ends="The rate limits are counted again")
        self._breaker = Breaker(outage, pause_s=PAUSE_S)

    async def hit(self, rate: Rate, *identifiers: str) -> Count | None:
        """Count one; None when it cannot be counted. The beginning and the end of an outage are logged."""
        if not self._breaker.admits():
            return None
        limit = _parsed(rate.text)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                allowed = await self._strategy.hit(limit, *identifiers)
                stats = await self._strategy.get_window_stats(limit, *identifiers)
        except StorageError as error:
            self._breaker.note_failure(error.storage_error)
            return None
        except TimeoutError as error:
            self._breaker.note_failure(error)
            return None
        self._breaker.note_success()
        return Count(allowed=allowed, remaining=stats.remaining, left_s=stats.reset_time - time.time())


async def ping(url: str) -> float:
    """How many seconds a Redis takes to answer.

    Raises an `OSError` whose text is the class of the failure, or `ModuleNotFoundError` without the client for Redis.
    """
    try:
        storage: Any = storage_from_string(f"async+{url}", implementation="redispy", wrap_exceptions=True)
    except ConfigurationError as error:
        raise ModuleNotFoundError("redis") from error
    started = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await storage.get("moorings doctor")
    except StorageError as error:
        raise ConnectionError(type(error.storage_error).__name__) from error
    except TimeoutError as error:
        raise ConnectionError("TimeoutError") from error
    return time.monotonic() - started
