"""Rate limits: requests per user across tokens, checks per user, failed authentications per client address."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from models.errors import Quota, TooManyAttempts
from web.rate_limit.memory_counter import FixedWindows
from web.rate_limit.rate import Rate, parse_rate

if TYPE_CHECKING:
    from web.rate_limit.redis_counter import SharedCounts

FAILED_AUTHENTICATIONS = parse_rate("10/minute")
CHECKS = parse_rate("5/minute")
STORE_CHECKS = parse_rate("30/minute")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limiters:
    """What is counted in this process: requests and checks per user, checks per store, failed authentications per
    client address."""

    requests: Limiter
    failures: Limiter
    checks: Limiter
    store_checks: Limiter


def open_limiters(rate_limit: str, storage_url: str) -> Limiters:
    """The limiters; a rate limit of `off` turns all of them off."""
    shared = open_shared_counts(storage_url)
    is_off = rate_limit == "off"
    return Limiters(
        requests=Limiter(None if is_off else parse_rate(rate_limit), shared),
        failures=Limiter(None if is_off else FAILED_AUTHENTICATIONS, shared, fails_open=False),
        checks=Limiter(None if is_off else CHECKS, shared),
        store_checks=Limiter(None if is_off else STORE_CHECKS, shared),
    )


def open_shared_counts(url: str) -> SharedCounts | None:
    """The counts behind a URL; None for counts in the memory of this process, which loads 3 MB of library less."""
    if url == "memory://":
        return None
    from web.rate_limit.redis_counter import SharedCounts

    return SharedCounts(url)


class Limiter:
    """Counts hits against one limit; the window starts with the first hit and has a fixed length."""

    def __init__(self, limit: Rate | None, shared: SharedCounts | None, *, fails_open: bool = True) -> None:
        """`limit` of None refuses nothing; `fails_open`: whether nothing is refused while shared counts are away."""
        self._limit = limit
        self._shared = shared
        self._windows = FixedWindows(0 if limit is None else limit.length_s)
        self._fails_open = fails_open

    @property
    def counts_here(self) -> bool:
        """Whether the counts are in the memory of this process, so that `count` may be used."""
        return self._shared is None

    def is_exhausted(self, *identifiers: str) -> bool:
        """Whether the next one would be refused, as far as the counts are in the memory of this process."""
        return self._limit is not None and self._windows.hits(identifiers) >= self._limit.amount

    def count(self, *identifiers: str) -> Quota | None:
        """Count one in the memory of this process; returns where the count stands, or raises `TooManyAttempts`."""
        limit = self._limit
        if limit is None:
            return None
        hits, left_s = self._windows.hit(identifiers)
        return _standing(limit, left_s, allowed=hits <= limit.amount, remaining=max(0, limit.amount - hits))

    async def hit(self, *identifiers: str) -> Quota | None:
        """Count one wherever the counts are; answers as `count` does."""
        limit = self._limit
        if limit is None or self._shared is None:
            return self.count(*identifiers)
        count = await self._shared.hit(limit, *identifiers)
        if count is None:
            self._refuse_unless_open(limit)
            return None
        return _standing(limit, count.left_s, allowed=count.allowed, remaining=count.remaining)

    def _refuse_unless_open(self, limit: Rate) -> None:
        if not self._fails_open:
            quota = Quota(limit.amount, 0)
            raise TooManyAttempts(quota, retry_after_s=1, resets_at=ceil(time.time()) + 1)


def _standing(limit: Rate, left_s: float, *, allowed: bool, remaining: int) -> Quota:
    quota = Quota(limit.amount, remaining, left_s)
    if not allowed:
        raise TooManyAttempts(quota, retry_after_s=max(1, ceil(left_s)), resets_at=ceil(time.time() + left_s))
    return quota
