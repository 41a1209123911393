"""The destinations that `moorings check` goes to, read in batches so that a million of them fit into memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from models.clock import MAX_AHEAD, current_second
from models.destinations.attributes import KINDS
from models.destinations.ownership import MAX_ID
from models.destinations.table import BackupDestination
from models.errors import DestinationNotCheckable, DestinationNotFound

BATCH = 500
"""Destinations read by one statement."""


class Target(NamedTuple):
    """One selected destination."""

    id: int
    user_id: int
    label: str


class Selection:
    """Destinations with a store: those with some ids, those last checked longer than `stale` ago, or all.

    What was checked later than now is stale too: the clock was set back since.
    """

    def __init__(self, *, ids: Sequence[int] = (), stale: timedelta | None = None) -> None:
        self._ids = sorted(set(ids))
        self._before = None if stale is None else current_second() - stale

    async def require(self) -> None:
        """Raise `DestinationNotFound` or `DestinationNotCheckable` unless every id can be checked."""
        if any(not 0 < id_ <= MAX_ID for id_ in self._ids):
            raise DestinationNotFound
        found = await BackupDestination.filter(id__in=self._ids).only("id", "kind") if self._ids else []
        if len(found) < len(self._ids):
            raise DestinationNotFound
        if not all(KINDS[row.kind].is_checkable for row in found):
            raise DestinationNotCheckable

    async def count(self) -> int:
        """The number of selected destinations."""
        return await self._query().count()

    async def targets(self) -> AsyncIterator[Target]:
        """Each destination once, by id ascending; may include some that are created meanwhile."""
        last = 0
        while True:
            rows = await self._query().filter(id__gt=last).order_by("id").limit(BATCH).only("id", "user_id", "label")
            for row in rows:
                yield Target(row.id, row.user_id, row.label)
            if len(rows) < BATCH:
                return
            last = rows[-1].id

    def _query(self) -> QuerySet[BackupDestination]:
        query = BackupDestination.filter(bucket_name__not_isnull=True)
        if self._ids:
            query = query.filter(id__in=self._ids)
        if self._before is not None:
            ahead = Q(checked_at__gt=current_second() + MAX_AHEAD)
            query = query.filter(Q(checked_at__isnull=True) | Q(checked_at__lte=self._before) | ahead)
        return query
