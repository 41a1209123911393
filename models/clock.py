"""The one clock: UTC in whole seconds, because both APIs show no more than that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import randbelow, randbits
from time import time

MAX_AHEAD = timedelta(minutes=1)
"""By how much the clocks of two processes on one database may differ."""
_CHANCE_BITS = 21
_VERSION_BITS = 31


def current_second() -> datetime:
    """The current time in UTC, its fraction of a second cut off."""
    return datetime.fromtimestamp(int(time()), UTC)


def is_ahead(timestamp: datetime) -> bool:
    """Whether a stored timestamp is more than `MAX_AHEAD` later than now: the clock was set back since.

    What waits for its time to pass would wait as long as the clock was wrong.
    """
    return timestamp > current_second() + MAX_AHEAD


def unrepeatable(after: int) -> int:
    """A number greater than another that no history gives twice: milliseconds since 1970 above 21 bits of chance.

    A counter would go on from an earlier state after a restore, and number other changes the same.
    """
    return max(after, int(time() * 1000) << _CHANCE_BITS) + 1 + randbits(_CHANCE_BITS)


def another_version(than: int) -> int:
    """A positive number of 31 bits, as GraphQL's `Int` holds, other than the given one, and by chance: one that a row
    had before, in this history or in one that was lost, comes again once in two thousand million changes.
    """
    version = randbelow((1 << _VERSION_BITS) - 1) + 1
    return another_version(than) if version == than else version
