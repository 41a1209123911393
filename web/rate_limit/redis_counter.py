"""Counts that several processes share in Redis, by the library `limits`, loaded only where there is a Redis."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import NamedTuple

from limits import parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from web.rate_limit.rate import Rate

logger = logging.getLogger("moorings.limits")
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

    async def hit(self, rate: Rate, *identifiers: str) -> Count | None:
        """Count one; None, which is logged, when it cannot be counted."""
        limit = _parsed(rate.text)
        try:
            allowed = await self._strategy.hit(limit, *identifiers)
            stats = await self._strategy.get_window_stats(limit, *identifiers)
        except StorageError as error:
            logger.warning("The rate limits cannot be counted: %s", type(error.storage_error).__name__)
            return None
        return Count(allowed=allowed, remaining=stats.remaining, left_s=stats.reset_time - time.time())
