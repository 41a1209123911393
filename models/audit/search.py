"""Finds entries of the audit for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.audit.entry import AuditEntry, AuditKind


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which entries are wanted; None is any."""

    user_id: int | None = None
    token_id: int | None = None
    kinds: Sequence[AuditKind] = ()
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def find_entries(wanted: AuditFilter, *, limit: int) -> Sequence[AuditEntry]:
    """The newest `limit` entries that match, newest first."""
    query = AuditEntry.all()
    exact = {"user_id": wanted.user_id, "token_id": wanted.token_id, "address": wanted.address}
    bounds = {"occurred_at__gte": wanted.since, "occurred_at__lte": wanted.until}
    given = {name: value for name, value in (exact | bounds).items() if value is not None}
    if wanted.kinds:
        query = query.filter(kind__in=list(wanted.kinds))
    return await query.filter(**given).order_by("-id").limit(limit)
