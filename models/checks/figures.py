"""What the last checks of all destinations found, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from tortoise.functions import Count

from models.clock import current_second
from models.destinations.attributes import Reachability
from models.destinations.table import BackupDestination

LATE = 2
"""A destination is overdue when it was not checked for so many intervals."""


async def counts_by_reachability() -> dict[Reachability, int]:
    """How many destinations have each reachability; 0 for one that none has."""
    rows = await BackupDestination.all().annotate(n=Count("id")).group_by("reachability").values("reachability", "n")
    counts = dict.fromkeys(Reachability, 0)
    return counts | {Reachability(row["reachability"]): row["n"] for row in rows}


async def overdue(every: timedelta) -> int:
    """How many destinations with a store were neither checked nor made for `LATE` intervals."""
    before = current_second() - LATE * every
    with_store = BackupDestination.filter(bucket_name__isnull=False, created_at__lt=before)
    checked = await with_store.filter(checked_at__lt=before).count()
    return checked + await with_store.filter(checked_at__isnull=True).count()


async def reachability_of_some(limit: int) -> Sequence[tuple[int, Reachability]]:
    """Ids and reachability of at most `limit` destinations, first those that are unreachable, then by id."""
    found: list[tuple[int, Reachability]] = []
    for reachability in (Reachability.UNREACHABLE, Reachability.REACHABLE):
        wanted = BackupDestination.filter(reachability=reachability).order_by("id").limit(limit - len(found))
        if len(found) < limit:
            found += [(int(str(id_)), reachability) for id_ in await wanted.values_list("id", flat=True)]
    return found
