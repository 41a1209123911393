"""Reads PostgreSQL's `timestamptz` through a memory of moments.

asyncpg builds each moment from two objects, which takes it half of what a row costs. The same moments are read again
and again, and a moment never changes: eight bytes from the wire find the one that was built before.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

from models.bounded_cache import Remembered

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WIDTH = 8
_BEYOND = {
    (2**63 - 1).to_bytes(_WIDTH, "big"): datetime.max.replace(tzinfo=UTC),
    (-(2**63)).to_bytes(_WIDTH, "big", signed=True): datetime.min.replace(tzinfo=UTC),
}
"""PostgreSQL's `infinity` and `-infinity`."""


class Moments(Remembered[bytes, datetime]):
    """Moments, aware and in UTC, by PostgreSQL's binary form: microseconds since 2000 in eight bytes."""

    def find_out(self, key: bytes) -> datetime:
        """Build a moment; raises OverflowError for one before the year 1 or after 9999."""
        return _BEYOND.get(key) or _EPOCH + int.from_bytes(key, "big", signed=True) * _MICROSECOND

    async def teach(self, connection: asyncpg.Connection) -> None:
        """Let a new connection read and write moments this way."""
        await connection.set_type_codec(
            "timestamptz", schema="pg_catalog", format="binary", encoder=wire_form, decoder=self.__getitem__
        )


def wire_form(moment: datetime) -> bytes:
    """PostgreSQL's binary form; raises TypeError for a moment that does not say in which zone it is."""
    return ((moment - _EPOCH) // _MICROSECOND).to_bytes(_WIDTH, "big", signed=True)
