"""Removes entries of the audit that are older than they are kept, in small steps beside everything else."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tortoise.transactions import in_transaction

from models.audit.entry import Actor, AuditEntry, AuditKind, AuditPruning, Origin
from models.audit.recording import record
from models.database.postgresql import earlier_second

STEP = 500
"""Entries that are removed in one transaction."""
PAUSE_S = 0.5
"""Between two steps: others write meanwhile."""
MIN_RETENTION = timedelta(days=1)
"""The database removes nothing that is younger."""


async def prune(retention: timedelta, *, step: int = STEP) -> int:
    """Remove the entries older than `retention`, of at least a day; returns how many there were.

    What the clock of the database says is younger than a day it refuses to remove, so that of both clocks the one that
    is behind counts.
    """
    horizon = await earlier_second(AuditEntry) - max(retention, MIN_RETENTION)
    removed = 0
    while count := await _remove_some(horizon, step):
        removed += count
        if count < step:
            break
        await asyncio.sleep(PAUSE_S)
    if removed:
        gateway, before = Origin(actor=Actor.GATEWAY), horizon.isoformat()
        await record(gateway, AuditKind.AUDIT_PRUNED, "audit", before=before, removed=removed)
    return removed


async def _remove_some(horizon: datetime, step: int) -> int:
    """Remove the oldest entries, at most `step`. They are the first by id: ids rise with time."""
    oldest = await AuditEntry.all().order_by("id").limit(step).values_list("id", "occurred_at")
    old = [id_ for id_, occurred_at in oldest if occurred_at < horizon]
    if old:
        async with in_transaction():
            await AuditPruning.create(id=1, horizon=horizon)
            await AuditEntry.filter(id__in=old, occurred_at__lt=horizon).delete()
            await AuditPruning.filter(id=1).delete()
    return len(old)
