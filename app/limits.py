"""How often: one count per request and user across tokens, and one of failed authentications per client address."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute, parse
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from app.fixed_windows import FixedWindows
from models.errors import Quota, TooManyAttempts

logger = logging.getLogger("moorings.limits")

FAILED_AUTHENTICATIONS = RateLimitItemPerMinute(10)
CHECKS = RateLimitItemPerMinute(5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limiters:
    """What is counted in this process: requests and checks per user, failed authentications per client address."""

    requests: Limiter
    failures: Limiter
    checks: Limiter


def open_limiters(rate_limit: str, storage_url: str) -> Limiters:
    """The limiters; a rate limit of `off` turns all of them off."""
    storage = open_storage(storage_url)
    is_off = rate_limit == "off"
    return Limiters(
        requests=Limiter(None if is_off else parse(rate_limit), storage),
        failures=Limiter(None if is_off else FAILED_AUTHENTICATIONS, storage, fails_open=False),
        checks=Limiter(None if is_off else CHECKS, storage),
    )


def open_storage(url: str) -> Storage | None:
    """The store of the counts, None for the memory of this process.

    Raises `limits.errors.ConfigurationError` when the library for `redis://` is missing.
    """
    if url == "memory://":
        return None
    storage = storage_from_string(f"async+{url}", implementation="redispy", wrap_exceptions=True)
    if not isinstance(storage, Storage):
        raise TypeError(f"{type(storage).__name__} does not count asynchronously")
    return storage


class Limiter:
    """Counts hits against one limit; the window starts with the first hit and has a fixed length."""

    def __init__(self, limit: RateLimitItem | None, storage: Storage | None, *, fails_open: bool = True) -> None:
        """`limit` of None lets everything through; `fails_open` says whether an unreachable storage does too."""
        self._limit = limit
        self._strategy = None if storage is None else FixedWindowRateLimiter(storage)
        self._windows = FixedWindows(0 if limit is None else limit.get_expiry())
        self._fails_open = fails_open

    @property
    def counts_here(self) -> bool:
        """Whether the counts are in the memory of this process, so that nobody has to be waited for."""
        return self._strategy is None

    def count(self, *identifiers: str) -> Quota | None:
        """Count one in the memory of this process; says where the count stands, or raises `TooManyAttempts`."""
        limit = self._limit
        if limit is None:
            return None
        hits, left_s = self._windows.hit(identifiers)
        return _stand(limit, left_s, allowed=hits <= limit.amount, remaining=max(0, limit.amount - hits))

    async def hit(self, *identifiers: str) -> Quota | None:
        """Count one wherever the counts are; answers as `count` does."""
        limit = self._limit
        if limit is None or self._strategy is None:
            return self.count(*identifiers)
        try:
            allowed = await self._strategy.hit(limit, *identifiers)
            stats = await self._strategy.get_window_stats(limit, *identifiers)
        except StorageError as error:
            self._refuse_unless_open(limit, error)
            return None
        return _stand(limit, stats.reset_time - time.time(), allowed=allowed, remaining=stats.remaining)

    def _refuse_unless_open(self, limit: RateLimitItem, error: StorageError) -> None:
        logger.warning("The rate limits cannot be counted: %s", type(error.storage_error).__name__)
        if not self._fails_open:
            quota = Quota(limit=limit.amount, remaining=0)
            raise TooManyAttempts(quota, retry_after_s=1, resets_at=ceil(time.time()) + 1) from error


def _stand(limit: RateLimitItem, left_s: float, *, allowed: bool, remaining: int) -> Quota:
    quota = Quota(limit.amount, remaining)
    if not allowed:
        raise TooManyAttempts(quota, retry_after_s=max(1, ceil(left_s)), resets_at=ceil(time.time() + left_s))
    return quota
