"""Removes tokens that ended long ago, in small steps beside everything else.

A token ends when it is revoked or expires. Its entries in the audit and in the events stay, and have its name in them;
its number is given to no other token. Imported tokens stay for good: a later import would bring them back.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tortoise.expressions import Q

from models.accounts.token import Token
from models.database.postgresql import earlier_second

STEP = 500
"""Tokens that are removed in one transaction, at most."""
PAUSE_S = 0.02
"""Between two steps: others write meanwhile."""


async def prune_older(retention: timedelta) -> int:
    """Remove the tokens that ended longer ago than `retention`; returns how many there were."""
    return await prune(await earlier_second(Token) - retention)


async def count_ended(before: datetime) -> int:
    """How many tokens that may be removed ended before that time."""
    return await Token.filter(_ended(before)).count()


async def prune(before: datetime, *, step: int = STEP) -> int:
    """Remove the tokens that ended before that time; returns how many there were."""
    removed = last = 0
    while True:
        found = Token.filter(_ended(before), id__gt=last).order_by("id").limit(step)
        ids = [int(str(id_)) for id_ in await found.values_list("id", flat=True)]
        if not ids:
            return removed
        removed += await Token.filter(_ended(before), id__in=ids).delete()
        last = ids[-1]
        await asyncio.sleep(PAUSE_S)


def _ended(before: datetime) -> Q:
    return (Q(revoked_at__lt=before) | Q(expires_at__lt=before)) & Q(imported_id__isnull=True)
