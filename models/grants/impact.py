"""What deleting a destination would do to backup jobs: whether any of them was granted access lately."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.functions import Count, Max

from models.grants.grant import AccessGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletionImpact:
    """The grants of a destination since some time; `last_*` are None where there were none."""

    recent_grants: int = 0
    """Of one operation on one object, or of a list."""
    last_granted_at: datetime | None = None
    last_expires_at: datetime | None = None
    """Until when the last of the signed requests is taken by the store."""

    @property
    def is_in_use(self) -> bool:
        """Whether a job would miss the destination."""
        return self.recent_grants > 0


async def deletion_impacts(destination_ids: Collection[int], *, since: datetime) -> Mapping[int, DeletionImpact]:
    """By destination, of those that were granted access to since then; one statement for all of them."""
    rows: list[dict[str, Any]] = (
        await AccessGrant.filter(destination_id__in=sorted(destination_ids), created_at__gte=since)
        .annotate(grants=Count("id"), granted=Max("created_at"), expires=Max("expires_at"))
        .group_by("destination_id")
        .values("destination_id", "grants", "granted", "expires")
    )
    return {
        row["destination_id"]: DeletionImpact(
            recent_grants=row["grants"],
            last_granted_at=_timestamp(row["granted"]),
            last_expires_at=_timestamp(row["expires"]),
        )
        for row in rows
    }


def _timestamp(value: datetime | str) -> datetime:
    """SQLite has the greatest of several timestamps as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
