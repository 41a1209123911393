"""Removes events that are older than they are kept, in small steps beside everything else.

A step is of one user, whose row it locks as a change does, and notes up to which event the history was pruned: a
position before it is unknown from then on. It is a new revision of the user, so that no cached response shows them.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tortoise.expressions import F
from tortoise.transactions import in_transaction

from models.accounts.user import User
from models.database.postgresql import earlier_second
from models.events.event import Event

STEP = 500
"""Events that are removed in one transaction, at most."""
PAUSE_S = 0.02
"""Between two steps: others write meanwhile."""


async def prune_older(retention: timedelta) -> int:
    """Remove the events that are older than `retention`; returns how many there were."""
    return await prune(await earlier_second(Event) - retention)


async def count_older(before: datetime) -> int:
    """How many events happened before that time."""
    return await Event.filter(occurred_at__lt=before).count()


async def prune(before: datetime, *, step: int = STEP) -> int:
    """Remove the events that happened before that time, the oldest first; returns how many there were."""
    removed = 0
    while True:
        oldest = Event.filter(occurred_at__lt=before).order_by("occurred_at", "id").limit(step)
        by_user: dict[int, list[int]] = {}
        for id_, user_id in await oldest.values_list("id", "user_id"):
            by_user.setdefault(user_id, []).append(id_)
        if not by_user:
            return removed
        for user_id, ids in by_user.items():
            removed += await _remove(user_id, ids)
            await asyncio.sleep(PAUSE_S)


async def _remove(user_id: int, ids: list[int]) -> int:
    async with in_transaction():
        await User.filter(id=user_id).update(revision=F("revision") + 1)
        await User.filter(id=user_id, pruned_event_id__lt=max(ids)).update(pruned_event_id=max(ids))
        return await Event.filter(id__in=ids, user_id=user_id).delete()
